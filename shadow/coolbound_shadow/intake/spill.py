"""Readings on disk between cutting files and judging points.

Files come row by row, points are judged whole: a year of 300 points does not fit
between the two in memory. One temporary file takes the pieces as they come and gives
a point's pieces back in that order.
"""

import dataclasses
import threading
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import final

import numpy as np


@dataclasses.dataclass(frozen=True)
class Piece:
    """Consecutive readings of one source, on disk. Static.

    Attributes:
        sheet: Place of the file they came from. [1]
        first: Row of the file's clock that the first one has; -1 where the piece
            holds stamps of its own. [1]
        start: Where it begins in the temporary file. [bytes]
        size: Its length there. [bytes]
        arrays: By name: type and count, in the order in which they stand.
    """

    sheet: int
    first: int
    start: int
    size: int
    arrays: Mapping[str, tuple[np.dtype, int]]


@final
class Spill:
    """A temporary file of pieces, by source.

    Attributes:
        path: Where it is.
    """

    def __init__(self, path: Path) -> None:
        """Open the file."""
        self.path = path
        self._file = path.open("wb")
        self._reader = path.open("rb")
        self._lock = threading.Lock()
        self._end = 0
        self._pieces: dict[int, list[Piece]] = {}

    def __enter__(self) -> "Spill":
        """Return itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close and remove the file."""
        self._file.close()
        self._reader.close()
        self.path.unlink(missing_ok=True)

    def add(
        self, source: int, sheet: int, first: int, arrays: Mapping[str, np.ndarray]
    ) -> None:
        """Write one piece of a source."""
        start, kinds = self._end, {}
        for name, array in arrays.items():
            data = np.ascontiguousarray(array)
            self._file.write(data.data)
            kinds[name] = (data.dtype, len(data))
            self._end += data.nbytes
        piece = Piece(sheet, first, start, self._end - start, kinds)
        self._pieces.setdefault(source, []).append(piece)

    def flush(self) -> None:
        """Make everything written so far readable."""
        self._file.flush()

    def pieces(self, source: int) -> list[Piece]:
        """Return the pieces of a source, in the order in which they came."""
        return self._pieces.get(source, [])

    def load(self, piece: Piece) -> dict[str, np.ndarray]:
        """Return the arrays of a piece; any thread may ask."""
        with self._lock:
            self._reader.seek(piece.start)
            data = self._reader.read(piece.size)
        found, place = {}, 0
        for name, (dtype, count) in piece.arrays.items():
            found[name] = np.frombuffer(data, dtype, count, offset=place)
            place += found[name].nbytes
        return found

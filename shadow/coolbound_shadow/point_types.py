"""What a site's point map comes to: files, points and the clock they are put on."""

import dataclasses
from datetime import UTC, datetime

ROLES = ("point", "status", "action", "watch")
"""A watch is checked and reported, and used for nothing."""

NULL_TOKENS = ("", "null", "None", "N/A")
EARLIEST = datetime(2000, 1, 1, tzinfo=UTC)
LATEST = datetime(2100, 1, 1, tzinfo=UTC)


@dataclasses.dataclass(frozen=True)
class FileSpec:
    """How one export file is written. Static.

    Attributes:
        name: What the points call it.
        match: File name, or a pattern with `*`.
        time_column: Header of the time stamps.
        formats: strptime formats, or "iso", "unix_s", "unix_ms".
        stamps: "local", "utc", or "offset" where the text carries it.
        delimiter: Between cells.
        decimal: Decimal mark.
        encoding: Text encoding.
        null_tokens: Texts that mean an empty cell.
        max_age: A reading is held this long at most. [s]
    """

    name: str
    match: str
    time_column: str
    formats: tuple[str, ...] = ("iso",)
    stamps: str = "local"
    delimiter: str = ","
    decimal: str = "."
    encoding: str = "utf-8"
    null_tokens: tuple[str, ...] = NULL_TOKENS
    max_age: float = 0.0


@dataclasses.dataclass(frozen=True)
class PointSpec:
    """Where one point comes from and what makes a reading bad. Static.

    Attributes:
        name: Name in the spec; free for a watch.
        file: Name of the `FileSpec`.
        columns: Headers; several are combined.
        role: One of `ROLES`.
        combine: "sum" or "mean" of the columns.
        gain: Factor from the raw number to the point's unit. [per raw unit]
        bias: Added after the factor. [the point's unit]
        lower: Below this a reading is bad. [the point's unit]
        upper: Above this a reading is bad. [the point's unit]
        bad_values: Raw numbers that stand for a dropout. [the raw unit]
        stuck_s: A value unchanged this long is stuck; 0 switches it off. [s]
        resample: "mean" or "last" reading of a step.
        states: Texts and the numbers they stand for.
        quality_column: Header of a quality column; empty for none.
    """

    name: str
    file: str
    columns: tuple[str, ...]
    role: str = "point"
    combine: str = "sum"
    gain: float = 1.0
    bias: float = 0.0
    lower: float = -float("inf")
    upper: float = float("inf")
    bad_values: tuple[float, ...] = ()
    stuck_s: float = 0.0
    resample: str = "mean"
    states: tuple[tuple[str, float], ...] = ()
    quality_column: str = ""


@dataclasses.dataclass(frozen=True)
class PointMap:
    """All that turns a site's export files into a log. Static.

    Attributes:
        where: File and section, for messages.
        zone: IANA name of the local time zone.
        step_s: Time between rows; 0 takes it from the file. [s]
        files: The files; the first sets the rows.
        points: Points, channels and watches.
        on_ambiguous: "refuse" or "flag" the repeated autumn hour.
        earliest: Stamps before this are rejected, UTC epoch. [s]
        latest: Stamps after this are rejected, UTC epoch. [s]
    """

    where: str
    zone: str
    step_s: int
    files: tuple[FileSpec, ...]
    points: tuple[PointSpec, ...]
    on_ambiguous: str = "refuse"
    earliest: int = int(EARLIEST.timestamp())
    latest: int = int(LATEST.timestamp())

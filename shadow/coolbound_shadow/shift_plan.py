"""The hours of a site's shifts: names and the local times at which they begin.

A shift ends where the next one begins, so that no plan leaves a gap or an overlap.
"""

import bisect
import dataclasses
import re
from collections.abc import Sequence
from typing import Final, final

import numpy as np

from coolbound_envs.tables import InputError, Table

DAY_MIN: Final = 1440

ENTRY: Final = re.compile(r"([\w-]{1,20})\s+(\d{1,2})(?::(\d{2}))?")


@final
@dataclasses.dataclass(frozen=True)
class ShiftPlan:
    """Shifts of a day, in order of their beginnings. Static.

    Attributes:
        names: As the site calls them.
        begins: Local minute of the day at which each begins. [min]
    """

    names: tuple[str, ...]
    begins: tuple[int, ...]

    def length_min(self, name: str) -> int:
        """Return how long a shift lasts [min]."""
        place = self.names.index(name)
        end = self.begins[(place + 1) % len(self.begins)]
        return (end - self.begins[place]) % DAY_MIN or DAY_MIN

    def name_at(self, minute: int) -> str:
        """Return the shift of a local minute of the day."""
        return self.names[bisect.bisect(self.begins, minute) - 1]

    def places(self, minutes: np.ndarray) -> np.ndarray:
        """Return which shift each local minute of the day belongs to, as its place.

        Args:
            minutes: Since local midnight, any shape. [min]
        """
        begun = np.searchsorted(self.begins, minutes, side="right")
        # Before the day's first beginning the last shift of the day before goes on.
        return (begun - 1) % len(self.begins)

    def hours(self, name: str) -> str:
        """Return when a shift begins and ends, as 06:00 to 14:00."""
        begin = self.begins[self.names.index(name)]
        return f"{_clock(begin)} to {_clock(begin + self.length_min(name))}"

    def titles(self) -> tuple[str, ...]:
        """Return each shift with its hours, as early 06:00 to 14:00."""
        return tuple(f"{name} {self.hours(name)}" for name in self.names)

    def words(self) -> str:
        """Return the whole plan in words."""
        return ", ".join(self.titles())


USUAL: Final = ShiftPlan(("early", "late", "night"), (360, 840, 1320))
"""Where a site says nothing else."""


def _clock(minute: int) -> str:
    return f"{minute // 60 % 24:02d}:{minute % 60:02d}"


def chosen_plan(text: str, root: Table) -> ShiftPlan:
    """Return the plan of a text, or of the site file where the text is empty.

    Raises:
        InputError: The text or the site's `[shifts]` is wrong.
    """
    return parse_plan(text) if text else site_plan(root)


def site_plan(root: Table) -> ShiftPlan:
    """Return the plan of a site file's `[shifts]`, the usual one where it has none.

    Raises:
        InputError: It cannot be read, or two shifts share a beginning.
    """
    if not root.has("shifts"):
        return USUAL
    table = root.table("shifts")
    return _plan([f"{name} {table.text(name)}" for name in table.data], table.where)


def parse_plan(text: str) -> ShiftPlan:
    """Return the plan of a text such as `day 07:00, night 19:00`.

    Raises:
        InputError: It cannot be read, or two shifts share a name or a beginning.
    """
    return _plan([part for part in map(str.strip, text.split(",")) if part], "--shifts")


def _plan(parts: Sequence[str], where: str) -> ShiftPlan:
    found: dict[int, str] = {}
    for part in parts:
        read = ENTRY.fullmatch(part)
        minute = 60 * int(read[2]) + int(read[3] or 0) if read else DAY_MIN
        is_time = read is not None and int(read[3] or 0) < 60 and minute < DAY_MIN
        if read is None or not is_time:
            raise _refused(part, where)
        if minute in found or read[1] in found.values():
            raise InputError(
                f"{where}: found {part!r} where another has its name or its beginning, "
                "expected each once; correct one of them"
            )
        found[minute] = read[1]
    if not found:
        raise _refused("", where)
    names = tuple(found[begin] for begin in sorted(found))
    return ShiftPlan(names, tuple(sorted(found)))


def _refused(part: str, where: str) -> InputError:
    return InputError(
        f"{where}: found {part!r}, expected names with their beginnings such as "
        "'early 06:00, late 14:00, night 22:00'; correct it"
    )

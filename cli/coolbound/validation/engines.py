"""Our answers to each set-point beside those of EnergyPlus."""

import dataclasses
from collections.abc import Sequence

from coolbound_envs.energyplus.plant import is_installed
from coolbound_envs.energyplus.responses import ResponseRow, compare_responses
from coolbound_envs.site import Site

NOT_INSTALLED = (
    "EnergyPlus is not installed here, so this comparison was not run: `make "
    "energyplus` installs it."
)

COMPARED = ("chiller", "chw_pump", "cw_pump", "tower", "crah")
"""Consumers, in the order of the table."""


@dataclasses.dataclass(frozen=True)
class EngineComparison:
    """Both engines' responses, or why there are none. Static.

    Attributes:
        rows: One for each point, step and consumer.
        reason: Why it was not run; empty where it was.
    """

    rows: tuple[ResponseRow, ...]
    reason: str = ""

    @property
    def agreeing(self) -> int:
        """Rows whose signs agree [1]."""
        return sum(row.sign_agrees for row in self.rows)


def compare_engines(site: Site) -> EngineComparison:
    """Return the responses, or the reason where EnergyPlus is not there."""
    if not is_installed():
        return EngineComparison((), NOT_INSTALLED)
    return EngineComparison(tuple(compare_responses(site)))


def by_step(
    rows: Sequence[ResponseRow],
) -> dict[tuple[str, str, str], list[ResponseRow]]:
    """Return the rows of each point, channel and step, in their order."""
    grouped: dict[tuple[str, str, str], list[ResponseRow]] = {}
    for row in rows:
        grouped.setdefault((row.point, row.channel, row.step), []).append(row)
    return grouped

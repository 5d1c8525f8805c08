"""Who has a row on the page: a controller by itself, or all seeds of a learner."""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any, Final

from coolbound_controllers.evaluation_seeds import spread

Data = Mapping[str, Any]

UNFILTERED: Final = " (filter off)"
"""Ends the name of a policy that acts without the safety layer."""


@dataclasses.dataclass(frozen=True)
class Shown:
    """One row of the tables. Static.

    Attributes:
        name: As printed.
        members: Names in `controllers`: itself, or its seeds.
        is_group: True for the seeds of one learner.
        is_learned: True for policies.
        is_guarded: True where it acts behind the safety layer.
    """

    name: str
    members: tuple[str, ...]
    is_group: bool
    is_learned: bool
    is_guarded: bool


def shown(data: Data) -> list[Shown]:
    """Return the rows, in the order in which controllers were given."""
    group_of = {
        member: label
        for label, group in data["seeds"].items()
        for member in group["members"]
    }
    rows: dict[str, Shown] = {}
    for name, found in data["controllers"].items():
        label = group_of.get(name)
        members = tuple(data["seeds"][label]["members"]) if label else (name,)
        is_learned = name.removesuffix(UNFILTERED) in data["policies"]
        is_guarded = bool(found["interventions"]["by_kind"])
        row = Shown(label or name, members, bool(label), is_learned, is_guarded)
        rows[row.name] = row
    return list(rows.values())


def subjects(data: Data) -> list[Shown]:
    """Return whom the page is about: the policies, or all but the baseline."""
    rows = shown(data)
    learned = [row for row in rows if row.is_learned]
    return learned or [row for row in rows if data["baseline"] not in row.members]


def mean(data: Data, row: Shown, *path: str) -> float:
    """Return a figure of a row, the mean over its seeds."""
    found = [_at(data["controllers"][name], path) for name in row.members]
    return sum(found) / len(found)


def total(data: Data, row: Shown, *path: str) -> int:
    """Return a count of a row, all seeds together."""
    return sum(_at(data["controllers"][name], path) for name in row.members)


def greatest(data: Data, row: Shown, *path: str) -> float:
    """Return the greatest of a figure over the seeds."""
    return max(_at(data["controllers"][name], path) for name in row.members)


def _at(found: Any, path: Sequence[str]) -> Any:
    for key in path:
        found = found[key]
    return found


def difference(
    part: Data, row: Shown, baseline: str, kind: str = "cooling_21"
) -> Data | None:
    """Return a row's difference to the baseline with its interval, None for none.

    Of seeds the mean with the interval over the seeds; of a controller by itself the
    one over days.

    Args:
        part: The whole, or one place of it.
        row: Whose.
        baseline: Name of the baseline.
        kind: `cooling_21`, or empty for facility energy.
    """
    if baseline in row.members:
        return None
    if row.is_group:
        return _over_seeds(part, row, kind)
    pair = part["paired"][row.name]
    return pair[kind] if kind else pair


def _over_seeds(part: Data, row: Shown, kind: str) -> Data:
    pairs = [part["paired"][name] for name in row.members]
    points = [(pair[kind] if kind else pair)["point"] for pair in pairs]
    found = spread(points, more_is_better=True)
    return {**found, "percent": found["mean"], "point": found["mean"], "refused": ""}

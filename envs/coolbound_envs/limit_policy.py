"""What a site says of each limit beside its numbers: priority, source, switch."""

import dataclasses

from coolbound_envs.limit_table import HARD, LIMIT_NAMES, LIMITS, PRIORITIES, LimitSpec
from coolbound_envs.tables import InputError, Table

POLICY_KEYS = frozenset({"on", "priority", "source"})
"""Keys that every `[limits.NAME]` may have."""

SOURCE_LENGTH = 200
"""Longest source, one line of a table. [characters]"""


@dataclasses.dataclass(frozen=True)
class LimitPolicy:
    """Switch, priority and source of the 21 limits, in their order. Static.

    Attributes:
        is_on: True where a limit is switched on.
        priority: Keys of `PRIORITIES`.
        source: Where the numbers are from, one line each.
    """

    is_on: tuple[bool, ...]
    priority: tuple[int, ...]
    source: tuple[str, ...]

    @property
    def limits_off(self) -> tuple[str, ...]:
        """Return the names of the limits that are switched off."""
        switches = zip(LIMIT_NAMES, self.is_on, strict=True)
        return tuple(name for name, is_on in switches if not is_on)


def limit_tables(root: Table) -> dict[str, Table]:
    """Return the table of every limit, empty where the site says nothing of it.

    Raises:
        InputError: `[limits]` names a limit that does not exist, or is no table.
    """
    section = root.table("limits") if root.has("limits") else Table({}, root.where)
    for name in section.data:
        if name not in LIMIT_NAMES:
            raise InputError(
                f"{section.where}: found unknown limit {name!r}, expected one of "
                f"{', '.join(LIMIT_NAMES)}; correct the name"
            )
    return {
        name: section.table(name)
        if section.has(name)
        else Table({}, f"{section.where}.{name}")
        for name in LIMIT_NAMES
    }


def parse_limit_policy(root: Table) -> LimitPolicy:
    """Read switch, priority and source; what is left out is the table's.

    Raises:
        InputError: A limit is unknown, a switch is neither true nor false, a
            priority cannot be chosen for that limit, or a source is no line.
    """
    tables = limit_tables(root)
    return LimitPolicy(
        is_on=tuple(tables[x.name].boolean("on", default=True) for x in LIMITS),
        priority=tuple(_priority(tables[x.name], x) for x in LIMITS),
        source=tuple(_source(tables[x.name], x) for x in LIMITS),
    )


def _priority(table: Table, limit: LimitSpec) -> int:
    """Return the priority: a limit may be hardened, one that is hard stays so."""
    if not table.has("priority"):
        return limit.priority
    found = table.integer("priority", min(PRIORITIES), max(PRIORITIES))
    if limit.priority == HARD and found != HARD:
        raise InputError(
            f"{table.where}.priority: found {found}, expected {HARD}: this limit is "
            "never relaxed; remove it"
        )
    return found


def _source(table: Table, limit: LimitSpec) -> str:
    found = table.text("source", default=limit.source)
    if not found.strip() or not found.isprintable() or len(found) > SOURCE_LENGTH:
        raise InputError(
            f"{table.where}.source: found {found[:SOURCE_LENGTH]!r}, expected one line "
            f"of at most {SOURCE_LENGTH} characters; say where the value is from"
        )
    return found

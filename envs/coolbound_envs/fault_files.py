"""Schedules of faults from TOML files: `[[fault]]` tables, every number with a unit.

    [[fault]]
    kind = "chiller_trip"
    target = "chiller2"
    start = "2 h"
    duration = "45 min"

`duration` may be left out: the fault then lasts for the rest of the episode.
`size` is a number where it is a share, a probability or a count, and text with a
unit where it is a quantity ("8 delta_degC").
"""

import math
from pathlib import Path
from typing import Final

from coolbound_envs.fault_events import check_event
from coolbound_envs.fault_kinds import KINDS, FaultEvent, FaultKind, size_unit
from coolbound_envs.tables import InputError, Table, read_toml

LONGEST: Final = 1e8
"""No fault begins later, or lasts longer and still ends. [s]"""


def load_faults(path: Path | str) -> tuple[FaultEvent, ...]:
    """Return the events of a file, in its order.

    Raises:
        InputError: The file is no TOML or holds no fault, a key is unknown or
            without a unit, or a kind, machine, hall or point does not exist.
    """
    root = read_toml(Path(path))
    tables = root.tables("fault")
    root.finish()
    if not tables:
        raise InputError(
            f"{path}: found no fault, expected one [[fault]] table at least; add one"
        )
    return tuple(_event(table) for table in tables)


def _event(table: Table) -> FaultEvent:
    names = {kind.name.lower(): kind for kind in KINDS}
    kind = names[table.text("kind", tuple(names))]
    target = table.text("target", default="site")
    begun = FaultEvent(
        kind=kind,
        target=target,
        start_s=table.quantity("start", "s", 0.0, LONGEST),
        duration_s=table.quantity("duration", "s", 0.0, LONGEST, math.inf),
        size=0.0 if KINDS[kind].usual is None else None,
    )
    code, _ = check_event(begun, table.where)
    size = _size(table, kind, size_unit(kind, code))
    table.finish()
    event = FaultEvent(kind, target, begun.start_s, begun.duration_s, size)
    check_event(event, table.where)
    return event


def _size(table: Table, kind: FaultKind, unit: str) -> float | None:
    """Return the size that a table gives, None where it gives none."""
    facts = KINDS[kind]
    if facts.usual is not None and not table.has("size"):
        return None
    if not unit:
        return table.number("size")
    if unit == "1":
        return table.number("size", facts.lower, facts.upper)
    return table.quantity("size", unit, facts.lower, facts.upper)

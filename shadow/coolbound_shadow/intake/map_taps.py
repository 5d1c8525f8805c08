"""Where the readings of a point come from, and what turns them into its unit."""

import dataclasses
from collections.abc import Mapping

from coolbound_envs.tables import InputError, Table
from coolbound_shadow.intake.file_types import ColumnRef, FileMap
from coolbound_shadow.intake.map_types import StatusClass, Tap
from coolbound_shadow.intake.map_values import column_refs, instant
from coolbound_shadow.intake.units import conversion, known_unit

Statuses = Mapping[str, Mapping[str, StatusClass]]


def parse_taps(
    table: Table,
    units: tuple[str, str, str],
    files: tuple[FileMap, ...],
    statuses: Statuses,
    density: float,
) -> tuple[Tap, ...]:
    """Return the sources of a point, one for each interval of validity.

    Args:
        table: The point's table.
        units: Unit of the export, unit in which values are kept, and quantity.
        files: Files of the map.
        statuses: Its `[quality.NAME]` tables.
        density: Of the water, where a volume is asked for as mass. [kg/L]

    Raises:
        InputError: A source, a unit or an interval is wrong.
    """
    unit, kept, quantity = units
    base = _source(table, files)
    status, status_map = _status(table, statuses)
    scale, offset, sign = _transform(table)
    suffix = table.text("suffix", (), "")
    entries = table.tables("valid") or [Table({}, table.where)]
    taps = []
    for entry in entries:
        source = _source(entry, files) if entry.has("source") else base
        entry.seen.add("source")
        unit_in = known_unit(entry.text("unit_in", (), unit), entry.where)
        own_sign = entry.number("sign", -1.0, 1.0, sign)
        gain, bias = conversion(
            unit_in, kept, quantity, density, f"{entry.where}.unit_in"
        )
        taps.append(
            dataclasses.replace(
                source,
                status=status,
                status_map=status_map,
                gain=own_sign * gain * scale,
                bias=own_sign * (gain * offset + bias),
                suffix=suffix,
                start=instant(entry, "from", Tap.start),
                end=instant(entry, "to", Tap.end),
            )
        )
        entry.finish()
    return tuple(taps)


def _transform(table: Table) -> tuple[float, float, float]:
    if not table.has("transform"):
        table.seen.add("transform")
        return 1.0, 0.0, 1.0
    inner = table.table("transform")
    found = (
        inner.number("scale", default=1.0),
        inner.number("offset", default=0.0),
        inner.number("sign", -1.0, 1.0, 1.0),
    )
    inner.finish()
    return found


def _source(table: Table, files: tuple[FileMap, ...]) -> Tap:
    source = table.table("source")
    names = tuple(file.name for file in files)
    tag = source.text("tall_tag", (), "") or source.text("file", (), "")
    source.seen.add("file")
    column = _column(source)
    if bool(tag) == (column is not None):
        raise InputError(
            f"{source.where}: found {dict(source.data)}, expected one of `column`, "
            "`position`, `tall_tag` and `file`; correct it"
        )
    time = column_refs(source, "time_column", ())
    parsed = Tap(
        column=column,
        tag=tag,
        file=source.text("file_kind", ("", *names), ""),
        time=time[0] if time else None,
    )
    source.finish()
    return parsed


def _column(source: Table) -> ColumnRef | None:
    if source.has("position"):
        return ColumnRef(position=source.integer("position", 0, 100_000))
    source.seen.add("position")
    name = source.text("column", (), "")
    return ColumnRef(name=name) if name else None


def _status(table: Table, statuses: Statuses) -> tuple[ColumnRef | None, str]:
    if not table.has("status"):
        table.seen.add("status")
        return None, ""
    inner = table.table("status")
    column = _column(inner)
    name = inner.text("map")
    if name not in statuses:
        found = ", ".join(statuses) or "none"
        raise InputError(
            f"{inner.where}.map: found {name!r}, expected a [quality.NAME] table "
            f"(there are: {found}); correct it"
        )
    inner.finish()
    return column, name

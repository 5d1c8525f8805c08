"""Values of a point map that are more than a number or a text."""

from collections.abc import Mapping
from datetime import UTC, datetime

from coolbound_envs.tables import InputError, Table
from coolbound_shadow.intake.file_types import ColumnRef


def instant(table: Table, key: str, default: int) -> int:
    """Return a TOML date-time with an offset as UTC epoch [s].

    Raises:
        InputError: It is no date-time, or says no offset.
    """
    table.seen.add(key)
    found = table.data.get(key)
    if found is None:
        return default
    if isinstance(found, str):
        found = _parsed(found)
    if not isinstance(found, datetime) or found.tzinfo is None:
        raise InputError(
            f"{table.where}.{key}: found {table.data[key]!r}, expected a date and time "
            "with an offset, as 2015-01-01T00:00:00Z; correct it"
        )
    return int(found.astimezone(UTC).timestamp())


def _parsed(text: str) -> datetime | None:
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        return None


def column_refs(
    table: Table, key: str, default: tuple[ColumnRef, ...]
) -> tuple[ColumnRef, ...]:
    """Return one column or several: a header, { column } or { position }."""
    table.seen.add(key)
    found = table.data.get(key)
    if found is None:
        return default
    each = found if isinstance(found, list) else [found]
    return tuple(column_ref(one, f"{table.where}.{key}") for one in each)


def column_ref(found: object, where: str) -> ColumnRef:
    """Return the column that a header or a table names.

    Raises:
        InputError: It is neither.
    """
    if isinstance(found, str) and found:
        return ColumnRef(name=found)
    if isinstance(found, Mapping) and len(found) == 1:
        name, position = found.get("column"), found.get("position")
        if isinstance(name, str) and name:
            return ColumnRef(name=name)
        if isinstance(position, int) and position >= 0:
            return ColumnRef(position=position)
    raise InputError(
        f"{where}: found {found!r}, expected a header, {{ column = 'Header' }} or "
        "{ position = 0 }; correct it"
    )

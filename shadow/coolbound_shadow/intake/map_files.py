"""The `[[file]]` tables of a point map: how each kind of export is written."""

from coolbound_envs.tables import InputError, Table
from coolbound_shadow.intake import map_types as kinds
from coolbound_shadow.intake.file_types import (
    ORDERS,
    SHAPES,
    ColumnRef,
    FileMap,
    TextForm,
)
from coolbound_shadow.intake.map_values import column_refs
from coolbound_shadow.intake.stamp_formats import check_format


def time_formats(table: Table, default: tuple[str, ...]) -> tuple[str, ...]:
    """Return the time formats of a table.

    Raises:
        InputError: One of them cannot be read.
    """
    formats = table.texts("formats", default)
    for form in formats:
        check_format(form, f"{table.where}.formats")
    return formats


def parse_file(table: Table) -> FileMap:
    """Return one `[[file]]` table.

    Raises:
        InputError: A key or a choice is wrong.
    """
    default = FileMap("", "")
    shape = table.text("shape", SHAPES, default.shape)
    match = table.text("match")
    parsed = FileMap(
        name=table.text("name", (), match),
        match=match,
        shape=shape,
        text=_text_form(table),
        time=column_refs(table, "time_column", default.time),
        tag=_optional_ref(table, "tag_column", shape == "tall"),
        value=_optional_ref(table, "value_column", shape in ("tall", "per_point")),
        status=_optional_ref(table, "status_column", False),
        null_tokens=table.texts("null_tokens", default.null_tokens),
        formats=time_formats(table, ()),
        stamps=table.text("stamps", ("", *kinds.STAMPS), ""),
        order=table.text("order", ORDERS, default.order),
        header_sha256=table.text("header_sha256", (), ""),
        on_duplicate_header=table.text(
            "on_duplicate_header", ("refuse", "by_position"), "refuse"
        ),
    )
    table.finish()
    return parsed


def _text_form(table: Table) -> TextForm:
    default = TextForm()
    if not table.has("csv"):
        table.seen.add("csv")
        return default
    csv = table.table("csv")
    parsed = TextForm(
        encoding=csv.text("encoding", (), default.encoding),
        delimiter=csv.text("delimiter", (), default.delimiter),
        decimal=csv.text("decimal", (".", ","), default.decimal),
        thousands=csv.text(
            "thousands", ("", ".", ",", " ", "'", "\u00a0", "\u202f", "\u2019"), ""
        ),
        skip_rows=_rows(csv, "skip_rows", default.skip_rows),
        header_rows=_rows(csv, "header_rows", default.header_rows),
        unit_row=_rows(csv, "unit_row", default.unit_row),
        sheet=csv.text("sheet", (), ""),
    )
    csv.finish()
    _check_text_form(parsed, csv)
    return parsed


def _rows(table: Table, key: str, default: int) -> int:
    return (
        table.integer(key, 0, 10_000)
        if table.has(key)
        else _absent(table, key, default)
    )


def _absent(table: Table, key: str, default: int) -> int:
    table.seen.add(key)
    return default


def _check_text_form(form: TextForm, table: Table) -> None:
    if len(form.delimiter) != 1:
        raise InputError(
            f"{table.where}.delimiter: found {form.delimiter!r}, expected one "
            "character; correct it"
        )
    if form.thousands == form.decimal:
        raise InputError(
            f"{table.where}.thousands: found the decimal mark {form.decimal!r}, "
            "expected another mark or none; correct one of the two"
        )
    if form.unit_row > form.header_rows:
        raise InputError(
            f"{table.where}.unit_row: found {form.unit_row}, expected at most the "
            f"{form.header_rows} header rows; correct it"
        )


def _optional_ref(table: Table, key: str, is_needed: bool) -> ColumnRef | None:
    refs = column_refs(table, key, ())
    if not refs and is_needed:
        raise InputError(
            f"{table.where}: key {key!r} is missing, expected the column's header or "
            "{ position = 1 }; add it"
        )
    return refs[0] if refs else None

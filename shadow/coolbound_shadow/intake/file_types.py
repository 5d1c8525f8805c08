"""How one kind of export file is written: columns, cells, shape."""

import dataclasses

SHAPES = ("wide", "tall", "per_point", "interleaved")
ORDERS = ("oldest_first", "newest_first")
NULL_TOKENS = ("", "null", "NULL", "None", "N/A", "n/a", "-", "--")


@dataclasses.dataclass(frozen=True)
class ColumnRef:
    """A column, by its header or by its place. Static.

    Attributes:
        name: Header; empty where the place is given.
        position: Place of the column from 0; -1 where the header is given. [1]
    """

    name: str = ""
    position: int = -1

    @property
    def shown(self) -> str:
        """The column as a message names it."""
        return repr(self.name) if self.name else f"at position {self.position}"


@dataclasses.dataclass(frozen=True)
class TextForm:
    """How the cells of a file are written. Static.

    Attributes:
        encoding: Text encoding.
        delimiter: Between cells.
        decimal: Decimal mark.
        thousands: Mark between groups of three digits; empty for none.
        skip_rows: Lines above the header. [rows]
        header_rows: Rows that name the columns. [rows]
        unit_row: Which of the header rows holds units, from 1; 0 for none. [rows]
        sheet: Sheet of an Excel file; empty for the first.
    """

    encoding: str = "utf-8"
    delimiter: str = ","
    decimal: str = "."
    thousands: str = ""
    skip_rows: int = 0
    header_rows: int = 1
    unit_row: int = 0
    sheet: str = ""


@dataclasses.dataclass(frozen=True)
class FileMap:
    """One kind of export file. Static.

    Attributes:
        name: What messages call it.
        match: File name or pattern.
        shape: One of `SHAPES`.
        text: How its cells are written.
        time: Columns of the stamp: one, or date and time.
        tag: Column that names the point, in a tall file.
        value: Column of the reading, in a tall or per-point file.
        status: Column of the status, in a tall or per-point file.
        null_tokens: Texts that mean an empty cell.
        formats: Time formats of this file; empty for those of `[time]`.
        stamps: As in `[time]`, for this file; empty for the same.
        order: One of `ORDERS`.
        header_sha256: Digest of the header, needed where columns go by position.
        on_duplicate_header: "refuse" or "by_position".
    """

    name: str
    match: str
    shape: str = "wide"
    text: TextForm = TextForm()
    time: tuple[ColumnRef, ...] = (ColumnRef(position=0),)
    tag: ColumnRef | None = None
    value: ColumnRef | None = None
    status: ColumnRef | None = None
    null_tokens: tuple[str, ...] = NULL_TOKENS
    formats: tuple[str, ...] = ()
    stamps: str = ""
    order: str = "oldest_first"
    header_sha256: str = ""
    on_duplicate_header: str = "refuse"

"""Export files as they lie on disk: what they are, and their text as UTF-8.

The files are hashed and never changed. A text that is not UTF-8, and a sheet of an
Excel file, are written once more as UTF-8 text into a temporary folder, so that all
that follows knows text and Parquet only.
"""

import codecs
import csv
import dataclasses
import datetime
import hashlib
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from coolbound_envs.tables import InputError

TEXT, PARQUET, EXCEL = "text", "parquet", "excel"

CHUNK = 1 << 22

UTF8 = ("utf-8", "utf-8-sig", "utf8", "ascii", "us-ascii")

PACKED = {
    b"\x1f\x8b": "gzip",
    b"BZh": "bzip2",
    b"\xfd7zXZ": "xz",
    b"(\xb5/\xfd": "zstd",
}


@dataclasses.dataclass(frozen=True)
class Export:
    """One export file. Static.

    Attributes:
        path: Where it is.
        name: File name.
        form: "text", "parquet" or "excel".
        sha256: Digest of its bytes.
        size: Its length. [bytes]
    """

    path: Path
    name: str
    form: str
    sha256: str
    size: int


def open_exports(paths: list[Path]) -> list[Export]:
    """Return the files, in the order given; a folder stands for the files in it.

    Raises:
        InputError: A file is absent, empty, packed, or given twice.
    """
    found = [open_export(path) for path in _spread(paths)]
    by_digest: dict[str, Export] = {}
    for export in found:
        twin = by_digest.setdefault(export.sha256, export)
        if twin is not export:
            raise InputError(
                f"{export.name}: found the same bytes as in {twin.name}, expected "
                "every export once; leave one of the two out"
            )
    return found


def _spread(paths: list[Path]) -> list[Path]:
    spread: list[Path] = []
    for path in paths:
        inside = (
            sorted(p for p in path.iterdir() if p.is_file()) if path.is_dir() else []
        )
        if path.is_dir() and not inside:
            raise InputError(
                f"{path}: found an empty folder, expected export files; check the path"
            )
        spread += [p for p in inside if not p.name.startswith(".")] or [path]
    return spread


def open_export(path: Path) -> Export:
    """Return what one file is.

    Raises:
        InputError: It is absent, empty or packed.
    """
    try:
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
            file.seek(0)
            head = file.read(8)
    except OSError as error:
        raise InputError(
            f"{path}: cannot be read ({error.__class__.__name__}), expected a log as "
            "CSV, Excel or Parquet; check the path"
        ) from error
    if not head:
        raise InputError(
            f"{path.name}: found an empty file, expected a log; export it again"
        )
    for magic, name in PACKED.items():
        if head.startswith(magic):
            raise InputError(
                f"{path.name}: found a {name} file, expected CSV, Excel or Parquet; "
                "unpack it"
            )
    return Export(path, path.name, _form(path, head), digest, path.stat().st_size)


def _form(path: Path, head: bytes) -> str:
    if head.startswith(b"PAR1"):
        return PARQUET
    if head.startswith(b"\xd0\xcf\x11\xe0"):
        raise InputError(
            f"{path.name}: found an Excel file of before 2007 (.xls), expected .xlsx; "
            "save it as .xlsx or CSV"
        )
    if not head.startswith(b"PK\x03\x04"):
        return TEXT
    if "xl/workbook.xml" in _members(path):
        return EXCEL
    raise InputError(
        f"{path.name}: found a zip file that is no .xlsx, expected CSV, Excel or "
        "Parquet; unpack it"
    )


def _members(path: Path) -> list[str]:
    try:
        with zipfile.ZipFile(path) as archive:
            return archive.namelist()
    except zipfile.BadZipFile:
        return []


def as_text(export: Export, encoding: str, sheet: str, folder: Path) -> Path:
    """Return a UTF-8 text file with the rows of an export.

    Args:
        export: A text or Excel file.
        encoding: Encoding of a text.
        sheet: Sheet of an Excel file; empty for the first.
        folder: For the copy, where one is needed.

    Raises:
        InputError: The bytes are not in that encoding, or the sheet is absent.
    """
    if export.form == EXCEL:
        return _excel_text(export, sheet, folder)
    if encoding.lower() in UTF8 and not _has_lone_returns(export.path):
        return export.path
    copy = folder / f"{export.sha256[:16]}.csv"
    try:
        reader = codecs.getreader(encoding)
        with export.path.open("rb") as raw, copy.open("w", encoding="utf-8") as out:
            # Universal line ends: `\r\n` and a lone `\r` become `\n`.
            decoded = codecs.StreamReaderWriter(raw, reader, codecs.getwriter(encoding))
            for chunk in _lines(decoded):
                out.write(chunk)
    except (UnicodeError, LookupError) as error:
        raise InputError(
            f"{export.name}: cannot be read as {encoding} ({error}), expected text in "
            "that encoding; correct `encoding` of the file"
        ) from error
    return copy


def _lines(file: Any) -> Iterator[str]:
    held = ""
    while chunk := file.read(CHUNK):
        chunk = held + chunk
        held = "\r" if chunk.endswith("\r") else ""
        chunk = chunk.removesuffix("\r") if held else chunk
        yield chunk.replace("\r\n", "\n").replace("\r", "\n")
    if held:
        yield "\n"


def _has_lone_returns(path: Path) -> bool:
    with path.open("rb") as file:
        head = file.read(1 << 16)
    return b"\r" in head and b"\n" not in head


def sheet_names(export: Export) -> list[str]:
    """Return the sheets of an Excel file."""
    book = _open_book(export)
    try:
        return list(book.sheetnames)
    finally:
        book.close()


def _open_book(export: Export) -> Any:
    # Imported here: only who brings an Excel file waits for it.
    import openpyxl

    try:
        return openpyxl.load_workbook(export.path, read_only=True, data_only=True)
    except Exception as error:
        raise InputError(
            f"{export.name}: cannot be opened as Excel ({error.__class__.__name__}), "
            "expected an .xlsx file; save it again or export CSV"
        ) from error


def _excel_text(export: Export, sheet: str, folder: Path) -> Path:
    book = _open_book(export)
    try:
        if sheet and sheet not in book.sheetnames:
            raise InputError(
                f"{export.name}: found sheets {', '.join(book.sheetnames)}, expected "
                f"{sheet!r}; correct `sheet`"
            )
        chosen = sheet or book.sheetnames[0]
        number = book.sheetnames.index(chosen)
        copy = folder / f"{export.sha256[:16]}-{number}.csv"
        if copy.exists():
            return copy
        page = book[chosen]
        # A stored dimension may be wrong, and would cut rows off.
        page.reset_dimensions()
        with copy.open("w", encoding="utf-8", newline="") as out:
            writer = csv.writer(out, lineterminator="\n")
            width = max(
                (len(row) for row in page.iter_rows(values_only=True)), default=0
            )
            for row in page.iter_rows(values_only=True):
                cells = [_cell(value) for value in row]
                writer.writerow(cells + [""] * (width - len(cells)))
        return copy
    finally:
        book.close()


def _cell(value: object) -> str:
    """Return a cell as text; dates as ISO 8601, numbers so that they read back."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "TRUE" if value else "FALSE"
    if isinstance(value, datetime.datetime):
        # Excel keeps days as a float: what is left below a millisecond is noise.
        rounded = value + datetime.timedelta(microseconds=500)
        whole = rounded.replace(microsecond=rounded.microsecond // 1000 * 1000)
        return whole.isoformat(sep=" ")
    if isinstance(value, datetime.date | datetime.time):
        return value.isoformat()
    return repr(value) if isinstance(value, float) else str(value)

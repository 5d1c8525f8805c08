"""Time stamps as text or numbers to milliseconds, whole columns at a time.

A text that does not fit its format is not read, whatever it may have meant.
"""

import dataclasses
import re

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from coolbound_shadow.intake.stamp_formats import NUMBERED, pattern_of
from coolbound_shadow.intake.words import month_of

SERIAL_START = {
    "excel_serial": np.datetime64("1899-12-30", "ms").astype(np.int64),
    "excel_serial_1904": np.datetime64("1904-01-01", "ms").astype(np.int64),
}

CENTURY_TURNS = 69
"""Two-digit years below are of this century, as strptime has it. [1]"""

AFTERNOON = re.compile(r"^(p|下午|午後|오후)", re.I)

NO_STAMP = np.iinfo(np.int64).min

MS_MOST = 2.5e17
"""Beyond is no time of any plant. [1]"""


@dataclasses.dataclass(frozen=True)
class Stamps:
    """A column of stamps as it was written. Static.

    Attributes:
        wall_ms: Time as written, int64, `NO_STAMP` where unreadable, shape (n,). [ms]
        offset_s: Offset written beside it, int64, shape (n,); None where the format
            has none. [s]
        zone: Zone abbreviations written beside it; None where it has none.
        is_utc: True where the numbers count from 1970 in UTC.
    """

    wall_ms: np.ndarray
    offset_s: np.ndarray | None = None
    zone: np.ndarray | None = None
    is_utc: bool = False

    @property
    def is_read(self) -> np.ndarray:
        """Whether each stamp could be read, shape (n,)."""
        return self.wall_ms != NO_STAMP


def read_stamps(column: pa.Array, form: str) -> Stamps:
    """Return a column of stamps in one format.

    Args:
        column: Texts, numbers or timestamps.
        form: The format; timestamps need none.
    """
    kind = column.type
    if pa.types.is_timestamp(kind) or pa.types.is_date(kind):
        return _typed(column)
    if form in NUMBERED:
        return _numbered(column, form)
    if not pa.types.is_string(kind):
        column = column.cast(pa.string())
    return _texts(column, form)


def _typed(column: pa.Array) -> Stamps:
    has_zone = pa.types.is_timestamp(column.type) and column.type.tz is not None
    target = pa.timestamp("ms", "UTC" if has_zone else None)
    numbers = column.cast(target, safe=False).cast(pa.int64())
    ms = np.array(numbers.fill_null(NO_STAMP), dtype=np.int64)
    return Stamps(ms, is_utc=has_zone)


def _numbered(column: pa.Array, form: str) -> Stamps:
    if pa.types.is_string(column.type):
        column = _number_texts(column)
    values = np.array(column.cast(pa.float64(), safe=False).fill_null(np.nan))
    ms = values * NUMBERED[form]
    is_serial = form in SERIAL_START
    # A serial of five decimals is good to a second, and no better.
    ms = np.round(ms / 1000.0) * 1000.0 if is_serial else np.floor(ms)
    good = np.isfinite(ms) & (np.abs(ms) < MS_MOST)
    wall = np.where(good, ms, 0.0).astype(np.int64) + SERIAL_START.get(form, 0)
    return Stamps(np.where(good, wall, NO_STAMP), is_utc=not is_serial)


def _number_texts(column: pa.Array) -> pa.Array:
    text = pc.call_function("utf8_trim_whitespace", [column])
    point = pc.ReplaceSubstringOptions(",", ".")
    text = pc.call_function(
        "replace_substring",
        [
            text,
        ],
        point,
    )
    good = pc.call_function(
        "match_substring_regex",
        [text],
        pc.MatchSubstringOptions(r"^\d+(\.\d*)?([eE][+]?\d+)?$"),
    )
    return pc.call_function("if_else", [good, text, pa.scalar(None, pa.string())])


def _texts(column: pa.Array, form: str) -> Stamps:
    """Read each different text once: in a tall file a stamp stands for every point."""
    coded = column.dictionary_encode()
    place = np.array(coded.indices.fill_null(0))
    unique = coded.dictionary
    if len(unique) == 0:
        return Stamps(np.full(len(column), NO_STAMP, dtype=np.int64))
    found = _unique_texts(unique, form)
    wall = found.wall_ms[place]
    if column.null_count:
        wall[np.asarray(column.is_null())] = NO_STAMP
    offset = None if found.offset_s is None else found.offset_s[place]
    zone = None if found.zone is None else found.zone[place]
    return Stamps(wall, offset, zone)


def _unique_texts(texts: pa.Array, form: str) -> Stamps:
    trimmed = pc.call_function("utf8_trim_whitespace", [texts])
    options = pc.ExtractRegexOptions(pattern_of(form))
    parts = pc.call_function("extract_regex", [trimmed], options)
    fitting = np.asarray(parts.is_valid())
    names = {field.name for field in parts.type}

    def texts_of(name: str) -> pa.Array:
        return parts.field(name).fill_null("")

    def numbers(name: str, default: int) -> np.ndarray:
        if name not in names:
            return np.full(len(texts), default, dtype=np.int64)
        return _whole(texts_of(name), default)

    year = numbers("year", 0) if "year" in names else _full_year(numbers("short", 0))
    month = _named(texts_of("name")) if "name" in names else numbers("month", 1)
    hour = numbers("hour", 0)
    if "half" in names:
        hour = _of_24(
            numbers("half", 12), texts_of("noon") if "noon" in names else None
        )
    clock = (hour, numbers("minute", 0), numbers("second", 0))
    wall = _wall(year, month, numbers("day", 1), clock)
    if "fraction" in names:
        wall = np.where(
            wall == NO_STAMP, wall, wall + _milliseconds(texts_of("fraction"))
        )
    wall[~fitting] = NO_STAMP
    offset = _offsets(texts_of("offset")) if "offset" in names else None
    zone = np.asarray(texts_of("zone").to_pylist()) if "zone" in names else None
    if offset is not None and np.all(offset[fitting] == NO_STAMP):
        offset = None
    return Stamps(wall, offset, zone)


def _whole(texts: pa.Array, default: int) -> np.ndarray:
    is_empty = pc.call_function("equal", [texts, pa.scalar("")])
    filled = pc.call_function("if_else", [is_empty, pa.scalar(str(default)), texts])
    return np.array(filled.cast(pa.int64()))


def _full_year(short: np.ndarray) -> np.ndarray:
    return short + np.where(short < CENTURY_TURNS, 2000, 1900)


def _named(texts: pa.Array) -> np.ndarray:
    coded = texts.dictionary_encode()
    months = np.asarray([month_of(t) for t in coded.dictionary.to_pylist()], np.int64)
    return months[np.asarray(coded.indices)]


def _of_24(half: np.ndarray, noon: pa.Array | None) -> np.ndarray:
    """Return hours of the day; without a word for noon or morning there are none."""
    if noon is None:
        return np.full(len(half), -1, dtype=np.int64)
    late = np.asarray([bool(AFTERNOON.match(text)) for text in noon.to_pylist()])
    good = (half >= 1) & (half <= 12)
    return np.where(good, half % 12 + 12 * late, -1)


def _milliseconds(texts: pa.Array) -> np.ndarray:
    padded = pc.call_function("utf8_rpad", [texts], pc.PadOptions(3, "0"))
    first = pc.call_function("utf8_slice_codeunits", [padded], pc.SliceOptions(0, 3))
    return np.array(first.cast(pa.int64()))


def _offsets(texts: pa.Array) -> np.ndarray:
    coded = texts.dictionary_encode()
    found = [_offset(text) for text in coded.dictionary.to_pylist()]
    return np.asarray(found, dtype=np.int64)[np.asarray(coded.indices)]


def _offset(text: str) -> int:
    if text in ("", "Z"):
        return 0 if text else NO_STAMP
    hours, minutes = int(text[1:3]), int(text[-2:])
    return (-1 if text[0] == "-" else 1) * (3600 * hours + 60 * minutes)


def _wall(
    year: np.ndarray,
    month: np.ndarray,
    day: np.ndarray,
    clock: tuple[np.ndarray, np.ndarray, np.ndarray],
) -> np.ndarray:
    """Return milliseconds since 1970 on the clock's face; 24:00 ends the day."""
    hour, minute, second = clock
    is_month = (month >= 1) & (month <= 12)
    months = 12 * (year - 1970) + np.where(is_month, month, 1) - 1
    first = months.astype("datetime64[M]").astype("datetime64[D]").astype(np.int64)
    after = (
        (months + 1).astype("datetime64[M]").astype("datetime64[D]").astype(np.int64)
    )
    days = first + day - 1
    is_midnight = (hour == 24) & (minute == 0) & (second == 0)
    good = is_month & (day >= 1) & (days < after) & (minute < 60) & (second < 60)
    good &= (hour >= 0) & ((hour < 24) | is_midnight)
    wall = 1000 * (86_400 * days + 3600 * hour + 60 * minute + second)
    return np.where(good, wall, NO_STAMP)

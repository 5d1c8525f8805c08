"""What the stamps of an unknown file are: their columns, their format, their order.

A date such as 03/04/2024 has two readings. Every format that fits is tried, and the
steps between stamps decide: the right reading gives steps that are alike. Where they
do not decide, all readings stand in the map, and import refuses until one is left.
The zone is never guessed; what the file says about it is quoted.
"""

import dataclasses
import re
from collections.abc import Sequence

import numpy as np
import pyarrow as pa

from coolbound_shadow.intake.guesses import Guess
from coolbound_shadow.intake.stamps import read_stamps

TIME = r"\d{1,2}:\d{2}(?::\d{2}(?:[.,]\d{1,9})?)?(?:\s?(?i:[ap]\.?m\.?))?"
OFFSET = r"(?:\s?(?:Z|[+-]\d{2}:?\d{2})|\s[A-Z]{2,5})?"
DATE = (
    r"(?:\d{4}[-/.]\d{1,2}[-/.]\d{1,2}|\d{1,2}[-/.]\d{1,2}[-/.](?:\d{4}|\d{2})"
    r"|\d{1,2}\.?[-/. ]\s?[^\W\d_]{3,12}\.?[-/., ]\s?(?:\d{4}|\d{2})"
    r"|[^\W\d_]{3,12}\.? \d{1,2},? \d{4}|\d{8})"
)
STAMP = re.compile(rf"^{DATE}(?:(?:T|,?\s+){TIME}{OFFSET})?$")
CLOCK = re.compile(rf"^{TIME}$")

ZONE_WORDS = re.compile(
    r"\b(UTC|GMT|Z|CES?T|E[SD]T|C[SD]T|M[SD]T|P[SD]T|local)\b[^,;\t]{0,8}"
)

EPOCHS = (("unix_s", 6.0e8, 5.0e9), ("unix_ms", 6.0e11, 5.0e12))

SERIALS = (25_000.0, 75_000.0)

FIT_SHARE = 0.8
"""A format must read so many of a column's cells. [1]"""

CLEAR = 3
"""One reading of a date must have so many times fewer odd steps to win. [1]"""


@dataclasses.dataclass(frozen=True)
class TimeGuess:
    """What the stamps of a file seem to be. Static.

    Attributes:
        columns: Places of their columns: one, or date and time.
        formats: Formats that fit; more than one where that is open.
        stamps: "local", "utc" or "offset_in_text".
        order: "oldest_first" or "newest_first".
        guess: The evidence, and what is open.
    """

    columns: tuple[int, ...]
    formats: tuple[str, ...]
    stamps: str
    order: str
    guess: Guess[str]


def is_time_like(cell: str) -> bool:
    """Return whether a cell looks like a date with or without a time."""
    return bool(STAMP.match(cell))


def formats_for(texts: Sequence[str]) -> list[str]:
    """Return the formats that the texts of a column may have been written in."""
    shown = next((t for t in texts if t), "")
    if not shown:
        return []
    found = [form for form in _candidates(shown) if _share(texts, form) >= FIT_SHARE]
    return list(dict.fromkeys(found))


def _share(texts: Sequence[str], form: str) -> float:
    filled = [t for t in texts if t]
    read = read_stamps(pa.array(filled, pa.string()), form).is_read
    return float(np.mean(read)) if len(filled) else 0.0


def _candidates(text: str) -> list[str]:
    if re.match(r"^\d+([.,]\d+)?$", text) and not re.match(r"^\d{8}$", text):
        return _numeric(float(text.replace(",", ".")))
    if re.match(r"^\d{4}-\d{2}-\d{2}([T ]|$)", text):
        return ["iso", *(d for d in _dated(text) if d.startswith("%Y-%d"))]
    return _dated(text)


def _numeric(number: float) -> list[str]:
    found = [name for name, low, high in EPOCHS if low <= number <= high]
    return found or (["excel_serial"] if SERIALS[0] <= number <= SERIALS[1] else [])


def _dated(text: str) -> list[str]:
    found = re.match(rf"^({DATE})(.*)$", text)
    if not found:
        return []
    tail = _clock_format(found.group(2))
    return [date + tail for date in _dates(found.group(1))] if tail is not None else []


def _dates(text: str) -> list[str]:
    if re.match(r"^\d{8}$", text):
        return ["%Y%m%d", "%d%m%Y", "%m%d%Y"]
    parts = re.split(r"([-/., ]+)", text)
    numbers = [p for p in parts[::2] if p]
    marks = parts[1::2]
    long_year = "%Y" if any(len(n) == 4 and n.isdigit() for n in numbers) else "%y"
    if any(not n.isdigit() for n in numbers):
        first = "%b" if not numbers[0].isdigit() else "%d"
        orders = [(first, "%d" if first == "%b" else "%b", long_year)]
    elif len(numbers[0]) == 4:
        orders = [("%Y", "%m", "%d"), ("%Y", "%d", "%m")]
    else:
        orders = [("%d", "%m", long_year), ("%m", "%d", long_year)]
        orders += [("%y", "%m", "%d")] if long_year == "%y" else []
    return [_woven(order, marks) for order in orders]


def _woven(parts: Sequence[str], marks: Sequence[str]) -> str:
    text = parts[0]
    for mark, part in zip(marks, parts[1:], strict=False):
        # A point behind a month's name belongs to the name.
        text += (mark.lstrip(".") if text.endswith("%b") else mark) + part
    return text


def _clock_format(text: str) -> str | None:
    found = re.match(
        r"^(T|,?\s+)?(\d{1,2}):(\d{2})(:\d{2})?([.,]\d{1,9})?"
        r"(\s?(?i:[ap]\.?m\.?))?(\s?(?:Z|[+-]\d{2}:?\d{2}))?(\s[A-Z]{2,5})?$",
        text,
    )
    if not text:
        return ""
    if not found:
        return None
    start, _, _, second, fraction, noon, offset, zone = found.groups()
    form = (start or "") + ("%I" if noon else "%H") + ":%M"
    form += ":%S" if second else ""
    form += f"{fraction[0]}%f" if fraction else ""
    form += (" %p" if noon.startswith(" ") else "%p") if noon else ""
    form += (" %z" if offset.startswith(" ") else "%z") if offset else ""
    return form + (" %Z" if zone else "")


def find_time(
    columns: Sequence[Sequence[str]], names: Sequence[str]
) -> TimeGuess | None:
    """Return what the stamps of a file seem to be; None where no column has any.

    Args:
        columns: Cells of each column.
        names: Names of the columns.
    """
    for place, cells in enumerate(columns):
        forms = formats_for(cells)
        if not forms:
            continue
        clock = place + 1
        is_split = all(not re.search("%[HI]", f) and f != "iso" for f in forms) or (
            forms[0] == "iso" and all(len(c) == 10 for c in cells if c)
        )
        if is_split and clock < len(columns) and _is_clock(columns[clock]):
            tail = _clock_format(" " + next(c for c in columns[clock] if c)) or ""
            dates = ["%Y-%m-%d" if f == "iso" else f for f in forms]
            joined = [f"{a} {b}" for a, b in zip(cells, columns[clock], strict=True)]
            return choose([d + tail for d in dates], joined, (place, clock), names)
        if forms[0] in ("unix_s", "unix_ms", "excel_serial") and not _rises(cells):
            continue
        return choose(forms, cells, (place,), names)
    return None


def _is_clock(cells: Sequence[str]) -> bool:
    filled = [c for c in cells if c]
    return bool(filled) and all(CLOCK.match(c) for c in filled)


def _rises(cells: Sequence[str]) -> bool:
    numbers = np.asarray([_float(c) for c in cells if c])
    steps = np.diff(numbers[np.isfinite(numbers)])
    shares = (float(np.mean(steps >= 0)), float(np.mean(steps <= 0)))
    return len(steps) > 0 and max(shares) > FIT_SHARE


def _float(text: str) -> float:
    try:
        return float(text.replace(",", "."))
    except ValueError:
        return np.nan


def choose(
    forms: Sequence[str],
    texts: Sequence[str],
    places: tuple[int, ...],
    names: Sequence[str],
) -> TimeGuess:
    """Return the format among several that the steps between stamps speak for.

    Args:
        forms: Formats that read the column.
        texts: Its cells, in order.
        places: Its place, or those of date and time.
        names: Names of all columns.
    """
    column = pa.array([t or None for t in texts], pa.string())
    walls = {form: read_stamps(column, form) for form in forms}
    most = max(int(s.is_read.sum()) for s in walls.values())
    fitting = [f for f in forms if int(walls[f].is_read.sum()) == most]
    odd = {f: _odd_steps(walls[f].wall_ms[walls[f].is_read]) for f in fitting}
    best = min(fitting, key=lambda f: odd[f])
    if "iso" in fitting and odd["iso"] <= CLEAR * max(odd[best], 1):
        fitting, best = ["iso"], "iso"
    same = [f for f in fitting if np.array_equal(walls[f].wall_ms, walls[best].wall_ms)]
    open_ones = [
        f for f in fitting if f not in same and odd[f] < CLEAR * max(odd[best], 1)
    ]
    first = walls[best]
    wall = first.wall_ms[first.is_read]
    shown = " ".join(names[p] for p in places)
    evidence = f"column {shown!r}, {most} of {len(texts)} sampled stamps fit {best!r}"
    if len(fitting) > len(same) and not open_ones:
        rest = ", ".join(repr(f) for f in fitting if f not in same)
        evidence += f"; {rest} fits too but gives {max(odd.values())} odd steps"
    doubt = ""
    if open_ones:
        doubt = f"is {texts[0]!r} {best!r} or {open_ones[0]!r}? Leave one in `formats`"
    elif _is_half_day(wall, best):
        doubt = "hours run from 1 to 12 only: is a column with AM and PM missing?"
    falls = np.diff(wall) < 0
    is_newest = len(wall) > 2 and float(np.mean(falls)) > FIT_SHARE
    chosen = (best, *open_ones) if open_ones else (best,)
    order = "newest_first" if is_newest else "oldest_first"
    return TimeGuess(
        places,
        chosen,
        _meaning(best, first.offset_s),
        order,
        Guess(best, evidence, doubt),
    )


def _meaning(form: str, offsets: np.ndarray | None) -> str:
    if form in ("unix_s", "unix_ms"):
        return "utc"
    return "offset_in_text" if offsets is not None else "local"


def _odd_steps(wall_ms: np.ndarray) -> int:
    steps = np.diff(wall_ms)
    steps = steps[steps != 0]
    if len(steps) == 0:
        return 0
    usual = float(np.median(np.abs(steps)))
    is_back = np.mean(steps < 0) > FIT_SHARE
    steps = -steps if is_back else steps
    return int(np.sum((steps < 0) | (steps > 20 * usual)))


def _is_half_day(wall_ms: np.ndarray, form: str) -> bool:
    if ("%H" not in form and form != "iso") or len(wall_ms) < 24:
        return False
    hour = wall_ms % 86_400_000 // 3_600_000
    spans = wall_ms.max() - wall_ms.min() > 86_400_000
    return bool(
        spans and hour.min() >= 1 and hour.max() <= 12 and len(np.unique(hour)) > 6
    )


def zone_words(texts: Sequence[str]) -> list[str]:
    """Return what headers and lines above them say about a zone, to be quoted."""
    found = [match.group(0).strip() for t in texts for match in ZONE_WORDS.finditer(t)]
    return list(dict.fromkeys(found))

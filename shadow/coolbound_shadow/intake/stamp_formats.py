"""The formats of time stamps: strptime directives, or a name.

A format is what strptime takes, from the directives below, or a name: "iso",
"unix_s", "unix_ms", "excel_serial", "excel_serial_1904".

    %Y %y  year                 %H %I  hour, of 24 or of 12
    %m     month                %M %S  minute, second
    %b %B  month by name        %f     fraction of a second, 1 to 9 digits
    %d     day                  %p     AM or PM, in several spellings
    %a %A  weekday, ignored     %z     offset from UTC
                                %Z     abbreviation of the zone, such as CEST
"""

import functools
import re

from coolbound_envs.tables import InputError

DIRECTIVES = {
    "Y": r"(?P<year>\d{4})",
    "y": r"(?P<short>\d{2})",
    "m": r"(?P<month>\d{1,2})",
    "b": r"(?P<name>\pL{3,12})\.?",
    "B": r"(?P<name>\pL{3,12})\.?",
    "d": r"(?P<day>\d{1,2})",
    "a": r"\pL{2,12}\.?",
    "A": r"\pL{2,12}\.?",
    "H": r"(?P<hour>\d{1,2})",
    "I": r"(?P<half>\d{1,2})",
    "M": r"(?P<minute>\d{2})",
    "S": r"(?P<second>\d{2})",
    "f": r"(?P<fraction>\d{1,9})",
    "p": r"(?P<noon>(?i:a\.?\s?m\.?|p\.?\s?m\.?|上午|下午|午前|午後|오전|오후))",
    "z": r"(?P<offset>Z|[+-]\d{2}:?\d{2})",
    "Z": r"(?P<zone>[A-Z]{2,5})",
}
"""Patterns in RE2's syntax, as Arrow reads them."""

ISO = (
    r"^(?P<year>\d{4})-(?P<month>\d{2})-(?P<day>\d{2})(?:[T ](?P<hour>\d{2})"
    r":(?P<minute>\d{2})(?::(?P<second>\d{2})(?:[.,](?P<fraction>\d{1,9}))?)?)?"
    r"\s?(?P<offset>Z|[+-]\d{2}:?\d{2})?$"
)

NUMBERED = {
    "unix_s": 1_000.0,
    "unix_ms": 1.0,
    "excel_serial": 86_400_000.0,
    "excel_serial_1904": 86_400_000.0,
}
"""Formats that are numbers, and how many milliseconds their unit has."""


@functools.cache
def pattern_of(form: str) -> str:
    """Return the regular expression of a strptime format, in RE2's syntax."""
    if form == "iso":
        return ISO
    pattern, place = "", 0
    while place < len(form):
        if form[place] == "%" and form[place + 1 : place + 2] in DIRECTIVES:
            pattern += DIRECTIVES[form[place + 1]]
            place += 2
        else:
            pattern += r"\s+" if form[place] == " " else re.escape(form[place])
            place += 1
    return f"^{pattern}$"


def check_format(form: str, where: str) -> None:
    """Refuse a format that cannot be read or that leaves the day open.

    Raises:
        InputError: It has an unknown directive or lacks year, month or day.
    """
    if form in NUMBERED or form == "iso":
        return
    unknown = [d for d in re.findall(r"%(.?)", form) if d not in DIRECTIVES]
    twice = [d for d in re.findall(r"%(.)", form) if form.count(f"%{d}") > 1]
    parts = [any(f"%{d}" in form for d in group) for group in ("Yy", "mbB", "d")]
    if unknown or twice or not all(parts):
        names = ", ".join(NUMBERED)
        raise InputError(
            f"{where}: found {form!r}, expected a strptime format with year, month and "
            f"day, or one of iso, {names}; correct it"
        )

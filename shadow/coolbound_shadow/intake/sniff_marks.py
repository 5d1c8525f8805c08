"""Which marks stand in numbers: the decimal one, and the one between thousands."""

import re
from collections.abc import Sequence

from coolbound_shadow.intake.guesses import Guess
from coolbound_shadow.intake.sniff_time import is_time_like

NUMBER = re.compile(
    r"^[+\-\u2212]?[\d.,' \u00a0\u202f\u2019]*\d[.,]?([eE][+-]?\d+)?\s*\S{0,5}$"
)


GROUPS = r"^[+-]?\d{1,3}(?:%s\d{3})+$"


BLANKS = (" ", "\u00a0", "\u202f", "'", "\u2019")


def is_number(cell: str) -> bool:
    """Return whether a cell holds a number, whatever its marks."""
    return bool(NUMBER.match(cell))


def sniff_marks(cells: Sequence[str]) -> tuple[Guess[str], Guess[str]]:
    """Return the decimal mark and the mark between groups of three digits."""
    numbers = [c for c in cells if c and is_number(c) and not is_time_like(c)]
    numbers = [re.sub(r"\s*[^\d.,'\s]*$", "", c) for c in numbers]
    groups = next((b for b in BLANKS if _any(GROUPS % re.escape(b), numbers, b)), "")
    if groups:
        numbers = [c.replace(groups, "") for c in numbers]
    both = [c for c in numbers if "," in c and "." in c]
    if both:
        mark = max(
            ",.", key=lambda m: sum(c.rfind(m) == max(map(c.rfind, ",.")) for c in both)
        )
        other = "," if mark == "." else "."
        seen = f"cells such as {both[0]!r} hold both marks"
        return Guess(mark, seen), Guess(other, seen)
    counts = {m: _tell(numbers, m) for m in ",."}
    return _marks(counts, numbers, groups)


def _any(pattern: str, cells: Sequence[str], mark: str) -> bool:
    found = re.compile(pattern)
    return any(found.match(re.split(r"[.,]", c)[0]) for c in cells if mark in c)


def _tell(cells: Sequence[str], mark: str) -> tuple[int, int, str]:
    """Return cells in which a mark must be decimal, may be either, and one of them."""
    grouped = re.compile(GROUPS % re.escape(mark))
    having = [c for c in cells if mark in c]
    either = [c for c in having if grouped.match(c) and not c.startswith(f"0{mark}")]
    decimal = [c for c in having if c not in set(either) and c.count(mark) == 1]
    return len(decimal), len(either), (decimal or either or [""])[0]


def _marks(
    counts: dict[str, tuple[int, int, str]], numbers: Sequence[str], groups: str
) -> tuple[Guess[str], Guess[str]]:
    none = Guess("", "no mark between groups of three digits is needed")
    if groups:
        none = Guess(groups, f"groups of three digits are set apart by {groups!r}")
    comma, point = counts[","], counts["."]
    if comma[0] and point[0]:
        doubt = "commas and points both look decimal: which is it?"
        return Guess(".", f"{point[0]} cells as {point[2]!r}", doubt), none
    for mark, mine, other, its in ((",", comma, ".", point), (".", point, ",", comma)):
        if mine[0]:
            seen = Guess(mark, f"{mine[0]} cells such as {mine[2]!r}")
            if its[1] and not groups:
                return seen, Guess(other, f"{its[1]} cells such as {its[2]!r}")
            return seen, none
    for mark, mine in ((",", comma), (".", point)):
        if mine[1]:
            other = "," if mark == "." else "."
            doubt = f"is {mine[2]!r} a number of thousands, or has it three decimals?"
            evidence = f"every {mark!r} stands before exactly three digits"
            if mark == ".":
                return Guess(mark, evidence, doubt), none
            return Guess(other, evidence, doubt), Guess(mark, evidence, doubt)
    return Guess(".", f"no decimal mark in {len(numbers)} numbers"), none

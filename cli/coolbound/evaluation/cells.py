"""Numbers and cells as text: what the template only has to place."""

import math
from typing import Final

from coolbound.evaluation.shown import Data

Cell = dict[str, str]

DASH: Final = "\u2013"
"""Stands where there is no number."""


def number(value: float | None, decimals: int = 1, is_signed: bool = False) -> str:
    """Return a number with fixed decimals, or a dash for none."""
    if value is None or not math.isfinite(value):
        return DASH
    text = f"{value:{'+' if is_signed else ''},.{decimals}f}"
    is_zero = not any(digit in text for digit in "123456789")
    return text.lstrip("+-") if is_zero else text.replace("-", "\u2212")


def percent_cell(found: Data | None, is_short: bool = False) -> Cell:
    """Return a difference with its interval as text and tone.

    Args:
        found: The difference; None for the baseline itself.
        is_short: Without the interval.
    """
    if found is None:
        return cell("baseline", "quiet")
    text = f"{number(found['point'])} %"
    if is_short:
        return cell(text, "limit" if found["point"] < 0.0 else "")
    if found["refused"]:
        return cell(f"{text}, no interval", "limit" if found["point"] < 0.0 else "")
    ends = interval_text(found, 1)
    return cell(text + f" ({ends})" * (ends != DASH), "limit" * _is_worse(found))


def _is_worse(found: Data) -> bool:
    """Return whether the whole interval says that more is used."""
    high = found["percent"] if found["high"] is None else found["high"]
    return high < 0.0


def cell(text: str, tone: str = "") -> Cell:
    """Return a cell."""
    return {"text": text, "tone": tone}


def count(value: int, tone: str) -> Cell:
    """Return a count, toned where it is not zero."""
    return cell(number(value, 0), tone if value else "quiet")


def alarm(value: int) -> Cell:
    """Return a count that should be zero."""
    return cell(f"\u25b2 {number(value, 0)}", "violated") if value else cell("0")


def interval_text(found: Data, decimals: int, factor: float = 1.0) -> str:
    """Return the ends of a mean's interval, or a dash for none."""
    if found["low"] is None:
        return DASH
    low, high = (number(factor * found[end], decimals) for end in ("low", "high"))
    return f"{low} to {high}"

"""Numbers, times and names as the override report writes them."""

from typing import Any

from coolbound_envs.limit_table import LIMITS
from coolbound_envs.spec import CHANNELS, POINTS
from coolbound_shadow.log_types import local_text
from coolbound_shadow.overrides.event_types import Aftermath, Event, EventKind
from coolbound_shadow.report_rows import number, title

NONE = "\u2013"
"""Stands where there is nothing."""

SHAPES = {
    EventKind.OVERRIDE: "\u25cf",
    EventKind.FALLBACK: "\u25a0",
    EventKind.LIMIT: "\u25c6",
    EventKind.RAMP: "\u25b3",
}
"""A shape for each kind, so that colour never speaks alone."""

UNITS = {item.name: item.unit for item in (*POINTS, *CHANNELS)}
LIMIT_UNITS = {limit.name: limit.unit for limit in LIMITS}
LIMIT_TITLES = {limit.name: limit.title for limit in LIMITS}

MARGINS_SHOWN = 3
CHANNELS_SHOWN = 2


def moment(time_utc: int, offset: int) -> str:
    """Return an instant on the site's clock, with its offset."""
    text = local_text(time_utc, offset).replace("T", " ")
    return f"{text[:16]} {text[19:]}"


def utc_moment(time_utc: int) -> str:
    """Return an instant in UTC."""
    return f"{local_text(time_utc, 0).replace('T', ' ')[:16]} UTC"


def length(seconds: int) -> str:
    """Return a length of time, in its two largest units."""
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    days, hours = divmod(hours, 24)
    if days:
        return f"{days:,} d {hours:02d} h"
    if hours:
        return f"{hours} h {minutes:02d} min"
    return f"{minutes} min" if minutes else f"{rest} s"


def subject(name: str) -> str:
    """Return a point or channel in words, a limit by its name."""
    if name in UNITS:
        return title(name)
    return name.replace("_", " ") if name and name not in LIMIT_TITLES else name


def with_unit(value: float | None, name: str) -> str:
    """Return a value of a point or channel with its unit, or a dash."""
    if value is None:
        return NONE
    unit = UNITS.get(name, "")
    text = number(value, unit)
    return f"{text} {unit}" if unit not in ("", "1") else text


def share(part: float, whole: float) -> str:
    """Return a share in percent, or a dash where there is no whole.

    What is not all never reads 100 %, and what is not nothing never 0 %.
    """
    if not whole:
        return NONE
    percent = 100.0 * part / whole
    if percent < 100.0 and round(percent, 1) == 100.0:
        return "over 99.9 %"
    if percent > 0.0 and round(percent, 1) == 0.0:
        return "under 0.1 %"
    return f"{percent:.1f} %"


def channel_lines(event: Event) -> list[dict[str, Any]]:
    """Return what was asked, given and applied, of the channels changed most."""
    shown = event.changed[:CHANNELS_SHOWN] if event.asked else ()
    return [
        {
            "name": subject(name),
            "asked": with_unit(event.asked.get(name), name),
            "given": with_unit(event.given.get(name), name),
            "operator": with_unit(event.operator.get(name), name),
            "numbers": [
                NONE if value is None else number(value, UNITS.get(name, ""))
                for value in (
                    event.asked.get(name),
                    event.given.get(name),
                    event.operator.get(name),
                )
            ],
        }
        for name in shown
    ]


def margin_lines(event: Event) -> list[dict[str, str]]:
    """Return the smallest margins, its own limit first; met channel bounds counted."""
    named = {name: m for name, m in event.margins.items() if ":" not in name or m < 0.0}
    order = sorted(named.items(), key=lambda item: (item[0] != event.subject, item[1]))
    lines = [_margin(name, margin) for name, margin in order[:MARGINS_SHOWN]]
    bounds = len(event.margins) - len(named)
    if bounds:
        words = "ramp or range bound" + ("s" if bounds > 1 else "")
        lines.append({"name": f"{bounds}", "text": words, "tone": ""})
    return lines


def _margin(name: str, margin: float) -> dict[str, str]:
    kind, _, channel = name.partition(":")
    word = f"{kind} of {subject(channel).lower()}" if channel else name
    text, is_broken = margin_text(name, margin), margin < 0.0
    word = f"\u25b2 {word}" if is_broken else word
    return {"name": word, "text": text, "tone": "bad" if is_broken else ""}


def margin_text(name: str, margin: float) -> str:
    """Return the margin of a limit, or of a bound of one channel, with its unit."""
    unit = UNITS.get(name.partition(":")[2]) or LIMIT_UNITS.get(name, "")
    text = number(margin, unit)
    # What is left to a temperature is a difference.
    unit = "K" if unit == "degC" else unit
    return f"{text} {unit}" if unit not in ("", "1") else text


def outcome_lines(event: Event, after_s: int) -> list[dict[str, str]]:
    """Return what was measured some time after an event."""
    return [_outcome(o) for o in event.outcome if o.after_s == after_s]


def _outcome(outcome: Aftermath) -> dict[str, str]:
    unit = "" if outcome.unit in ("", "1") else f" {outcome.unit}"
    words = {True: "within", False: "\u25b2 outside", None: ""}
    return {
        "name": subject(outcome.name),
        "text": f"{number(outcome.value, outcome.unit)}{unit}",
        "word": words[outcome.within],
        "tone": "bad" if outcome.within is False else "",
        "seq": str(outcome.seq),
    }

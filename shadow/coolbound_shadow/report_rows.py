"""Rows of the report's tables, as text that the template only has to place."""

import math
from collections.abc import Mapping, Sequence

import numpy as np

from coolbound_envs.spec import CHANNELS, Channel
from coolbound_shadow.events import InterventionEvent
from coolbound_shadow.log_types import LogFacts, local_text
from coolbound_shadow.records import Decisions, beyond_dead_band
from coolbound_shadow.statistics import Interval
from coolbound_shadow.summary import LimitReport, LimitValue, ModelLimit, agreement

DECIMALS = {
    "degC": 2,
    "K": 2,
    "kPa": 1,
    "kW": 0,
    "1": 3,
    "machines": 2,
    "kg/s": 1,
    "percent": 1,
    "fine percent": 2,
}
SHAPES = {"ramp": "\u25b3", "limit": "\u25c6", "fallback": "\u25a0"}
WORDS = {
    "chw": "chilled-water",
    "cw": "condenser-water",
    "crah": "CRAH",
    "setpoint": "set-point",
}


def short(iso: str) -> str:
    """Return ISO 8601 text as a person writes it, the offset set apart."""
    return iso.replace("T", " ").replace(":00+", " +").replace(":00-", " -")


def title(name: str) -> str:
    """Return a channel's or point's name in words."""
    words = [WORDS.get(word, word) for word in name.split("_")]
    text = " ".join(words).replace(" hall", ", hall ").replace(" zone", ", zone ")
    return text[0].upper() + text[1:]


def number(value: float, unit: str, is_signed: bool = False) -> str:
    """Return a number with the unit's fixed decimals, or a dash for none."""
    if not math.isfinite(value):
        return "\u2013"
    sign = "+" if is_signed else ""
    text = f"{value:{sign},.{DECIMALS.get(unit, 2)}f}"
    is_zero = not any(digit in text for digit in "123456789")
    return text.lstrip("+-") if is_zero else text.replace("-", "\u2212")


def _with_unit(value: float, unit: str, is_signed: bool = False) -> str:
    return _unit(number(value, unit, is_signed), unit)


def _unit(text: str, unit: str) -> str:
    return text if unit == "1" or text == "\u2013" else f"{text} {unit}"


def channel_rows(decisions: Decisions) -> list[dict[str, str]]:
    """Return how far certified lies from the operator, one row per channel."""
    agreed = agreement(decisions)
    changed = beyond_dead_band(decisions.certified, decisions.proposed)
    return [
        _channel_row(decisions, i, channel, agreed[channel.name], changed)
        for i, channel in enumerate(CHANNELS)
    ]


def _channel_row(
    decisions: Decisions,
    i: int,
    channel: Channel,
    agreed: Mapping[str, float | None],
    changed: np.ndarray,
) -> dict[str, str]:
    difference = decisions.certified[:, i] - decisions.applied[:, i]
    known = difference[np.isfinite(difference)]
    share, mean = agreed["within_dead_band"], agreed["mean_abs_difference"]
    is_known = share is not None and mean is not None
    return {
        "title": title(channel.name),
        "unit": channel.unit,
        "band": f"{channel.dead_band:g}",
        "agree": f"{100.0 * share:.0f} %" if is_known and share is not None else "",
        "mean": number(mean, channel.unit) if is_known and mean is not None else "",
        "bias": number(float(np.mean(known)), channel.unit, True) if len(known) else "",
        "changed": f"{100.0 * float(np.mean(changed[:, i])):.1f} %",
        "is_known": "yes" if is_known else "",
    }


def most_violated(limits: Sequence[LimitReport]) -> list[LimitReport]:
    """Return the limits that any side violated, the certified side's first."""

    def seriousness(limit: LimitReport) -> tuple[int, int, int]:
        sides = (limit.certified, limit.operator, limit.proposed)
        first, second, third = (side.violations for side in sides)
        return first, second, third

    found = [limit for limit in limits if any(seriousness(limit))]
    return sorted(found, key=seriousness, reverse=True)


def limit_row(limit: LimitReport, is_off: bool = False) -> dict[str, object]:
    """Return what each side did to one limit; that it is off, where it is."""
    sides = (limit.operator, limit.proposed, limit.certified)
    return {
        "number": limit.number,
        "name": limit.name,
        "meaning": limit.meaning,
        "unit": limit.unit,
        "sides": [_side(side, limit.unit, is_off) for side in sides],
    }


def _side(value: LimitValue, unit: str, is_off: bool) -> dict[str, str]:
    if is_off or not value.observable:
        text = "off" if is_off else "not observable"
        return {"tone": "quiet", "worst": "", "steps": "", "text": text}
    worst = number(value.worst, unit, True)
    if value.violations == 0:
        text = f"met, {_unit(worst, unit)}"
        return {"tone": "met", "worst": worst, "steps": "met", "text": text}
    steps = f"\u25b2 {value.violations:,} violated"
    text = f"\u25b2 violated {value.violations:,}, {_unit(worst, unit)}"
    return {"tone": "violated", "worst": worst, "steps": steps, "text": text}


def model_row(limit: ModelLimit, is_off: bool = False) -> dict[str, object]:
    """Return what both rollouts did to one limit on the model's true state."""
    both = (limit.operator, limit.policy)
    sides = [_side(side, limit.unit, is_off) for side in both]
    for side in sides:
        # The model sees everything: a limit without a value had nothing to watch.
        side["text"] = side["text"].replace("not observable", "never applied")
    return {
        "name": limit.name,
        "meaning": limit.meaning,
        "unit": limit.unit,
        "sides": sides,
    }


def model_totals(limits: Sequence[ModelLimit]) -> dict[str, str]:
    """Return steps in violation of both rollouts, all limits together."""
    return {
        "operator": f"{sum(limit.operator.violations for limit in limits):,}",
        "policy": f"{sum(limit.policy.violations for limit in limits):,}",
    }


def totals(limits: Sequence[LimitReport]) -> list[dict[str, object]]:
    """Return the limits violated and evaluated, one row per side."""
    return [
        {
            "side": side,
            "limits": sum(getattr(x, side).violations > 0 for x in limits),
            "steps": f"{sum(getattr(x, side).violations for x in limits):,}",
            "known": sum(getattr(x, side).observable for x in limits),
        }
        for side in ("operator", "proposed", "certified")
    ]


def interval_text(found: Interval, unit: str = "percent") -> dict[str, str]:
    """Return a percentage, its interval and what both rest on.

    Args:
        found: The interval.
        unit: "percent", or "fine percent" for one digit more.
    """
    days = f"{found.days} whole days"
    if found.days_left_out:
        days += f" ({found.days_left_out} incomplete left out)"
    if found.refused:
        return {"refused": found.refused, "value": "", "range": "", "basis": days}
    basis = f"{days}, worth {found.effective_days:.1f} independent; {found.blocks} "
    basis += f"blocks of {found.block_days} d; wider: {found.method}"
    return {
        "refused": "",
        "value": f"{number(found.percent, unit, True)} %",
        "range": f"{number(found.low, unit, True)} to "
        f"{number(found.high, unit, True)} %",
        "inside": "yes" if found.low <= 0.0 <= found.high else "",
        "basis": basis,
    }


def event_row(rank: int, event: InterventionEvent) -> dict[str, object]:
    """Return one intervention with its two largest changes."""
    order = sorted(
        range(len(CHANNELS)),
        key=lambda i: -abs(event.changes[i]) / (CHANNELS[i].upper - CHANNELS[i].lower),
    )
    shown = [
        f"{title(CHANNELS[i].name)} "
        f"{_with_unit(event.changes[i], CHANNELS[i].unit, True)}"
        for i in order[:2]
        if abs(event.changes[i]) > CHANNELS[i].dead_band
    ]
    return {
        "rank": rank + 1,
        "start": short(local_text(event.start, event.offset)),
        "duration": duration(event.duration_s),
        "kind": event.kind,
        "shape": SHAPES.get(event.kind, ""),
        "limits": ", ".join(event.limits) or "none named",
        "change": "; ".join(shown) or "none beyond the dead band",
        "reason": event.reason,
    }


def duration(seconds: int) -> str:
    """Return a length of time as a person writes it."""
    hours, minutes = divmod(seconds // 60, 60)
    return f"{hours} h {minutes:02d} min" if hours else f"{minutes} min"


def health_rows(log: LogFacts) -> list[dict[str, object]]:
    """Return the points with flagged readings, most flagged first."""
    return [
        {
            "point": point,
            "reasons": ", ".join(f"{reason}: {n:,}" for reason, n in reasons.items()),
            "count": f"{sum(reasons.values()):,}",
        }
        for point, reasons in sorted(
            log.flagged.items(), key=lambda item: -sum(item[1].values())
        )
    ]

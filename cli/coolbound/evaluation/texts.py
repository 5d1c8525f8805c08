"""Sentences of the page: the answer, and what a reader must know first."""

from typing import Final

from coolbound.evaluation.cells import interval_text, number
from coolbound.evaluation.shown import (
    Data,
    Shown,
    difference,
    greatest,
    mean,
    total,
)

SEEDS_WANTED: Final = 10
"""With fewer seeds than this a learner's row says so. [1]"""

SEASONS_WANTED: Final = 4
"""Starts through the year with which no season is missing. [1]"""


def worse_places(data: Data, row: Shown) -> list[str]:
    """Return the places where a row's mean uses more cooling energy."""
    return [
        name
        for name, part in data["cities"].items()
        if mean(part, row, "cooling_energy_21_kwh")
        > part["controllers"][data["baseline"]]["cooling_energy_21_kwh"]
    ]


def broken_limits(data: Data, row: Shown) -> list[str]:
    """Return the limits that were truly broken, the most often broken first."""
    limits = next(iter(data["controllers"].values()))["violations"]
    counts = {name: total(data, row, "violations", name, "after") for name in limits}
    return sorted((n for n in counts if counts[n]), key=lambda name: -counts[name])


def answer(data: Data, row: Shown) -> dict[str, str]:
    """Return what the comparison says of one contender, in a few sentences."""
    name = f"{row.name} ({len(row.members)} seeds)" if row.is_group else row.name
    parts = [_energy_sentence(data, row), _limits_sentence(data, row)]
    if row.is_guarded:
        rate = 100.0 * mean(data, row, "intervention_rate")
        parts.append(f"The safety layer changed {number(rate)} % of its proposals.")
    return {"name": name, "text": " ".join(parts)}


def _energy_sentence(data: Data, row: Shown) -> str:
    found = difference(data, row, data["baseline"])
    if found is None:
        return "It is what the others are compared with."
    word = "less" if found["point"] >= 0.0 else "more"
    text = f"{number(abs(found['point']))} % {word} cooling energy than "
    text += data["baseline"] + _certainty(found, row)
    worse, places = worse_places(data, row), len(data["cities"])
    if worse:
        return f"{text}; more in {len(worse)} of {places} places: {', '.join(worse)}."
    return f"{text}; in none of {places} places more."


def _certainty(found: Data, row: Shown) -> str:
    """Return what interval the difference has, or why it has none."""
    if found["refused"]:
        return f" in these days, without an interval ({found['refused']})"
    if found["low"] is None:
        return ""
    over = "over seeds" if row.is_group else "over days"
    ends = interval_text(found, 1)
    return f" (95 % interval {over}: {ends} % less)"


def _limits_sentence(data: Data, row: Shown) -> str:
    hottest = greatest(data, row, "worst_inlet_c")
    steps = total(data, row, "steps")
    broken = total(data, row, "violation_steps")
    text = f"Hottest inlet {number(hottest, 2)} degC. "
    if not broken:
        return f"{text}No limit was broken in {number(steps, 0)} steps."
    names = ", ".join(broken_limits(data, row))
    share = f"{number(broken, 0)} of {number(steps, 0)} steps"
    base = data["controllers"][data["baseline"]]["violation_steps"]
    beside = "" if data["baseline"] in row.members else f"; {data['baseline']} {base}"
    return f"{text}{share} broke a limit{beside} ({names})."


def notes(data: Data) -> list[str]:
    """Return what a reader must know first."""
    found = []
    if data["limits_off"]:
        off = ", ".join(data["limits_off"])
        found.append(f"Switched off in the site file, not counted: {off}.")
    for name, policy in data["policies"].items():
        if not policy["is_of_this_site"]:
            found.append(f"{name} was trained on another site than {data['site']}.")
    found += _seed_notes(data)
    if data["days"] < 7:
        found.append("Fewer than 7 days prove nothing about any other day.")
    elif data["days"] < 365 and len(data["start"]) < SEASONS_WANTED:
        found.append(f"{data['days']} days are not a year: seasons are missing.")
    elif data["days"] < 365:
        share = 100.0 * data["days"] * len(data["start"]) / 365.0
        found.append(f"{number(share, 0)} % of the year's days were run.")
    return found


def _seed_notes(data: Data) -> list[str]:
    alone = [n for n, policy in data["policies"].items() if not policy["group"]]
    found = []
    if alone:
        verb = "is" if len(alone) == 1 else "are"
        found.append(
            f"{', '.join(alone)} {verb} one training run: how far another seed would "
            "lie is not known from it."
        )
    for label, group in data["seeds"].items():
        count = len(group["members"])
        if count < SEEDS_WANTED:
            found.append(f"{label}: {count} seeds, {SEEDS_WANTED} are wanted.")
    return found


def setting(data: Data) -> str:
    """Return what everyone met, in one sentence."""
    days = "1 day" if data["days"] == 1 else f"{data['days']} days"
    loads, places = ", ".join(data["loads"]), ", ".join(data["weather"])
    first = " and ".join(str(start + 1) for start in data["start"])
    each = "each from days" if len(data["start"]) > 1 else "from day"
    text = f"{days} {each} {first} of the year in {places}; load {loads}"
    drills = [name for name in data["fault_schedules"] if name != "none"]
    if drills:
        text += f"; faults of {', '.join(drills)}"
    if data["random_faults_a_day"]:
        text += f"; {data['random_faults_a_day']:g} random faults a day"
    if data["vary"]:
        text += f"; plants drawn within {100.0 * data['vary']:g} % of the site file"
    return f"{text}."

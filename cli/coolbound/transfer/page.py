"""The page of a transfer: prose in a template, figures here."""

from collections.abc import Mapping
from typing import Any, Final

from coolbound.evaluation.shown import UNFILTERED
from coolbound.pages import page_template
from coolbound.transfer.comparison import OWN
from coolbound.transfer.tables import (
    DASH,
    Data,
    cause_table,
    day_rows,
    energy_table,
    headline,
    is_guarded,
    limit_table,
)

WHY: Final = {
    "CHW_DP_MIN": "room in coils and valves for a rise of the heat by 10 % in 15 min, "
    "foreseen with our plant's coils",
    "AIRFLOW_RATIO": "air for a rise of the load by 20 % within a step; operators keep "
    "less: `g36` has a tenth more than the servers draw",
    "CAPACITY_N1_POWER": "machines for the load that an open economizer leaves, and "
    "power for the feeder",
    "LIFT_MIN": "tower water that our tower and its bypass would make too cold",
    "ECWT_MIN": "tower water that our tower and its bypass would make too cold",
    "ECWT_CWRT_MAX": "tower water near its warmest, foreseen with our tower",
    "CA_T_MAX": "inlets near 27 degC, foreseen 15 min ahead",
    "SURGE_LINE": "lift near the surge line, foreseen with our tower",
}
"""What each of the commonest causes keeps."""

NOTED: Final = 0.005
"""Share of steps from which on a cause is explained. [1]"""


def render(data: Mapping[str, Any]) -> str:
    """Return the page."""
    cities = data["cities"] if len(data["cities"]) > 1 else {}
    return page_template("coolbound.transfer").render(
        command=data["command"],
        own_name=OWN,
        own=data["own_controls"],
        unfiltered=any(name.endswith(UNFILTERED) for name in data["controllers"]),
        places=", ".join(data["weather"]),
        loads=f"load {', '.join(data['loads'])}",
        days=_days(data),
        lanes=len(data["places"]),
        steps=next(iter(data["controllers"].values()))["steps"],
        policies=_policies(data),
        headline=headline(data),
        has_interval=_has_interval(data),
        cities={name: headline(part) for name, part in cities.items()},
        energy=energy_table(data),
        day_pairs=day_rows(data),
        limits=limit_table(data),
        city_limits={name: limit_table(part) for name, part in cities.items()},
        unseen=_unseen(data),
        causes=cause_table(data),
        why=_why(data),
        dash=DASH,
        machine=data["machine"],
        minutes=f"{data['seconds'] / 60.0:.1f}",
        revision=data["revision"],
    )


def _days(data: Data) -> str:
    firsts = [str(start + 1) for start in data["start"]]
    blocks = f"from day {firsts[0]}"
    if len(firsts) > 1:
        blocks = f"from each of days {', '.join(firsts[:-1])} and {firsts[-1]}"
    days = data["days"]
    return f"{days} {'day' if days == 1 else 'days'} {blocks}"


def _policies(data: Data) -> list[dict[str, Any]]:
    return [
        {**policy, "label": label, "digest": policy["digest"][:12]}
        for label, policy in data["policies"].items()
    ]


def _has_interval(data: Data) -> bool:
    return any(
        not pair["cooling_21"]["refused"]
        for pairs in data["paired"].values()
        for pair in pairs.values()
    )


def _unseen(data: Data) -> str:
    """Return which limits the layer's judgement of proposals did not cover."""
    guarded = [x for x in data["controllers"].values() if is_guarded(x)]
    names = [
        f"`{name}`"
        for name in (guarded[0]["violations"] if guarded else {})
        if all(x["violations"][name]["unknown_before"] == x["steps"] for x in guarded)
    ]
    if not names:
        return ""
    return (
        f"Of a proposal alone nobody can tell {', '.join(names)}: their first count is "
        "always 0."
    )


def _why(data: Data) -> list[str]:
    """Return what stands behind the causes that matter, by their greatest share."""
    shares: dict[str, float] = {}
    for found in data["controllers"].values():
        for cause, count in found["interventions"]["by_limit"].items():
            shares[cause] = max(shares.get(cause, 0.0), count / found["steps"])
    order = sorted(shares, key=lambda each: -shares[each])
    return [
        f"`{cause}`: {WHY[cause]}."
        for cause in order
        if cause in WHY and shares[cause] >= NOTED
    ]

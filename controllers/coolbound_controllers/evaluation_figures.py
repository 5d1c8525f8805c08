"""Figures of one controller from its trace, and the day series that pairs need."""

import dataclasses
from collections.abc import Sequence
from typing import Any

import jax
import numpy as np

from coolbound_controllers.evaluation import Trace
from coolbound_controllers.evaluation_account import CONSUMERS, WARM, Account
from coolbound_envs.limit_table import GROUPS, LIMIT_NAMES
from coolbound_envs.spec import CHANNELS

DAY_HOURS = 24.0
"""Length of a day. [h]"""


def at(trace: Trace, places: Sequence[int]) -> Trace:
    """Return the trace of some places alone."""
    chosen = np.asarray(places)
    return dataclasses.replace(
        trace,
        days=jax.tree.map(lambda x: x[:, chosen], trace.days),
        bins=jax.tree.map(lambda x: x[chosen], trace.bins),
    )


def facility_power(trace: Trace) -> np.ndarray:
    """Return the power of everything that is metered, (days, places) [W]."""
    return np.sum(trace.days.power, axis=-1)


def it_power(trace: Trace) -> np.ndarray:
    """Return the power of the servers with their fans, (days, places) [W]."""
    return np.asarray(trace.days.power)[..., CONSUMERS.index("it")]


def cooling_power(trace: Trace) -> np.ndarray:
    """Return the power of chillers, towers, pumps and fans, (days, places) [W]."""
    return facility_power(trace) - it_power(trace)


def cooling_power_21(trace: Trace) -> np.ndarray:
    """Return cooling power with what warm inlets cost, (days, places) [W].

    Chillers, tower fans, pumps and CRAH fans, and what the servers draw beyond what
    the same work would draw at inlets of 21 degC. Colder inlets count in favour.
    """
    return cooling_power(trace) + it_power(trace) - np.asarray(trace.days.reference)


def figures(trace: Trace) -> dict[str, Any]:
    """Return the figures of one controller over all places and days.

    Energies are totals over the places. `mlc` is mechanical energy over IT energy,
    `mlc_21` that of `cooling_power_21` over IT energy at 21 degC, `pue` facility over
    IT energy, `wue` litres of make-up water per kWh of IT. A violation is a step with h
    above the tolerance. Degree-minutes are those of the hottest inlet, mean of a place
    and day; `actuator_travel` is the mean of a place and day, in each channel's unit.
    """
    days = trace.days
    steps = float(np.sum(days.steps))
    return {
        **_energy(trace),
        "peak_power_kw": float(np.max(days.peak) / 1e3),
        "worst_inlet_c": float(np.max(days.inlet)),
        "degree_minutes_above": {
            f"{edge:g}": float(60.0 * np.mean(days.warm[..., i]))
            for i, edge in enumerate(WARM)
        },
        "violations": violations(days),
        "violation_steps": round(float(np.sum(days.broken))),
        "costs": {
            name: float(np.sum(days.costs[..., i]) / steps)
            for i, name in enumerate(GROUPS)
        },
        "reward": float(np.sum(days.reward) / steps),
        **_interventions(trace, steps),
        "refused_actions": round(float(np.sum(days.refused))),
        "tripped_steps": round(float(np.sum(days.tripped))),
        "chiller_starts": round(float(np.sum(days.starts))),
        "actuator_travel": {
            channel.name: float(np.mean(days.travel[..., i]))
            for i, channel in enumerate(CHANNELS)
        },
        "steps": round(steps),
        "wall_s": float(np.sum(trace.seconds)),
    }


def _energy(trace: Trace) -> dict[str, Any]:
    def kwh(power: Any) -> float:
        return float(np.sum(power) * DAY_HOURS / 1e3)

    days = trace.days
    facility, it = kwh(facility_power(trace)), kwh(it_power(trace))
    cooling, whole = kwh(cooling_power(trace)), kwh(cooling_power_21(trace))
    water = float(np.sum(days.water))
    return {
        "total_energy_kwh": facility,
        "cooling_energy_kwh": cooling,
        "cooling_energy_21_kwh": whole,
        "energy_kwh": {
            **{name: kwh(days.power[..., i]) for i, name in enumerate(CONSUMERS)},
            "extra_it": whole - cooling,
        },
        "above_work_kw": float(np.mean(facility_power(trace) - days.work) / 1e3),
        "mlc": cooling / it,
        "mlc_21": whole / kwh(days.reference),
        "pue": facility / it,
        "wue": water / it,
        "water_l": water,
    }


def violations(days: Account) -> dict[str, dict[str, Any]]:
    """Return the steps that violate each limit, before and after projection.

    With the steps at which the proposal's was not observable, and the greatest h that
    was truly reached [each limit's unit].
    """
    places = tuple(range(days.before.ndim - 1))
    before, after, unknown = (
        np.sum(x, axis=places) for x in (days.before, days.after, days.unknown)
    )
    worst = np.max(days.worst, axis=places)
    return {
        name: {
            "before": round(float(before[i])),
            "after": round(float(after[i])),
            "unknown_before": round(float(unknown[i])),
            "worst": float(worst[i]),
        }
        for i, name in enumerate(LIMIT_NAMES)
    }


def _interventions(trace: Trace, steps: float) -> dict[str, Any]:
    days = trace.days
    count = float(np.sum(days.interventions))
    by_limit, by_kind = _causes(trace)
    return {
        "intervention_rate": count / steps,
        "interventions": {
            "count": round(count),
            "by_limit": dict(sorted(by_limit.items(), key=lambda each: -each[1])),
            "by_kind": by_kind,
        },
        "mean_correction": float(np.sum(days.correction) / steps),
        "relaxed_rate": float(np.sum(days.relaxed) / steps),
        "flagged_steps": round(float(np.sum(days.flagged))),
    }


def _causes(trace: Trace) -> tuple[dict[str, int], dict[str, int]]:
    """Return the interventions by limit and by kind, from causes `kind:limit`."""
    by_limit: dict[str, int] = {}
    by_kind: dict[str, int] = {}
    counts = np.sum(trace.days.blamed, axis=(0, 1))
    for cause, count in zip(trace.causes, counts.tolist(), strict=True):
        kind, _, limit = cause.partition(":")
        by_kind[kind] = by_kind.get(kind, 0) + round(count)
        if count > 0.0:
            by_limit[limit] = by_limit.get(limit, 0) + round(count)
    return by_limit, by_kind

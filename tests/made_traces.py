"""Traces of an evaluation, made up: every number known beforehand."""

import dataclasses
from typing import Any

import numpy as np

from coolbound_controllers.evaluation import Trace
from coolbound_controllers.evaluation_account import Account
from coolbound_controllers.evaluation_bins import LOADS, WET_BULBS, Bins
from coolbound_envs.limit_table import GROUPS, LIMIT_NAMES

CAUSES = ("limit:CA_T_MAX", "ramp:CHWS_SLEW", "fallback:old readings")
CELLS = (len(WET_BULBS) + 1, len(LOADS) + 1)


def made_account(days: int, places: int, **changes: Any) -> Account:
    """Return quiet days: 1 MW of servers, 100 kW of cooling, no limit near."""

    def full(value: float, *shape: int) -> np.ndarray:
        return np.full((days, places, *shape), value)

    power = full(0.0, 6)
    power[..., 0] = 1e6
    power[..., 1:] = np.asarray([20e3, 50e3, 10e3, 10e3, 10e3])
    fields: dict[str, Any] = {
        "steps": full(288.0),
        "power": power,
        "work": full(0.98e6),
        "reference": full(0.99e6),
        "peak": full(1.2e6),
        "water": full(24_000.0),
        "inlet": full(24.0),
        "warm": full(0.0, 2),
        "before": full(0.0, 21),
        "unknown": full(0.0, 21),
        "after": full(0.0, 21),
        "broken": full(0.0),
        "worst": full(-1.0, 21),
        "interventions": full(0.0),
        "blamed": full(0.0, 0),
        "relaxed": full(0.0),
        "flagged": full(0.0),
        "refused": full(0.0),
        "correction": full(0.0),
        "travel": full(0.0, 10),
        "starts": full(0.0),
        "costs": full(0.0, len(GROUPS)),
        "reward": full(-288.0),
        "tripped": full(0.0),
    }
    return Account(**(fields | changes))


def made_bins(places: int, days: int, cooling: float) -> Bins:
    """Return bins with all steps in two cells."""
    zero = np.zeros((places, *CELLS))
    steps = zero.copy()
    steps[:, 3, 2] = 200.0 * days
    steps[:, 4, 2] = 88.0 * days
    return Bins(
        steps=steps,
        facility=zero + 0.0,
        cooling=steps / 12.0 * cooling / 1e3,
        extra=steps / 12.0 * 10.0,
        it=steps / 12.0 * 1e3,
        broken=zero + 0.0,
        interventions=zero + 0.0,
    )


def made_trace(
    days: int = 28,
    places: int = 2,
    cooling: float = 1.0,
    seed: int = 0,
    is_guarded: bool = False,
    **changes: Any,
) -> Trace:
    """Return a trace whose cooling, servers' part included, is a factor of 110 kW.

    Days differ by weather that is the same for every trace, and by a little that is
    not.
    """
    weather = 1.0 + 0.2 * np.random.default_rng(0).standard_normal((days, places))
    own = 1.0 + 0.01 * np.random.default_rng(seed).standard_normal((days, places))
    account = made_account(days, places)
    power = np.array(account.power)
    power[..., 2] = 110e3 * cooling * weather * own - 50e3 - 10e3
    account = dataclasses.replace(account, power=power)
    if is_guarded:
        blamed = np.zeros((days, places, len(CAUSES)))
        blamed[..., :2] = (20.0, 9.0)
        account = dataclasses.replace(
            account, blamed=blamed, interventions=np.full((days, places), 29.0)
        )
    account = dataclasses.replace(account, **changes)
    bins = made_bins(places, days, 100e3 * cooling)
    causes = CAUSES if is_guarded else ()
    return Trace(account, bins, np.full(days, 0.5), causes)


def with_broken(trace: Trace, limit: str, steps: int) -> Trace:
    """Return a trace that breaks a limit so often on its first day."""
    after = np.array(trace.days.after)
    broken = np.array(trace.days.broken)
    worst = np.array(trace.days.worst)
    place = LIMIT_NAMES.index(limit)
    after[0, 0, place] = broken[0, 0] = float(steps)
    worst[0, 0, place] = 0.75
    days = dataclasses.replace(trace.days, after=after, broken=broken, worst=worst)
    return dataclasses.replace(trace, days=days)

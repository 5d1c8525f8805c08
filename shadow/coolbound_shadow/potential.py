"""What may be said of the potential: where, without which hours, or not at all.

Every refusal has its reason. A number that the model cannot carry is not given.
"""

import dataclasses
from typing import Any

import numpy as np

from coolbound_shadow.conditions import (
    LOAD_EDGES,
    WET_BULB_EDGES,
    Conditions,
    bins,
    load_names,
    wet_bulb_names,
)
from coolbound_shadow.log_types import Log
from coolbound_shadow.records import Decisions
from coolbound_shadow.refusal_limits import Floors, RefusalLimits, published
from coolbound_shadow.replay import Replay
from coolbound_shadow.statistics import (
    DAY_S,
    Interval,
    paired_difference,
    refuse,
    shifted,
)
from coolbound_shadow.twin import Twin


@dataclasses.dataclass(frozen=True)
class Cell:
    """Operator and policy in one bin of load and wet bulb. Static.

    Attributes:
        load: Its bin of load, as a name.
        wet_bulb: Its bin of wet bulb, as a name.
        hours: Hours of log in it. [h]
        operator: Mean facility power of the operator in the model. [kW]
        policy: The same of the policy. [kW]
        potential: Difference of the two with its interval, or why there is none.
        null_test: Measured operator against operator in the model, in percent of the
            measured; NaN where nothing was measured. [percent]
    """

    load: str
    wet_bulb: str
    hours: float
    operator: float
    policy: float
    potential: Interval
    null_test: float

    def as_data(self) -> dict[str, Any]:
        """Return it ready for JSON."""
        has_number = not self.potential.refused
        return {
            "load": self.load,
            "wet_bulb": self.wet_bulb,
            "hours": round(self.hours, 3),
            "operator_kw": round(self.operator, 3),
            "policy_kw": round(self.policy, 3),
            "percent": self.potential.percent if has_number else None,
            "low": self.potential.low if has_number else None,
            "high": self.potential.high if has_number else None,
            "refused": self.potential.refused or None,
            "null_percent": self.null_test if np.isfinite(self.null_test) else None,
        }


def binned(
    log: Log, twin: Twin, met: Conditions, floors: Floors | None = None
) -> tuple[Cell, ...]:
    """Return the bins that the log met, by load and then by wet bulb.

    A bin without hours has no entry: nothing is known of it. Floors are of one bin,
    the published ones where none are given.
    """
    if twin.powers is None:
        return ()
    rows, columns = bins(met.load, LOAD_EDGES), bins(met.wet_bulb, WET_BULB_EDGES)
    known = np.all(np.isfinite(twin.powers), axis=0) & (rows >= 0) & (columns >= 0)
    found = []
    for i, load in enumerate(load_names()):
        for j, wet_bulb in enumerate(wet_bulb_names()):
            here = known & (rows == i) & (columns == j)
            if np.any(here):
                found.append(_cell(log, twin, here, (load, wet_bulb), floors))
    return tuple(found)


def _cell(
    log: Log,
    twin: Twin,
    here: np.ndarray,
    names: tuple[str, str],
    floors: Floors | None,
) -> Cell:
    assert twin.powers is not None
    operator, policy = (np.where(here, power, np.nan) for power in twin.powers)
    potential = paired_difference(
        operator,
        policy,
        log.time_utc,
        log.offset,
        log.step_s,
        floors,
        is_whole_days=False,
    )
    return Cell(
        load=names[0],
        wet_bulb=names[1],
        hours=float(np.sum(here)) * log.step_s / 3600.0,
        operator=float(np.nanmean(operator)),
        policy=float(np.nanmean(policy)),
        potential=potential,
        null_test=_bin_error(twin, here),
    )


def _bin_error(twin: Twin, here: np.ndarray) -> float:
    """Return measured less modelled operator in a bin, of the measured [percent]."""
    if twin.measured is None:
        return float("nan")
    measured, modelled = twin.measured
    known = here & np.isfinite(measured) & np.isfinite(modelled)
    if not np.any(known):
        return float("nan")
    total = float(np.sum(measured[known]))
    return 100.0 * float(np.sum(measured[known] - modelled[known])) / total


@dataclasses.dataclass(frozen=True)
class Exclusions:
    """The potential once more, without the steps that are doubtful. Static.

    Attributes:
        steps: Steps left out: the policy was out of distribution in the model, or
            made no proposal. [1]
        potential: Without them.
    """

    steps: int
    potential: Interval


def without_doubtful(
    log: Log, twin: Twin, decisions: Decisions, floors: Floors | None = None
) -> Exclusions:
    """Return the potential without steps that the policy was not made for."""
    doubtful = ~_is_proposed(decisions)
    if twin.novel is not None:
        doubtful = doubtful | twin.novel
    steps = int(np.sum(doubtful))
    if twin.powers is None:
        return Exclusions(steps, Interval(refused="the model could not be run"))
    operator, policy = (np.where(doubtful, np.nan, power) for power in twin.powers)
    found = paired_difference(
        operator, policy, log.time_utc, log.offset, log.step_s, floors
    )
    return Exclusions(steps, shifted(found, -twin.charge_percent))


def _is_proposed(decisions: Decisions) -> np.ndarray:
    return np.all(np.isfinite(decisions.proposed), axis=1)


def judged(
    twin: Twin, log: Log, found: Replay, limits: RefusalLimits | None = None
) -> Twin:
    """Return the twin, its potential refused where log or policy do not carry it."""
    limits = limits or published()
    reason = "" if twin.potential.refused else _reason(twin, log, found, limits)
    if not reason:
        return twin
    return dataclasses.replace(twin, potential=refuse(twin.potential, reason))


def _reason(twin: Twin, log: Log, found: Replay, limits: RefusalLimits) -> str:
    """Return why no potential can be given; empty where one can."""
    novel = 0.0 if twin.novel is None else float(np.mean(twin.novel))
    proposed = float(np.mean(_is_proposed(found.decisions)))
    days = (int(log.time_utc[-1] - log.time_utc[0]) + log.step_s) / DAY_S
    whole = twin.potential.days / days
    if novel > limits.unfamiliar_share:
        return (
            f"on its course through the model the policy is out of what it was trained "
            f"on in {100.0 * novel:.0f} % of the steps, at most "
            f"{100.0 * limits.unfamiliar_share:.0f} % may be"
        )
    if proposed < limits.proposed_share:
        return (
            f"the policy made a proposal in {100.0 * proposed:.0f} % of the steps, "
            f"{100.0 * limits.proposed_share:.0f} % needed"
        )
    if whole < limits.whole_share:
        return (
            f"{100.0 * whole:.0f} % of the log's days are whole, "
            f"{100.0 * limits.whole_share:.0f} % needed"
        )
    if found.sample is not None and found.sample.differing:
        return (
            f"{found.sample.differing} of {found.sample.decisions} decisions taken "
            "again at control time differ"
        )
    return ""

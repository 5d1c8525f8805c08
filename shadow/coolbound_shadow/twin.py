"""Operator and policy, both in the same model over the log's weather and load.

The operator's set-points are replayed where the log holds all ten channels; else
the site's `legacy` rule stands for the operator, and the report says so. The
policy acts behind the safety layer. Both start from one state and read the same
instrument noise. Null tests go with the result: the operator put in the policy's
place (exactly 0), the operator in the model against the power that was measured
(N1), and a placebo, the operator with every set-point one row late (N2).
"""

import dataclasses
from collections.abc import Sequence

import numpy as np

from coolbound_controllers.legacy import Legacy
from coolbound_controllers.operator_settings import parse_operator
from coolbound_envs.limit_table import IDLE, LIMITS, TOLERANCE
from coolbound_envs.site import Site
from coolbound_envs.spec import POINT_INDEX
from coolbound_envs.types import Controller
from coolbound_safety.margins import SafetyModel
from coolbound_shadow.calibration.record import refusal_beside
from coolbound_shadow.closed_loop import Rollout
from coolbound_shadow.controller_calls import Progress, plain_view
from coolbound_shadow.log_types import Log
from coolbound_shadow.memory import give_back
from coolbound_shadow.novelty import is_novel, novelty, rolled_inputs
from coolbound_shadow.parts import Parts
from coolbound_shadow.patience import TimedOutError
from coolbound_shadow.proposals import logged_operator
from coolbound_shadow.refusal_limits import Floors, RefusalLimits, published
from coolbound_shadow.replay import Policy
from coolbound_shadow.statistics import (
    NOT_RUN,
    Interval,
    paired_difference,
    refuse,
    refuse_against_null,
    shifted,
)
from coolbound_shadow.stored_heat import stored_heat
from coolbound_shadow.summary import LimitValue, ModelLimit, limit_value
from coolbound_shadow.twin_inputs import Refusal, TwinInputs, twin_inputs
from coolbound_shadow.twin_runs import Runner, make_runner

WATER_SIDE_POINTS = (
    "chiller_power",
    "chw_pump_power",
    "cw_pump_power",
    "tower_fan_power",
)


@dataclasses.dataclass(frozen=True)
class Twin:
    """What operator and policy come to in the model. Static.

    Attributes:
        potential: Modelled potential, positive where the policy uses less, corrected
            for the heat left at the end.
        null_test: Measured operator against the operator in the model (N1).
        null_basis: What power the null test compares.
        replay_percent: The operator in the policy's place; must be exactly 0.
            None where the model could not be run. [percent]
        operator: What stands for the operator.
        limits: The 21 limits in both rollouts; empty where not run.
        stored_heat_percent: Heat that the policy's plant holds more than the
            operator's at the end, of the operator's facility energy. [percent]
        charge_percent: Electricity that removing that heat takes, of the same; the
            potential is less by it. [percent]
        trips: Steps with servers too hot to run: operator, policy. [1]
        notes: What had to be assumed, one sentence each.
        placebo: The operator against itself, every set-point one row late (N2).
        powers: Facility power in the model at each row, operator and policy, NaN
            where unknown, shape (2, T); None where not run. [kW]
        measured: What the null test holds against the operator in the model: measured
            and modelled, shape (2, T); None where not measured. [kW]
        parts: Parts that the log was simulated in. [1]
        novel: Rows at which the policy, in the model, was out of what it was trained
            on, bool, shape (T,); None where not run.
    """

    potential: Interval
    null_test: Interval
    null_basis: str = ""
    replay_percent: float | None = None
    operator: str = ""
    limits: tuple[ModelLimit, ...] = ()
    stored_heat_percent: float = 0.0
    charge_percent: float = 0.0
    trips: tuple[int, int] = (0, 0)
    notes: tuple[str, ...] = ()
    placebo: Interval = NOT_RUN
    powers: np.ndarray | None = None
    measured: np.ndarray | None = None
    parts: int = 1
    novel: np.ndarray | None = None


def compare_in_model(
    site: Site,
    log: Log,
    policy: Policy,
    model: SafetyModel,
    seed: int = 0,
    progress: Progress | None = None,
    limits: RefusalLimits | None = None,
) -> Twin:
    """Return the modelled potential of a policy on a log, or why there is none.

    Args:
        site: The plant.
        log: Weather, load and set-points.
        policy: What is shadowed.
        model: The safety layer's model of the site.
        seed: Of the instruments.
        progress: Told after every simulated day.
        limits: Below what no number is told; None for the published ones.
    """
    limits = limits or published()
    try:
        inputs = twin_inputs(site, log)
    except Refusal as reason:
        refused = Interval(refused=str(reason))
        return Twin(refused, refused)
    run = make_runner(site, inputs, seed, progress)
    other, failure = _policy_rollout(run, policy, model)
    give_back()
    operator, word = _operator(site, inputs, run.parts)
    baseline = run.plain(operator, "operator in the model")
    measured, basis = _measured(log, inputs, baseline)
    refused = Interval(refused=basis)
    found = Twin(
        potential=Interval(),
        null_test=refused
        if measured is None
        else _paired(log, measured, limits.floors),
        null_basis="" if measured is None else basis,
        replay_percent=run.repeated(operator, baseline),
        operator=word,
        notes=inputs.notes,
        placebo=_placebo(log, inputs, run, baseline, limits.floors),
        measured=measured,
        parts=run.parts.number,
    )
    if other is None:
        return dataclasses.replace(found, potential=Interval(refused=failure))
    found = _with_policy(found, site, log, inputs, (baseline, other), limits)
    return dataclasses.replace(found, novel=_novel(policy, inputs, other))


def _policy_rollout(
    run: Runner, policy: Policy, model: SafetyModel
) -> tuple[Rollout | None, str]:
    """Return the policy's rollout, or None and why there is none."""
    try:
        return run.shielded(policy, model), ""
    except TimedOutError as error:
        return None, f"the policy gave {error} in the model"
    except Exception as error:  # A policy that cannot run has no potential.
        return None, f"the policy raised {type(error).__name__} in the model"


def _novel(policy: Policy, inputs: TwinInputs, other: Rollout) -> np.ndarray:
    """Return the rows at which the policy's own course is unfamiliar to it, (T,)."""
    seen = rolled_inputs(other.values, other.applied, inputs.clock)
    view = dataclasses.replace(plain_view(), factor=policy.view.factor)
    novel = is_novel(*novelty(policy.controller, view, seen))
    return np.concatenate([[False], novel[inputs.last_step]])


def _with_policy(
    found: Twin,
    site: Site,
    log: Log,
    inputs: TwinInputs,
    rollouts: tuple[Rollout, Rollout],
    limits: RefusalLimits,
) -> Twin:
    baseline, other = rollouts
    powers = [_at_rows(log, inputs, each.facility) for each in rollouts]
    potential = _paired(log, powers, limits.floors)
    stored = stored_heat(other.state.task, site) - stored_heat(baseline.state, site)
    energy = float(np.sum(baseline.facility)) * 1e3 * 300.0
    if not np.all(np.isfinite(other.facility)):
        potential = Interval(refused="the policy's power in the model is not finite")
        stored = 0.0
    # Every kilowatt-hour that is no cooling becomes heat that cooling must move.
    moved = float(np.sum(baseline.facility - baseline.water_side))
    charge = stored * float(np.sum(baseline.water_side)) / moved
    potential = shifted(potential, -100.0 * charge / energy)
    return dataclasses.replace(
        found,
        potential=told(site, potential, found.null_test, limits.null_share),
        limits=_model_limits(baseline, other),
        stored_heat_percent=100.0 * stored / energy,
        charge_percent=100.0 * charge / energy,
        trips=(baseline.tripped, other.tripped),
        powers=np.stack(powers),
    )


def told(
    site: Site, potential: Interval, null_test: Interval, share: float | None = None
) -> Interval:
    """Return the potential, or why null test or calibration do not carry it."""
    potential = refuse_against_null(potential, null_test, share)
    reason = "" if potential.refused else refusal_beside(site, potential.percent)
    return refuse(potential, reason) if reason else potential


def _operator(site: Site, inputs: TwinInputs, parts: Parts) -> tuple[Controller, str]:
    if inputs.actions is not None:
        return logged_operator(inputs.actions, parts.begins), "the logged set-points"
    return Legacy(parse_operator(site)), "the `legacy` rule with the site's settings"


def _placebo(
    log: Log, inputs: TwinInputs, run: Runner, baseline: Rollout, floors: Floors
) -> Interval:
    """Return the operator against itself one row late: the floor of the noise."""
    if inputs.actions is None:
        return Interval(refused="the log lacks set-points")
    late = logged_operator(inputs.actions, run.parts.begins - inputs.per_row)
    other = run.plain(late, "placebo")
    powers = [_at_rows(log, inputs, each.facility) for each in (baseline, other)]
    return _paired(log, powers, floors)


def _at_rows(log: Log, inputs: TwinInputs, power: np.ndarray) -> np.ndarray:
    """Return the mean power of each row's step, NaN for the first row, (T,) [kW]."""
    sums = np.concatenate([[0.0], np.cumsum(power)])
    end = inputs.last_step + 1
    begin = np.maximum(end - inputs.per_row, 0)
    means = (sums[end] - sums[begin]) / np.maximum(end - begin, 1)
    return np.concatenate([[np.nan], means])


def _paired(
    log: Log, powers: Sequence[np.ndarray] | np.ndarray, floors: Floors
) -> Interval:
    baseline, other = powers
    return paired_difference(
        baseline, other, log.time_utc, log.offset, log.step_s, floors
    )


def _measured(
    log: Log, inputs: TwinInputs, baseline: Rollout
) -> tuple[np.ndarray | None, str]:
    """Return measured and modelled power of the operator, (2, T) [kW], and of what.

    Where nothing was measured, the text is the reason.
    """
    readings = log.usable()
    facility = readings[:, POINT_INDEX["facility_power"]]
    if np.any(np.isfinite(facility)):
        modelled = _at_rows(log, inputs, baseline.facility)
        return np.stack([facility, modelled]), "facility power"
    parts = readings[:, [POINT_INDEX[name] for name in WATER_SIDE_POINTS]]
    measured = np.sum(parts, axis=1)
    if not np.any(np.isfinite(measured)):
        return None, (
            "the log has neither facility power nor all of the plant's consumers"
        )
    modelled = _at_rows(log, inputs, baseline.water_side)
    return np.stack([measured, modelled]), "power of chillers, pumps and towers"


def _model_limits(baseline: Rollout, other: Rollout) -> tuple[ModelLimit, ...]:
    def value(rollout: Rollout, index: int) -> LimitValue:
        h = rollout.limits[:, index]
        return limit_value(np.where(h <= IDLE, np.nan, h), TOLERANCE)

    return tuple(
        ModelLimit(
            name=limit.name,
            meaning=limit.title,
            unit=limit.unit,
            operator=value(baseline, i),
            policy=value(other, i),
        )
        for i, limit in enumerate(LIMITS)
    )

"""Operator and policy, both in the same model over the log's weather and load.

The operator's set-points are replayed where the log holds all ten channels; else
the site's `legacy` rule stands for the operator, and the report says so. The
policy acts behind the safety layer. Both start from one state and read the same
instrument noise. Two null tests go with the result: the operator put in the
policy's place (exactly 0), and the operator in the model against the power that
was measured.
"""

import dataclasses
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from coolbound_controllers.legacy import Legacy
from coolbound_controllers.operator_settings import parse_operator
from coolbound_envs.constants import WATER_HEAT
from coolbound_envs.cooling import CoolingTask
from coolbound_envs.episode import TaskParams, TaskState
from coolbound_envs.halls import ZONE_SHARE
from coolbound_envs.limit_table import IDLE, LIMITS, TOLERANCE
from coolbound_envs.params import PlantParams
from coolbound_envs.site import Site
from coolbound_envs.spec import HALLS, POINT_INDEX
from coolbound_envs.state import PIPE_CELLS, PlantState
from coolbound_envs.types import Controller, Observation
from coolbound_safety.guard import first_memory
from coolbound_safety.margins import SafetyModel
from coolbound_safety.shielded import ShieldedParams, ShieldedState, ShieldedTask
from coolbound_shadow.closed_loop import Rollout, roll_out, start_plant
from coolbound_shadow.controller_calls import Progress, plain_view
from coolbound_shadow.envelopes import nominal_action
from coolbound_shadow.log_types import Log
from coolbound_shadow.proposals import logged_operator
from coolbound_shadow.replay import Policy
from coolbound_shadow.simulate import task_params
from coolbound_shadow.statistics import (
    Interval,
    paired_difference,
    refuse_against_null,
)
from coolbound_shadow.summary import LimitValue, ModelLimit, limit_value
from coolbound_shadow.twin_inputs import Refusal, TwinInputs, twin_inputs

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
        potential: Modelled potential, positive where the policy uses less.
        null_test: Measured operator against the operator in the model.
        null_basis: What power the null test compares.
        replay_percent: The operator in the policy's place; must be exactly 0.
            None where the model could not be run. [percent]
        operator: What stands for the operator.
        limits: The 21 limits in both rollouts; empty where not run.
        stored_heat_percent: Heat that the policy's plant holds more than the
            operator's at the end, of the operator's facility energy. [percent]
        trips: Steps with servers too hot to run: operator, policy. [1]
        notes: What had to be assumed, one sentence each.
    """

    potential: Interval
    null_test: Interval
    null_basis: str = ""
    replay_percent: float | None = None
    operator: str = ""
    limits: tuple[ModelLimit, ...] = ()
    stored_heat_percent: float = 0.0
    trips: tuple[int, int] = (0, 0)
    notes: tuple[str, ...] = ()


def compare_in_model(
    site: Site,
    log: Log,
    policy: Policy,
    model: SafetyModel,
    seed: int = 0,
    progress: Progress | None = None,
) -> Twin:
    """Return the modelled potential of a policy on a log, or why there is none.

    Args:
        site: The plant.
        log: Weather, load and set-points.
        policy: What is shadowed.
        model: The safety layer's model of the site.
        seed: Of the instruments.
        progress: Told after every simulated day.
    """
    try:
        inputs = twin_inputs(site, log)
    except Refusal as reason:
        refused = Interval(refused=str(reason))
        return Twin(refused, refused)
    params = task_params(site, inputs.scenario)
    operator, word = _operator(site, inputs)
    start = start_plant(jax.random.key(seed), inputs.place, _first(inputs), params)
    run = _Runner(params, start, inputs.steps, seed, progress)
    baseline = run.plain(operator, "operator in the model")
    again = run.plain(operator, "null test")
    null_test, basis = _null_test(log, inputs, baseline)
    replay = float(np.sum(baseline.facility - again.facility))
    found = Twin(
        potential=Interval(),
        null_test=null_test,
        null_basis=basis,
        replay_percent=100.0 * replay / float(np.sum(baseline.facility)),
        operator=word,
        notes=inputs.notes,
    )
    try:
        other = run.shielded(policy, model)
    except Exception as error:  # A policy that cannot run has no potential.
        reason = f"the policy raised {type(error).__name__} in the model"
        return dataclasses.replace(found, potential=Interval(refused=reason))
    return _with_policy(found, site, log, inputs, baseline, other)


def _with_policy(
    found: Twin,
    site: Site,
    log: Log,
    inputs: TwinInputs,
    baseline: Rollout,
    other: Rollout,
) -> Twin:
    powers = [_at_rows(log, inputs, each.facility) for each in (baseline, other)]
    potential = _paired(log, *powers)
    stored = _stored_heat(other.state.task, site) - _stored_heat(baseline.state, site)
    energy = float(np.sum(baseline.facility)) * 1e3 * 300.0
    if not np.all(np.isfinite(other.facility)):
        potential = Interval(refused="the policy's power in the model is not finite")
        stored = 0.0
    return dataclasses.replace(
        found,
        potential=refuse_against_null(potential, found.null_test),
        limits=_model_limits(baseline, other),
        stored_heat_percent=100.0 * stored / energy,
        trips=(baseline.tripped, other.tripped),
    )


@dataclasses.dataclass(frozen=True)
class _Runner:
    """One start, one weather, one load, one noise for all. Static."""

    params: TaskParams
    start: tuple[Observation, TaskState]
    steps: int
    seed: int
    progress: Progress | None

    def plain(self, controller: Controller, what: str) -> Rollout:
        """Return the rollout of an operator."""
        return roll_out(
            CoolingTask(),
            controller,
            self.params,
            self.start,
            self.steps,
            self.seed,
            plain_view(),
            self.progress,
            what,
        )

    def shielded(self, policy: Policy, model: SafetyModel) -> Rollout:
        """Return the rollout of a policy behind the safety layer."""
        observation, state = self.start
        return roll_out(
            ShieldedTask(CoolingTask()),
            policy.controller,
            ShieldedParams(task=self.params, safety=model),
            (observation, ShieldedState(state, observation, first_memory((1,)))),
            self.steps,
            self.seed,
            # The model has every point: what a log lacks is assumed nowhere.
            dataclasses.replace(plain_view(), factor=policy.view.factor),
            self.progress,
            "policy in the model",
        )


def _operator(site: Site, inputs: TwinInputs) -> tuple[Controller, str]:
    if inputs.actions is not None:
        return logged_operator(inputs.actions), "the logged set-points"
    return Legacy(parse_operator(site)), "the `legacy` rule with the site's settings"


def _first(inputs: TwinInputs) -> jax.Array:
    first = nominal_action() if inputs.actions is None else inputs.actions[0]
    return jnp.asarray(first, jnp.float32)[None, :]


def _at_rows(log: Log, inputs: TwinInputs, power: np.ndarray) -> np.ndarray:
    """Return the mean power of each row's step, NaN for the first row, (T,) [kW]."""
    sums = np.concatenate([[0.0], np.cumsum(power)])
    end = inputs.last_step + 1
    begin = np.maximum(end - inputs.per_row, 0)
    means = (sums[end] - sums[begin]) / np.maximum(end - begin, 1)
    return np.concatenate([[np.nan], means])


def _paired(log: Log, baseline: np.ndarray, other: np.ndarray) -> Interval:
    return paired_difference(baseline, other, log.time_utc, log.offset, log.step_s)


def _null_test(log: Log, inputs: TwinInputs, baseline: Rollout) -> tuple[Interval, str]:
    """Return measured operator against operator in the model, and of what."""
    readings = log.usable()
    facility = readings[:, POINT_INDEX["facility_power"]]
    if np.any(np.isfinite(facility)):
        modelled = _at_rows(log, inputs, baseline.facility)
        return _paired(log, facility, modelled), "facility power"
    parts = readings[:, [POINT_INDEX[name] for name in WATER_SIDE_POINTS]]
    measured = np.sum(parts, axis=1)
    if not np.any(np.isfinite(measured)):
        reason = "the log has neither facility power nor all of the plant's consumers"
        return Interval(refused=reason), ""
    modelled = _at_rows(log, inputs, baseline.water_side)
    return _paired(log, measured, modelled), "power of chillers, pumps and towers"


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


def _stored_heat(state: Any, site: Site) -> float:
    """Return the heat held by servers, air, structure and water above 0 degC [J]."""
    plant: PlantState = jax.tree.map(np.asarray, state.plant)
    return _air_side(plant, site.plant) + _water(plant, site.plant)


def _air_side(plant: PlantState, params: PlantParams) -> float:
    it = params.it
    zones = np.asarray(ZONE_SHARE)[None, :, None] * float(it.design_power) / HALLS
    held = (
        float(it.server_capacity) * np.asarray(plant.server_temp)
        + float(it.air_capacity) * np.asarray(plant.hot_aisle_temp)
        + float(it.structure_capacity) * np.asarray(plant.structure_temp)
    )
    return float(np.sum(zones * held))


def _water(plant: PlantState, params: PlantParams) -> float:
    cell = float(params.chw.pipe_mass) / PIPE_CELLS
    pipes = np.sum(plant.supply_pipe_temp) + np.sum(plant.return_pipe_temp)
    buffer = float(params.chw.buffer_mass) * np.sum(plant.buffer_temp)
    basin = float(params.condenser.basin_mass) * np.sum(plant.basin_temp)
    return WATER_HEAT * float(cell * pipes + buffer + basin)

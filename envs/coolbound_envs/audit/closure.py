"""Does heat go missing? The balance of all stores, in float64 and by other code.

stored(end) - stored(start) = integral of (given - rejected): servers, fans of
the CRAHs, chilled-water pumps, condenser pumps, chillers and condensing vapour
give heat to air and water; towers take it away. Tower fans warm outdoor air.
"""

import dataclasses
from typing import Any, Final

import jax
import jax.numpy as jnp
import numpy as np

from coolbound_envs import energy
from coolbound_envs.audit.lab import Lab, Step, host, largest, normal_actions
from coolbound_envs.audit.records import (
    Check,
    adjusted,
    judged,
    task_params,
    task_state,
)
from coolbound_envs.constants import WATER_HEAT
from coolbound_envs.halls import ZONE_SHARE
from coolbound_envs.interval import CONTROL_INTERVAL
from coolbound_envs.params import PlantParams
from coolbound_envs.spec import HALLS
from coolbound_envs.state import PIPE_CELLS

ENERGY_BOUND: Final = 1e-3
"""Heat that goes missing, over the heat given off. [1]"""

HOUR_BOUND: Final = 1e-2
"""The same within the worst hour of any plant, while modes change. [1]"""

HOUR: Final = 12
"""Control steps of an hour. [1]"""

DAMP: Final = (13.0, 16.0)
"""Dew point of the make-up air while the balance is drawn: vapour condenses on
the coils, which it never does where air is dried as the site says. [degC]"""

CODE_BOUND: Final = 1e-5
"""Difference of the environment's own balance from this one, relative. [1]"""


def stored(plant: Any, params: PlantParams) -> np.ndarray:
    """Return the heat in every store above 0 degC, float64, (lanes,) [J].

    Args:
        plant: True state, numpy, lanes last.
        params: Sizes of the stores, one number or one for each lane.
    """
    it, chw, condenser = params.it, params.chw, params.condenser
    design = _exact(it.design_power) / HALLS
    zones = design * np.asarray(ZONE_SHARE)[None, :, None]
    air_side = (
        _exact(it.server_capacity) * _exact(plant.server_temp)
        + _exact(it.air_capacity) * _exact(plant.hot_aisle_temp)
        + _exact(it.structure_capacity) * _exact(plant.structure_temp)
    )
    pipes = np.sum(
        _exact(plant.supply_pipe_temp) + _exact(plant.return_pipe_temp), axis=0
    )
    water = (
        pipes * _exact(chw.pipe_mass) / PIPE_CELLS
        + _exact(plant.buffer_temp) * _exact(chw.buffer_mass)
        + _exact(plant.basin_temp) * _exact(condenser.basin_mass)
    )
    return np.sum(zones * air_side, axis=(0, 1)) + water * WATER_HEAT


def _exact(values: Any) -> np.ndarray:
    return np.asarray(values, np.float64)


def given_and_rejected(mean: Any) -> tuple[np.ndarray, np.ndarray]:
    """Return heat given off and rejected in one interval, float64, (lanes,) [J]."""
    flows = jax.tree.map(_exact, mean)
    given = (
        flows.it_power.sum(0)
        + flows.crah_power.sum(0)
        + flows.chw_pump_power
        + flows.cw_pump_power
        + flows.chiller_power
        + flows.latent_heat
    )
    return given * CONTROL_INTERVAL, flows.tower_heat * CONTROL_INTERVAL


def busy_actions(number: int, lanes: int) -> np.ndarray:
    """Return set-points that keep every actuator moving, (lanes, 10).

    Load is met on the whole; machines start and stop, the economizer opens and
    closes, and each plant is at another point of the same round.
    """
    hour = number / HOUR + 24.0 * np.arange(lanes) / lanes
    actions = normal_actions(lanes)
    slow, fast = np.sin(hour / 3.0), np.sin(hour / 2.0)
    is_free = (hour % 24.0 >= 11.0) & (hour % 24.0 < 15.0)
    opens = (hour % 24.0 >= 10.0) & (hour % 24.0 < 16.0)
    actions[:, 0], actions[:, 1] = 22.5 + fast, 22.5 - fast
    actions[:, 2], actions[:, 3] = 0.85 + 0.1 * slow, 0.9
    actions[:, 4] = 12.0 + 2.0 * slow
    actions[:, 5] = 85.0 + 20.0 * fast
    actions[:, 6] = 0.8 + 0.15 * slow
    actions[:, 7] = np.where(opens, 0.9, 0.65 + 0.25 * fast)
    actions[:, 8] = np.where(
        is_free & (slow > 0.0), 0.0, np.where(fast > 0.3, 3.0, 2.0)
    )
    actions[:, 9] = opens
    return actions.astype(np.float32)


def check_energy(lab: Lab) -> Check:
    """Run plants for days under moving set-points and balance every joule."""
    balance = balance_of(lab)
    missing = balance.given - balance.rejected - np.diff(balance.stored, axis=0)
    whole = np.abs(missing.sum(axis=0)) / balance.given.sum(axis=0)
    hourly = np.abs(missing) / np.maximum(balance.given, 1.0)
    worst, hour = largest(whole), largest(hourly)
    days = lab.sizes.energy_steps / 288
    sentence = (
        f"Over {days:g} days of {lab.sizes.lanes} plants, with {balance.changes:,.0f} "
        f"changes of machines and mode and {100 * balance.latent:.1f} % of the heat "
        f"from condensation, {worst:.1e} of the heat goes missing at most, and "
        f"{hour:.1e} in the worst hour of any plant (at most {HOUR_BOUND:g}); "
        f"coolbound_envs.energy agrees to {balance.code:.0e}."
    )
    details = {
        "worst_hour": hour,
        "other_code": balance.code,
        "changes": balance.changes,
        "latent_share": balance.latent,
    }
    is_sound = hour <= HOUR_BOUND and balance.code <= CODE_BOUND
    is_sound = is_sound and balance.changes > 0 and balance.latent > 0.0
    return judged("energy", worst, ENERGY_BOUND, "1", sentence, details, is_sound)


@dataclasses.dataclass(frozen=True)
class Balance:
    """Heat of all plants, hour by hour. Static.

    Attributes:
        stored: At the beginning and after each hour, (hours + 1, lanes). [J]
        given: In each hour, (hours, lanes). [J]
        rejected: Likewise. [J]
        code: Largest difference of the environment's own balance, relative. [1]
        changes: Starts, stops and changes of mode, all plants together. [1]
        latent: Share of the heat given that condensing vapour brought. [1]
    """

    stored: np.ndarray
    given: np.ndarray
    rejected: np.ndarray
    code: float
    changes: float
    latent: float


def _humid(params: Any) -> Any:
    """Return parameters whose make-up air is so damp that the coils condense."""
    plant = task_params(params).plant
    low, high = (jnp.asarray(value, jnp.float32) for value in DAMP)
    room = dataclasses.replace(plant.room, dew_point_min=low, dew_point_max=high)
    return adjusted(params, plant=dataclasses.replace(plant, room=room))


def balance_of(lab: Lab) -> Balance:
    """Return the balance of a busy run in damp air, with perfect instruments."""
    damp = _humid(lab.quiet)
    params = task_params(damp).plant
    _, state = lab.reset(damp, 41)
    hours = lab.sizes.energy_steps // HOUR
    flows = np.zeros((3, hours, lab.sizes.lanes))
    kept, code, changes = [stored(host(task_state(state).plant), params)], 0.0, 0.0
    for number in range(hours * HOUR):
        step = lab.step(damp, state, busy_actions(number, lab.sizes.lanes), number)
        mean = step.info["summary"].mean
        flows[:2, number // HOUR] += given_and_rejected(host(mean))
        flows[2, number // HOUR] += np.asarray(mean.latent_heat) * CONTROL_INTERVAL
        changes += _changes(state, step.state)
        if (number + 1) % HOUR == 0:
            kept.append(stored(host(task_state(step.state).plant), params))
            code = max(code, _other_code(step, params, kept[-1]))
        state = step.state
    given, rejected, latent = flows
    share = float(latent.sum() / given.sum())
    return Balance(np.asarray(kept), given, rejected, code, changes, share)


def _changes(before: Any, after: Any) -> float:
    """Return how many machines and economizers changed in a step."""
    count = 0.0
    for name in ("commanded", "economizer"):
        last, now = (
            np.asarray(getattr(task_state(state).plant.sequencer, name))
            for state in (before, after)
        )
        count += float(np.sum(np.abs(now - last) > 0.5))
    return count


def _other_code(step: Step, params: PlantParams, kept: np.ndarray) -> float:
    """Return how far the environment's own balance is from this one, relative."""
    plant, mean = task_state(step.state).plant, step.info["summary"].mean
    given, rejected = given_and_rejected(host(mean))
    pairs = (
        (energy.stored_heat(plant, params), kept),
        (energy.heat_given(mean), given / CONTROL_INTERVAL),
        (energy.heat_rejected(mean), rejected / CONTROL_INTERVAL),
    )
    return max(
        largest(np.abs(np.asarray(theirs) - ours) / np.maximum(np.abs(ours), 1.0))
        for theirs, ours in pairs
    )

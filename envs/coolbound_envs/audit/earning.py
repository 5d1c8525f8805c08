"""Is reward what the meters say, to the last digit and without a ceiling?"""

import dataclasses
from collections.abc import Iterator
from typing import Any, Final

import jax.numpy as jnp
import numpy as np

from coolbound_envs.accounts import HEAT_PRICE, REWARD_POWER, TRIP_PRICE
from coolbound_envs.audit.closure import stored
from coolbound_envs.audit.ends import heated, is_too_hot
from coolbound_envs.audit.lab import Lab, Step, host, normal_actions, wander
from coolbound_envs.audit.records import (
    Check,
    adjusted,
    failed,
    judged,
    task_params,
    task_state,
)
from coolbound_envs.interval import CONTROL_INTERVAL
from coolbound_envs.spec import CHANNEL_NAMES
from coolbound_envs.tasks import TASKS

STEPS: Final = 12
"""Control steps that reward is recomputed for, under each set of sizes. [1]"""

HEATED_STEP: Final = 9
"""Before this step some plants are overheated, so that a trip is priced. [1]"""

REWARD_BOUND: Final = 1e-6
"""Of facility power: what float32 rounds in a sum of a few consumers. [1]"""

WARMING_STEPS: Final = 6
"""Control steps to the horizon at which the charge for heat is recomputed. [1]"""

SCALES: Final = (1.0, 0.05, 20.0)
"""Fans and pumps are sized by these, so that a ceiling would show. [1]"""

LONGEST: Final = 288 * max(task.days for task in TASKS.values())
"""Control steps of the longest reference task. [1]"""

MACHINES: Final = CHANNEL_NAMES.index("chiller_demand")


def expected_reward(step: Step) -> np.ndarray:
    """Return the reward that the metered powers call for, float64, (lanes,) [1].

    Minus the power above the IT work over its unit, and minus the price of a
    trip.
    """
    price = TRIP_PRICE * is_too_hot(step)
    work = np.asarray(step.info["work"], np.float64)
    return -(metered(step) - work) / REWARD_POWER - price


def metered(step: Step) -> np.ndarray:
    """Return facility power summed over the consumers, float64, (lanes,) [W]."""
    return np.sum(
        [np.asarray(power, np.float64) for power in step.info["power"].values()], axis=0
    )


def _resized(params: Any, scale: float) -> Any:
    """Return parameters with fans and pumps of another power."""
    plant = task_params(params).plant
    factor = jnp.asarray(scale, jnp.float32)
    crah, tower, chw = plant.crah, plant.condenser, plant.chw
    plant = dataclasses.replace(
        plant,
        crah=dataclasses.replace(crah, fan_power=crah.fan_power * factor),
        condenser=dataclasses.replace(tower, fan_power=tower.fan_power * factor),
        chw=dataclasses.replace(chw, pump_efficiency=chw.pump_efficiency / factor),
    )
    return adjusted(params, plant=plant)


def _reward_run(lab: Lab, scale: float) -> Iterator[Step]:
    params = _resized(lab.quiet, scale)
    _, state = lab.reset(params, 31)
    rng = np.random.default_rng(lab.seed + 31)
    actions = normal_actions(lab.sizes.lanes)
    for number in range(STEPS):
        if number == HEATED_STEP:
            state = heated(state, lab.sizes.lanes)
        actions = wander(rng, actions, 0.3)
        step = lab.step(params, state, actions, number)
        state = step.state
        yield step


def expected_charge(now: np.ndarray, first: np.ndarray) -> np.ndarray:
    """Return what heat left behind costs at the horizon, float64, (lanes,) [1].

    Args:
        now: Heat in each plant. [J]
        first: The same when its episode began. [J]
    """
    return HEAT_PRICE * np.maximum(now - first, 0.0) / (CONTROL_INTERVAL * REWARD_POWER)


def _errors(step: Step, wanted: np.ndarray, reach: float = 0.0) -> np.ndarray:
    """Return how far rewards are from what is wanted, over facility power.

    Args:
        step: What came back.
        wanted: Reward that is called for, (lanes,). [1]
        reach: Size of other numbers that float32 had to add up. [1]
    """
    reward = np.asarray(step.reward, np.float64)
    size = np.maximum(metered(step) / REWARD_POWER, np.abs(wanted)) + reach
    sound = ~np.asarray(step.info.get("diverged", np.zeros(reward.shape, bool)))
    error = np.abs(reward - wanted) / size
    return np.where(np.isfinite(error), error, np.inf)[sound]


def _at_the_horizon(lab: Lab) -> tuple[float, float]:
    """Return the largest error of a reward at the horizon, and the mean charge [1].

    Half of the plants have stopped cooling shortly before.
    """
    params = adjusted(lab.quiet, horizon=jnp.asarray(WARMING_STEPS, jnp.int32))
    constants = task_params(params).plant
    _, state = lab.reset(params, 34)
    first = stored(host(task_state(state).plant), constants)
    actions = normal_actions(lab.sizes.lanes)
    actions[::2, MACHINES] = 0.0
    step = lab.step(params, state, actions, 0)
    for number in range(1, WARMING_STEPS):
        step = lab.step(params, step.state, actions, number)
    now = stored(host(task_state(step.state).plant), constants)
    # What trips at the horizon has ended for another reason, and pays for that.
    is_due = ~is_too_hot(step) & ("heat_charge" in step.info)
    charge = np.where(is_due, expected_charge(now, first), 0.0)
    reach = float(np.max(expected_charge(now, np.zeros_like(now))))
    error = _errors(step, expected_reward(step) - charge, reach)
    return float(np.max(error)), float(np.mean(charge))


def check_reward(lab: Lab) -> Check:
    """Recompute every reward in float64 from the metered powers and the IT work."""
    errors, powers = [], []
    for scale in SCALES:
        for step in _reward_run(lab, scale):
            errors.append(np.max(_errors(step, expected_reward(step))))
            power = metered(step) - np.asarray(step.info["work"], np.float64)
            powers.append(power[np.isfinite(power)])
    last, charge = _at_the_horizon(lab)
    worst, power = float(max(*errors, last)), np.concatenate(powers)
    sentence = (
        f"{power.size:,} rewards at {power.min() / 1e3:,.0f} to "
        f"{power.max() / 1e3:,.0f} kW above the IT work, some with a trip, and those "
        f"at a horizon, with {charge:.0f} charged for heat left behind, differ from "
        f"a float64 sum of the meters by at most {worst:.1e} of facility power."
    )
    details = {"at_horizon": last, "mean_charge": charge}
    return judged("reward", worst, REWARD_BOUND, "1", sentence, details)


def check_trip_price(lab: Lab) -> Check:
    """Compare the price of a trip with all the power that it puts an end to."""
    _, state = lab.reset(lab.quiet, 33)
    actions = normal_actions(lab.sizes.lanes)
    calm = lab.step(lab.quiet, state, actions, 0)
    hot = lab.step(lab.quiet, heated(calm.state, lab.sizes.lanes), actions, 1)
    tripped = np.asarray(hot.terminated).astype(bool)
    if not np.any(tripped):
        reason = "Overheated servers did not trip: there is no price to judge."
        return failed("trip_price", 1.0, "trips", reason)
    without = -(metered(hot) - np.asarray(hot.info["work"], np.float64)) / REWARD_POWER
    price = float(np.min((without - np.asarray(hot.reward, np.float64))[tripped]))
    lost = -float(np.mean(np.asarray(calm.reward, np.float64)))
    hours = price / lost * CONTROL_INTERVAL / 3600.0
    sentence = (
        f"Tripping costs {price:,.0f}, as much as {hours:.0f} h of ordinary operation "
        f"at {lost:.2f} a step; the longest reference task lasts {LONGEST / 12:.0f} h, "
        "and whoever trips at once must not come out cheaper."
    )
    share = LONGEST * lost / max(price, 1e-9)
    return judged("trip_price", share, 1.0, "trips", sentence, {"price": price})

"""Does an episode end when it says, for the reason it says, and nowhere else?"""

from typing import Any, Final

import jax.numpy as jnp
import numpy as np

from coolbound_envs.accounts import TRIP_TEMP
from coolbound_envs.audit.lab import Lab, Step, normal_actions
from coolbound_envs.audit.records import Check, adjusted, judged, kicked, task_state
from coolbound_envs.audit.repeat import different_values
from coolbound_envs.interval import CONTROL_INTERVAL

HORIZON: Final = 6
"""Control steps after which the probed episode is over. [1]"""

STEPS: Final = 10
"""Control steps that it is run for, beyond its end. [1]"""

HEATED_STEP: Final = 3
"""Before this step some plants are overheated, so that they trip. [1]"""

HEAT: Final = 40.0
"""Added to the air and servers of those plants. [K]"""


def heated(state: Any, lanes: int) -> Any:
    """Return the state with every eighth plant far beyond the trip temperature."""
    hot = np.arange(lanes) % 8 == 0
    return kicked(
        state, hot, supply_air_temp=HEAT, server_temp=HEAT, hot_aisle_temp=HEAT
    )


def is_too_hot(step: Step) -> np.ndarray:
    """Return where an inlet passed the trip temperature, or the state diverged."""
    hottest = np.asarray(step.info["summary"].inlet_temp_max)
    diverged = np.asarray(step.info.get("diverged", np.zeros(hottest.shape, bool)))
    return (hottest > TRIP_TEMP) | diverged.astype(bool)


def wrong_ends(step: Step, number: int, horizon: int) -> dict[str, int]:
    """Return how many lanes of a step end wrongly or for the wrong reason.

    Args:
        step: What came back.
        number: Steps since the episode began, this one included. [1]
        horizon: Steps in an episode. [1]
    """
    truncated = np.asarray(step.truncated).astype(bool)
    terminated = np.asarray(step.terminated).astype(bool)
    # What trips at the horizon has tripped: the two are never both true.
    time_is_up = (number >= horizon) & ~is_too_hot(step)
    return {
        "truncated": int(np.sum(truncated != time_is_up)),
        "terminated": int(np.sum(terminated != is_too_hot(step))),
    }


def _is_reset(step: Step, number: int, begun: np.ndarray) -> dict[str, int]:
    """Return how many lanes no longer stand in the episode that began."""
    clock = begun + CONTROL_INTERVAL * number
    moved = np.abs(np.asarray(step.observation.time, np.float64) - clock) > 0.5
    place = np.asarray(task_state(step.state).place.time, np.float64)
    return {
        "clock": int(np.sum(moved | (np.abs(place - clock) > 0.5))),
        "count": int(np.sum(np.asarray(task_state(step.state).steps) != number)),
    }


def check_ends(lab: Lab) -> Check:
    """Run past the horizon and past a trip, then long with no horizon at all."""
    params = adjusted(lab.quiet, horizon=jnp.asarray(HORIZON, jnp.int32))
    found, tripped = _past_the_end(lab, params)
    silent, steps = _without_end(lab)
    found |= silent
    wrong = sum(found.values())
    sentence = (
        f"With a horizon of {HORIZON} steps, {lab.sizes.lanes} plants run for {STEPS}: "
        f"truncated from step {HORIZON} on and never before, terminated in the "
        f"{tripped} that passed {TRIP_TEMP:g} degC and no other, no state replaced "
        f"behind the observation; {steps} steps without a horizon never end. Wrong: "
        f"{wrong}."
    )
    return judged("ends", wrong, 0.0, "lane steps", sentence, found, tripped > 0)


def _past_the_end(lab: Lab, params: Any) -> tuple[dict[str, int], int]:
    """Return what was wrong, and how many plants tripped."""
    observation, state = lab.reset(params, 21)
    begun = np.asarray(observation.time, np.float64)
    actions = normal_actions(lab.sizes.lanes)
    found: dict[str, int] = {}
    tripped = np.zeros(lab.sizes.lanes, bool)
    for number in range(1, STEPS + 1):
        if number == HEATED_STEP:
            state = heated(state, lab.sizes.lanes)
        step = lab.step(params, state, actions, number)
        final = different_values(step.info["final_observation"], step.observation)
        wrong = wrong_ends(step, number, HORIZON) | _is_reset(step, number, begun)
        for name, count in (wrong | {"final_observation": final}).items():
            found[name] = found.get(name, 0) + count
        tripped |= is_too_hot(step)
        state = step.state
    return found, int(tripped.sum())


def _without_end(lab: Lab) -> tuple[dict[str, int], int]:
    """Return ends where there is no horizon, and the steps that were run."""
    observation, state = lab.reset(lab.quiet, 22)
    begun = np.asarray(observation.time, np.float64)
    actions = normal_actions(lab.sizes.lanes)
    found = {"silent_truncated": 0, "silent_terminated": 0, "silent_clock": 0}
    steps = lab.sizes.energy_steps
    for number in range(1, steps + 1):
        step = lab.step(lab.quiet, state, actions, number)
        ends = wrong_ends(step, number, steps + 1)
        found["silent_truncated"] += ends["truncated"]
        found["silent_terminated"] += ends["terminated"]
        found["silent_clock"] += _is_reset(step, number, begun)["clock"]
        state = step.state
    return found, steps

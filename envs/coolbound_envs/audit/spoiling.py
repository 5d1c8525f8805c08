"""Is a state that cannot be told, ended and kept out of the data?"""

import dataclasses
from collections.abc import Mapping
from typing import Any, Final

import jax.numpy as jnp
import numpy as np

from coolbound_envs.audit.border import differs
from coolbound_envs.audit.lab import Lab, normal_actions
from coolbound_envs.audit.records import (
    Check,
    failed,
    judged,
    task_state,
    with_task,
)
from coolbound_envs.types import Quality

INJECTED: Final[Mapping[str, float]] = {
    "server_temp": np.nan,
    "basin_temp": np.inf,
    "supply_pipe_temp": 1e6,
    "valve": -np.inf,
    "hot_aisle_temp": -1e5,
    "buffer_temp": np.nan,
}
"""Fields of the state that are spoilt, one in a lane, and with what.
[each field's unit]"""


def check_divergence(lab: Lab) -> Check:
    """Spoil the state of some plants: they must be told, ended and not reported."""
    _, state = lab.reset(lab.quiet, 63)
    spoilt = _spoilt(state)
    lanes = np.arange(lab.sizes.lanes) < len(INJECTED)
    actions = normal_actions(lab.sizes.lanes)
    step, calm = (lab.step(lab.quiet, each, actions, 0) for each in (spoilt, state))
    if "diverged" not in step.info:
        reason = "The environment does not say where its integration diverged."
        return failed("divergence", 0.0, "lanes", reason)
    seen = step.observation
    values, quality = np.asarray(seen.value), np.asarray(seen.quality)
    sound = np.isfinite(np.asarray(step.reward))
    sound &= np.all(np.isfinite(np.asarray(step.info["costs"])), axis=-1)
    found = {
        "not_told": int(
            np.sum(np.asarray(step.info["diverged"]).astype(bool) != lanes)
        ),
        "not_ended": int(np.sum(~np.asarray(step.terminated).astype(bool) & lanes)),
        "readings_kept": int(np.sum(np.any(np.isfinite(values), axis=-1) & lanes)),
        "quality_kept": int(
            np.sum(np.any(quality != int(Quality.MISSING), axis=-1) & lanes)
        ),
        "reward_or_cost_not_finite": int(np.sum(~sound)),
        "neighbours_changed": int(np.sum(differs(step, calm) & ~lanes)),
    }
    sentence = (
        f"{len(INJECTED)} spoilt states, NaN, infinite or impossible in one field "
        "each: told, ended, without a reading, reward and costs finite, and the plants "
        f"beside them unchanged. Wrong: {sum(found.values())}."
    )
    return judged("divergence", sum(found.values()), 0.0, "lanes", sentence, found)


def _spoilt(state: Any) -> Any:
    """Return the state with one field of one plant each made impossible."""
    task = task_state(state)
    plant = task.plant
    for lane, (name, value) in enumerate(INJECTED.items()):
        field = np.array(getattr(plant, name))
        field[..., lane] = value
        plant = dataclasses.replace(plant, **{name: jnp.asarray(field)})
    return with_task(state, dataclasses.replace(task, plant=plant))

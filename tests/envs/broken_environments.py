"""Environments that are wrong in one way each: what an audit must notice.

Each wraps the sound environment, compiled once for all of them, and spoils what
passes through.
"""

import dataclasses
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from flax import struct
from made_plants import TASK

from coolbound_envs.audit.lab import LOWER, UPPER
from coolbound_envs.audit.records import task_params, task_state
from coolbound_envs.episode import TaskState
from coolbound_envs.spec import POINT_INDEX
from coolbound_envs.types import (
    Action,
    Observation,
    action_from_vector,
    action_to_vector,
)

Returned = tuple[Any, ...]

_reset = jax.jit(TASK.reset_batch, static_argnums=2)
_step = jax.jit(TASK.step)


class Sound:
    """The environment as it should be; its subclasses are not."""

    def reset_batch(self, key: Any, params: Any, shape: tuple[int]) -> tuple[Any, Any]:
        return _reset(key, params, shape)

    def step(self, key: Any, state: Any, action: Action, params: Any) -> Returned:
        return _step(key, state, action, params)


@dataclasses.dataclass
class Spoilt(Sound):
    """Lets a function change what a step returns."""

    spoil: Callable[[Returned, Any, Action, Any], Returned]

    def step(self, key: Any, state: Any, action: Action, params: Any) -> Returned:
        return self.spoil(_step(key, state, action, params), state, action, params)


def seen_as(returned: Returned, **changes: Any) -> Returned:
    """Return a step with fields of its observation replaced, also the final one."""
    seen = dataclasses.replace(returned[0], **changes)
    return (seen, *returned[1:5], returned[5] | {"final_observation": seen})


def told(returned: Returned, **changes: Any) -> Returned:
    return (*returned[:5], returned[5] | changes)


def earning(returned: Returned, reward: jax.Array) -> Returned:
    return (*returned[:2], reward, *returned[3:])


def moved(returned: Returned, state: Any) -> Returned:
    return (returned[0], state, *returned[2:])


def lanes_of(returned: Returned) -> int:
    return returned[2].shape[0]


@struct.dataclass
class Remembered:
    """A state with the observation before it; the inner one is called `task`."""

    task: TaskState
    seen: Observation


class Stale(Sound):
    """Shows the observation of the step before, with the new set-points and clock."""

    def reset_batch(self, key: Any, params: Any, shape: tuple[int]) -> tuple[Any, Any]:
        seen, state = _reset(key, params, shape)
        return seen, Remembered(task=state, seen=seen)

    def step(self, key: Any, state: Any, action: Action, params: Any) -> Returned:
        returned = _step(key, state.task, action, params)
        fresh = returned[0]
        old = seen_as(
            returned,
            value=state.seen.value,
            quality=state.seen.quality,
            age=state.seen.age,
        )
        return moved(old, Remembered(task=returned[1], seen=fresh))


class OneStale(Stale):
    """Shows one reading of the step before, as if it were new."""

    def step(self, key: Any, state: Any, action: Action, params: Any) -> Returned:
        returned = _step(key, state.task, action, params)
        fresh, point = returned[0], POINT_INDEX["cw_supply_temp"]
        old = jnp.where(
            jnp.isfinite(fresh.value[:, point]),
            state.seen.value[:, point],
            fresh.value[:, point],
        )
        shown = seen_as(returned, value=fresh.value.at[:, point].set(old))
        return moved(shown, Remembered(task=returned[1], seen=fresh))


class Leaking(Sound):
    """Starts a little damper once any episode has been cut off."""

    def __init__(self) -> None:
        self.damper = 0.0

    def reset_batch(self, key: Any, params: Any, shape: tuple[int]) -> tuple[Any, Any]:
        seen, state = _reset(key, params, shape)
        plant = state.plant
        damper = plant.room_dew_point + jnp.float32(self.damper)
        plant = dataclasses.replace(plant, room_dew_point=damper)
        return seen, dataclasses.replace(state, plant=plant)

    def step(self, key: Any, state: Any, action: Action, params: Any) -> Returned:
        returned = _step(key, state, action, params)
        if bool(jnp.any(returned[4])):
            self.damper = 0.01
        return returned


class Counting(Sound):
    """Draws its noise from a generator of its own, which goes on and on."""

    def __init__(self) -> None:
        self.count = 0

    def step(self, key: Any, state: Any, action: Action, params: Any) -> Returned:
        self.count += 1
        own = jax.random.fold_in(key, self.count)
        return _step(own, state, action, params)


class Deaf(Sound):
    """Uses the same noise whatever the key."""

    def step(self, key: Any, state: Any, action: Action, params: Any) -> Returned:
        return _step(jax.random.key(0), state, action, params)


class AutoReset(Sound):
    """Puts a fresh episode behind one that is over, without a word."""

    def step(self, key: Any, state: Any, action: Action, params: Any) -> Returned:
        returned = _step(key, state, action, params)
        if not bool(jnp.any(returned[4])):
            return returned
        seen, fresh = _reset(key, params, (lanes_of(returned),))
        return (seen, fresh, *returned[2:])


class Rewired(Sound):
    """Tells the plant another action than it shows."""

    def __init__(self, wire: Callable[[jax.Array], jax.Array]) -> None:
        self.wire = wire

    def step(self, key: Any, state: Any, action: Action, params: Any) -> Returned:
        vector = action_to_vector(action)
        other = action_from_vector(self.wire(vector))
        returned = _step(key, state, other, params)
        refused = returned[5]["action_refused"]
        shown = jnp.where(refused[:, None], returned[0].applied, vector)
        inner = task_state(returned[1])
        inner = dataclasses.replace(inner, applied=action_from_vector(shown))
        return moved(seen_as(returned, applied=shown), inner)


class Swallowing(Sound):
    """Makes something of impossible actions and says nothing."""

    def step(self, key: Any, state: Any, action: Action, params: Any) -> Returned:
        vector = jnp.nan_to_num(action_to_vector(action), nan=0.0)
        vector = jnp.clip(vector, jnp.asarray(LOWER)[None], jnp.asarray(UPPER)[None])
        return _step(key, state, action_from_vector(vector), params)


class Frail(Sound):
    """Loses its state in a tenth of the plants when any fault acts."""

    def step(self, key: Any, state: Any, action: Action, params: Any) -> Returned:
        inner = task_state(state)
        unlucky = (jnp.arange(inner.steps.shape[0]) % 10 == 0) & (inner.steps == 3)
        is_rough = jnp.sum(task_params(params).faults.rates) > 0.0
        spoilt = jnp.where(unlucky & is_rough, jnp.nan, inner.plant.basin_temp)
        plant = dataclasses.replace(inner.plant, basin_temp=spoilt)
        return _step(key, dataclasses.replace(inner, plant=plant), action, params)


def clipped_reward(returned: Returned, *_: Any) -> Returned:
    power = jnp.where(returned[3], returned[2], jnp.maximum(returned[2], -25.0))
    return earning(returned, power)


def rounded_reward(returned: Returned, *_: Any) -> Returned:
    return earning(returned, jnp.round(returned[2] * 100.0) / 100.0)


def free_trips(returned: Returned, *_: Any) -> Returned:
    price = 1.0e5 * returned[3].astype(jnp.float32)
    return earning(returned, jnp.minimum(returned[2] + price, 0.0))


def uncharged(returned: Returned, *_: Any) -> Returned:
    return earning(returned, returned[2] + returned[5]["heat_charge"])


def batch_reward(returned: Returned, *_: Any) -> Returned:
    lanes = lanes_of(returned)
    return earning(returned, returned[2] * (1.0 + 1e-3 * (lanes != 128)))


def batch_noise(
    returned: Returned, state: Any, action: Action, params: Any
) -> Returned:
    del state, action
    is_other = float(lanes_of(returned) != 128)
    noise = is_other * task_params(params).sensors.noise * returned[0].value
    return seen_as(returned, value=returned[0].value + 0.05 * noise)


def capped_costs(returned: Returned, *_: Any) -> Returned:
    return told(returned, costs=jnp.minimum(returned[5]["costs"], 20.0))


def no_costs(returned: Returned, *_: Any) -> Returned:
    return told(returned, costs=jnp.zeros_like(returned[5]["costs"]))


def stepped_costs(returned: Returned, *_: Any) -> Returned:
    costs = returned[5]["costs"]
    return told(returned, costs=costs + (costs > 0.5).astype(jnp.float32))


def heat_loss(returned: Returned, *_: Any) -> Returned:
    state = returned[1]
    plant = state.plant
    cooler = plant.server_temp - jnp.float32(0.05)
    plant = dataclasses.replace(plant, server_temp=cooler)
    return moved(returned, dataclasses.replace(state, plant=plant))


def always_young(returned: Returned, *_: Any) -> Returned:
    return seen_as(returned, age=jnp.zeros_like(returned[0].age))


def always_good(returned: Returned, *_: Any) -> Returned:
    quality = jnp.where(returned[0].quality == 2, 3, returned[0].quality)
    return seen_as(returned, quality=quality)


def late_setpoints(returned: Returned, state: Any, *_: Any) -> Returned:
    return seen_as(returned, applied=action_to_vector(task_state(state).applied))


def one_word_for_both(returned: Returned, *_: Any) -> Returned:
    return (*returned[:3], returned[3] | returned[4], *returned[4:])


def silent_limit(returned: Returned, *_: Any) -> Returned:
    is_late = returned[1].steps >= 40
    return (*returned[:4], returned[4] | (is_late & ~returned[3]), returned[5])


def other_final(returned: Returned, *_: Any) -> Returned:
    seen = returned[0]
    other = dataclasses.replace(seen, value=seen.value + 1.0)
    return told(returned, final_observation=other)


def hidden_divergence(returned: Returned, *_: Any) -> Returned:
    seen = returned[0]
    calm = seen_as(returned, value=jnp.nan_to_num(seen.value))
    calm = told(calm, diverged=jnp.zeros_like(returned[5]["diverged"]))
    return (*calm[:3], calm[3] & ~returned[5]["diverged"], *calm[4:])


def swapped_halls(vector: jax.Array) -> jax.Array:
    return vector[:, jnp.asarray([0, 1, 3, 2, 4, 5, 6, 7, 8, 9])]


def _within(vector: jax.Array, channel: int) -> jax.Array:
    return (vector[:, channel] >= LOWER[channel]) & (
        vector[:, channel] <= UPPER[channel]
    )


def dead_pump(vector: jax.Array) -> jax.Array:
    return vector.at[:, 6].set(jnp.where(_within(vector, 6), 0.8, vector[:, 6]))


def backward_pressure(vector: jax.Array) -> jax.Array:
    turned = 80.0 - 0.8 * (vector[:, 5] - 80.0)
    return vector.at[:, 5].set(jnp.where(_within(vector, 5), turned, vector[:, 5]))

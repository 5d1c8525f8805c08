"""Envelopes and proposals as they come up in closed loop, for measurements."""

import functools
from typing import Any, Final

import jax
import jax.numpy as jnp
import numpy as np

from coolbound_envs.cooling import CoolingTask
from coolbound_envs.spec import ACTION_SIZE
from coolbound_envs.types import (
    Controller,
    Observation,
    action_from_vector,
    action_to_vector,
    from_unit,
    to_unit,
)
from coolbound_safety.shielded import ShieldedParams, ShieldedState, ShieldedTask
from coolbound_safety.types import Envelope

LANES: Final = 256
"""Plants side by side, each at its own place and hour. [1]"""

EVERY: Final = 6
"""One envelope in so many steps is kept: half an hour apart. [1]"""


def record_envelopes(
    params: ShieldedParams,
    controller: Controller,
    count: int,
    noise: float = 0.1,
    seed: int = 0,
) -> tuple[Envelope, np.ndarray]:
    """Return envelopes along shielded trajectories, and what was proposed there.

    The controller's proposal is disturbed as an exploring policy would disturb
    it; what the projection answers moves the plant, as in training.

    Args:
        params: Task and safety model; weather and load are drawn from it.
        controller: Proposes; without it nothing would be near the limits.
        count: Envelopes to return. [1]
        noise: Standard deviation added to every channel. [1]
        seed: Of places, instruments and noise.

    Returns:
        Envelopes in float64 numpy, leading axis `count`, and proposals in unit
        coordinates, float64, shape (count, 10).
    """
    task = ShieldedTask(CoolingTask())
    start_key, key = jax.random.split(jax.random.key(seed))
    observation, state = jax.jit(task.reset_batch, static_argnums=2)(
        start_key, params, (LANES,)
    )
    carry = (observation, state, controller.init((LANES,)))
    rows = -(-count // LANES)
    advance = jax.jit(functools.partial(_record, task, controller, noise))
    _, (envelopes, proposals) = advance(carry, jax.random.split(key, rows), params)

    def flat(x: jax.Array) -> np.ndarray:
        joined = np.asarray(x).reshape(rows * LANES, *x.shape[2:])[:count]
        return joined if joined.dtype.kind == "i" else joined.astype(np.float64)

    return jax.tree.map(flat, envelopes), flat(proposals)


def _record(
    task: ShieldedTask,
    controller: Controller,
    noise: float,
    carry: Any,
    keys: jax.Array,
    params: ShieldedParams,
) -> tuple[Any, tuple[Envelope, jax.Array]]:
    def step(
        carry: tuple[Observation, ShieldedState, Any], key: jax.Array
    ) -> tuple[Any, tuple[Envelope, jax.Array]]:
        observation, state, memory = carry
        act_key, noise_key, step_key = jax.random.split(key, 3)
        action, memory = controller.act(act_key, memory, observation)
        shift = noise * jax.random.normal(noise_key, (LANES, ACTION_SIZE), jnp.float32)
        unit = jnp.clip(to_unit(action_to_vector(action)) + shift, 0.0, 1.0)
        proposed = action_from_vector(from_unit(unit))
        observation, state, _, _, _, info = task.step(step_key, state, proposed, params)
        return (observation, state, memory), (info["envelope"], unit)

    def keep_last(carry: Any, key: jax.Array) -> tuple[Any, Any]:
        carry, found = jax.lax.scan(step, carry, jax.random.split(key, EVERY))
        return carry, jax.tree.map(lambda x: x[-1], found)

    return jax.lax.scan(keep_last, carry, keys)

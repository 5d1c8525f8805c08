"""Envelopes and proposals as they come up in closed loop, for measurements."""

import dataclasses
from typing import Any, Final, final

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
from coolbound_safety.coordinates import from_coordinates
from coolbound_safety.shielded import ShieldedParams, ShieldedTask
from coolbound_safety.types import Envelope

LANES: Final = 256
"""Plants side by side, each at its own place and hour. [1]"""

EVERY: Final = 6
"""One envelope in so many steps is kept: half an hour apart. [1]"""

NOISE: Final = 0.1
"""Standard deviation added to every channel of a proposal. [1]"""

_TASK: Final = ShieldedTask(CoolingTask())


@dataclasses.dataclass(frozen=True)
class _Seen:
    """What one closed-loop step shows, batch first. Dynamic."""

    observation: Observation
    unit: jax.Array
    envelope: Envelope


@final
class Recorder:
    """Records one controller's shielded trajectories; compiled once, used often.

    The controller's proposal is disturbed as an exploring policy would disturb
    it; what the projection answers moves the plant, as in training.
    """

    def __init__(self, params: ShieldedParams, controller: Controller) -> None:
        """Take the task, whose weather, load and plants are drawn from, and who asks.

        Args:
            params: Task and safety model.
            controller: Proposes; without it nothing would be near the limits.
        """
        self._params = params
        self._controller = controller
        self._reset = jax.jit(_TASK.reset_batch, static_argnums=2)
        self._envelopes = jax.jit(self._kept)
        self._course = jax.jit(self._every)

    def envelopes(
        self, count: int, noise: float = NOISE, seed: int = 0
    ) -> tuple[Envelope, np.ndarray]:
        """Return envelopes half an hour apart, and what was proposed there.

        Args:
            count: Envelopes to return. [1]
            noise: Standard deviation added to every channel. [1]
            seed: Of places, plants, instruments and noise.

        Returns:
            Envelopes in float64 numpy, leading axis `count`, and proposals in unit
            coordinates, float64, shape (count, 10).
        """
        rows = -(-count // LANES)
        carry, keys = self._start(LANES, rows, seed)
        found = self._envelopes(carry, keys, self._params, jnp.float32(noise))

        def flat(x: jax.Array) -> np.ndarray:
            joined = np.asarray(x).reshape(rows * LANES, *x.shape[2:])[:count]
            return joined if joined.dtype.kind == "i" else joined.astype(np.float64)

        envelopes, units = found
        return jax.tree.map(flat, envelopes), flat(units)

    def course(
        self, steps: int, noise: float = NOISE, seed: int = 0
    ) -> tuple[Observation, np.ndarray]:
        """Return one plant's observations, step after step, and what was proposed.

        Args:
            steps: Control steps. [1]
            noise: Standard deviation added to every channel. [1]
            seed: Of place, plant, instruments and noise.

        Returns:
            Observations in numpy, leading axis `steps`, and proposals, float64,
            shape (steps, 10). [each channel's unit]
        """
        carry, keys = self._start(1, steps, seed)
        seen, units = self._course(carry, keys, self._params, jnp.float32(noise))
        observations = jax.tree.map(lambda x: np.asarray(x)[:, 0], seen)
        proposed = np.asarray(from_coordinates(units))[:, 0]
        return observations, proposed.astype(np.float64)

    def _start(self, lanes: int, rows: int, seed: int) -> tuple[Any, jax.Array]:
        start_key, key = jax.random.split(jax.random.key(seed))
        observation, state = self._reset(start_key, self._params, (lanes,))
        memory = self._controller.init((lanes,))
        return (observation, state, memory), jax.random.split(key, rows)

    def _step(
        self, carry: Any, key: jax.Array, params: ShieldedParams, noise: jax.Array
    ) -> tuple[Any, _Seen]:
        observation, state, memory = carry
        act_key, noise_key, step_key = jax.random.split(key, 3)
        action, memory = self._controller.act(act_key, memory, observation)
        shape = (observation.applied.shape[0], ACTION_SIZE)
        shift = noise * jax.random.normal(noise_key, shape, jnp.float32)
        unit = jnp.clip(to_unit(action_to_vector(action)) + shift, 0.0, 1.0)
        proposed = action_from_vector(from_unit(unit))
        after, state, _, _, _, info = _TASK.step(step_key, state, proposed, params)
        return (after, state, memory), _Seen(
            observation, info["asked"], info["envelope"]
        )

    def _kept(
        self, carry: Any, keys: jax.Array, params: ShieldedParams, noise: jax.Array
    ) -> tuple[Envelope, jax.Array]:
        """Return every sixth envelope and proposal, leading axes rows, lanes."""

        def step(carry: Any, key: jax.Array) -> tuple[Any, Any]:
            carry, seen = self._step(carry, key, params, noise)
            return carry, (seen.envelope, seen.unit)

        def keep_last(carry: Any, key: jax.Array) -> tuple[Any, Any]:
            carry, found = jax.lax.scan(step, carry, jax.random.split(key, EVERY))
            return carry, jax.tree.map(lambda x: x[-1], found)

        return jax.lax.scan(keep_last, carry, keys)[1]

    def _every(
        self, carry: Any, keys: jax.Array, params: ShieldedParams, noise: jax.Array
    ) -> tuple[Observation, jax.Array]:
        """Return every observation and proposal, leading axes steps, lanes."""

        def step(carry: Any, key: jax.Array) -> tuple[Any, Any]:
            carry, seen = self._step(carry, key, params, noise)
            return carry, (seen.observation, seen.unit)

        return jax.lax.scan(step, carry, keys)[1]


def record_envelopes(
    params: ShieldedParams,
    controller: Controller,
    count: int,
    noise: float = NOISE,
    seed: int = 0,
) -> tuple[Envelope, np.ndarray]:
    """Return envelopes along shielded trajectories; see `Recorder.envelopes`.

    Args:
        params: Task and safety model; weather and load are drawn from it.
        controller: Proposes.
        count: Envelopes to return. [1]
        noise: Standard deviation added to every channel. [1]
        seed: Of places, plants, instruments and noise.
    """
    return Recorder(params, controller).envelopes(count, noise, seed)

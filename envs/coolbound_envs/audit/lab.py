"""The bench that all checks share: compiled reset and step, lanes, set-points."""

import dataclasses
from collections.abc import Callable, Iterator
from typing import Any, Final

import jax
import jax.numpy as jnp
import numpy as np

from coolbound_envs.audit.records import (
    Sizes,
    Subject,
    adjusted,
    task_params,
)
from coolbound_envs.spec import CHANNELS, channel_array
from coolbound_envs.types import Observation, action_from_vector

ENDLESS: Final = 2**30
"""Horizon of a run that nothing may cut off. [1]"""

NORMAL: Final = (22.0, 22.0, 0.85, 0.85, 12.0, 80.0, 0.8, 0.6, 2.0, 0.0)
"""Ordinary set-points, in the order of the channels. [each channel's unit]"""

LOWER: Final = channel_array("lower").astype(np.float32)
UPPER: Final = channel_array("upper").astype(np.float32)
RAMP: Final = channel_array("ramp").astype(np.float32)
IS_REQUEST: Final = np.asarray([channel.is_request for channel in CHANNELS])
TOWER_FAN: Final = 7
TOWER_FAN_LEAST: Final = 0.2


@dataclasses.dataclass(frozen=True)
class Step:
    """What one step of all lanes returned, still on the device. Dynamic.

    Attributes:
        observation: Lanes first.
        state: The environment's own.
        reward: Earned, (lanes,). [1]
        terminated: True where the plant tripped, (lanes,).
        truncated: True where time was up, (lanes,).
        info: As the contract says.
    """

    observation: Observation
    state: Any
    reward: jax.Array
    terminated: jax.Array
    truncated: jax.Array
    info: dict[str, Any]


@dataclasses.dataclass(frozen=True)
class Lab:
    """One environment on the bench. Static.

    Attributes:
        subject: What is audited.
        sizes: How much is tried.
        seed: Source of all random numbers.
        reset_program: (seed, params, lanes) to observation and state.
        step_program: (seed, state, actions, params) to the six of the contract.
    """

    subject: Subject
    sizes: Sizes
    seed: int
    reset_program: Callable[[Any, Any, int], tuple[Observation, Any]]
    step_program: Callable[[Any, Any, jax.Array, Any], tuple[Any, ...]]

    @property
    def noisy(self) -> Any:
        """Parameters with the subject's own instruments and no horizon."""
        return adjusted(self.subject.params, horizon=jnp.asarray(ENDLESS, jnp.int32))

    @property
    def quiet(self) -> Any:
        """Parameters with perfect instruments and no horizon."""
        return with_instruments(self.noisy, noise=0.0, dropout=0.0)

    def reset(
        self, params: Any, seed: int = 0, lanes: int | None = None
    ) -> tuple[Observation, Any]:
        """Return the start of a batch; by default of the usual size."""
        number = np.uint32((self.seed + seed) % 2**32)
        return self.reset_program(number, params, lanes or self.sizes.lanes)

    def step(self, params: Any, state: Any, actions: np.ndarray, seed: int) -> Step:
        """Step all lanes once under actions (lanes, 10), physical units."""
        vector = jnp.asarray(actions, jnp.float32)
        number = np.uint32((self.seed * 1_000_003 + seed) % 2**32)
        return Step(*self.step_program(number, state, vector, params))


def make_lab(subject: Subject, sizes: Sizes, seed: int) -> Lab:
    """Return the bench of an environment, compiled where it can be."""
    environment = subject.environment

    def reset(seed: Any, params: Any, lanes: int) -> tuple[Observation, Any]:
        return environment.reset_batch(jax.random.key(seed), params, (lanes,))

    def step(seed: Any, state: Any, vector: jax.Array, params: Any) -> tuple[Any, ...]:
        action = action_from_vector(vector)
        return environment.step(jax.random.key(seed), state, action, params)

    if subject.is_traceable:
        return Lab(
            subject, sizes, seed, jax.jit(reset, static_argnums=2), jax.jit(step)
        )
    return Lab(subject, sizes, seed, reset, step)


def with_instruments(params: Any, noise: float, dropout: float) -> Any:
    """Return parameters with other noise and dropout of the instruments [1]."""
    sensors = dataclasses.replace(
        task_params(params).sensors,
        noise=jnp.asarray(noise, jnp.float32),
        dropout=jnp.asarray(dropout, jnp.float32),
    )
    return adjusted(params, sensors=sensors)


def host(tree: Any) -> Any:
    """Return a tree of numpy arrays; random keys as their bits."""

    def fetch(leaf: Any) -> np.ndarray:
        is_key = isinstance(leaf, jax.Array) and jnp.issubdtype(
            leaf.dtype, jax.dtypes.prng_key
        )
        return np.asarray(jax.random.key_data(leaf) if is_key else leaf)

    return jax.tree.map(fetch, tree)


def largest(errors: np.ndarray) -> float:
    """Return the largest of some errors; one that is not finite is infinite."""
    return float(np.max(np.where(np.isfinite(errors), errors, np.inf), initial=0.0))


def named_leaves(tree: Any) -> Iterator[tuple[str, np.ndarray]]:
    """Yield every array of a tree with its path, on the host."""
    for path, leaf in jax.tree_util.tree_leaves_with_path(host(tree)):
        yield jax.tree_util.keystr(path), leaf


def lane_axes(lab: Lab, params: Any) -> Any:
    """Return, for every array of a state, which axis holds the lanes; -1 for none."""
    few, more = (
        jax.eval_shape(lambda n=n: lab.reset(params, lanes=n)[1]) for n in (3, 5)
    )

    def axis(a: Any, b: Any) -> int:
        differs = [
            i for i, (m, n) in enumerate(zip(a.shape, b.shape, strict=True)) if m != n
        ]
        return differs[0] if differs else -1

    return jax.tree.map(axis, few, more)


def take_lanes(state: Any, axes: Any, lanes: np.ndarray) -> Any:
    """Return a state made of some lanes of another, in that order."""

    def take(axis: int, leaf: jax.Array) -> jax.Array:
        return leaf if axis < 0 else jnp.take(leaf, jnp.asarray(lanes), axis=axis)

    return jax.tree.map(take, axes, state)


def normal_actions(lanes: int) -> np.ndarray:
    """Return ordinary set-points for every lane, shape (lanes, 10)."""
    return np.tile(np.asarray(NORMAL, np.float32), (lanes, 1))


def wander(
    rng: np.random.Generator,
    last: np.ndarray,
    change: float,
    pace: np.ndarray | float = 1.0,
) -> np.ndarray:
    """Return random set-points within box and ramp of the last ones, (lanes, 10).

    Requests are drawn anew with probability `change`, all else moves at every
    step by up to its ramp, or by a share of it. A tower fan below its least speed
    is off.

    Args:
        rng: Of what is drawn.
        last: Set-points in force, (lanes, 10). [each channel's unit]
        change: Probability of a new request. [1]
        pace: Share of the ramp, one number or (lanes, 1). [1]
    """
    reach = RAMP * np.asarray(pace, np.float32)
    moved = last + reach * rng.uniform(-1.0, 1.0, last.shape).astype(np.float32)
    drawn = rng.uniform(LOWER, UPPER, last.shape).astype(np.float32)
    drawn = np.where(rng.uniform(size=last.shape) < change, np.round(drawn), last)
    actions = np.clip(np.where(IS_REQUEST, drawn, moved), LOWER, UPPER)
    fan, before = actions[:, TOWER_FAN], last[:, TOWER_FAN]
    starts = (before < 1e-4) & (fan > 0.0)
    fan = np.where(starts, np.float32(TOWER_FAN_LEAST), fan)
    stops = ~starts & (fan < TOWER_FAN_LEAST)
    actions[:, TOWER_FAN] = np.where(
        stops & (before <= TOWER_FAN_LEAST), 0.0, np.where(stops, TOWER_FAN_LEAST, fan)
    )
    return actions

"""What the safety layer knew at each row of a log: its estimate and its timers.

The memory of the safety layer is carried from row to row as it would be beside the
plant. A row whose row before is missing begins anew. A set-point that the log does not
hold is NaN and teaches nothing; a group of instruments that it never holds is not
there, which is not the same as an instrument that has failed.
"""

import dataclasses
import functools
from typing import Any, Final

import jax
import jax.numpy as jnp
import numpy as np

from coolbound_envs.types import Observation, Quality, Scalar
from coolbound_safety.estimate import Estimate
from coolbound_safety.estimator import INTERVAL, observe
from coolbound_safety.estimator_state import first_state
from coolbound_safety.guard import Memory, first_memory
from coolbound_safety.margins import SafetyModel
from coolbound_safety.timers import Timers, watch
from coolbound_shadow.replay_inputs import Inputs, chunks, observation_of

OTHER_STEP: Final = 0.01
"""Steps that differ from 300 s by this share have no rate over 15 min. [1]"""


@dataclasses.dataclass(frozen=True)
class Known:
    """What the safety layer knew at each row, row axis first. Static.

    Attributes:
        estimate: The plant, numpy.
        timers: How long machines and modes have run, numpy.
    """

    estimate: Estimate
    timers: Timers


@jax.jit
def _scan(
    memory: Memory,
    observation: Observation,
    is_new: jax.Array,
    is_logged: jax.Array,
    model: SafetyModel,
    ramp_scale: Scalar,
) -> tuple[Memory, tuple[Estimate, Timers]]:
    is_present = _groups(observation, is_logged, model, ramp_scale)
    begin = first_memory()

    def step(
        carry: Memory, row: tuple[Observation, jax.Array]
    ) -> tuple[Memory, tuple[Estimate, Timers]]:
        seen, restarts = row
        carry = jax.tree.map(functools.partial(jnp.where, restarts), begin, carry)
        # A group that is never logged does not age.
        unseen = jnp.where(is_present, carry.estimator.unseen, -INTERVAL * ramp_scale)
        state = dataclasses.replace(carry.estimator, unseen=unseen)
        now, state = observe(state, seen, model, ramp_scale)
        timers = watch(carry.timers, now, ramp_scale)
        now = _rated(now, ramp_scale)
        return Memory(estimator=state, timers=timers), (now, timers)

    return jax.lax.scan(step, memory, (observation, is_new))


def _groups(
    observation: Observation,
    is_logged: jax.Array,
    model: SafetyModel,
    ramp_scale: Scalar,
) -> jax.Array:
    """Return which of the estimator's groups of instruments the log ever holds."""
    one = jax.tree.map(lambda x: x[0], observation)
    probe = dataclasses.replace(
        one,
        value=jnp.where(is_logged, 20.0, jnp.nan),
        quality=jnp.full_like(one.quality, int(Quality.GOOD)),
        age=jnp.zeros_like(one.age),
    )
    return observe(first_state(), probe, model, ramp_scale)[1].unseen == 0.0


def _rated(now: Estimate, ramp_scale: Scalar) -> Estimate:
    """Return the estimate; what it calls 10 min ago are two rows, of 300 s only."""
    is_usual = jnp.abs(ramp_scale - 1.0) < OTHER_STEP
    before = jnp.where(is_usual, now.inlet_before, jnp.nan)
    return dataclasses.replace(now, inlet_before=before)


def watch_rows(inputs: Inputs, model: SafetyModel, ramp_scale: float) -> Known:
    """Return what the safety layer knew at each row.

    Args:
        inputs: What was known at each row.
        model: Plant, limits and margins.
        ramp_scale: Length of a step over 300 s. [1]
    """
    scale = jnp.asarray(ramp_scale, jnp.float32)
    is_logged = jnp.asarray(np.any(np.isfinite(inputs.value), axis=0))
    memory, found = first_memory(), []
    for rows, count in chunks(inputs.rows):
        is_new = jnp.asarray(inputs.is_own[rows])
        # Only the last chunk is padded, and no row comes after it.
        memory, chunk = _scan(
            memory, observation_of(inputs, rows), is_new, is_logged, model, scale
        )
        found.append(first_of(chunk, count))
    estimate, timers = joined(found)
    return Known(estimate=estimate, timers=timers)


def first_of(tree: Any, count: int) -> Any:
    """Return the first rows of a tree of arrays, in numpy."""
    return jax.tree.map(lambda x: np.asarray(x)[:count], tree)


def joined(found: list[Any]) -> Any:
    """Return trees of arrays as one, row after row."""
    return jax.tree.map(lambda *parts: np.concatenate(parts), *found)


def rows_of(tree: Any, rows: np.ndarray) -> Any:
    """Return some rows of a tree of arrays, for a compiled call."""
    return jax.tree.map(lambda x: jnp.asarray(x[rows]), tree)

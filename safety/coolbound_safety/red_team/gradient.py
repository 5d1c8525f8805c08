"""Proposals that climb the gradient of the hottest inlet through the simulator.

The closed loop is run forwards with the safety layer in it. Backwards the plant is
differentiated at the actions that were truly applied, and the projection taken as
the identity: where it does not bind it is, and where it binds the proposal is pushed
against it in the direction that hurts.
"""

import dataclasses
from typing import Any, Final, final

import jax
import jax.numpy as jnp

from coolbound_envs.cooling import advance
from coolbound_envs.episode import TaskParams, TaskState
from coolbound_envs.spec import channel_array
from coolbound_envs.types import Key, action_from_vector, from_unit
from coolbound_safety.shielded import ShieldedParams, ShieldedState, ShieldedTask

SHARPNESS: Final = 2.0
"""Of the smooth maximum over time and zones. [1/K]"""

STRIDE: Final = 0.35
"""By this a proposal is moved in one climb, share of the range. [1]"""


def harm(inlets: jax.Array) -> jax.Array:
    """Return a smooth maximum over time, halls and zones of (T, H, Z, B) [degC]."""
    return jax.nn.logsumexp(SHARPNESS * inlets, axis=(0, 1, 2)) / SHARPNESS


@final
@dataclasses.dataclass(frozen=True)
class Climb:
    """Searches proposals for one window of steps. Static.

    Attributes:
        task: The plant behind the safety layer.
        hold: Steps that share one proposal. [1]
        climbs: Times that the gradient is followed. [1]
    """

    task: ShieldedTask
    hold: int
    climbs: int

    def worst(
        self, keys: Key, begin: jax.Array, state: ShieldedState, params: ShieldedParams
    ) -> tuple[jax.Array, jax.Array]:
        """Return the worst proposals found and the hottest inlets on the way.

        Args:
            keys: Of the steps, (T,): those of the run to come.
            begin: Where to begin, (blocks, B, 10). [1]
            state: At the window's beginning.
            params: The task's and the safety model.

        Returns:
            Blocks (blocks, B, 10) [1] and the hottest inlet of every climb, the
            first that of the beginning, (climbs, B) [degC].
        """

        def climb(carry: Any, _: None) -> tuple[Any, jax.Array]:
            plan, worst, hottest = carry
            found, applied = self._forwards(keys, plan, state, params)
            is_worse = found > hottest
            worst = jnp.where(is_worse[None, :, None], plan, worst)
            slope = self.slope(applied, state.task, params.task)
            plan = jnp.clip(plan + STRIDE * jnp.sign(slope), 0.0, 1.0)
            return (plan, worst, jnp.maximum(found, hottest)), found

        cold = jnp.full((begin.shape[1],), -jnp.inf, jnp.float32)
        carry, course = jax.lax.scan(climb, (begin, begin, cold), length=self.climbs)
        return carry[1], course

    def _forwards(
        self, keys: Key, plan: jax.Array, state: ShieldedState, params: ShieldedParams
    ) -> tuple[jax.Array, jax.Array]:
        """Return hottest inlet (B,) [degC] and applied actions (T, B, 10)."""

        def body(state: ShieldedState, given: Any) -> tuple[Any, Any]:
            step_key, unit = given
            asked = action_from_vector(from_unit(unit))
            _, state, _, _, _, info = self.task.step(step_key, state, asked, params)
            return state, (info["summary"].inlet_temp_max, info["certified"])

        asked = jnp.repeat(plan, self.hold, axis=0)
        _, (inlets, applied) = jax.lax.scan(body, state, (keys, asked))
        return jnp.nanmax(inlets, axis=0), applied

    def slope(
        self, applied: jax.Array, state: TaskState, params: TaskParams
    ) -> jax.Array:
        """Return the derivative of the harm by each block, (blocks, B, 10) [K].

        Args:
            applied: Actions, (T, B, 10). [each channel's unit]
            state: Of the bare plant, at the window's beginning.
            params: The bare task.
        """
        span = jnp.asarray(channel_array("upper") - channel_array("lower"), jnp.float32)

        def total(actions: jax.Array) -> jax.Array:
            @jax.checkpoint
            def body(state: TaskState, vector: jax.Array) -> tuple[Any, jax.Array]:
                # The instruments do not act on the plant: any key will do.
                moved = advance(
                    jax.random.key(0), state, action_from_vector(vector), params
                )
                return moved[0], moved[1].mean.inlet_temp

            _, inlets = jax.lax.scan(body, state, actions)
            return jnp.sum(harm(inlets))

        by_step = jnp.nan_to_num(jax.grad(total)(applied)) * span[None, None]
        blocks = by_step.reshape(-1, self.hold, *by_step.shape[1:])
        return jnp.sum(blocks, axis=1)

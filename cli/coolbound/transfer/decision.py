"""What the safety layer makes of the proposals of all lanes."""

import jax
import jax.numpy as jnp
from flax import struct

from coolbound.evaluation.blame import blame
from coolbound_controllers.evaluation_account import RELAXED
from coolbound_envs.limit_table import LIMITS
from coolbound_envs.spec import channel_array
from coolbound_envs.types import Observation
from coolbound_safety.guard import Guarded, Memory, guard
from coolbound_safety.judge import judge
from coolbound_safety.margins import SafetyModel


@struct.dataclass
class Told:
    """What is kept of a decision, lanes first. Dynamic.

    Attributes:
        action: To apply, (B, 10). [each channel's unit]
        proposed_limits: h of the proposal by the safety layer's model, NaN where it
            is not observable, (B, 21). [each limit's unit]
        intervention: 1 where the proposal was changed beyond a dead band. [1]
        blamed: Place of the cause in `CAUSES`, -1 for none, (B,). [1]
        relaxed: 1 where a limit had to give way. [1]
        flagged: 1 where the kernel fell back. [1]
        refused: 1 where the proposal was no number. [1]
        correction: Distance of proposed and certified. [1]
    """

    action: jax.Array
    proposed_limits: jax.Array
    intervention: jax.Array
    blamed: jax.Array
    relaxed: jax.Array
    flagged: jax.Array
    refused: jax.Array
    correction: jax.Array


def dispose(
    memory: Memory, observation: Observation, asked: jax.Array, model: SafetyModel
) -> tuple[Told, Memory]:
    """Return what becomes of the proposals, and the layer's memory after them.

    As `coolbound_safety.shielded` has it, whatever plant follows.

    Args:
        memory: Of the steps before, lanes first.
        observation: Lanes first.
        asked: Proposals, (B, 10). [each channel's unit]
        model: Plant, limits and margins.
    """
    is_finite = jnp.all(jnp.isfinite(asked), axis=-1)
    proposed = jnp.where(is_finite[:, None], asked, observation.applied)
    guarded, memory = guard(memory, observation, proposed, model)
    judged = jax.vmap(lambda o, p, e: judge(o, p, e, model))
    limits = judged(observation, proposed, guarded.options.estimate)
    return _told(guarded, proposed, limits, is_finite), memory


def _told(
    guarded: Guarded, proposed: jax.Array, limits: jax.Array, is_finite: jax.Array
) -> Told:
    arrays = {
        name: jnp.asarray(channel_array(name), jnp.float32)[None, :]
        for name in ("lower", "upper", "dead_band")
    }
    moved = jnp.abs(guarded.action - proposed)
    share = moved / (arrays["upper"] - arrays["lower"])
    projection = guarded.projection
    intervention = jnp.any(moved > arrays["dead_band"], axis=-1).astype(jnp.float32)
    info = {
        "proposed": proposed,
        "certified": guarded.action,
        "envelope": guarded.envelope,
        "asked": guarded.options.asked,
        "is_flagged": (~projection.ok).astype(jnp.float32),
        "is_emergency": guarded.options.is_emergency,
        "is_blind": guarded.options.is_blind,
        "searched": guarded.check.share < 1.0,
        "intervention": intervention,
    }
    slack = jnp.max(jnp.maximum(projection.slack, 0.0), axis=-1)
    return Told(
        action=guarded.action,
        proposed_limits=limits,
        intervention=intervention,
        blamed=blame(info),
        relaxed=(slack > RELAXED).astype(jnp.float32),
        flagged=info["is_flagged"],
        refused=(~is_finite).astype(jnp.float32),
        correction=jnp.sqrt(jnp.sum(share**2, axis=-1)),
    )


def let_pass(
    memory: Memory, observation: Observation, asked: jax.Array, model: SafetyModel
) -> tuple[Told, Memory]:
    """Return the proposals as they are; their limits are those that follow."""
    del observation, model
    zero = jnp.zeros(asked.shape[0], jnp.float32)
    told = Told(
        action=asked,
        proposed_limits=jnp.full((asked.shape[0], len(LIMITS)), jnp.nan, jnp.float32),
        intervention=zero,
        blamed=jnp.full(zero.shape, -1, jnp.int32),
        relaxed=zero,
        flagged=zero,
        refused=zero,
        correction=zero,
    )
    return told, memory

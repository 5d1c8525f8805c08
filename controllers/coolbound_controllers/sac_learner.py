"""Where a SAC-Lagrangian run stands, and where it starts from."""

import math

import jax
import jax.numpy as jnp
from flax import struct

from coolbound_controllers import value_scale
from coolbound_controllers.lagrangian import Multipliers, init_multipliers, pricing
from coolbound_controllers.normaliser import Normaliser, init_normaliser, merge
from coolbound_controllers.rollout import World
from coolbound_controllers.sac_networks import init_sac_actor, init_twins
from coolbound_controllers.sac_replay import Replay, init_replay, insert
from coolbound_controllers.sac_rollout import collect_transitions
from coolbound_controllers.sac_settings import SacSettings
from coolbound_controllers.sac_steps import Moments, SacWeights, init_moments
from coolbound_controllers.task import Task
from coolbound_controllers.value_scale import ValueScale
from coolbound_envs.types import Key


@struct.dataclass
class SacLearner:
    """Everything a run needs to go on; what a checkpoint holds. Dynamic.

    Attributes:
        key: Source of all later random numbers.
        weights: All that gradients move, and the slow copies.
        moments: Adam's memory.
        scale: Mean and spread of the critics' targets.
        normaliser: Statistics of the features.
        multipliers: Prices of the constraints, and their memory.
        recent: Mean costs of the latest rollouts, oldest first, shape
            (window, K). [1]
        replay: The ring of past transitions.
        world: Where the lanes stand.
        updates: Updates done so far. [1]
    """

    key: Key
    weights: SacWeights
    moments: Moments
    scale: ValueScale
    normaliser: Normaliser
    multipliers: Multipliers
    recent: jax.Array
    replay: Replay
    world: World
    updates: jax.Array


def init_learner(key: Key, task: Task, settings: SacSettings) -> SacLearner:
    """Return a learner before its first update.

    `first_steps` of the first policy fill the ring and set the statistics of
    features, values and costs. Can be traced.
    """
    keys = jax.random.split(key, 4)
    weights = _init_weights(keys[0], task, settings)
    features, state = task.reset_batch(keys[1], settings.envs)
    blank = init_normaliser(task.feature_size)
    world, rows, _ = collect_transitions(
        keys[2],
        task,
        weights.actor,
        blank,
        World(features, state),
        settings.first_steps,
        settings.reward_unit,
    )
    cost = jnp.mean(rows.signals[..., 1:], axis=(0, 1))
    return SacLearner(
        key=keys[3],
        weights=weights,
        moments=init_moments(weights, settings),
        scale=value_scale.first_scale(rows.signals, settings.gamma),
        normaliser=merge(blank, rows.features),
        multipliers=init_multipliers(pricing(settings, task.cost_count)),
        recent=jnp.tile(cost[None], (settings.cost_window, 1)),
        replay=insert(init_replay(settings.capacity, rows), rows),
        world=world,
        updates=jnp.zeros((), jnp.int32),
    )


def _init_weights(key: Key, task: Task, settings: SacSettings) -> SacWeights:
    actor_key, critic_key = jax.random.split(key)
    seen = task.feature_size + task.action_size
    critics = init_twins(critic_key, seen, settings.critic_hidden, task.cost_count)
    return SacWeights(
        actor=init_sac_actor(
            actor_key,
            task.feature_size,
            settings.actor_hidden,
            task.action_size,
            settings.log_std,
        ),
        critics=critics,
        targets=jax.tree.map(jnp.copy, critics),
        log_temperature=jnp.full((), math.log(settings.temperature), jnp.float32),
    )

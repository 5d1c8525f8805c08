"""SAC-Lagrangian with K multipliers: one update is one compiled program.

    rollout -> ring -> prices -> gradient steps -> value scale -> normaliser

The prices follow the mean cost per control step of the latest rollouts, which
the policy of these days made, never that of the replayed past. They stand
still for the first updates. The losses stand in
`coolbound_controllers.sac_losses`, the PID in `coolbound_controllers.lagrangian`.
Statistics of the features are frozen from the start of the rollout to the end
of the gradient steps; the ring keeps raw features.
"""

import dataclasses
import functools
from collections.abc import Callable

import jax
import jax.numpy as jnp

from coolbound_controllers import value_scale
from coolbound_controllers.algorithm import Algorithm
from coolbound_controllers.lagrangian import Pricing, pricing, reprice
from coolbound_controllers.normaliser import merge
from coolbound_controllers.on_policy import Metrics, is_finite, limits_in_units
from coolbound_controllers.optimiser import rate_share
from coolbound_controllers.policy import PolicyWeights
from coolbound_controllers.sac_learner import SacLearner, init_learner
from coolbound_controllers.sac_losses import value_limit
from coolbound_controllers.sac_networks import policy, view
from coolbound_controllers.sac_replay import Transition, insert
from coolbound_controllers.sac_rollout import Info, collect_transitions
from coolbound_controllers.sac_settings import SacSettings
from coolbound_controllers.sac_steps import Frozen, Seen, improve
from coolbound_controllers.task import Task
from coolbound_envs.types import Key

Update = Callable[[SacLearner], tuple[SacLearner, Metrics]]


@functools.lru_cache(maxsize=8)
def make_update(task: Task, settings: SacSettings) -> Update:
    """Return one whole update as a compiled function that consumes its argument.

    The same task and settings give the same function, compiled once.

    Raises:
        InputError: The gains fit neither one nor all constraints.
    """
    gains = pricing(settings, task.cost_count)

    def update(learner: SacLearner) -> tuple[SacLearner, Metrics]:
        key, collect_key, learn_key = jax.random.split(learner.key, 3)
        world, rows, info = collect_transitions(
            collect_key,
            task,
            learner.weights.actor,
            learner.normaliser,
            learner.world,
            settings.steps,
            settings.reward_unit,
        )
        learner = dataclasses.replace(
            _reprice(learner, rows, task, settings, gains),
            key=key,
            world=world,
            replay=insert(learner.replay, rows),
        )
        learner, seen = _learn(learn_key, learner, task, settings)
        found = _summarise(rows, info, learner, seen, task, settings)
        found["is_finite"] = is_finite((learner.weights, learner.moments, found))
        return dataclasses.replace(
            learner,
            normaliser=merge(learner.normaliser, rows.features),
            updates=learner.updates + 1,
        ), found

    return jax.jit(update, donate_argnums=0)


def deploy(learner: SacLearner, task: Task) -> PolicyWeights:
    """Return what of the learner a decision needs: the mean's network.

    The spread goes with it as one number per channel, its mean over the states
    where the lanes stand; a deployed policy proposes its mode.
    """
    seen = view(learner.world.features, learner.normaliser, task)
    _, log_std = policy(learner.weights.actor, seen)
    return PolicyWeights(
        network=learner.weights.actor.network,
        log_std=jnp.mean(log_std, axis=0),
        bias=jnp.asarray(task.bias, jnp.float32),
        normaliser=learner.normaliser,
    )


SAC = Algorithm(
    name="sac-lagrangian",
    settings=SacSettings,
    init=init_learner,
    make_update=make_update,
    deploy=deploy,
)
"""Off-policy, for plants whose steps are dear: most learning per step."""


def _reprice(
    learner: SacLearner,
    rows: Transition,
    task: Task,
    settings: SacSettings,
    gains: Pricing,
) -> SacLearner:
    """Move the prices by the costs of the latest rollouts, once warmed up."""
    cost = jnp.mean(rows.signals[..., 1:], axis=(0, 1))
    recent = jnp.concatenate([learner.recent[1:], cost[None]])
    moved = reprice(
        learner.multipliers, jnp.mean(recent, axis=0), limits_in_units(task), gains
    )
    is_warm = learner.updates >= settings.price_after
    multipliers = jax.tree.map(
        lambda new, old: jnp.where(is_warm, new, old), moved, learner.multipliers
    )
    return dataclasses.replace(learner, recent=recent, multipliers=multipliers)


def _learn(
    key: Key, learner: SacLearner, task: Task, settings: SacSettings
) -> tuple[SacLearner, Metrics]:
    rate = rate_share(learner.updates, settings)
    frozen = Frozen(
        replay=learner.replay,
        normaliser=learner.normaliser,
        scale=learner.scale,
        prices=learner.multipliers.value,
        critic_rate=rate,
        actor_rate=jnp.where(learner.updates >= settings.actor_after, rate, 0.0),
    )
    weights, moments, seen, goals = improve(
        key, learner.weights, learner.moments, frozen, task, settings
    )
    learner = dataclasses.replace(learner, weights=weights, moments=moments)
    return rescale(learner, goals), seen


def rescale(learner: SacLearner, goals: jax.Array) -> SacLearner:
    """Let the value scale follow the targets of the update; every value stays."""
    moved = value_scale.follow(learner.scale, goals)
    move = jax.vmap(lambda one: value_scale.rescale(one, learner.scale, moved))
    weights = dataclasses.replace(
        learner.weights,
        critics=move(learner.weights.critics),
        targets=move(learner.weights.targets),
    )
    return dataclasses.replace(learner, weights=weights, scale=moved)


def _summarise(
    rows: Transition,
    info: Info,
    learner: SacLearner,
    seen: Seen,
    task: Task,
    settings: SacSettings,
) -> Metrics:
    """Return means over the rollout and the gradient steps.

    `value_excess` (K,) is what the critics say of a cost above the value that
    its limit allows, discounted and in units of the cost.
    """
    units = jnp.asarray(task.cost_units, jnp.float32)
    allowed = value_limit(limits_in_units(task), settings.gamma)
    found = {
        "reward": jnp.mean(rows.signals[..., 0]) * settings.reward_unit,
        "costs": jnp.mean(rows.signals[..., 1:], axis=(0, 1)) * units,
        "multipliers": learner.multipliers.value,
        "terminations": jnp.mean(rows.terminated),
        "value_excess": seen["cost_values"] - allowed,
    }
    reported = {name: jnp.mean(x.astype(jnp.float32)) for name, x in info.items()}
    return {k: x for k, x in seen.items() if k != "cost_values"} | found | reported

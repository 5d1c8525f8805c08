"""Constrained policy optimisation for K constraints: an update is one program.

    rollout -> values -> advantages -> exact small problem -> line search -> critics

J. Achiam et al., arXiv:1705.10528. No multiplier is learned: each update solves
for those of its own step, from the violation of its own rollout. Violations,
advantages and gradients of costs are mean costs per control step throughout, so
the length of an episode appears nowhere.
"""

import functools
from collections.abc import Callable
from typing import Any, Final

import jax
import jax.numpy as jnp
from flax import struct

from coolbound_controllers.advantages import centre
from coolbound_controllers.algorithm import Algorithm
from coolbound_controllers.cpo_critics import fit_critics, init_critic_optimiser
from coolbound_controllers.cpo_dual import CONSTRAINTS_MAX
from coolbound_controllers.cpo_settings import CpoSettings
from coolbound_controllers.cpo_step import (
    PolicyStep,
    Samples,
    improve_policy,
    mean_entropy,
)
from coolbound_controllers.normaliser import Normaliser, merge
from coolbound_controllers.on_policy import (
    Assessment,
    Metrics,
    assess,
    begin,
    deploy,
    flatten,
    is_finite,
    limits_in_units,
    mean_costs,
    summarise,
)
from coolbound_controllers.optimiser import Weights, rate_share
from coolbound_controllers.rollout import Rollout, World, collect
from coolbound_controllers.task import Task
from coolbound_controllers.value_scale import ValueScale
from coolbound_envs.tables import InputError
from coolbound_envs.types import Key

Update = Callable[["CpoLearner"], tuple["CpoLearner", Metrics]]


@struct.dataclass
class CpoLearner:
    """Everything a run needs to go on; what a checkpoint holds. Dynamic.

    Attributes:
        key: Source of all later random numbers.
        weights: Of the policy and the critics.
        optimiser: Adam's moments: reward critic, cost critic.
        scale: Mean and spread of the critics' targets.
        normaliser: Statistics of the features.
        world: Where the lanes stand.
        updates: Updates done so far. [1]
    """

    key: Key
    weights: Weights
    optimiser: Any
    scale: ValueScale
    normaliser: Normaliser
    world: World
    updates: jax.Array


def init_learner(key: Key, task: Task, settings: CpoSettings) -> CpoLearner:
    """Return a learner before its first update. Can be traced."""
    first = begin(key, task, settings)
    return CpoLearner(
        key=first.key,
        weights=first.weights,
        optimiser=init_critic_optimiser(first.weights.critics, settings),
        scale=first.scale,
        normaliser=first.normaliser,
        world=first.world,
        updates=jnp.zeros((), jnp.int32),
    )


@functools.lru_cache(maxsize=8)
def make_update(task: Task, settings: CpoSettings) -> Update:
    """Return one whole update as a compiled function that consumes its argument.

    The same task and settings give the same function, compiled once.

    Raises:
        InputError: There are more constraints than can be enumerated.
    """
    _refuse_many(task.cost_count)
    limits = limits_in_units(task)

    def update(learner: CpoLearner) -> tuple[CpoLearner, Metrics]:
        key, collect_key, fit_key = jax.random.split(learner.key, 3)
        actor, critics = learner.weights.actor, learner.weights.critics
        normaliser = learner.normaliser
        world, rollout = collect(
            collect_key, task, actor, normaliser, learner.world, settings.steps
        )
        seen = assess(rollout, critics, learner.scale, normaliser, task, settings)
        samples = samples_of(rollout, seen)
        violation = mean_costs(rollout) - limits
        step = improve_policy(actor, samples, violation, settings)
        critics, optimiser, error = fit_critics(
            fit_key,
            seen.critics,
            learner.optimiser,
            samples.inputs,
            flatten(seen.targets),
            rate_share(learner.updates, settings),
            settings,
        )
        weights = Weights(actor=step.actor, critics=critics)
        found = summarise(rollout, seen.advantages, task) | _describe(step)
        found["entropy"] = mean_entropy(actor, samples)
        found["value_error"] = error
        found["is_finite"] = is_finite((weights, optimiser, found))
        return CpoLearner(
            key=key,
            weights=weights,
            optimiser=optimiser,
            scale=seen.scale,
            normaliser=merge(normaliser, rollout.features),
            world=world,
            updates=learner.updates + 1,
        ), found

    return jax.jit(update, donate_argnums=0)


def samples_of(rollout: Rollout, seen: Assessment) -> Samples:
    """Return what the policy step sees of a rollout, time and lanes made one."""
    reward, costs = centre(seen.advantages)
    return flatten(
        Samples(
            inputs=seen.inputs,
            start=seen.start,
            u=rollout.u,
            reward=reward,
            costs=costs,
        )
    )


def _describe(step: PolicyStep) -> Metrics:
    return {
        "multipliers": step.plan.multipliers,
        "case": step.plan.case,
        "kl": step.effect.divergence,
        "gain": step.effect.gain,
        "step_share": step.share,
        "residual": step.residuals,
    }


def _refuse_many(constraints: int) -> None:
    if not 1 <= constraints <= CONSTRAINTS_MAX:
        raise InputError(
            f"cpo: found {constraints} constraints, expected 1 to {CONSTRAINTS_MAX}; "
            "group the costs or train with ppo-lagrangian"
        )


CPO: Final = Algorithm(
    name="cpo",
    settings=CpoSettings,
    init=init_learner,
    make_update=make_update,
    deploy=deploy,
)
"""What `coolbound train cpo` runs."""

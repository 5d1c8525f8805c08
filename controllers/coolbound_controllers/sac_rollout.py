"""Collecting transitions: the actor proposes, the task applies, both are kept."""

import functools

import jax
import jax.numpy as jnp

from coolbound_controllers.distribution import squash
from coolbound_controllers.normaliser import Normaliser
from coolbound_controllers.rollout import World
from coolbound_controllers.sac_networks import SacActor, propose, view
from coolbound_controllers.sac_replay import Transition
from coolbound_controllers.task import EXECUTED, Step, Task
from coolbound_envs.types import Key

Info = dict[str, jax.Array]


@functools.partial(jax.jit, static_argnames=("task", "steps", "reward_unit"))
def collect_transitions(
    key: Key,
    task: Task,
    actor: SacActor,
    normaliser: Normaliser,
    world: World,
    steps: int,
    reward_unit: float,
) -> tuple[World, Transition, Info]:
    """Return where the lanes stand, the transitions (T, n, ...), and the reports."""
    units = jnp.asarray((reward_unit, *task.cost_units), jnp.float32)

    def advance(world: World, key: Key) -> tuple[World, tuple[Transition, Info]]:
        noise_key, step_key = jax.random.split(key)
        u, _ = propose(noise_key, actor, view(world.features, normaliser, task))
        step = task.step_batch(step_key, world.state, squash(u))
        signals = jnp.concatenate([step.reward[:, None], step.costs], axis=-1)
        row = Transition(
            features=world.features,
            final_features=step.final_features,
            u=u,
            executed=_executed(step, u),
            signals=signals / units[None],
            terminated=step.terminated.astype(jnp.float32),
        )
        info = {name: x for name, x in step.info.items() if name != EXECUTED}
        return World(features=step.features, state=step.state), (row, info)

    world, (rows, info) = jax.lax.scan(advance, world, jax.random.split(key, steps))
    return world, rows, info


def _executed(step: Step, u: jax.Array) -> jax.Array:
    found = step.info.get(EXECUTED, jnp.zeros((u.shape[0], 0), jnp.float32))
    if found.shape not in (u.shape, (u.shape[0], 0)):
        raise ValueError(f"info[{EXECUTED!r}] has shape {found.shape}, not {u.shape}")
    return found

"""Potential-based reward shaping: an earlier word on what pays later.

    r' = r + gamma phi(s') - phi(s),  phi = 0 where the plant tripped

leaves every optimal policy what it was, for this discount and any potential
(A. Y. Ng, D. Harada and S. Russell, ICML 1999, theorem 1). The potential here is minus
the price of the heat in water and halls: whoever stores cold is paid at once, whoever
lives on it pays.
"""

import dataclasses
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from flax import struct

from coolbound_controllers.task import Step, Task
from coolbound_envs.accounts import HEAT_PRICE, REWARD_POWER
from coolbound_envs.constants import WATER_HEAT
from coolbound_envs.features import FEATURE_NAMES
from coolbound_envs.interval import CONTROL_INTERVAL
from coolbound_envs.site import Site
from coolbound_envs.spec import HALLS, ZONES
from coolbound_envs.types import Key

Potential = Callable[[jax.Array], jax.Array]
"""From raw features (n, F) to phi (n,) [1]."""


@struct.dataclass
class ShapedState:
    """The lanes and their potential. Dynamic.

    Attributes:
        inner: State of the task without shaping.
        potential: phi of the present features, shape (n,). [1]
    """

    inner: Any
    potential: jax.Array


def shaping_term(
    before: jax.Array, after: jax.Array, terminated: jax.Array, discount: float
) -> jax.Array:
    """Return what is added to the reward (...,) [1].

    Args:
        before: phi before the step. [1]
        after: phi of the true next state. [1]
        terminated: 1 where there is none. [1]
        discount: gamma, of the learner. [1]
    """
    return discount * after * (1.0 - terminated) - before


@dataclasses.dataclass(frozen=True, eq=False)
class _Shaped:
    """A task's functions with the shaped reward. Static."""

    task: Task
    potential: Potential
    discount: float

    def reset(self, key: Key, lanes: int) -> tuple[jax.Array, ShapedState]:
        features, inner = self.task.reset_batch(key, lanes)
        return features, ShapedState(inner, self.potential(features))

    def step(self, key: Key, state: ShapedState, action: jax.Array) -> Step:
        step = self.task.step_batch(key, state.inner, action)
        term = shaping_term(
            state.potential,
            self.potential(step.final_features),
            step.terminated.astype(jnp.float32),
            self.discount,
        )
        return dataclasses.replace(
            step,
            reward=step.reward + term,
            state=ShapedState(step.state, self.potential(step.features)),
        )


def shaped(task: Task, potential: Potential, discount: float) -> Task:
    """Return the task with its reward shaped by a potential.

    Args:
        task: Of single frames.
        potential: phi of raw features.
        discount: gamma, of the learner that will train on it. [1]
    """
    made = _Shaped(task, potential, discount)
    return dataclasses.replace(task, reset_batch=made.reset, step_batch=made.step)


def stored_heat_potential(site: Site, weight: float) -> Potential:
    """Return minus the price of the heat in chilled water and halls.

    Heat is priced as at the horizon of an episode (`coolbound_envs.accounts`).

    Args:
        site: Its water, servers and air.
        weight: Share of that price. [1]
    """
    chw, it = site.plant.chw, site.plant.it
    water = (chw.pipe_mass + chw.buffer_mass) * WATER_HEAT
    hall = (it.server_capacity + it.air_capacity) * it.design_power / HALLS
    price = weight * HEAT_PRICE / (CONTROL_INTERVAL * REWARD_POWER)
    pipes = _places("chw_supply_temp", "chw_return_temp")
    inlets = [
        _places(*(f"inlet_temp_hall{h + 1}_zone{z + 1}" for z in range(ZONES)))
        for h in range(HALLS)
    ]

    def potential(features: jax.Array) -> jax.Array:
        heat = water * jnp.mean(features[..., pipes], axis=-1)
        for zones in inlets:
            heat = heat + hall * jnp.mean(features[..., zones], axis=-1)
        return -price * heat

    return potential


def _places(*names: str) -> jax.Array:
    return jnp.asarray([FEATURE_NAMES.index(name) for name in names])

"""Paired evaluation: the same weather, load, noise, faults and start for everyone.

Every controller meets the same places with the same keys, so that a difference
between two of them is the controllers' own. A day is one call of a compiled program;
what is kept of it are sums, so that memory does not grow with the number of limits.
"""

import dataclasses
import functools
import time
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from coolbound_controllers.cooling_task import BatchedEnvironment
from coolbound_controllers.evaluation_account import (
    Account,
    Moment,
    add_up,
    moment_of,
)
from coolbound_controllers.evaluation_bins import Bins, add_bins, fill_bins
from coolbound_envs.soundness import require_sound
from coolbound_envs.types import Controller, Observation

DAY_STEPS = 288
"""Control steps in a day. [1]"""

Blame = Callable[[dict[str, Any]], jax.Array]
"""From a step's `info` to the place of what changed the proposal, -1 for none."""


@dataclasses.dataclass(frozen=True)
class Contender:
    """One controller and the environment that it acts in. Static.

    Attributes:
        name: What tables call it.
        controller: The operator or policy.
        environment: The plant, or the plant behind the safety layer.
        params: The environment's parameters.
        blame: Says what the safety layer changed a proposal for; None without one.
        causes: What `blame` tells apart, in its order, each as `kind:limit`.
    """

    name: str
    controller: Controller
    environment: BatchedEnvironment
    params: Any
    blame: Blame | None = None
    causes: tuple[str, ...] = ()


@dataclasses.dataclass(frozen=True)
class Trace:
    """What one controller did, day by day, in every place. Static.

    Attributes:
        days: Sums over each day; arrays of numpy float64, (days, places, ...).
        bins: Sums over everything, by outdoor air and load.
        seconds: Wall time of each day, the first with compilation, (days,). [s]
        causes: What interventions are counted by, in the order of `days.blamed`.
    """

    days: Account
    bins: Bins
    seconds: np.ndarray
    causes: tuple[str, ...] = ()


def run(
    contender: Contender,
    observation: Observation,
    state: Any,
    seed: int,
    days: int,
    progress: Callable[[int], None] | None = None,
) -> Trace:
    """Return what a controller does from a given start.

    Args:
        contender: Controller and environment.
        observation: First observation, places first.
        state: The environment's state that belongs to it.
        seed: Of the instruments' noise; the same for all contenders.
        days: How long. [1]
        progress: Called with the days done.

    Raises:
        DivergenceError: The integration diverged.
    """
    advance = _program(contender)
    carry = (observation, state, contender.controller.init(observation.time.shape))
    key, accounts, seconds = jax.random.key(seed), [], []
    bins: Bins | None = None
    for day in range(days):
        begun = time.perf_counter()
        numbers = jnp.arange(day * DAY_STEPS, (day + 1) * DAY_STEPS)
        carry, account, binned, diverged = advance(carry, key, numbers)
        # Also where a lane was stopped short of an impossible state.
        require_sound(getattr(carry[1], "task", carry[1]), {"diverged": diverged})
        accounts.append(_as_numbers(account))
        bins = add_bins(bins, _as_numbers(binned))
        seconds.append(time.perf_counter() - begun)
        if progress is not None:
            progress(day + 1)
    if bins is None:
        raise ValueError("days: found 0, expected 1 at least")
    joined = jax.tree.map(lambda *rows: np.stack(rows), *accounts)
    return Trace(joined, bins, np.asarray(seconds), contender.causes)


def _as_numbers(tree: Any) -> Any:
    return jax.tree.map(lambda x: np.asarray(x, np.float64), tree)


def _program(contender: Contender) -> Callable[..., Any]:
    """Return the compiled day of a contender.

    Policies that differ in their numbers alone share one program.
    """
    controller = contender.controller
    setting = (contender.environment, contender.blame, len(contender.causes))
    if _is_numbers(controller):
        policy = _unnamed(controller)
        return functools.partial(_shared_day, setting, policy, contender.params)
    own = jax.jit(functools.partial(_day, setting, controller))
    return functools.partial(own, contender.params)


def _is_numbers(controller: Controller) -> bool:
    leaves = jax.tree.leaves(controller)
    return bool(leaves) and all(isinstance(x, jax.Array) for x in leaves)


def _unnamed(controller: Any) -> Any:
    """Return a policy without the words by which reports tell it apart."""
    words = {
        field.name: ""
        for field in dataclasses.fields(controller)
        if isinstance(getattr(controller, field.name), str)
    }
    return dataclasses.replace(controller, **words)


def _day(
    setting: tuple[Any, Blame | None, int],
    controller: Controller,
    params: Any,
    carry: Any,
    key: jax.Array,
    numbers: jax.Array,
) -> tuple[Any, Account, Bins, jax.Array]:
    environment, blame, causes = setting

    def step(carry: Any, number: jax.Array) -> tuple[Any, Moment]:
        observation, state, memory = carry
        act_key, step_key = jax.random.split(jax.random.fold_in(key, number))
        action, memory = controller.act(act_key, memory, observation)
        before = (observation, state)
        observation, state, reward, terminated, _, info = environment.step(
            step_key, state, action, params
        )
        told = info | {"reward": reward, "terminated": terminated}
        moment = moment_of(before, (observation, state), told, params)
        code = _no_blame(reward) if blame is None else blame(info)
        moment = dataclasses.replace(moment, blamed=_one_hot(code, causes))
        return (observation, state, memory), moment

    carry, moments = jax.lax.scan(step, carry, numbers)
    diverged = jnp.any(moments.diverged > 0.5, axis=0)
    return carry, add_up(moments), fill_bins(moments), diverged


_shared_day = jax.jit(_day, static_argnums=0)


def _no_blame(like: jax.Array) -> jax.Array:
    return jnp.full(like.shape, -1, jnp.int32)


def _one_hot(code: jax.Array, count: int) -> jax.Array:
    # Of zero classes jax makes none itself.
    return (code[:, None] == jnp.arange(count)[None, :]).astype(jnp.float32)

"""Opponents and operators over many episodes, behind the safety layer and bare."""

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import jax
import jax.numpy as jnp

from coolbound.compose import plant_task, shielded_task
from coolbound.evidence.episode import Arena
from coolbound.evidence.tallies import Tally, as_numbers, together
from coolbound.validation.evidence import CITIES
from coolbound.validation.years import Lineup
from coolbound_controllers.g36 import G36
from coolbound_controllers.operator_settings import parse_operator
from coolbound_envs.cooling import CoolingTask
from coolbound_envs.episode import TaskParams
from coolbound_envs.fault_schedule import random_plan
from coolbound_envs.interval import CONTROL_INTERVAL
from coolbound_envs.site import Site
from coolbound_envs.tasks import MISHAPS, SETTLE_STEPS
from coolbound_envs.types import Controller
from coolbound_envs.variation import NAMES, OFFSETS, make_spread
from coolbound_safety.red_team.mimic import Inverted, Replayed
from coolbound_safety.red_team.opponents import opponents
from coolbound_safety.shielded import ShieldedTask

LOADS: Final = ("google2019", "azure2019")

STEPS: Final = 576
"""Length of an episode: two days. [1]"""


def policies(site: Site) -> dict[str, Controller]:
    """Return everyone who proposes: `g36` and every opponent.

    Raises:
        InputError: The operators' settings are wrong.
    """
    honest = G36(parse_operator(site))
    return {
        "g36": honest,
        **opponents(),
        "g36 inverted": Inverted(honest),
        "g36 replayed": Replayed(honest),
    }


def hostile_task(
    site: Site,
    has_faults: bool,
    variation: float,
    steps: int = STEPS,
    often: float = 1.0,
) -> TaskParams:
    """Return eight cities with noise, and faults and plants that nobody knows.

    Args:
        site: Whose plant and limits are taken.
        has_faults: True for every kind of fault, some two a day together.
        variation: Half-width of every constant of the plant; half of that is
            moved between the halls. [1]
        steps: Length of an episode. [1]
        often: Faults come so many times as often as in the reference tasks. [1]

    Raises:
        InputError: A limit in the site file is wrong.
    """
    task = plant_task(site, CITIES, LOADS)
    constants = [name for name in NAMES if name not in OFFSETS | {"load"}]
    spread = make_spread(
        **dict.fromkeys(constants, variation), hall_split=0.5 * variation
    )
    task = dataclasses.replace(task, variation=spread)
    if not has_faults:
        return task
    rates = {kind: often * rate for kind, rate in MISHAPS.items()}
    plan = random_plan(rates, steps * CONTROL_INTERVAL)
    return dataclasses.replace(task, faults=plan)


def environments(site: Site, task: TaskParams) -> dict[str, tuple[Any, Any]]:
    """Return the plant bare and behind the safety layer, each with its parameters.

    The safety layer knows the nominal plant only.
    """
    plain = CoolingTask(settle_steps=SETTLE_STEPS)
    return {
        "filtered": (ShieldedTask(plain), shielded_task(site, task)),
        "bare": (plain, task),
    }


def rounds_of(arena: Arena, steps: int) -> int:
    """Return the batches of episodes that so many steps need [1]."""
    return max(1, -(-steps // (arena.policies * arena.lanes * arena.steps)))


def campaign(
    arena: Arena,
    params: Any,
    steps: int,
    seed: int,
    progress: Callable[[int], None] | None = None,
) -> Tally:
    """Return the tally of as many episodes as the steps need, as numpy float64.

    Args:
        arena: Policies and environment.
        params: The environment's.
        steps: Least number of steps, all policies together. [1]
        seed: Of everything.
        progress: Told the steps done.
    """
    lanes, rounds = arena.policies * arena.lanes, rounds_of(arena, steps)
    none = jnp.zeros((0, lanes), jnp.int32)
    memory = arena.controller.init((lanes,))
    run = jax.jit(lambda *given: arena.run(*given)[0])
    total = None
    for number in range(rounds):
        key = jax.random.fold_in(jax.random.key(seed), number)
        found = as_numbers(run(key, params, memory, none))
        total = found if total is None else together(total, found)
        if progress is not None:
            progress((number + 1) * lanes * arena.steps)
    assert total is not None
    return total


def make_arena(
    named: Mapping[str, Controller],
    names: Sequence[str],
    lanes: int,
    environment: Any,
    steps: int = STEPS,
) -> Arena:
    """Return an arena of some policies, each on so many lanes."""
    lineup = Lineup(tuple(named[name] for name in names), lanes)
    return Arena(lineup, len(names), lanes, environment, steps)

"""What an optimum at rest leaves of the operators' power, and why it differs.

The same hours for everyone: the running operators' hours out of their year, the
simplified rules of the plant reference at rest, and the optimum at rest. MLC here is
that of the reference's section 6: mechanical power and what the servers draw beyond
an inlet of 21 degC, over IT power at 21 degC.
"""

import dataclasses
from collections.abc import Callable, Mapping, Sequence

import jax
import jax.numpy as jnp
import numpy as np
from numpy.typing import NDArray

from coolbound.validation.rest_rules import (
    as_published,
    at_rest,
    g36_rule,
    legacy_rule,
)
from coolbound.validation.years import Account
from coolbound_controllers.optimum import Freedom, Optimum, as_action, solve
from coolbound_controllers.steady_load import SetPoints
from coolbound_controllers.steady_state import SteadyState
from coolbound_envs import components
from coolbound_envs.interval import run_interval
from coolbound_envs.limit_numbers import LimitValues
from coolbound_envs.limit_table import LIMIT_NAMES, TOLERANCE
from coolbound_envs.limits import Moment, limit_values
from coolbound_envs.params import PlantParams
from coolbound_envs.scenario import HALL_LOAD, Place, Scenario, disturbance_at
from coolbound_envs.settling import initial_state
from coolbound_envs.state import Disturbance, PlantState
from coolbound_envs.types import Action

Array = NDArray[np.floating]
Indices = NDArray[np.integer]

REFERENCE_INLET = 21.0
"""Inlet beyond which the servers' extra power counts as mechanical. [degC]"""

OPTIMA = {
    "opt 22": Freedom(22.0, 22.0),
    "opt 24": Freedom(24.0, 24.0),
    "opt <= 25": Freedom(20.0, 25.0),
    "opt 24, fixed pumps": Freedom(24.0, 24.0, moves_cw_pumps=False),
    "opt 24, either mode": Freedom(24.0, 24.0, combines=False),
}
"""Freedoms that are compared; numbers are supply air."""

PUBLISHED = {
    "phoenix": (0.165, 0.1203, 0.1147, 0.1022, 0.0972, 0.0948),
    "chicago": (0.144, 0.0979, 0.0973, 0.0778, 0.0771, 0.0738),
    "leesburg": (0.154, 0.1112, 0.1078, 0.0905, 0.0886, 0.0855),
    "seattle": (0.155, 0.0930, 0.0870, 0.0763, 0.0712, 0.0686),
}
"""MLC of the plant reference, section 6, in the order of `PUBLISHED_CASES`. [1]"""

PUBLISHED_CASES = ("legacy", "g36 22", "g36 24", "opt 22", "opt 24", "opt <= 25")

SIZE_BOUND = 0.10
"""How far the reference's own simplifications may be from its table. [1]"""

HOLD = 144
"""Intervals that an optimum's set-points are held in the plant: twelve hours. [1]"""


@dataclasses.dataclass(frozen=True)
class Case:
    """One column of the table: who decides, on what equations. Static.

    Attributes:
        mlc: Mechanical load component over the hours. [1]
        free: Share of hours without a chiller. [1]
        shares: Power by consumer over IT power, extra IT power included.
        unsolved: Hours in which no set-points keep every limit. [1]
    """

    mlc: float
    free: float
    shares: Mapping[str, float]
    unsolved: int = 0


@dataclasses.dataclass(frozen=True)
class Held:
    """Optima held in the plant for twelve hours. Static.

    Attributes:
        hours: How many. [1]
        power_rms: Mechanical power of plant against equations. [%]
        power_worst: Largest difference, without sign. [%]
        modes: Hours whose machines or economizer came to rest otherwise. [1]
        violations: Hours above each limit, those of no hour left out.
    """

    hours: int
    power_rms: float
    power_worst: float
    modes: int
    violations: Mapping[str, int]


@dataclasses.dataclass(frozen=True)
class CityHeadroom:
    """All cases of one city. Static.

    Attributes:
        city: Its name.
        hours: How many are compared. [1]
        running: Operators in their year, by name.
        rest: The reference's rules at rest on this plant.
        optimum: By the names of `OPTIMA`.
        published: Rules and optima with the reference's simplifications; none where
            the reference has no such city.
        held: The optima in the plant.
    """

    city: str
    hours: int
    running: Mapping[str, Case]
    rest: Mapping[str, Case]
    optimum: Mapping[str, Case]
    published: Mapping[str, Case]
    held: Held


@dataclasses.dataclass(frozen=True)
class Setting:
    """What all cases of one city share. Static.

    Attributes:
        plant: Constants of the plant.
        limits: The limits' numbers.
        acting: Weather and load of each hour, one batch axis.
        work: IT work at 20 degC inlet, (hours,). [W]
    """

    plant: PlantParams
    limits: LimitValues
    acting: Disturbance
    work: Array

    @property
    def reference_power(self) -> Array:
        """IT power at an inlet of 21 degC, (hours,) [W]."""
        one, inlet = (jnp.asarray(x, jnp.float32) for x in (1.0, REFERENCE_INLET))
        return self.work * float(components.server_power(one, inlet, self.plant.it))


def headroom_of(
    city: str,
    place: int,
    accounts: Mapping[str, Account],
    scenario: Scenario,
    plant: PlantParams,
    limits: LimitValues,
    every: int,
) -> CityHeadroom:
    """Return all cases of one city.

    Args:
        city: Its name.
        place: Its row in the scenario.
        accounts: Running operators by name, whole days.
        scenario: Weather and load.
        plant: Constants of the plant.
        limits: The limits' numbers.
        every: Hours from one that is compared to the next. [1]
    """
    first = next(iter(accounts.values()))
    hours = np.arange(0, len(first.work), every)
    acting = _acting(scenario, place, hours, first.work[hours], plant)
    setting = Setting(plant, limits, acting, first.work[hours])
    running = {
        name: _case_of_account(account, hours, setting)
        for name, account in accounts.items()
    }
    optima = {
        name: solve(acting, plant, limits, freedom) for name, freedom in OPTIMA.items()
    }
    return CityHeadroom(
        city=city,
        hours=len(hours),
        running=running,
        rest=_rules(setting, integrates=False),
        optimum={k: _case_of_optimum(o, setting) for k, o in optima.items()},
        published=_published(setting) if published_of(city) else {},
        held=_held(list(optima.values()), setting),
    )


def _acting(
    scenario: Scenario, place: int, hours: Indices, work: Array, plant: PlantParams
) -> Disturbance:
    """Return weather in the middle of each hour and its mean load."""
    time = jnp.asarray(hours * 3600 + 1800, jnp.int32)
    zero = jnp.zeros_like(time)
    where = Place(city=zero + place, trace=zero, time=time, load_offset=zero)
    tables = disturbance_at(where, scenario, plant.it)
    halls = np.outer(HALL_LOAD, work)
    return dataclasses.replace(tables, it_work=jnp.asarray(halls, jnp.float32))


def _case(
    power: Mapping[str, Array],
    is_free: NDArray[np.bool_],
    setting: Setting,
    unsolved: int = 0,
) -> Case:
    """Return a case from power by consumer, `it` among them, each (hours,) [W]."""
    base = setting.reference_power
    total = float(np.sum(base))
    parts = {name: value for name, value in power.items() if name != "it"}
    parts["extra IT"] = power["it"] - base
    shares = {name: float(np.sum(value)) / total for name, value in parts.items()}
    return Case(sum(shares.values()), float(np.mean(is_free)), shares, unsolved)


def _case_of_account(account: Account, hours: Indices, setting: Setting) -> Case:
    power = {name: value[hours] for name, value in account.power.items()}
    return _case(power, account.running[hours] < 0.5, setting)


def _case_of_rest(
    plan: SetPoints, state: SteadyState, setting: Setting, unsolved: int = 0
) -> Case:
    air, water, condenser = state.air, state.water, state.condenser
    power = {
        "it": jnp.sum(air.it_power, axis=0),
        "crah": jnp.sum(air.fan_power, axis=0),
        "chiller": condenser.chiller_power,
        "chw_pump": water.pump_power,
        "cw_pump": condenser.pump_power,
        "tower": condenser.tower_power,
    }
    exact = {name: np.asarray(value, np.float64) for name, value in power.items()}
    return _case(exact, np.asarray(plan.chillers) < 0.5, setting, unsolved)


def _case_of_optimum(found: Optimum, setting: Setting) -> Case:
    unsolved = int(np.sum(np.asarray(found.violation) > 0.0))
    return _case_of_rest(found.plan, found.state, setting, unsolved)


def _rules(setting: Setting, integrates: bool) -> dict[str, Case]:
    rules = {
        "legacy": legacy_rule(),
        "g36 22": g36_rule(22.0, integrates),
        "g36 24": g36_rule(24.0, integrates),
    }
    cases = {}
    for name, rule in rules.items():
        plan, state = at_rest(rule, setting.acting, setting.plant, setting.limits)
        cases[name] = _case_of_rest(plan, state, setting)
    return cases


def _published(setting: Setting) -> dict[str, Case]:
    """Return rules and optima with the simplifications of the reference."""
    plain = dataclasses.replace(setting, plant=as_published(setting.plant))
    cases = _rules(plain, integrates=True)
    for name in PUBLISHED_CASES[3:]:
        found = solve(plain.acting, plain.plant, plain.limits, OPTIMA[name])
        cases[name] = _case_of_optimum(found, plain)
    return cases


def _held(optima: Sequence[Optimum], setting: Setting) -> Held:
    """Hold every optimum that keeps its limits in the plant, and look at it."""
    solved = [np.flatnonzero(np.asarray(o.violation) <= 0.0) for o in optima]
    chosen = [
        jax.tree.map(lambda x, rows=rows: x[..., rows], o)
        for o, rows in zip(optima, solved, strict=True)
    ]
    found = jax.tree.map(lambda *x: jnp.concatenate(x, axis=-1), *chosen)
    rows = np.concatenate(solved)
    acting = jax.tree.map(lambda x: x[..., rows], setting.acting)
    power, machines, values = _hold(
        as_action(found), acting, setting.plant, setting.limits
    )
    wanted = np.asarray(found.state.mechanical_power, np.float64)
    error = 100.0 * (np.asarray(power, np.float64) / wanted - 1.0)
    asked = np.stack([found.plan.chillers, found.plan.economizer])
    is_other = np.any(np.abs(np.asarray(machines) - asked) > 0.5, axis=0)
    broken = np.sum(np.asarray(values) > TOLERANCE, axis=1)
    return Held(
        hours=len(rows),
        power_rms=float(np.sqrt(np.mean(error**2))),
        power_worst=float(np.max(np.abs(error))),
        modes=int(np.sum(is_other)),
        violations={n: int(b) for n, b in zip(LIMIT_NAMES, broken, strict=True) if b},
    )


@jax.jit
def _hold(
    action: Action, acting: Disturbance, plant: PlantParams, limits: LimitValues
) -> tuple[jax.Array, jax.Array, jax.Array]:
    """Return power [W], machines and economizer, and h of the limits at the end."""
    start = initial_state(acting, plant, acting.wet_bulb.shape)

    def body(state: PlantState, _: None) -> tuple[PlantState, None]:
        return run_interval(state, action, acting, plant)[0], None

    before = jax.lax.scan(body, start, None, length=HOLD)[0]
    after, summary = run_interval(before, action, acting, plant)
    moment = Moment(
        summary=summary,
        before=before,
        after=after,
        inlet_before=summary.mean.inlet_temp,
        inlet_last=summary.mean.inlet_temp,
        action=action,
        previous=action,
    )
    machines = jnp.stack([after.sequencer.running_count, after.sequencer.economizer])
    return (
        summary.mean.mechanical_power,
        machines,
        limit_values(moment, limits, plant),
    )


def has_order(found: CityHeadroom) -> bool:
    """Return whether warmer rooms and freer optima never cost more, and rules do."""
    running, rest, best = (
        {k: case.mlc for k, case in cases.items()}
        for cases in (found.running, found.rest, found.optimum)
    )
    chains: list[Callable[[], bool]] = [
        lambda: running["legacy"] > running["g36 22"] > running["g36 24"],
        lambda: rest["legacy"] > rest["g36 22"] > rest["g36 24"],
        lambda: min(running["g36 22"], rest["g36 22"]) > best["opt 22"],
        lambda: min(running["g36 24"], rest["g36 24"]) > best["opt 24, fixed pumps"],
        lambda: best["opt 24, fixed pumps"] > best["opt 24"],
        lambda: best["opt 22"] > best["opt 24"] > best["opt <= 25"],
    ]
    return all(chain() for chain in chains)


def published_of(city: str) -> dict[str, float]:
    """Return the reference's MLC of a city by case; empty where it has none [1]."""
    for name, values in PUBLISHED.items():
        if city.startswith(name):
            return dict(zip(PUBLISHED_CASES, values, strict=True))
    return {}


def size_error(found: CityHeadroom) -> float | None:
    """Return the largest relative difference to the reference's table [1]."""
    if not found.published:
        return None
    wanted = published_of(found.city)
    return max(abs(found.published[k].mlc / v - 1.0) for k, v in wanted.items())

"""Operators side by side through the same hours of several cities, hour by hour.

All operators run in one batch, operator first and city second, so that the plant
is compiled once and each city gives every operator the same weather and load.
"""

import dataclasses
import functools
from collections.abc import Callable, Mapping, Sequence
from typing import Any, final

import jax
import jax.numpy as jnp
import numpy as np
from numpy.typing import NDArray

from coolbound_envs.cooling import CoolingTask
from coolbound_envs.episode import TaskParams, TaskState
from coolbound_envs.limit_table import TOLERANCE
from coolbound_envs.scenario import Place
from coolbound_envs.types import Action, Controller, Key, Observation

STEPS_PER_HOUR = 12
HOURS_PER_DAY = 24
CHUNK_DAYS = 5
"""Days between two progress reports. [1]"""

SETTLE_STEPS = 24
"""Intervals that the plant runs before an account begins: two hours. [1]"""

Progress = Callable[[str, int, int], None]


@dataclasses.dataclass(frozen=True)
class Account:
    """What one operator did in one city, hour by hour. Static.

    Attributes:
        power: Mean power by consumer, each (hours,), in W.
        work: IT work at 20 degC inlet, (hours,). [W]
        latent: Heat from vapor that the coils condense, (hours,). [W]
        rejected: Heat that leaves through the towers, (hours,). [W]
        water: Make-up water of the towers, (hours,). [kg/s]
        inlet: Hottest inlet, (hours,). [degC]
        running: Chillers running, mean of the hour, (hours,). [1]
        starts: Chillers that began to run, (hours,). [1]
        violations: Steps above each limit, (hours, 21). [1]
        before: State of the plant before the first hour.
        after: State of the plant after the last hour.
    """

    power: Mapping[str, NDArray[np.float64]]
    work: NDArray[np.float64]
    latent: NDArray[np.float64]
    rejected: NDArray[np.float64]
    water: NDArray[np.float64]
    inlet: NDArray[np.float64]
    running: NDArray[np.float64]
    starts: NDArray[np.float64]
    violations: NDArray[np.float64]
    before: Any
    after: Any

    @property
    def it(self) -> NDArray[np.float64]:
        """Servers with their fans, (hours,) [W]."""
        return self.power["it"]

    @property
    def mechanical(self) -> NDArray[np.float64]:
        """Everything but the servers, (hours,) [W]."""
        rest = [power for name, power in self.power.items() if name != "it"]
        return np.sum(rest, axis=0)


@final
@dataclasses.dataclass(frozen=True)
class Lineup:
    """Several operators as one: each acts on its own block of lanes. Static.

    Attributes:
        operators: In the order of their blocks.
        lanes: Lanes of each block. [1]
    """

    operators: tuple[Controller, ...]
    lanes: int

    def init(self, params: Any = ()) -> tuple[Any, ...]:
        """Return the operators' memories."""
        del params
        return tuple(operator.init((self.lanes,)) for operator in self.operators)

    def act(
        self, key: Key, state: tuple[Any, ...], observation: Observation
    ) -> tuple[Action, tuple[Any, ...]]:
        """Return the actions of all lanes and the memories after them."""
        answers = []
        for i, (operator, memory) in enumerate(zip(self.operators, state, strict=True)):
            block = slice(i * self.lanes, (i + 1) * self.lanes)
            seen = jax.tree.map(lambda x, block=block: x[block], observation)
            answers.append(operator.act(key, memory, seen))
        actions, memories = zip(*answers, strict=True)
        return jax.tree.map(lambda *x: jnp.concatenate(x), *actions), memories


def run_years(
    operators: Mapping[str, Controller],
    task: TaskParams,
    cities: Sequence[str],
    days: int,
    first_day: int = 0,
    seed: int = 0,
    progress: Progress | None = None,
) -> dict[tuple[str, str], Account]:
    """Return what every operator did in every city, by operator and city.

    Args:
        operators: By name.
        task: Its scenario holds the cities' weather, in their order, and one load.
        cities: Names of the cities.
        days: Length. [1]
        first_day: Days after 1 January. [1]
        seed: Of the instruments' noise.
        progress: Told how many days are done.
    """
    lineup = Lineup(tuple(operators.values()), len(cities))
    environment = CoolingTask(settle_steps=SETTLE_STEPS)
    place = _places(len(operators), len(cities), first_day)
    key = jax.random.key(seed)
    seen, state = jax.jit(environment.start_at)(key, place, task)
    first, carry = state, (seen, state, lineup.init())
    advance = jax.jit(functools.partial(_hours, lineup, environment))
    rows = []
    for day in range(0, days, CHUNK_DAYS):
        count = min(CHUNK_DAYS, days - day) * HOURS_PER_DAY
        numbers = day * HOURS_PER_DAY + np.arange(count)
        keys = jax.vmap(lambda n: jax.random.fold_in(key, n))(jnp.asarray(numbers))
        carry, row = advance(carry, task, keys)
        rows.append(jax.tree.map(lambda x: np.asarray(x, np.float64), row))
        if progress is not None:
            progress("years", min(day + CHUNK_DAYS, days), days)
    joined = jax.tree.map(lambda *x: np.concatenate(x), *rows)
    names = [(operator, city) for operator in operators for city in cities]
    return {
        name: _account(joined, first, carry[1], lane) for lane, name in enumerate(names)
    }


def _places(operators: int, cities: int, first_day: int) -> Place:
    city = jnp.tile(jnp.arange(cities, dtype=jnp.int32), operators)
    zero = jnp.zeros_like(city)
    return Place(
        city=city,
        trace=zero,
        time=zero + first_day * HOURS_PER_DAY * 3600,
        load_offset=zero,
    )


def _hours(
    lineup: Lineup, environment: CoolingTask, carry: Any, task: TaskParams, keys: Key
) -> tuple[Any, dict[str, Any]]:
    """Run one hour for each key; rows are means or sums over its twelve steps."""

    def step(carry: Any, key: Key) -> tuple[Any, dict[str, Any]]:
        seen, state, memory = carry
        act_key, step_key = jax.random.split(key)
        action, memory = lineup.act(act_key, memory, seen)
        before = state.plant.sequencer.running_count
        seen, state, _, _, _, info = environment.step(step_key, state, action, task)
        return (seen, state, memory), _row(before, info)

    def hour(carry: Any, key: Key) -> tuple[Any, dict[str, Any]]:
        carry, rows = jax.lax.scan(step, carry, jax.random.split(key, STEPS_PER_HOUR))
        mean = jax.tree.map(lambda x: jnp.mean(x, axis=0), rows["mean"])
        return carry, {
            **mean,
            "inlet": jnp.max(rows["inlet"], axis=0),
            "starts": jnp.sum(rows["starts"], axis=0),
            "violations": jnp.sum(rows["violations"], axis=0),
        }

    return jax.lax.scan(hour, carry, keys)


def _row(before: jax.Array, info: dict[str, Any]) -> dict[str, Any]:
    summary = info["summary"]
    return {
        "mean": {
            "power": info["power"],
            "work": info["work"],
            "latent": summary.mean.latent_heat,
            "rejected": summary.mean.tower_heat,
            "water": info["water"]["make_up"],
            "running": summary.running,
        },
        "inlet": summary.inlet_temp_max,
        "starts": jnp.maximum(summary.running - before, 0.0),
        "violations": (info["limits"] > TOLERANCE).astype(jnp.float32),
    }


def _account(
    rows: dict[str, Any], first: TaskState, last: TaskState, lane: int
) -> Account:
    own = jax.tree.map(lambda x: x[:, lane], rows)
    ends = [
        jax.tree.map(lambda x: np.asarray(x, np.float64)[..., lane], state.plant)
        for state in (first, last)
    ]
    return Account(**own, before=ends[0], after=ends[1])

"""Everyone's run: controllers behind the safety layer, and EnergyPlus by itself.

All lanes of a controller go on together: one decision for all of them, then all engines
run side by side, each in its own process.
"""

import contextlib
import dataclasses
import functools
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final

import jax
import numpy as np

from coolbound.compose import Named
from coolbound.transfer.decision import Told, dispose, let_pass
from coolbound.transfer.lanes import Lanes
from coolbound_controllers.evaluation import DAY_STEPS
from coolbound_envs.accounts import TRIP_TEMP
from coolbound_envs.energyplus.observation import Instruments
from coolbound_envs.energyplus.options import Options
from coolbound_envs.energyplus.own_run import own_run
from coolbound_envs.energyplus.own_setpoints import OwnControls
from coolbound_envs.energyplus.passage import (
    Passage,
    columns,
    seen_machines,
    stacked,
)
from coolbound_envs.energyplus.plant import EnergyPlusPlant
from coolbound_envs.energyplus.site_sizes import sizes_of
from coolbound_envs.site import Site
from coolbound_envs.spec import channel_array
from coolbound_envs.types import (
    Controller,
    Key,
    Observation,
    action_from_vector,
    action_to_vector,
)
from coolbound_safety.guard import first_memory
from coolbound_safety.margins import SafetyModel

OPTIONS: Final = Options(instruments=Instruments(1.0))
"""Noisy instruments, as in a log; the same noise for everyone."""

OWN_AT_ONCE: Final = 4
"""Engines under their own controls that run side by side. [1]"""

Show = Callable[[int], None]


@dataclasses.dataclass(frozen=True)
class Watched:
    """One controller in all lanes. Static.

    Attributes:
        passages: What EnergyPlus did, by lane.
        told: What was decided, (T, lanes, ...); None for EnergyPlus by itself.
        seconds: Wall time of each day of all lanes, (days,). [s]
    """

    passages: tuple[Passage, ...]
    told: Told | None
    seconds: np.ndarray

    @property
    def tripped(self) -> np.ndarray:
        """True where servers were too hot to run, (T, lanes)."""
        hottest = [passage.readings["inlet_max"] for passage in self.passages]
        return np.stack(hottest, axis=1) > TRIP_TEMP


def controller_run(
    named: Named,
    is_guarded: bool,
    site: Site,
    lanes: Lanes,
    model: SafetyModel,
    seed: int,
    show: Show,
) -> Watched:
    """Return what a controller does on EnergyPlus.

    Args:
        named: The controller.
        is_guarded: Whether the safety layer stands before the plant.
        site: The site, which EnergyPlus is built from.
        lanes: Weather and load.
        model: Of the safety layer.
        seed: Of instruments and controller.
        show: Told the days that are done.

    Raises:
        EnergyPlusError: EnergyPlus could not run.
    """
    act = jax.jit(functools.partial(_propose, named.controller))
    answer = _DISPOSE if is_guarded else _LET_PASS
    shape = (len(lanes.courses),)
    own, safety = named.controller.init(shape), first_memory(shape)
    key, told, seconds = jax.random.key(seed), [], []
    with _plants(site, lanes) as plants:
        seen = _reset(plants, lanes, seed)
        records = [_Record(x.machines, o) for x, o in zip(plants, seen, strict=True)]
        for day in range(lanes.days):
            begun = time.perf_counter()
            for step in range(day * DAY_STEPS, (day + 1) * DAY_STEPS):
                number = jax.random.fold_in(key, step)
                batch = _batch(seen)
                asked, own = act(number, own, batch)
                found, safety = answer(safety, batch, asked, model)
                told.append(jax.device_get(found))
                seen = _advance(plants, records, told[-1].action)
            seconds.append(time.perf_counter() - begun)
            show(day + 1)
    whole = jax.tree.map(lambda *x: np.stack(x), *told)
    passages = tuple(record.passage() for record in records)
    return Watched(passages, whole, np.asarray(seconds))


def _propose(
    controller: Controller, key: Key, memory: Any, observation: Observation
) -> tuple[jax.Array, Any]:
    action, memory = controller.act(key, memory, observation)
    return action_to_vector(action), memory


# One program for everyone: it is what takes long to compile.
_DISPOSE, _LET_PASS = jax.jit(dispose), jax.jit(let_pass)


class _Record:
    """Collects one lane."""

    def __init__(self, machines: Any, first: Observation) -> None:
        self._rows: list[dict[str, float]] = []
        self._machines = [jax.device_get(machines)]
        self._applied = [np.asarray(first.applied)]

    def add(
        self, readings: dict[str, float], machines: Any, applied: np.ndarray
    ) -> None:
        self._rows.append(readings)
        self._machines.append(jax.device_get(machines))
        self._applied.append(applied)

    def passage(self) -> Passage:
        applied = np.stack(self._applied)
        return Passage(columns(self._rows), applied, stacked(self._machines))


@contextlib.contextmanager
def _plants(site: Site, lanes: Lanes) -> Iterator[list[EnergyPlusPlant]]:
    with contextlib.ExitStack() as stack:
        yield [
            stack.enter_context(EnergyPlusPlant(site, OPTIONS)) for _ in lanes.courses
        ]


def _reset(
    plants: Sequence[EnergyPlusPlant], lanes: Lanes, seed: int
) -> list[Observation]:
    with ThreadPoolExecutor(len(plants)) as pool:
        jobs = [
            pool.submit(plant.reset, course, seed=seed + number)
            for number, (plant, course) in enumerate(
                zip(plants, lanes.courses, strict=True)
            )
        ]
        return [job.result() for job in jobs]


def _batch(seen: Sequence[Observation]) -> Observation:
    """Return the observations of all lanes as one, lanes first."""
    return jax.tree.map(lambda *x: np.stack(x), *jax.device_get(list(seen)))


def _advance(
    plants: Sequence[EnergyPlusPlant], records: Sequence[_Record], vectors: Any
) -> list[Observation]:
    """Give every plant its action, then wait for all."""
    for plant, vector in zip(plants, vectors, strict=True):
        plant.give(action_from_vector(vector))
    found = []
    for plant, record in zip(plants, records, strict=True):
        observation, _, _, _, info = plant.take()
        applied = np.asarray(observation.applied)
        record.add(info["readings"], plant.machines, applied)
        found.append(observation)
    return found


def own_runs(site: Site, lanes: Lanes, own: OwnControls, show: Show) -> Watched:
    """Return what EnergyPlus does under its own controls.

    Args:
        site: The site, which EnergyPlus is built from.
        lanes: Weather and load.
        own: Its set-points.
        show: Told the days that are done.

    Raises:
        EnergyPlusError: EnergyPlus could not run.
    """
    begun = time.perf_counter()
    with ThreadPoolExecutor(OWN_AT_ONCE) as pool:
        jobs = [
            pool.submit(
                lambda c=c: _own_passage(list(own_run(site, c, own)), site, own)
            )
            for c in lanes.courses
        ]
        passages = tuple(job.result() for job in jobs)
    show(lanes.days)
    spent = (time.perf_counter() - begun) / lanes.days
    return Watched(passages, None, np.full(lanes.days, spent))


def _own_passage(rows: list[dict[str, float]], site: Site, own: OwnControls) -> Passage:
    readings, sizes = columns(rows), sizes_of(site.plant)
    heat = np.stack(
        [readings[f"chiller_heat{n}"] for n in range(sizes.chillers)], axis=1
    )
    machines = seen_machines(heat, readings["economizer_heat"])
    halls = range(sizes.halls)
    full = np.ones(len(rows))
    air = sizes.crah_air_flow / sizes.halls
    vectors = [
        *(own.supply_air * full for _ in halls),
        *(readings[f"crah_air{hall}"] / air for hall in halls),
        own.chw_supply * full,
        own.chw_pressure / 1e3 * full,
        readings["cw_flow"] / sizes.cw_flow,
        readings["tower_speed"],
        np.asarray(machines.commanded_count)[1:],
        np.asarray(machines.economizer)[1:],
    ]
    applied = np.stack(vectors, axis=1)
    assert applied.shape[1] == len(channel_array("ramp"))
    whole = np.concatenate([applied[:1], applied])
    return Passage(readings, whole, jax.device_get(machines))

"""Steps of 30 s against steps of 5 s, on weeks that an operator ran."""

import dataclasses
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from coolbound.validation.years import SETTLE_STEPS
from coolbound_envs.cooling import CoolingTask
from coolbound_envs.episode import TaskParams
from coolbound_envs.interval import SUBSTEPS, Summary, run_interval
from coolbound_envs.params import PlantParams
from coolbound_envs.scenario import Place
from coolbound_envs.state import Disturbance, PlantState
from coolbound_envs.types import Action, Controller

INLET_BOUND, POWER_BOUND = 0.05, 0.5
"""RMS difference of inlets [K]; difference of energy [%]."""

FINE = 60
"""Integration steps of an interval that count as exact: 5 s each. [1]"""

QUIET = 900.0
"""Time after a change of machines or mode that does not count as quiet. [s]"""

FORK = 24
"""Intervals that count as forked after the two had other machines on. [1]"""


@dataclasses.dataclass(frozen=True)
class Convergence:
    """What coarser steps change. Static.

    Attributes:
        days: Compared, all places together. [1]
        changes: Share of intervals within `QUIET` of a change. [%]
        forked: Share of intervals within `FORK` of other machines running: a
            threshold of the sequencer was crossed one interval later. [%]
        inlet_rms: Of the zones' inlets, all intervals. [K]
        inlet_rms_alike: The same without forked intervals. [K]
        inlet_worst_quiet: Largest difference of an inlet, quiet and not forked. [K]
        facility: Relative difference of facility energy. [%]
        cooling: Relative difference of mechanical energy. [%]
    """

    days: float
    changes: float
    forked: float
    inlet_rms: float
    inlet_rms_alike: float
    inlet_worst_quiet: float
    facility: float
    cooling: float


def compare_steps(
    operator: Controller, task: TaskParams, first_days: tuple[int, ...], days: int
) -> Convergence:
    """Replay an operator's set-points with both steps, one place after the other.

    Args:
        operator: Runs the plant at 30 s.
        task: Its scenario has one city for each place.
        first_days: Day of the year on which each city's account begins. [1]
        days: Length of each. [1]
    """
    start, actions, acting = _recorded(operator, task, first_days, days)
    coarse = _replayed(start, actions, acting, task.plant, SUBSTEPS)
    fine = _replayed(start, actions, acting, task.plant, FINE)
    gap = np.moveaxis(np.abs(coarse["inlet"] - fine["inlet"]), (1, 2), (-2, -1))
    is_alike = ~forked(coarse["machines"], fine["machines"])
    is_quiet = np.minimum(coarse["age"], fine["age"]) > QUIET
    energy = {
        name: 100.0 * float(np.sum(coarse[name]) / np.sum(fine[name]) - 1.0)
        for name in ("facility", "cooling")
    }
    return Convergence(
        days=float(days * len(first_days)),
        changes=100.0 * float(np.mean(~is_quiet)),
        forked=100.0 * float(np.mean(~is_alike)),
        inlet_rms=float(np.sqrt(np.mean(gap**2))),
        inlet_rms_alike=float(np.sqrt(np.mean(gap[is_alike] ** 2))),
        inlet_worst_quiet=float(np.max(gap[is_alike & is_quiet])),
        **energy,
    )


def forked(coarse: np.ndarray, fine: np.ndarray) -> np.ndarray:
    """Return True where machines differ or did within `FORK` intervals, (T, places)."""
    differs = coarse != fine
    last = np.where(differs, np.arange(len(differs))[:, None], -FORK)
    since = np.arange(len(differs))[:, None] - np.maximum.accumulate(last)
    return since < FORK


def _recorded(
    operator: Controller, task: TaskParams, first_days: tuple[int, ...], days: int
) -> tuple[PlantState, Action, Disturbance]:
    """Return the plant at the start, and what it was told and met, time first."""
    places = len(first_days)
    zero = jnp.zeros((places,), jnp.int32)
    place = Place(
        city=jnp.arange(places, dtype=jnp.int32),
        trace=zero,
        time=jnp.asarray(first_days, jnp.int32) * 86400,
        load_offset=zero,
    )
    environment = CoolingTask(settle_steps=SETTLE_STEPS)

    @jax.jit
    def run(key: jax.Array) -> tuple[PlantState, Any]:
        seen, state = environment.start_at(key, place, task)

        def body(carry: Any, key: jax.Array) -> tuple[Any, Any]:
            seen, state, memory = carry
            action, memory = operator.act(key, memory, seen)
            seen, state, *_, info = environment.step(key, state, action, task)
            return (seen, state, memory), (state.applied, info["disturbance"])

        keys = jax.random.split(key, days * 288)
        carry = (seen, state, operator.init((places,)))
        return state.plant, jax.lax.scan(body, carry, keys)[1]

    start, (actions, acting) = run(jax.random.key(0))
    return start, actions, acting


def _replayed(
    start: PlantState,
    actions: Action,
    acting: Disturbance,
    plant: PlantParams,
    substeps: int,
) -> dict[str, np.ndarray]:
    """Return inlets, powers, machines and the age of their mode, time first."""

    @jax.jit
    def run(start: PlantState, given: Any, plant: PlantParams) -> dict[str, jax.Array]:
        def body(state: PlantState, now: Any) -> tuple[PlantState, Any]:
            action, disturbance = now
            after, summary = run_interval(state, action, disturbance, plant, substeps)
            return after, _kept(after, summary)

        return jax.lax.scan(body, start, given)[1]

    kept = run(start, (actions, acting), plant)
    return {name: np.asarray(value, np.float64) for name, value in kept.items()}


def _kept(after: PlantState, summary: Summary) -> dict[str, jax.Array]:
    mean, sequencer = summary.mean, after.sequencer
    return {
        "inlet": mean.inlet_temp,
        "facility": mean.facility_power,
        "cooling": mean.mechanical_power,
        # One number for machines running and the economizer.
        "machines": sequencer.running_count + 10.0 * sequencer.economizer,
        "age": sequencer.mode_age,
    }

"""Steps of 30 s against steps of 5 s, on weeks that an operator ran."""

import dataclasses
import functools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from coolbound.validation.years import SETTLE_STEPS
from coolbound_envs.cooling import CoolingTask, TaskParams
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
"""Time since the last change of machines or mode from which an hour is quiet. [s]"""


@dataclasses.dataclass(frozen=True)
class Convergence:
    """What coarser steps change. Static.

    Attributes:
        days: Compared, all places together. [1]
        changes: Intervals within `QUIET` of a change of machines or mode. [1]
        inlet_rms: Of the zones' inlets. [K]
        inlet_worst_quiet: Largest difference of an inlet where it is quiet. [K]
        inlet_worst: Largest difference of an inlet. [K]
        facility: Relative difference of facility energy. [%]
        cooling: Relative difference of mechanical energy. [%]
    """

    days: float
    changes: int
    inlet_rms: float
    inlet_worst_quiet: float
    inlet_worst: float
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
    coarse, quiet = _replayed(start, actions, acting, task.plant, SUBSTEPS)
    fine, also_quiet = _replayed(start, actions, acting, task.plant, FINE)
    gap = np.abs(coarse["inlet"] - fine["inlet"])
    is_quiet = quiet & also_quiet
    energy = {
        name: 100.0 * (np.sum(coarse[name]) / np.sum(fine[name]) - 1.0)
        for name in ("facility", "cooling")
    }
    return Convergence(
        days=float(days * len(first_days)),
        changes=int(np.sum(~is_quiet)),
        inlet_rms=float(np.sqrt(np.mean(gap**2))),
        inlet_worst_quiet=float(np.max(np.moveaxis(gap, (1, 2), (-2, -1))[is_quiet])),
        inlet_worst=float(np.max(gap)),
        facility=float(energy["facility"]),
        cooling=float(energy["cooling"]),
    )


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
) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """Return inlets and powers, time first, and where it is quiet."""

    @functools.partial(jax.jit, static_argnames="substeps")
    def run(start: PlantState, given: Any, plant: PlantParams, substeps: int) -> Any:
        def body(state: PlantState, now: Any) -> tuple[PlantState, Any]:
            after, summary = run_interval(state, *now, plant, substeps)
            return after, (_kept(summary), after.sequencer.mode_age)

        return jax.lax.scan(body, start, given)[1]

    kept, age = run(start, (actions, acting), plant, substeps)
    kept = {name: np.asarray(value, np.float64) for name, value in kept.items()}
    return kept, np.asarray(age) > QUIET


def _kept(summary: Summary) -> dict[str, jax.Array]:
    mean = summary.mean
    return {
        "inlet": mean.inlet_temp,
        "facility": mean.facility_power,
        "cooling": mean.mechanical_power,
    }

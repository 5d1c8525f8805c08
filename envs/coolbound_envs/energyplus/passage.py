"""A whole run on EnergyPlus as arrays, and which machines ran in it."""

import dataclasses
from collections.abc import Mapping, Sequence

import jax
import jax.numpy as jnp
import numpy as np

from coolbound_envs.energyplus.course import STEP
from coolbound_envs.sequencer import AGE_MAX, SequencerState

HEAT_LEAST = 1.0
"""A machine with less heat than this stands still. [W]"""


@dataclasses.dataclass(frozen=True)
class Passage:
    """One run of T intervals. Static.

    Attributes:
        readings: What EnergyPlus told, by name, each (T,), SI units.
        applied: Set-points in force, first those before the run, (T + 1, 10).
            [each channel's unit]
        machines: What was commanded before the run and after each interval, time
            last: (chillers, T + 1), (T + 1,).
    """

    readings: Mapping[str, np.ndarray]
    applied: np.ndarray
    machines: SequencerState

    @property
    def steps(self) -> int:
        """Control intervals [1]."""
        return len(self.applied) - 1


def columns(rows: Sequence[Mapping[str, float]]) -> dict[str, np.ndarray]:
    """Return the rows of a run as one array for each name."""
    return {name: np.asarray([row[name] for row in rows]) for name in rows[0]}


def stacked(states: Sequence[SequencerState]) -> SequencerState:
    """Return states of one plant as one, time last."""
    return jax.tree.map(lambda *x: np.stack(x, axis=-1).astype(np.float32), *states)


def seen_machines(heat: np.ndarray, economizer: np.ndarray) -> SequencerState:
    """Return the machines of a plant without timers, from what was seen of them.

    The plant has stood as in its first interval before the run.

    Args:
        heat: Of each machine, (T, chillers). [W]
        economizer: That it moves, (T,). [W]
    """
    running = (heat > HEAT_LEAST).astype(np.float32)
    free = (economizer > HEAT_LEAST).astype(np.float32)
    running, free = (np.concatenate([x[:1], x]) for x in (running, free))
    count = running.shape[1]
    ages = {name: np.full((len(free), count), AGE_MAX, np.float32) for name in ("own",)}
    ages |= {
        name: np.full(len(free), AGE_MAX, np.float32)
        for name in ("economizer", "stage", "start", "second")
    }
    for now in range(1, len(free)):
        _grow_older(ages, running, free, now)
    return SequencerState(
        commanded=jnp.asarray(running.T),
        machine_age=jnp.asarray(ages["own"].T),
        ramp=jnp.asarray(running.T),
        valve=jnp.asarray(running.T),
        economizer=jnp.asarray(free),
        economizer_position=jnp.asarray(free),
        economizer_age=jnp.asarray(ages["economizer"]),
        stage_age=jnp.asarray(ages["stage"]),
        start_age=jnp.asarray(ages["start"]),
        start_age_second=jnp.asarray(ages["second"]),
        lockout=jnp.zeros(running.T.shape, jnp.float32),
        protective=jnp.zeros(running.T.shape, jnp.float32),
    )


def _grow_older(
    ages: dict[str, np.ndarray], running: np.ndarray, free: np.ndarray, now: int
) -> None:
    """Write the ages at the end of an interval, one place on."""
    moved = running[now] != running[now - 1]
    has_started = bool(np.any(running[now] > running[now - 1]))
    before = {name: age[now - 1] for name, age in ages.items()}
    begun = {
        "own": np.where(moved, 0.0, before["own"]),
        "economizer": 0.0 if free[now] != free[now - 1] else before["economizer"],
        "stage": 0.0 if np.any(moved) else before["stage"],
        "start": 0.0 if has_started else before["start"],
        "second": before["start"] if has_started else before["second"],
    }
    for name, age in begun.items():
        ages[name][now] = np.minimum(age + STEP, AGE_MAX)

"""What the second check remembers: readings, inlets, and who was started when.

It shares nothing with the estimator of the envelope, so that a fault in one does
not repeat in the other. Ages of machines come from the counts that instruments
show: the sequencer's own rule (the one that rested longest starts, the one that
ran longest stops) is replayed on three slots.
"""

import dataclasses
from typing import Final

import jax
import jax.numpy as jnp
from flax import struct

from coolbound_envs.interval import CONTROL_INTERVAL
from coolbound_envs.params import PlantParams
from coolbound_envs.sequencer import AGE_MAX
from coolbound_envs.spec import CHILLERS, HALLS, OBSERVATION_SIZE, POINT_INDEX, ZONES
from coolbound_envs.types import Observation, Quality, Scalar

HISTORY: Final = 3
"""Intervals of inlet temperature that are kept: 15 min. [1]"""

HELD: Final = 900.0
"""A reading that does not arrive is held this long, then it is none. [s]"""

GAP_MAX: Final = 3600.0
"""Two observations further apart are not one story. [s]"""


@struct.dataclass
class Record:
    """Memory of the second check, one plant. Dynamic.

    Attributes:
        value: Last usable readings, NaN where there was none, shape (P,).
            [each point's unit]
        age: Time since they were taken, shape (P,). [s]
        inlets: Zone inlets, newest first, shape (3, halls, zones). [degC]
        supply_change: Of the supply air since the observation before, NaN where
            not known, shape (halls,). [K]
        commanded: 1 where a slot is told to run, shape (chillers,). [1]
        machine_age: Since each slot's last change, shape (chillers,). [s]
        lockout: Time until a slot that tripped may start, shape (chillers,). [s]
        stage_age: Since the last change of any machine. [s]
        start_age: Since the last start. [s]
        start_age_second: Since the start before that. [s]
        economizer: 1 while the economizer is told to run. [1]
        economizer_age: Since its last change. [s]
        time: Of the last observation, since the year began. [s]
        watched: How long the record spans without a gap. [s]
    """

    value: jax.Array
    age: jax.Array
    inlets: jax.Array
    supply_change: jax.Array
    commanded: jax.Array
    machine_age: jax.Array
    lockout: jax.Array
    stage_age: jax.Array
    start_age: jax.Array
    start_age_second: jax.Array
    economizer: jax.Array
    economizer_age: jax.Array
    time: jax.Array
    watched: jax.Array


def empty_record() -> Record:
    """Return a record that has seen nothing; every timer has long run out."""
    long_ago = jnp.asarray(AGE_MAX, jnp.float32)
    none = jnp.asarray(jnp.nan, jnp.float32)
    each = jnp.zeros(CHILLERS, jnp.float32)
    return Record(
        value=jnp.full(OBSERVATION_SIZE, jnp.nan, jnp.float32),
        age=jnp.full(OBSERVATION_SIZE, AGE_MAX, jnp.float32),
        inlets=jnp.full((HISTORY, HALLS, ZONES), jnp.nan, jnp.float32),
        supply_change=jnp.full(HALLS, jnp.nan, jnp.float32),
        commanded=each + none,
        machine_age=each + long_ago,
        lockout=each,
        stage_age=long_ago,
        start_age=long_ago,
        start_age_second=long_ago,
        economizer=none,
        economizer_age=long_ago,
        time=none,
        watched=jnp.zeros((), jnp.float32),
    )


def remember(record: Record, observation: Observation, plant: PlantParams) -> Record:
    """Return the record after one more observation of one plant.

    A reading that is missing, BAD or not finite leaves the last usable one, older,
    until that is older than `HELD`.
    """
    passed = observation.time - record.time
    is_next = (passed > 0.0) & (passed <= GAP_MAX)
    passed = jnp.where(is_next, passed, CONTROL_INTERVAL)
    usable = jnp.isfinite(observation.value) & jnp.isfinite(observation.age)
    usable = usable & (observation.quality >= int(Quality.UNCERTAIN))
    value = jnp.where(usable, observation.value, record.value)
    age = jnp.where(usable, observation.age, record.age + passed)
    value = jnp.where(age <= HELD, value, jnp.nan)
    supply = [POINT_INDEX[f"supply_air_temp_hall{h + 1}"] for h in range(HALLS)]
    change = [value[i] - record.value[i] for i in supply]
    moved = dataclasses.replace(
        record,
        value=value,
        age=jnp.minimum(age, AGE_MAX),
        inlets=jnp.concatenate([_inlets(value)[None], record.inlets[:-1]]),
        supply_change=jnp.stack(change),
        time=observation.time,
        watched=jnp.where(is_next, record.watched + passed, 0.0),
    )
    moved = _machines(moved, observation.applied[8], passed, plant)
    return _economizer(moved, passed)


def _inlets(value: jax.Array) -> jax.Array:
    """Return the zones' inlets of all readings, shape (halls, zones) [degC]."""
    rows = [
        jnp.stack(
            [
                value[POINT_INDEX[f"inlet_temp_hall{h + 1}_zone{z + 1}"]]
                for z in range(ZONES)
            ]
        )
        for h in range(HALLS)
    ]
    return jnp.stack(rows)


def _older(age: jax.Array, passed: Scalar) -> jax.Array:
    return jnp.minimum(age + passed, AGE_MAX)


def _ranked(age: jax.Array, eligible: jax.Array, count: Scalar) -> jax.Array:
    """Return 1 for the `count` eligible slots of greatest age, (chillers,) [1]."""
    order = jnp.arange(CHILLERS, dtype=age.dtype)
    score = jnp.where(eligible, age - 1e-2 * order, -1.0)
    above = jnp.sum((score[None, :] > score[:, None]).astype(age.dtype), axis=1)
    return (eligible & (above < count)).astype(age.dtype)


def _machines(
    record: Record, asked: Scalar, passed: Scalar, plant: PlantParams
) -> Record:
    """Replay on the slots what the counts say has happened.

    A change is as old as the interval in which it was seen. A machine that went
    although it was asked for has tripped.
    """
    running = record.value[POINT_INDEX["chillers_running"]]
    seen = jnp.round(running + record.value[POINT_INDEX["chillers_starting"]])
    first = ~jnp.isfinite(record.commanded[0])
    slots = jnp.arange(CHILLERS, dtype=seen.dtype)
    fresh = (slots < seen).astype(seen.dtype)
    before = jnp.where(first, fresh, record.commanded)
    change = jnp.where(jnp.isfinite(seen), seen - jnp.sum(before), 0.0)
    age = _older(record.machine_age, passed)
    is_on = before > 0.5
    lockout = jnp.maximum(record.lockout - passed, 0.0)
    start = _ranked(age, ~is_on & (lockout <= 0.0), jnp.maximum(change, 0.0))
    stop = _ranked(age, is_on, jnp.maximum(-change, 0.0))
    moves = start + stop > 0.0
    has_tripped = (jnp.sum(stop) > 0.0) & (asked > seen + 0.6)
    reset = jnp.where(has_tripped, plant.sequencer.trip_reset, 0.0)
    has_started = jnp.sum(start) > 0.0
    starts = _older(record.start_age, passed)
    second = _older(record.start_age_second, passed)
    commanded = jnp.where(jnp.isfinite(seen), before + start - stop, record.commanded)
    return dataclasses.replace(
        record,
        commanded=commanded,
        machine_age=jnp.where(moves, passed, age),
        lockout=jnp.where(stop > 0.5, reset, lockout),
        stage_age=jnp.where(jnp.any(moves), passed, _older(record.stage_age, passed)),
        start_age=jnp.where(has_started, passed, starts),
        start_age_second=jnp.where(has_started, starts, second),
    )


def _economizer(record: Record, passed: Scalar) -> Record:
    seen = record.value[POINT_INDEX["economizer_running"]]
    has_moved = jnp.abs(seen - record.economizer) > 0.5
    age = _older(record.economizer_age, passed)
    return dataclasses.replace(
        record,
        economizer=jnp.where(jnp.isfinite(seen), seen, record.economizer),
        economizer_age=jnp.where(has_moved, passed, age),
    )

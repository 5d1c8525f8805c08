"""What is out of order in one control interval, given a schedule of faults.

Overlapping faults of one kind add up where they are shares or sizes. An interval
counts as struck when the fault touches any of it; shares of load and heat are
exact means over the interval. A power dip begins with the interval in which its
start lies, and its seconds are counted exactly. Faults of instruments act on the
reading taken at the end of every interval that they touch.
"""

import dataclasses
from collections.abc import Callable

import jax
import jax.numpy as jnp
from flax import struct

from coolbound_envs.fault_events import FaultSchedule
from coolbound_envs.fault_kinds import DAY, KINDS, SITE, FaultKind
from coolbound_envs.faults import PlantFaults, no_faults
from coolbound_envs.interval import CONTROL_INTERVAL
from coolbound_envs.spec import CHILLERS, HALLS, OBSERVATION_SIZE


@struct.dataclass
class SensorFaults:
    """What is wrong with the instruments in one interval, (P, ...). Dynamic.

    Attributes:
        bias: Readings are off by this, drift included. [each point's unit]
        stuck: 1 where an instrument repeats its last reading. [1]
        dropout: Probability that a reading does not arrive. [1]
        delay: Control intervals that a reading arrives late. [1]
    """

    bias: jax.Array
    stuck: jax.Array
    dropout: jax.Array
    delay: jax.Array


@struct.dataclass
class ActiveFaults:
    """All that is out of order in one interval. Dynamic.

    Attributes:
        plant: Equipment.
        sensors: Instruments.
        load_factor: IT work over what it would be, (halls, ...). [1]
        dry_bulb_offset: Outdoor air is warmer by this. [K]
    """

    plant: PlantFaults
    sensors: SensorFaults
    load_factor: jax.Array
    dry_bulb_offset: jax.Array


def faults_at(schedule: FaultSchedule, seconds: jax.Array) -> ActiveFaults:
    """Return what is out of order in the interval that begins at a time.

    Args:
        schedule: Shape (E, ...).
        seconds: From the episode's beginning to the interval's; negative before
            it, where nothing is out of order. Batch shape (...). [s]
    """

    def add(total: ActiveFaults, event: FaultSchedule) -> tuple[ActiveFaults, None]:
        return _together(total, _strike(event, seconds)), None

    # One event after the other: what one of them touches stays in the cache.
    total, _ = jax.lax.scan(add, _in_order(seconds.shape), schedule)
    shares = jax.tree.map(lambda share: jnp.minimum(share, 1.0), total.plant)
    plant = dataclasses.replace(shares, power_lost=total.plant.power_lost)
    load = jnp.maximum(total.load_factor, 0.0)
    return dataclasses.replace(total, plant=plant, load_factor=load)


def _in_order(shape: tuple[int, ...]) -> ActiveFaults:
    none = jnp.zeros((OBSERVATION_SIZE, *shape), jnp.float32)
    return ActiveFaults(
        plant=no_faults(shape),
        sensors=SensorFaults(bias=none, stuck=none, dropout=none, delay=none),
        load_factor=jnp.ones((HALLS, *shape), jnp.float32),
        dry_bulb_offset=jnp.zeros(shape, jnp.float32),
    )


def _together(one: ActiveFaults, other: ActiveFaults) -> ActiveFaults:
    """Return both: shares and sizes add up, of the rest the worst counts."""
    added = jax.tree.map(jnp.add, one, other)
    worst = jax.tree.map(jnp.maximum, one, other)
    return dataclasses.replace(
        added,
        plant=dataclasses.replace(added.plant, power_lost=worst.plant.power_lost),
        sensors=dataclasses.replace(worst.sensors, bias=added.sensors.bias),
    )


def _strike(event: FaultSchedule, begin: jax.Array) -> ActiveFaults:
    """Return what one event does alone, each lane its own; load as a change."""
    touches = (event.start < begin + CONTROL_INTERVAL) & (
        event.start + event.duration > begin
    )

    def on(kind: FaultKind, strength: jax.Array | float = 1.0) -> jax.Array:
        return jnp.where((event.kind == int(kind)) & touches, strength, 0.0)

    def aimed(strength: jax.Array, count: int) -> jax.Array:
        return jnp.where(_is_aimed(event, count), strength[None], 0.0)

    size = event.size
    gradual = size * _level(event, begin)
    is_load = event.kind == int(FaultKind.LOAD_STEP)
    is_heat = event.kind == int(FaultKind.HEAT_WAVE)
    return ActiveFaults(
        plant=PlantFaults(
            chiller_tripped=aimed(on(FaultKind.CHILLER_TRIP), CHILLERS),
            crah_lost=aimed(on(FaultKind.CRAH_LOSS, size), HALLS),
            valve_stuck=aimed(on(FaultKind.STUCK_VALVE), HALLS),
            chw_pump_lost=on(FaultKind.CHW_PUMP_LOSS, size),
            cw_pump_lost=on(FaultKind.CW_PUMP_LOSS, size),
            tower_cell_lost=on(FaultKind.TOWER_CELL_LOSS, size),
            power_lost=_power_lost(event, begin),
        ),
        sensors=SensorFaults(
            bias=aimed(_bias(event, begin, on), OBSERVATION_SIZE),
            stuck=aimed(on(FaultKind.SENSOR_STUCK), OBSERVATION_SIZE),
            dropout=aimed(on(FaultKind.SENSOR_DROPOUT, size), OBSERVATION_SIZE),
            delay=aimed(on(FaultKind.SENSOR_LATE, size), OBSERVATION_SIZE),
        ),
        load_factor=jnp.where(
            _is_aimed(event, HALLS) | (event.target == SITE)[None],
            jnp.where(is_load, gradual, 0.0)[None],
            0.0,
        ),
        dry_bulb_offset=jnp.where(is_heat, gradual, 0.0),
    )


def _is_aimed(event: FaultSchedule, count: int) -> jax.Array:
    """Return whether an event strikes each of some targets, shape (count, ...)."""
    codes = jnp.arange(count, dtype=jnp.int32)
    codes = codes.reshape((count,) + (1,) * event.target.ndim)
    return event.target[None] == codes


def _bias(
    event: FaultSchedule, begin: jax.Array, on: Callable[..., jax.Array]
) -> jax.Array:
    """Return by how much a reading at the interval's end is off [the point's unit]."""
    days = jnp.maximum(begin + CONTROL_INTERVAL - event.start, 0.0) / DAY
    drift = on(FaultKind.SENSOR_DRIFT, days * event.size)
    return on(FaultKind.SENSOR_BIAS, event.size) + drift


def _power_lost(event: FaultSchedule, begin: jax.Array) -> jax.Array:
    """Return the time without power from the interval's beginning [s]."""
    rounded = jnp.floor(event.start / CONTROL_INTERVAL) * CONTROL_INTERVAL
    left = jnp.clip(rounded + event.duration - begin, 0.0, CONTROL_INTERVAL)
    is_dip = (event.kind == int(FaultKind.POWER_DIP)) & (begin >= rounded)
    return jnp.where(is_dip, left, 0.0)


def _level(event: FaultSchedule, begin: jax.Array) -> jax.Array:
    """Return the mean share of its size that a gradual fault has in the interval [1].

    It grows linearly in its kind's ramp from its start, and falls as fast from
    the end of its duration on: the exact integral of that, over the interval.
    """
    slow, fast = KINDS[FaultKind.HEAT_WAVE].ramp, KINDS[FaultKind.LOAD_STEP].ramp
    ramp = jnp.where(event.kind == int(FaultKind.HEAT_WAVE), slow, fast)

    def grown(since: jax.Array) -> jax.Array:
        within = jnp.clip(since, 0.0, ramp)
        return within * within * (0.5 / ramp) + jnp.maximum(since - ramp, 0.0)

    def level(since: jax.Array) -> jax.Array:
        # Long after its start the level is 1 exactly, whatever the rounding.
        since = jnp.clip(since, -CONTROL_INTERVAL, ramp)
        return (grown(since + CONTROL_INTERVAL) - grown(since)) / CONTROL_INTERVAL

    since = begin - event.start
    return jnp.maximum(level(since) - level(since - event.duration), 0.0)

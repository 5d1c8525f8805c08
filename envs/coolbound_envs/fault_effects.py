"""What is out of order in one control interval, given a schedule of faults.

Overlapping faults of one kind add up where they are shares or sizes. An interval
counts as struck when the fault touches any of it; shares of load and heat are
exact means over the interval. A power dip begins with the interval in which its
start lies, and its seconds are counted exactly. Faults of instruments act on the
reading taken at the end of every interval that they touch.
"""

import jax
import jax.numpy as jnp
from flax import struct

from coolbound_envs.fault_events import FaultSchedule
from coolbound_envs.fault_kinds import DAY, KINDS, SITE, FaultKind
from coolbound_envs.faults import PlantFaults
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
    begin = seconds[None]
    touches = (schedule.start < begin + CONTROL_INTERVAL) & (
        schedule.start + schedule.duration > begin
    )
    weight = touches.astype(jnp.float32)
    return ActiveFaults(
        plant=_plant_faults(schedule, weight, begin),
        sensors=_sensor_faults(schedule, weight, begin),
        load_factor=_load_factor(schedule, begin),
        dry_bulb_offset=jnp.sum(
            _is(schedule, FaultKind.HEAT_WAVE)
            * schedule.size
            * _level(schedule, begin, KINDS[FaultKind.HEAT_WAVE].ramp),
            axis=0,
        ),
    )


def _is(schedule: FaultSchedule, kind: FaultKind) -> jax.Array:
    return (schedule.kind == int(kind)).astype(jnp.float32)


def _aimed(schedule: FaultSchedule, count: int) -> jax.Array:
    """Return 1 where an event strikes a target, shape (E, count, ...) [1]."""
    codes = jnp.arange(count, dtype=jnp.int32)
    codes = codes.reshape((1, count) + (1,) * (schedule.target.ndim - 1))
    return (schedule.target[:, None] == codes).astype(jnp.float32)


def _plant_faults(
    schedule: FaultSchedule, weight: jax.Array, begin: jax.Array
) -> PlantFaults:
    def strikes(kind: FaultKind, each: jax.Array) -> jax.Array:
        return _is(schedule, kind) * weight * each

    def total(kind: FaultKind) -> jax.Array:
        return jnp.minimum(jnp.sum(strikes(kind, schedule.size), axis=0), 1.0)

    def on(kind: FaultKind, each: jax.Array, count: int) -> jax.Array:
        struck = strikes(kind, each)[:, None] * _aimed(schedule, count)
        return jnp.minimum(jnp.sum(struck, axis=0), 1.0)

    one = jnp.ones_like(schedule.size)
    return PlantFaults(
        chiller_tripped=on(FaultKind.CHILLER_TRIP, one, CHILLERS),
        crah_lost=on(FaultKind.CRAH_LOSS, schedule.size, HALLS),
        valve_stuck=on(FaultKind.STUCK_VALVE, one, HALLS),
        chw_pump_lost=total(FaultKind.CHW_PUMP_LOSS),
        cw_pump_lost=total(FaultKind.CW_PUMP_LOSS),
        tower_cell_lost=total(FaultKind.TOWER_CELL_LOSS),
        power_lost=_power_lost(schedule, begin),
    )


def _power_lost(schedule: FaultSchedule, begin: jax.Array) -> jax.Array:
    """Return the time without power from the interval's beginning [s]."""
    rounded = jnp.floor(schedule.start / CONTROL_INTERVAL) * CONTROL_INTERVAL
    left = jnp.clip(rounded + schedule.duration - begin, 0.0, CONTROL_INTERVAL)
    lost = jnp.where(begin >= rounded, left, 0.0)
    return jnp.max(_is(schedule, FaultKind.POWER_DIP) * lost, axis=0, initial=0.0)


def _level(schedule: FaultSchedule, begin: jax.Array, ramp: float) -> jax.Array:
    """Return the mean share of its size that a ramped fault has in the interval [1].

    It grows linearly for `ramp` seconds from its start, and falls as fast from
    the end of its duration on: the exact integral of that, over the interval.
    """

    def grown(since: jax.Array) -> jax.Array:
        within = jnp.clip(since, 0.0, ramp)
        return within * within * (0.5 / ramp) + jnp.maximum(since - ramp, 0.0)

    def mean(since: jax.Array) -> jax.Array:
        return (grown(since + CONTROL_INTERVAL) - grown(since)) / CONTROL_INTERVAL

    def up(since: jax.Array) -> jax.Array:
        # Long after its start the level is 1 exactly, whatever the rounding.
        return mean(jnp.clip(since, -CONTROL_INTERVAL, ramp))

    since = begin - schedule.start
    return jnp.maximum(up(since) - up(since - schedule.duration), 0.0)


def _load_factor(schedule: FaultSchedule, begin: jax.Array) -> jax.Array:
    """Return IT work over what it would be, (halls, ...) [1]."""
    kind = FaultKind.LOAD_STEP
    step = (
        _is(schedule, kind) * schedule.size * _level(schedule, begin, KINDS[kind].ramp)
    )
    everywhere = (schedule.target == SITE).astype(jnp.float32)[:, None]
    aimed = jnp.maximum(_aimed(schedule, HALLS), everywhere)
    return jnp.maximum(1.0 + jnp.sum(step[:, None] * aimed, axis=0), 0.0)


def _sensor_faults(
    schedule: FaultSchedule, weight: jax.Array, begin: jax.Array
) -> SensorFaults:
    days = jnp.maximum(begin + CONTROL_INTERVAL - schedule.start, 0.0) / DAY
    bias = _is(schedule, FaultKind.SENSOR_BIAS) + days * _is(
        schedule, FaultKind.SENSOR_DRIFT
    )
    aimed = _aimed(schedule, OBSERVATION_SIZE)

    def spread(each: jax.Array) -> jax.Array:
        return (weight * each)[:, None] * aimed

    def worst(kind: FaultKind, each: jax.Array | float) -> jax.Array:
        struck = spread(_is(schedule, kind) * each)
        return jnp.max(struck, axis=0, initial=0.0)

    return SensorFaults(
        bias=jnp.sum(spread(bias * schedule.size), axis=0),
        stuck=worst(FaultKind.SENSOR_STUCK, 1.0),
        dropout=worst(FaultKind.SENSOR_DROPOUT, schedule.size),
        delay=worst(FaultKind.SENSOR_LATE, schedule.size),
    )

"""Instruments: what a state looks like through noise, steps and drop-outs.

An instrument does not know its own faults. A stuck, biased or drifting one is
flagged GOOD, with the age of its last reading, exactly as a sound one; only what
a building automation system can see is told: readings that do not arrive or
arrive late grow old, and those beyond the instrument's range are BAD.
"""

import jax
import jax.numpy as jnp
import numpy as np
from flax import struct

from coolbound_envs.fault_effects import SensorFaults
from coolbound_envs.fault_kinds import DAY, LATE_MAX
from coolbound_envs.interval import CONTROL_INTERVAL, Summary
from coolbound_envs.spec import OBSERVATION_SIZE, POINT_NAMES, point_array
from coolbound_envs.state import Disturbance, PlantState
from coolbound_envs.types import Action, Key, Observation, Quality, action_to_vector

OVER_RANGE = 0.025
"""A reading this share of the span beyond the range's ends is BAD: NAMUR NE 43
calls 2.5 % below and 6.25 % above a failure; within, the converter's end holds. [1]"""


def _none() -> jax.Array:
    return jnp.zeros((), jnp.float32)


@struct.dataclass
class SensorParams:
    """How good the instruments are. Dynamic.

    Each is one number for all points, or an array with a leading axis of points,
    (P, ...).

    Attributes:
        noise: Factor on every instrument's own noise. [1]
        dropout: Probability that a reading does not arrive. [1]
        bias: Readings are off by this. [each point's unit]
        drift: Readings go off by this a day from the episode's beginning.
            [each point's unit]
        delay: Control intervals that readings arrive late, 0 to 3. [1]
    """

    noise: jax.Array
    dropout: jax.Array
    bias: jax.Array = struct.field(default_factory=_none)
    drift: jax.Array = struct.field(default_factory=_none)
    delay: jax.Array = struct.field(default_factory=_none)


@struct.dataclass
class SensorState:
    """The last readings that arrived, and those on their way. Dynamic.

    Attributes:
        value: Readings, before the ends of their range, NaN where none has ever
            arrived, shape (P, ...). [each point's unit]
        age: Time since they were taken, shape (P, ...). [s]
        recent: What the instruments gave in the last intervals, newest first, NaN
            before the first, shape (3, P, ...). [each point's unit]
    """

    value: jax.Array
    age: jax.Array
    recent: jax.Array


def no_readings(shape: tuple[int, ...] = ()) -> SensorState:
    """Return instruments that have given nothing yet, for a batch of that shape."""
    never = jnp.full((OBSERVATION_SIZE, *shape), jnp.nan, jnp.float32)
    return SensorState(
        value=never,
        age=jnp.zeros_like(never),
        recent=jnp.broadcast_to(never, (LATE_MAX, *never.shape)),
    )


def true_points(
    state: PlantState, summary: Summary, disturbance: Disturbance
) -> jax.Array:
    """Return every point's true value, shape (P, ...), in the points' units.

    Powers and flows are means over the interval, as meters give them;
    temperatures are those at its end.
    """
    mean = summary.mean
    machines = state.sequencer
    starting = machines.commanded_count - machines.running_count
    inlet = mean.inlet_temp
    rows = {
        "it_power": mean.it_power / 1e3,
        "supply_air_temp": state.supply_air_temp,
        "return_air_temp": state.return_air_temp,
        "crah_valve": state.valve,
        "crah_fan_power": mean.crah_power / 1e3,
        "room_dew_point": jnp.broadcast_to(state.room_dew_point, mean.it_power.shape),
        "chw_supply_temp": state.supply_pipe_temp[0],
        "chw_return_temp": state.buffer_temp,
        "chw_flow": mean.chw_flow,
        "chw_pressure": mean.chw_pressure / 1e3,
        "chw_pump_power": mean.chw_pump_power / 1e3,
        "cw_supply_temp": state.basin_temp,
        "cw_return_temp": mean.cw_leaving_temp,
        "cw_flow": mean.cw_flow,
        "cw_pump_power": mean.cw_pump_power / 1e3,
        "tower_fan_power": mean.tower_power / 1e3,
        "chillers_running": machines.running_count,
        "chillers_starting": jnp.maximum(starting, 0.0),
        "chiller_power": mean.chiller_power / 1e3,
        "economizer_running": machines.economizer,
        "outdoor_temp": disturbance.dry_bulb,
        "outdoor_wet_bulb": disturbance.wet_bulb,
        "facility_power": mean.facility_power / 1e3,
    }
    return jnp.stack([_pick(name, rows, inlet) for name in POINT_NAMES])


def _pick(name: str, rows: dict[str, jax.Array], inlet: jax.Array) -> jax.Array:
    """Return the row of a point; halls and zones are parts of its name."""
    if name in rows:
        return rows[name]
    stem, _, place = name.partition("_hall")
    hall = int(place[0]) - 1
    if stem == "inlet_temp":
        return inlet[hall, int(place.removeprefix(f"{hall + 1}_zone")) - 1]
    return rows[stem][hall]


def _per_point(numbers: jax.Array | np.ndarray, like: jax.Array) -> jax.Array:
    """Return one number, or one for each point, shaped to broadcast to (P, ...)."""
    column = jnp.asarray(numbers, like.dtype)
    return column.reshape(column.shape + (1,) * (like.ndim - column.ndim))


def measure(
    key: Key,
    state: SensorState,
    truth: jax.Array,
    params: SensorParams,
    faults: SensorFaults,
    elapsed: jax.Array,
) -> jax.Array:
    """Return what the instruments give, shape (P, ...), in the points' units.

    Truth, bias, drift and Gaussian noise, rounded to the instrument's resolution;
    or, where it is stuck, what it gave before.

    Args:
        key: Of the noise.
        state: The readings so far.
        truth: Every point's true value, shape (P, ...).
        params: How good the instruments are.
        faults: What is wrong with them.
        elapsed: Since the episode began, batch shape (...). [s]
    """
    deviation = _per_point(point_array("noise"), truth)
    step = _per_point(point_array("resolution"), truth)
    days = jnp.maximum(elapsed, 0.0)[None] / DAY
    drift = _per_point(params.drift, truth) * days
    offset = _per_point(params.bias, truth) + drift + faults.bias
    noise = jax.random.normal(key, truth.shape, truth.dtype)
    noisy = truth + offset + _per_point(params.noise, truth) * deviation * noise
    rounded = jnp.where(step > 0.0, jnp.round(noisy / step) * step, noisy)
    return jnp.where(faults.stuck > 0.5, state.recent[0], rounded)


def receive(
    key: Key,
    state: SensorState,
    measured: jax.Array,
    params: SensorParams,
    faults: SensorFaults,
) -> SensorState:
    """Return the readings after what was under way has arrived or not.

    A reading that arrives k intervals late is k intervals old when it does. One
    that does not arrive, or that is older than the last that did, leaves that one,
    an interval older.

    Args:
        key: Of what is lost.
        state: The readings so far.
        measured: What the instruments gave now, shape (P, ...).
        params: How good the instruments are.
        faults: What is wrong with them.
    """
    late = jnp.clip(_per_point(params.delay, measured) + faults.delay, 0.0, LATE_MAX)
    late = jnp.round(late)
    arriving = measured
    for k in range(LATE_MAX):
        arriving = jnp.where(late == k + 1.0, state.recent[k], arriving)
    chance = _per_point(params.dropout, measured)
    chance = chance + faults.dropout - chance * faults.dropout
    is_lost = jax.random.uniform(key, measured.shape, measured.dtype) < chance
    older = state.age + CONTROL_INTERVAL
    age = late * CONTROL_INTERVAL
    is_newer = (age < older) | ~jnp.isfinite(state.value)
    arrives = jnp.isfinite(arriving) & is_newer & ~is_lost
    return SensorState(
        value=jnp.where(arrives, arriving, state.value),
        age=jnp.where(arrives, age, older),
        recent=jnp.concatenate([measured[None], state.recent[:-1]], axis=0),
    )


def read_points(
    key: Key,
    state: SensorState,
    truth: jax.Array,
    params: SensorParams,
    faults: SensorFaults,
    elapsed: jax.Array,
) -> SensorState:
    """Return the readings after one interval: measured, sent, received or not.

    Args:
        key: Of noise and losses.
        state: The readings so far.
        truth: Every point's true value, shape (P, ...), in the points' units.
        params: How good the instruments are.
        faults: What is wrong with them.
        elapsed: Since the episode began, batch shape (...). [s]
    """
    noise_key, drop_key = jax.random.split(key)
    measured = measure(noise_key, state, truth, params, faults, elapsed)
    return receive(drop_key, state, measured, params, faults)


def observe(state: SensorState, applied: Action, time: jax.Array) -> Observation:
    """Return the observation, point and channel axes last.

    A reading older than two intervals is UNCERTAIN; one well beyond the range of
    its instrument is BAD and stands at the range's end, as a converter leaves it;
    one that never arrived is NaN and MISSING.
    """
    lower = _per_point(point_array("lower"), state.value)
    upper = _per_point(point_array("upper"), state.value)
    beyond = OVER_RANGE * (upper - lower)
    is_beyond = (state.value < lower - beyond) | (state.value > upper + beyond)
    is_old = state.age > 2.0 * CONTROL_INTERVAL
    quality = jnp.where(is_old, int(Quality.UNCERTAIN), int(Quality.GOOD))
    quality = jnp.where(is_beyond, int(Quality.BAD), quality)
    quality = jnp.where(jnp.isfinite(state.value), quality, int(Quality.MISSING))
    return Observation(
        value=jnp.moveaxis(jnp.clip(state.value, lower, upper), 0, -1),
        quality=jnp.moveaxis(quality.astype(jnp.int32), 0, -1),
        age=jnp.moveaxis(state.age, 0, -1),
        applied=action_to_vector(applied),
        time=time,
    )

"""Instruments: what a state looks like through noise, steps and drop-outs."""

import jax
import jax.numpy as jnp
from flax import struct

from coolbound_envs.interval import CONTROL_INTERVAL, Summary
from coolbound_envs.spec import OBSERVATION_SIZE, POINT_NAMES, point_array
from coolbound_envs.state import Disturbance, PlantState
from coolbound_envs.types import Action, Key, Observation, Quality, action_to_vector


@struct.dataclass
class SensorParams:
    """How good the instruments are. Dynamic.

    Attributes:
        noise: Factor on every instrument's own noise. [1]
        dropout: Probability that a reading does not arrive. [1]
    """

    noise: jax.Array
    dropout: jax.Array


@struct.dataclass
class SensorState:
    """The last readings that arrived. Dynamic.

    Attributes:
        value: Readings, shape (P, ...). [each point's unit]
        age: Time since they were taken, shape (P, ...). [s]
    """

    value: jax.Array
    age: jax.Array


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


def read_points(
    key: Key, state: SensorState, truth: jax.Array, params: SensorParams
) -> SensorState:
    """Return the readings after one interval.

    A reading is truth plus Gaussian noise, rounded to the instrument's
    resolution and kept within its range, as a converter does. One that does not
    arrive leaves the last one, older.
    """
    shape = (OBSERVATION_SIZE,) + (1,) * (truth.ndim - 1)
    noise_key, drop_key = jax.random.split(key)
    deviation = jnp.asarray(point_array("noise"), truth.dtype).reshape(shape)
    resolution = point_array("resolution")
    step = jnp.asarray(resolution, truth.dtype).reshape(shape)
    noise = jax.random.normal(noise_key, truth.shape, truth.dtype)
    noisy = truth + params.noise * deviation * noise
    rounded = jnp.where(step > 0.0, jnp.round(noisy / step) * step, noisy)
    lower = jnp.asarray(point_array("lower"), truth.dtype).reshape(shape)
    upper = jnp.asarray(point_array("upper"), truth.dtype).reshape(shape)
    rounded = jnp.clip(rounded, lower, upper)
    is_lost = jax.random.uniform(drop_key, truth.shape, truth.dtype) < params.dropout
    return SensorState(
        value=jnp.where(is_lost, state.value, rounded),
        age=jnp.where(is_lost, state.age + CONTROL_INTERVAL, 0.0),
    )


def observe(state: SensorState, applied: Action, time: jax.Array) -> Observation:
    """Return the observation, point and channel axes last.

    A reading older than two intervals is UNCERTAIN.
    """
    quality = jnp.where(
        state.age > 2.0 * CONTROL_INTERVAL, Quality.UNCERTAIN, Quality.GOOD
    )
    return Observation(
        value=jnp.moveaxis(state.value, 0, -1),
        quality=jnp.moveaxis(quality.astype(jnp.int32), 0, -1),
        age=jnp.moveaxis(state.age, 0, -1),
        applied=action_to_vector(applied),
        time=time,
    )

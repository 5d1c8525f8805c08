"""Observations of the reference plant in many conditions, for the safety tests."""

import dataclasses
import functools

import jax
import jax.numpy as jnp
import numpy as np
from made_plants import limits, observed, site

from coolbound_envs.spec import CHANNELS, POINT_INDEX, channel_array
from coolbound_envs.types import Observation
from coolbound_safety.estimate import Estimate
from coolbound_safety.margins import SafetyModel, safety_model

LOWER, UPPER = channel_array("lower"), channel_array("upper")
SPAN = UPPER - LOWER

RANGES = {
    "it_power_hall1": (1100.0, 2080.0),
    "it_power_hall2": (1100.0, 1950.0),
    "supply_air_temp_hall1": (17.0, 25.0),
    "supply_air_temp_hall2": (17.0, 25.0),
    "room_dew_point_hall1": (-8.0, 9.0),
    "chw_supply_temp": (7.0, 20.0),
    "cw_supply_temp": (8.0, 32.0),
    "outdoor_wet_bulb": (-10.0, 27.0),
    "chiller_power": (0.0, 800.0),
}

SETTLED = {
    "it_power": (2000.0, 1846.0), "rise_max": (0.8, 0.7), "rise": (0.55, 0.5),
    "rise_min": (0.4, 0.35), "supply_air": (22.0, 22.0), "supply_excess": (0.0, 0.0),
    "inlet_max": 22.8, "inlet_before": (22.5, 22.5), "room_dew_point": 5.5,
    "chw_supply": 12.0, "chw_return": 19.1, "chw_excess": 0.0, "cw_supply": 24.0,
    "cw_before": 24.0, "wet_bulb": 19.0, "chillers": 2.0, "running": 2.0,
    "economizer": 0.0, "chiller_power": 420.0, "mechanical_power": 620.0,
    "heat": 3990.0, "carried": 3990.0, "coil_factor": (1.0, 1.0),
    "air_factor": (1.0, 1.0), "basin_offset": 0.0, "rise_factor": 1.0,
    "power_offset": 20.0, "inlet_spread": (0.0, 0.0), "load_spread": (0.0, 0.0),
    "load_growth": (0.0, 0.0),
    "dew_point_spread": 0.0, "tower_spread": 0.0, "stale": 0.0,
    "stuck_open": (0.0, 0.0), "emergency": 0.0,
}  # fmt: skip
"""A warm day of the reference plant with two machines at work."""

VARIED = {
    "it_power": (900.0, 2100.0), "rise_max": (0.2, 3.0), "rise_min": (-0.3, 0.2),
    "supply_air": (17.0, 25.0), "inlet_max": (19.0, 26.6),
    "room_dew_point": (-8.0, 9.0),
    "chw_supply": (7.0, 18.0), "cw_supply": (10.0, 30.0), "wet_bulb": (-5.0, 25.0),
    "chiller_power": (150.0, 800.0), "coil_factor": (0.8, 1.2),
    "air_factor": (0.6, 1.0), "basin_offset": (-2.0, 2.0), "rise_factor": (0.8, 1.2),
}  # fmt: skip
"""Where estimates of many lanes are drawn."""

MACHINES = 8
"""Channel of the machines asked for."""


@functools.cache
def model() -> SafetyModel:
    return safety_model(site(), limits())


def one(observation: Observation, lane: int = 0) -> Observation:
    return jax.tree.map(lambda x: x[lane], observation)


def seen(**readings: float) -> Observation:
    """Return one settled observation with some readings replaced."""
    return one(observed(**readings))


def situation(**changes: float | tuple[float, ...]) -> Estimate:
    """Return one estimate: a settled plant with changes. No plant is run for it."""
    fields = SETTLED | changes
    return Estimate(**{k: jnp.asarray(v, jnp.float32) for k, v in fields.items()})


def situations(count: int, seed: int = 0) -> Estimate:
    """Return random estimates of `count` lanes."""
    generator = np.random.default_rng(seed)
    fields = {}
    for name, usual in SETTLED.items():
        shape = (count, *np.shape(usual))
        fields[name] = np.broadcast_to(np.asarray(usual, np.float32), shape)
        if name in VARIED:
            fields[name] = generator.uniform(*VARIED[name], shape)
    fields["rise"] = 0.5 * (fields["rise_min"] + fields["rise_max"])
    fields["chw_return"] = fields["chw_supply"] + generator.uniform(4.0, 9.0, count)
    fields["heat"] = fields["carried"] = 1.04 * fields["it_power"].sum(axis=1)
    fields["running"] = fields["chillers"] = generator.integers(1, 4, count)
    fields["inlet_before"] = fields["supply_air"] + fields["rise"]
    return Estimate(**{k: jnp.asarray(v, jnp.float32) for k, v in fields.items()})


def actions(count: int, seed: int = 0) -> np.ndarray:
    """Return random actions, physical units, (count, 10), tower fans running."""
    generator = np.random.default_rng(seed)
    found = LOWER + SPAN * generator.random((count, len(CHANNELS)))
    found[:, 7] = np.maximum(found[:, 7], 0.25)
    found[:, MACHINES:] = np.round(found[:, MACHINES:])
    return found.astype(np.float32)


def applied_now(observation: Observation, **changes: float) -> Observation:
    """Replace set-points in force, by channel name."""
    names = [channel.name for channel in CHANNELS]
    applied = np.array(observation.applied)
    for name, value in changes.items():
        applied[..., names.index(name)] = value
    return dataclasses.replace(observation, applied=jnp.asarray(applied))


def many(count: int, seed: int = 0) -> tuple[Observation, np.ndarray]:
    """Return random observations and proposals of `count` lanes."""
    generator = np.random.default_rng(seed)
    base = jax.tree.map(lambda x: np.array(x[0]), observed())
    value = np.repeat(np.asarray(base.value)[None], count, axis=0)
    for name, (low, high) in RANGES.items():
        value[:, POINT_INDEX[name]] = generator.uniform(low, high, count)
    for hall in (1, 2):
        supply = value[:, POINT_INDEX[f"supply_air_temp_hall{hall}"]]
        for zone in (1, 2, 3):
            rise = generator.uniform(0.0, 2.0, count)
            value[:, POINT_INDEX[f"inlet_temp_hall{hall}_zone{zone}"]] = supply + rise
    running = generator.integers(0, 4, count)
    value[:, POINT_INDEX["chillers_running"]] = running
    value[:, POINT_INDEX["chillers_starting"]] = 0.0
    value[:, POINT_INDEX["economizer_running"]] = generator.integers(0, 2, count)
    applied = LOWER + SPAN * generator.random((count, len(CHANNELS)))
    applied[:, 7] = np.where(applied[:, 7] < 0.2, 0.0, applied[:, 7])
    applied[:, 6] = np.maximum(applied[:, 6], 0.25 * running)
    applied[:, 8:] = np.round(applied[:, 8:])
    proposed = LOWER + SPAN * generator.random((count, len(CHANNELS)))

    def wide(x: np.ndarray) -> jax.Array:
        return jnp.asarray(np.repeat(np.asarray(x)[None], count, axis=0))

    observation = Observation(
        value=jnp.asarray(value),
        quality=wide(base.quality),
        age=wide(base.age),
        applied=jnp.asarray(applied, jnp.float32),
        time=wide(base.time),
    )
    return observation, proposed.astype(np.float32)

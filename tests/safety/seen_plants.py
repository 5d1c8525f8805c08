"""Observations of the reference plant in many conditions, for the safety tests."""

import dataclasses
import functools

import jax
import jax.numpy as jnp
import numpy as np
from made_plants import limits, observed, site

from coolbound_envs.spec import CHANNELS, POINT_INDEX, channel_array
from coolbound_envs.types import Observation
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


@functools.cache
def model() -> SafetyModel:
    return safety_model(site(), limits())


def one(observation: Observation, lane: int = 0) -> Observation:
    return jax.tree.map(lambda x: x[lane], observation)


def seen(**readings: float) -> Observation:
    """Return one settled observation with some readings replaced."""
    return one(observed(**readings))


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

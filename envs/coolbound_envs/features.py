"""What a learned policy sees of an observation, and where it starts from.

The last ten features are the start rule: set-points, as shares of their range,
that a few lines of arithmetic would ask for. A policy learns how to depart
from them, so that it begins with a plant that runs.
"""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np

from coolbound_envs.constants import AIR_HEAT
from coolbound_envs.site import Site
from coolbound_envs.spec import (
    CHANNEL_NAMES,
    HALLS,
    POINT_NAMES,
    channel_array,
)
from coolbound_envs.types import Observation

FEATURE_NAMES = (
    *POINT_NAMES,
    *(f"applied.{name}" for name in CHANNEL_NAMES),
    "hour_sine",
    "hour_cosine",
    *(f"start.{name}" for name in CHANNEL_NAMES),
)
"""Names of the features, in order."""

FEATURE_SIZE = len(FEATURE_NAMES)

_SUPPLY_AIR = 24.0
_CHW_SUPPLY = 15.0
_PRESSURE = 80.0
_PUMP_SPEED = 0.6
_AIR_RATIO = 1.12
_APPROACH = 5.0
_LIFT = 9.6
_FREE_START = 5.5
_FREE_STOP = 6.5
_FREE_FAN = 0.72
_WARM = 17.5
_GAIN = 0.02


@dataclasses.dataclass(frozen=True)
class FeatureMap:
    """Maps observations to features; sizes of one plant. Static.

    Attributes:
        hall_power: Design IT power of one hall. [kW]
        server_flow: Server air of one hall at design. [kg/s]
        flow_base: Share of that air at zero load. [1]
        hall_air: CRAH air of one hall at full speed. [kg/s]
    """

    hall_power: float
    server_flow: float
    flow_base: float
    hall_air: float

    def __call__(self, observation: Observation) -> jax.Array:
        """Return the features (..., F) of an observation, raw units."""
        hour = observation.time / np.float32(86400.0) * np.float32(2.0 * np.pi)
        clock = jnp.stack([jnp.sin(hour), jnp.cos(hour)], axis=-1)
        parts = [observation.value, observation.applied, clock, self.start(observation)]
        return jnp.concatenate(parts, axis=-1)

    def start(self, observation: Observation) -> jax.Array:
        """Return the start rule's action (..., 10), shares of the range."""
        power = observation.read_halls("it_power")
        load = power / self.hall_power
        drawn = self.server_flow * (self.flow_base + (1.0 - self.flow_base) * load)
        fans = _AIR_RATIO * drawn / self.hall_air
        one = jnp.ones_like(fans[..., 0])
        demand, economizer = _modes(observation)
        rest = [
            one * _CHW_SUPPLY,
            one * _PRESSURE,
            jnp.where(demand < 0.5, 0.8, _PUMP_SPEED) * one,
            _fan(observation, economizer),
            demand,
            economizer,
        ]
        action = jnp.concatenate(
            [jnp.full_like(fans, _SUPPLY_AIR), fans, jnp.stack(rest, axis=-1)], axis=-1
        )
        shape = (1,) * (action.ndim - 1) + (-1,)
        lower = jnp.asarray(channel_array("lower"), action.dtype).reshape(shape)
        upper = jnp.asarray(channel_array("upper"), action.dtype).reshape(shape)
        return jnp.clip((action - lower) / (upper - lower), 0.01, 0.99)


def _modes(observation: Observation) -> tuple[jax.Array, jax.Array]:
    """Return machines and economizer asked for: mechanical or free cooling."""
    wet_bulb = observation.read("outdoor_wet_bulb")
    is_open = observation.read("economizer_running") > 0.5
    running = observation.read("chillers_running")
    is_off = running + observation.read("chillers_starting") < 0.5
    is_cold = wet_bulb < jnp.where(is_open, _FREE_STOP, _FREE_START)
    holds = is_off & (observation.read("chw_supply_temp") < _WARM)
    has_air = observation.applied[..., 7] > _FREE_FAN
    stops = is_open & has_air & is_cold
    demand = jnp.where(stops | (holds & (wet_bulb < _FREE_STOP + 2.0)), 0.0, 2.0)
    keeps = is_open & (running < 1.5)
    economizer = jnp.where(is_cold | keeps, 1.0, 0.0)
    return demand, economizer


def _fan(observation: Observation, economizer: jax.Array) -> jax.Array:
    """Return the tower fan speed: approach and lift, or the chilled water."""
    supply, leaving = (
        observation.read("cw_supply_temp"),
        observation.read("cw_return_temp"),
    )
    chw = observation.read("chw_supply_temp")
    lift_target = observation.applied[..., 4] + _LIFT - (leaving - supply)
    target = jnp.maximum(observation.read("outdoor_wet_bulb") + _APPROACH, lift_target)
    running = observation.read("chillers_running")
    mechanical = _GAIN * (supply - target)
    free = _GAIN * (chw - observation.applied[..., 4])
    error = jnp.where(running > 0.5, mechanical, free)
    error = jnp.where((economizer > 0.5) & (running > 1.5), 0.15, error)
    return jnp.clip(observation.applied[..., 7] + error, 0.2, 1.0)


def feature_map(site: Site) -> FeatureMap:
    """Return the feature map of a site."""
    it, crah = site.plant.it, site.plant.crah
    design = float(it.design_power) / HALLS
    return FeatureMap(
        hall_power=design / 1e3,
        server_flow=design / (AIR_HEAT * float(it.air_rise)),
        flow_base=float(it.flow_base),
        hall_air=float(crah.air_flow) / HALLS,
    )

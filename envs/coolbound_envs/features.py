"""What a learned policy sees of an observation, and where it starts from.

The last ten features are the start rule's action, as shares of the range
(`coolbound_envs.start_action`). A policy learns how to depart from them, so that it
begins with a plant that runs.
"""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np

from coolbound_envs.constants import AIR_HEAT
from coolbound_envs.site import Site
from coolbound_envs.spec import CHANNEL_NAMES, HALLS, POINT_NAMES
from coolbound_envs.start_action import PlantSizes, as_shares, start_action
from coolbound_envs.types import Observation

FEATURE_NAMES = (
    *POINT_NAMES,
    *(f"applied.{name}" for name in CHANNEL_NAMES),
    "hour_sine",
    "hour_cosine",
    *(f"shared.{name}" for name in CHANNEL_NAMES),
)
"""Names of the features, in order. Another start rule needs another prefix: their
digest tells policies apart that learned to depart from another one."""

FEATURE_SIZE = len(FEATURE_NAMES)


@dataclasses.dataclass(frozen=True)
class FeatureMap:
    """Maps observations to features; sizes of one plant. Static.

    Attributes:
        sizes: What the start rule knows of it.
    """

    sizes: PlantSizes

    def __call__(self, observation: Observation) -> jax.Array:
        """Return the features (..., F) of an observation, raw units."""
        hour = observation.time / np.float32(86400.0) * np.float32(2.0 * np.pi)
        clock = jnp.stack([jnp.sin(hour), jnp.cos(hour)], axis=-1)
        parts = [observation.value, observation.applied, clock, self.start(observation)]
        return jnp.concatenate(parts, axis=-1)

    def start(self, observation: Observation) -> jax.Array:
        """Return the start rule's action (..., 10), shares of the range."""
        return as_shares(start_action(observation, self.sizes))


def feature_map(site: Site) -> FeatureMap:
    """Return the feature map of a site."""
    it, crah = site.plant.it, site.plant.crah
    design = float(it.design_power) / HALLS
    return FeatureMap(
        PlantSizes(
            power=design / 1e3,
            server_flow=design / (AIR_HEAT * float(it.air_rise)),
            flow_base=float(it.flow_base),
            air=float(crah.air_flow) / HALLS,
            machine=float(site.plant.chiller.capacity) / 1e3,
            effectiveness=float(site.plant.condenser.economizer_effectiveness),
        )
    )

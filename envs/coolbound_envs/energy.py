"""The plant's energy balance: what it stores, what enters, what it rejects.

For checks: given - rejected over any time is the change of what is stored.
"""

import jax.numpy as jnp

from coolbound_envs.constants import WATER_HEAT
from coolbound_envs.halls import ZONE_SHARE, lead
from coolbound_envs.params import PlantParams
from coolbound_envs.spec import HALLS
from coolbound_envs.state import PIPE_CELLS, Flows, PlantState
from coolbound_envs.types import Scalar


def stored_heat(state: PlantState, params: PlantParams) -> Scalar:
    """Return the heat held above 0 degC by servers, air, structure and water [J].

    Sum of capacity times temperature over the integrated nodes, batch shape.
    """
    it, chw, condenser = params.it, params.chw, params.condenser
    design = lead(ZONE_SHARE, state.server_temp, 1) * (it.design_power / HALLS)
    per_watt = (
        it.server_capacity * state.server_temp
        + it.air_capacity * state.hot_aisle_temp
        + it.structure_capacity * state.structure_temp
    )
    pipes = jnp.sum(state.supply_pipe_temp + state.return_pipe_temp, axis=0)
    water = (
        pipes * (chw.pipe_mass / PIPE_CELLS)
        + state.buffer_temp * chw.buffer_mass
        + state.basin_temp * condenser.basin_mass
    )
    return jnp.sum(design * per_watt, axis=(0, 1)) + water * WATER_HEAT


def heat_given(flows: Flows) -> Scalar:
    """Return the heat that enters: all that is metered, and condensation [W].

    Tower fans warm the outdoor air, not the plant.
    """
    return flows.facility_power - flows.tower_power + flows.latent_heat


def heat_rejected(flows: Flows) -> Scalar:
    """Return the heat that leaves through the towers [W]."""
    return flows.tower_heat

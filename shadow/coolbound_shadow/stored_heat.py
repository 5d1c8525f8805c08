"""Heat that a simulated plant holds: what one arm leaves to be removed later."""

from typing import Any

import jax
import numpy as np

from coolbound_envs.constants import WATER_HEAT
from coolbound_envs.halls import ZONE_SHARE
from coolbound_envs.params import PlantParams
from coolbound_envs.site import Site
from coolbound_envs.spec import HALLS
from coolbound_envs.state import PIPE_CELLS, PlantState


def stored_heat(state: Any, site: Site) -> float:
    """Return the heat held by servers, air, structure and water above 0 degC [J]."""
    # Of parts side by side, the last one ends where the log ends.
    plant: PlantState = jax.tree.map(lambda x: np.asarray(x)[..., -1:], state.plant)
    return _air_side(plant, site.plant) + _water(plant, site.plant)


def _air_side(plant: PlantState, params: PlantParams) -> float:
    it = params.it
    zones = np.asarray(ZONE_SHARE)[None, :, None] * float(it.design_power) / HALLS
    held = (
        float(it.server_capacity) * np.asarray(plant.server_temp)
        + float(it.air_capacity) * np.asarray(plant.hot_aisle_temp)
        + float(it.structure_capacity) * np.asarray(plant.structure_temp)
    )
    return float(np.sum(zones * held))


def _water(plant: PlantState, params: PlantParams) -> float:
    cell = float(params.chw.pipe_mass) / PIPE_CELLS
    pipes = np.sum(plant.supply_pipe_temp) + np.sum(plant.return_pipe_temp)
    buffer = float(params.chw.buffer_mass) * np.sum(plant.buffer_temp)
    basin = float(params.condenser.basin_mass) * np.sum(plant.basin_temp)
    return WATER_HEAT * float(cell * pipes + buffer + basin)

"""The set-points that an EnergyPlus modeller would write for a site."""

import dataclasses

from coolbound_envs.constants import AIR_HEAT
from coolbound_envs.energyplus.machine_objects import TOWER_APPROACH
from coolbound_envs.energyplus.sizes import Sizes
from coolbound_envs.params import PlantParams


@dataclasses.dataclass(frozen=True)
class OwnControls:
    """Set-points of EnergyPlus' own controls. Static.

    Attributes:
        supply_air: Air behind the CRAH fans. [degC]
        airflow_ratio: CRAH air over the servers' air at the present load. [1]
        chw_supply: Chilled water. [degC]
        chw_pressure: Remote pressure that the chilled-water pumps hold. [Pa]
        chw_flow_min: Least chilled water, kept by a bypass. [kg/s]
        stage_share: A machine more runs beyond this load of those before. [1]
        cw_flow_each: Condenser water of each machine. [kg/s]
        cw_flow_min: Least condenser water, in free cooling too. [kg/s]
        tower_approach: Tower water above the outdoor wet bulb. [K]
        tower_water_min: Coldest tower water that is asked for. [degC]
        tower_water_max: Warmest tower water that is asked for. [degC]
        tower_water_free: Tower water in free cooling. [degC]
        free_below: Free cooling begins below this wet bulb. [degC]
        free_above: It ends above this one. [degC]
        server_flow: Air of all servers at full load. [kg/s]
        flow_base: Share of it at no load. [1]
    """

    supply_air: float
    airflow_ratio: float
    chw_supply: float
    chw_pressure: float
    chw_flow_min: float
    stage_share: float
    cw_flow_each: float
    cw_flow_min: float
    tower_approach: float
    tower_water_min: float
    tower_water_max: float
    tower_water_free: float
    free_below: float
    free_above: float
    server_flow: float
    flow_base: float


def own_controls_of(
    plant: PlantParams, sizes: Sizes, supply_air: float, chw_supply: float
) -> OwnControls:
    """Return the conventional set-points for a site.

    Args:
        plant: The site's plant.
        sizes: Its sizes as plain numbers.
        supply_air: As the others hold it. [degC]
        chw_supply: Of the site's design. [degC]
    """
    machines = sizes.chillers - 1
    return OwnControls(
        supply_air=supply_air,
        airflow_ratio=1.2,
        chw_supply=chw_supply,
        chw_pressure=sizes.open_pressure,
        # That of the machines that usually run: one is the reserve.
        chw_flow_min=machines * sizes.evaporator_flow * sizes.evaporator_flow_min,
        stage_share=0.9,
        cw_flow_each=float(plant.chiller.condenser_flow),
        cw_flow_min=float(plant.chiller.condenser_flow),
        # Beyond the design's, so that fans have room below full speed: 10 degF.
        tower_approach=5.56,
        # With some 3 K of rise in the condensers this keeps the least lift.
        tower_water_min=chw_supply + float(plant.condenser.lift_setpoint) - 3.0,
        tower_water_max=29.4,
        tower_water_free=max(chw_supply - 2.0, float(plant.condenser.low_limit_free)),
        free_below=chw_supply - 2.0 - 1.5 * TOWER_APPROACH,
        free_above=chw_supply - 2.0 - TOWER_APPROACH,
        server_flow=sizes.it_power / (AIR_HEAT * sizes.air_rise),
        flow_base=float(plant.it.flow_base),
    )

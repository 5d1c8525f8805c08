"""What EnergyPlus has no object for, computed between its timesteps.

Air that recirculates where CRAHs blow less than servers draw, and the moisture of
conditioned make-up air. Plain numbers in and out, for the engine's process.
"""

import math

from coolbound_envs.energyplus.sizes import AIR_DENSITY, Sizes

EVAPORATION_HEAT = 2.5e6
"""Of the make-up moisture. [J/kg]"""


def recirculated_share(
    crah_air: float, server_air: float, ratio: float, leak: float
) -> float:
    """Return the share of zone air in the air that servers draw [1].

    phi = leak + max(0, 1 - r) of the hot aisle, plant reference 1.2. EnergyPlus
    mixes the zone: its air is the return, cooler than the hot aisle where CRAHs
    blow more than servers draw, so phi is scaled to the same inlet temperature:
    (T_hot - T_sup) / (T_ret - T_sup) = m_crah / ((1 - phi) m_server).

    Args:
        crah_air: Into this zone. [kg/s]
        server_air: Through its servers. [kg/s]
        ratio: CRAH air of the whole hall over its server air. [1]
        leak: Recirculation with enough air. [1]
    """
    share = min(leak + max(1.0 - ratio, 0.0), 1.0 - 0.5 * min(ratio, 1.0))
    return min(share * crah_air / max((1.0 - share) * server_air, 1e-6), 1.0)


def moisture_power(
    shortage: float, volume: float, air_flow: float, timestep: float, sizes: Sizes
) -> float:
    """Return the latent gain of make-up air, negative where it dries [W].

    M (w_target - w) / tau: the air change of the room, without its heat. EnergyPlus
    takes the supply air's humidity from the timestep before, so a zone moves by
    G / m (1 - exp(-m dt / M)) instead of G dt / M; the gain is raised to make up.

    Args:
        shortage: Humidity ratio of the make-up air less that of the zone. [kg/kg]
        volume: Of the zone. [m3]
        air_flow: CRAH air into it. [kg/s]
        timestep: Of the zone. [s]
        sizes: Of the site.
    """
    mass = volume * AIR_DENSITY
    rate = mass * shortage / sizes.room_exchange_time
    changes = max(air_flow * timestep / mass, 1e-6)
    return rate * EVAPORATION_HEAT * changes / -math.expm1(-changes)

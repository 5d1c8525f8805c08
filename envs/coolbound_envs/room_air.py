"""Humidity of the halls: make-up air, and vapour that the coils condense."""

import dataclasses

import jax.numpy as jnp

from coolbound_envs.constants import AIR_HEAT, CONDENSATION_HEAT
from coolbound_envs.params import PlantParams
from coolbound_envs.psychrometrics import (
    MASS_RATIO,
    STANDARD_PRESSURE,
    dew_point,
    humidity_ratio,
    saturation_pressure,
)
from coolbound_envs.state import Disturbance, PlantState
from coolbound_envs.types import Scalar

CONTACT = 0.5
"""Share of the coils' air that meets their coldest surface. [1]"""


def _ratio_at(dew_point: Scalar) -> Scalar:
    return humidity_ratio(saturation_pressure(dew_point), STANDARD_PRESSURE)


def _dew_point(ratio: Scalar, air_temp: Scalar) -> Scalar:
    vapour = ratio * STANDARD_PRESSURE / (MASS_RATIO + ratio)
    return dew_point(air_temp, vapour / saturation_pressure(air_temp))


def step_room_air(
    state: PlantState, disturbance: Disturbance, interval: float, params: PlantParams
) -> PlantState:
    """Balance the halls' vapour over one control interval.

    M dw/dt = (M / t)(w_makeup - w) - k max(w - w_sat(T_chws), 0), implicit in w:
    make-up air dried and humidified to its bounds, exchanged once in t, and
    coils that condense what is above saturation at their coldest surface. The
    heat of condensation goes to the chilled water in the next interval.
    """
    room, it = params.room, params.it
    target = jnp.clip(disturbance.dew_point, room.dew_point_min, room.dew_point_max)
    now, fresh = _ratio_at(state.room_dew_point), _ratio_at(target)
    air_mass = it.air_capacity * it.design_power / AIR_HEAT
    exchange = interval / room.exchange_time
    air_flow = params.crah.air_flow * jnp.mean(state.crah_speed, axis=0)
    contact = CONTACT * air_flow * interval / air_mass
    surface = _ratio_at(state.supply_pipe_temp[-1])
    dry = (now + exchange * fresh) / (1.0 + exchange)
    wet = (now + exchange * fresh + contact * surface) / (1.0 + exchange + contact)
    ratio = jnp.where(dry > surface, wet, dry)
    condensed = contact * jnp.maximum(ratio - surface, 0.0) * air_mass / interval
    return dataclasses.replace(
        state,
        room_dew_point=_dew_point(ratio, jnp.mean(state.supply_air_temp, axis=0)),
        latent_heat=condensed * CONDENSATION_HEAT,
    )

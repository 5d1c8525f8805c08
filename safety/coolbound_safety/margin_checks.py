"""Limits and margins that leave no room, refused before anything runs."""

import dataclasses
import math
from collections.abc import Iterator, Mapping

import jax.numpy as jnp

from coolbound_envs.components import coil_heat
from coolbound_envs.constants import AIR_HEAT
from coolbound_envs.limit_numbers import LimitValues
from coolbound_envs.limit_table import LIMIT_NAMES
from coolbound_envs.params import PlantParams
from coolbound_envs.site import Site
from coolbound_envs.spec import CHANNELS, HALLS, Channel
from coolbound_envs.tables import InputError

Kept = Mapping[str, float]
"""Margins by field, in the units of `margins.FIELDS`."""

ROOM = 1.0
"""Least distance between two limits with their margins. [K]"""


@dataclasses.dataclass(frozen=True)
class Gap:
    """What some limits leave to an action. Static.

    Attributes:
        names: The limits.
        room: What they leave. [the gap's unit]
        least: What they must leave at least. [the gap's unit]
        unit: Unit of both, as printed.
        where: Between what, in words.
    """

    names: tuple[str, ...]
    room: float
    least: float
    unit: str
    where: str


def check_room(site: Site, limits: LimitValues, margins: Kept) -> None:
    """Refuse margins that leave no action, and limits that nothing can keep.

    Limits that are switched off are not looked at.

    Args:
        site: The plant.
        limits: Numbers of the limits.
        margins: Distances kept from them.

    Raises:
        InputError: It names the limits, what they leave, and what they must.
    """
    is_on = dict(zip(LIMIT_NAMES, limits.is_on.tolist(), strict=True))
    for gap in (
        *_thermal_gaps(site.plant, limits, margins),
        *_coil_gaps(site.plant, limits, margins),
        *_condenser_gaps(limits, margins),
    ):
        if all(is_on[name] for name in gap.names) and gap.room < gap.least:
            raise InputError(
                f"{site.path}: limits.{' and '.join(gap.names)} with margins leave "
                f"{gap.room:.3g} {gap.unit} {gap.where}, expected at least "
                f"{gap.least:g}; move a limit or lessen a margin"
            )
    _check_controls(site, limits, is_on)


def _channel(name: str) -> Channel:
    return next(channel for channel in CHANNELS if channel.name == name)


def _thermal_gaps(
    plant: PlantParams, limits: LimitValues, margins: Kept
) -> Iterator[Gap]:
    air, water = _channel("supply_air_setpoint_hall1"), _channel("chw_supply_setpoint")
    hottest = float(limits.inlet_max) - margins["inlet_max"]
    coldest = float(limits.inlet_min) + margins["inlet_min"]
    change = float(limits.inlet_change) - margins["inlet_change"]
    dew_point = float(plant.room.dew_point_max) + margins["dew_point"]
    above = water.upper - dew_point - float(limits.dew_point_margin)
    both = ("CA_T_MAX", "CA_T_MIN")
    yield Gap(both, hottest - coldest, ROOM, "K", "between them")
    yield Gap(both[:1], hottest - air.lower, ROOM, "K", "above the coolest supply air")
    yield Gap(both[1:], air.upper - coldest, ROOM, "K", "below the warmest supply air")
    yield Gap(("CA_ROC",), change, 0.1, "K", "in 15 min")
    yield Gap(("DEWPOINT_MARGIN",), above, ROOM, "K", "below the warmest water")


def _coil_gaps(plant: PlantParams, limits: LimitValues, margins: Kept) -> Iterator[Gap]:
    air = float(plant.crah.air_flow) / _server_air(plant, margins)
    air -= float(limits.airflow_ratio)
    heat = float(plant.it.design_power) / HALLS
    reserve = _coil_reserve(plant, limits, margins) - margins["coil"] * heat
    highest = _channel("chw_pressure_setpoint").upper
    pressure = highest - float(limits.pressure_min)
    growth = margins["load_growth_recovery"] - margins["load_growth"]
    yield Gap(("AIRFLOW_RATIO",), growth, 0.0, "of load", "from 5 to 15 min")
    yield Gap(("AIRFLOW_RATIO",), air, 0.0, "of air", "with full fans at design load")
    yield Gap(("CHW_DP_MIN",), pressure, 0.0, "kPa", f"up to {highest:g} kPa")
    yield Gap(("CHW_DP_MIN",), reserve / 1e3, 0.0, "kW", "of coil at design load")


def _server_air(plant: PlantParams, margins: Kept) -> float:
    """Return the air that servers draw at design load after its growth [kg/s]."""
    it = plant.it
    load = 1.0 + max(margins["load_growth"], margins["load_growth_recovery"])
    full = float(it.design_power) / (AIR_HEAT * float(it.air_rise))
    return full * (float(it.flow_base) * (1.0 - load) + load)


def _coil_reserve(plant: PlantParams, limits: LimitValues, margins: Kept) -> float:
    """Return what a hall's coils can move beyond the design heat [W]."""
    crah, one = plant.crah, jnp.ones_like(plant.crah.air_flow)
    needed = float(plant.it.design_power + crah.fan_power) / HALLS
    supply = min(
        float(limits.inlet_max) - margins["inlet_max"],
        _channel("supply_air_setpoint_hall1").upper,
    )
    pressure = _channel("chw_pressure_setpoint").upper * 1e3
    share = (float(limits.valve_max) - margins["valve"]) ** 2
    share *= math.sqrt(pressure / float(crah.open_pressure))
    back = supply + needed * HALLS / (float(crah.air_flow) * AIR_HEAT)
    water = _channel("chw_supply_setpoint").lower
    moved = coil_heat(
        back * one, water * one, one, share * one, HALLS, crah, crah.water_flow
    )
    return float(moved) - needed


def _condenser_gaps(limits: LimitValues, margins: Kept) -> Iterator[Gap]:
    reserve = margins["condenser_water"] + margins["wet_bulb_rise"]
    entering = float(limits.cw_entering_max) - reserve
    leaving = float(limits.cw_leaving_max) - reserve
    coldest = float(limits.tower_water_min) + margins["tower_water"]
    lift = float(limits.lift_min) + margins["lift"]
    load = float(limits.part_load_min) + margins["part_load"]
    surge = float(limits.surge_base + limits.surge_slope * load) - margins["surge"]
    water = _channel("chw_supply_setpoint").lower
    # Just beyond what one machine may carry, two must not run below the least.
    half = float(limits.capacity_share) / 2.0 - load
    towers = ("ECWT_MIN", "ECWT_CWRT_MAX")
    hot = ("LIFT_MIN", "ECWT_CWRT_MAX")
    line = ("LIFT_MIN", "SURGE_LINE")
    yield Gap(towers, entering - coldest, ROOM, "K", "between them")
    yield Gap(hot, leaving - lift - water, ROOM, "K", "above the coldest water")
    yield Gap(line, surge - lift, ROOM, "K", "between them at the least part load")
    yield Gap(("CAPACITY_N1_POWER",), half, 0.0, "of part load", "to two machines")


def _check_controls(
    site: Site, limits: LimitValues, is_on: Mapping[str, float]
) -> None:
    """Refuse limits that the plant's own controls cannot keep.

    Evaporator and condenser flows are held by bypass and pump floor of the
    BAS; a limit beyond their set-points would be broken by design.
    """
    chiller = site.plant.chiller
    pairs = (
        ("EVAP_FLOW_MIN", limits.evaporator_flow_min, chiller.evaporator_flow_min, 1),
        ("EVAP_FLOW_MAX", limits.evaporator_flow_max, chiller.evaporator_flow_max, -1),
        ("CW_FLOW_MIN", limits.cw_flow_min, chiller.condenser_flow_min, 1),
    )
    for name, limit, control, sign in pairs:
        if is_on[name] and sign * (float(limit) - float(control)) > 1e-6:
            side = "at most" if sign > 0 else "at least"
            raise InputError(
                f"{site.path}: limits.{name}.value: found {float(limit):g}, expected "
                f"{side} {float(control):g}, which the plant's own controls keep; "
                "change the limit or [equipment.chiller]"
            )

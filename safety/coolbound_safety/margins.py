"""How far inside each limit the envelope stays, for model and sensor error."""

from typing import Final

import jax.numpy as jnp
from flax import struct

from coolbound_envs.limit_numbers import LimitValues
from coolbound_envs.limit_table import LIMIT_NAMES
from coolbound_envs.params import PlantParams
from coolbound_envs.site import Site
from coolbound_envs.tables import InputError, Table
from coolbound_envs.types import Scalar


@struct.dataclass
class Margins:
    """Distances kept from the limits. Dynamic.

    Attributes:
        inlet_max: CA_T_MAX. [K]
        inlet_min: CA_T_MIN. [K]
        load_growth: AIRFLOW_RATIO: rise of load within one interval. [1]
        dew_point: DEWPOINT_MARGIN. [K]
        valve: CHW_DP_MIN: opening kept in reserve. [1]
        coil: CHW_DP_MIN: coil heat kept in reserve, share of what is needed. [1]
        tower_water: ECWT_MIN. [K]
        condenser_water: ECWT_CWRT_MAX. [K]
        lift: LIFT_MIN. [K]
        surge: SURGE_LINE. [K]
    """

    inlet_max: Scalar
    inlet_min: Scalar
    load_growth: Scalar
    dew_point: Scalar
    valve: Scalar
    coil: Scalar
    tower_water: Scalar
    condenser_water: Scalar
    lift: Scalar
    surge: Scalar


# field: limit, key, unit, most, reference value
FIELDS: Final[dict[str, tuple[str, str, str, float, float]]] = {
    "inlet_max": ("CA_T_MAX", "margin", "delta_degC", 5.0, 0.8),
    "inlet_min": ("CA_T_MIN", "margin", "delta_degC", 5.0, 0.4),
    "load_growth": ("AIRFLOW_RATIO", "margin", "", 0.6, 0.15),
    "dew_point": ("DEWPOINT_MARGIN", "margin", "delta_degC", 3.0, 0.7),
    "valve": ("CHW_DP_MIN", "margin", "", 0.3, 0.03),
    "coil": ("CHW_DP_MIN", "coil_margin", "", 0.5, 0.05),
    "tower_water": ("ECWT_MIN", "margin", "delta_degC", 5.0, 0.6),
    "condenser_water": ("ECWT_CWRT_MAX", "margin", "delta_degC", 5.0, 1.0),
    "lift": ("LIFT_MIN", "margin", "delta_degC", 5.0, 1.0),
    "surge": ("SURGE_LINE", "margin", "delta_degC", 5.0, 1.5),
}


@struct.dataclass
class SafetyModel:
    """What the envelope is built from: plant, limits and margins. Dynamic."""

    plant: PlantParams
    limits: LimitValues
    margins: Margins


def parse_margins(root: Table) -> Margins:
    """Read the margins of `[limits.*]`; absent ones keep the reference value.

    Raises:
        InputError: A margin has another unit, is out of range, or stands at a
            limit that has none.
    """
    section = root.table("limits") if root.has("limits") else Table({}, root.where)
    with_margin = {row[0] for row in FIELDS.values()}
    for name in LIMIT_NAMES:
        has_margin = section.has(name) and section.table(name).has("margin")
        if has_margin and name not in with_margin:
            raise InputError(
                f"{section.where}.{name}.margin: found a margin, expected none: "
                "this limit is kept exactly; remove it"
            )
    numbers = {}
    for field, (limit, key, unit, most, default) in FIELDS.items():
        table = section.table(limit) if section.has(limit) else Table({}, root.where)
        if unit:
            numbers[field] = table.quantity(key, unit, 0.0, most, default)
        else:
            numbers[field] = table.number(key, 0.0, most, default)
    return Margins(**{k: jnp.asarray(v, jnp.float32) for k, v in numbers.items()})


def safety_model(site: Site, limits: LimitValues) -> SafetyModel:
    """Return the safety model of a site.

    Raises:
        InputError: A margin is wrong, or the margins leave no room between the
            coldest and the hottest inlet.
    """
    margins = parse_margins(site.root)
    room = limits.inlet_max - margins.inlet_max - limits.inlet_min - margins.inlet_min
    if float(room) <= 1.0:
        raise InputError(
            f"{site.path}: limits.CA_T_MAX and CA_T_MIN leave {float(room):g} K "
            "between their margins, expected more than 1 K; widen them"
        )
    _check_controls(site, limits)
    return SafetyModel(plant=site.plant, limits=limits, margins=margins)


def _check_controls(site: Site, limits: LimitValues) -> None:
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
        if sign * (float(limit) - float(control)) > 1e-6:
            side = "at most" if sign > 0 else "at least"
            raise InputError(
                f"{site.path}: limits.{name}.value: found {float(limit):g}, expected "
                f"{side} {float(control):g}, which the plant's own controls keep; "
                "change the limit or [equipment.chiller]"
            )

"""How far inside each limit the envelope stays, for model and sensor error."""

from collections.abc import Mapping
from typing import Final

import jax
import jax.numpy as jnp
from flax import struct

from coolbound_envs.limit_numbers import LimitValues, read_limit_number
from coolbound_envs.limit_policy import limit_tables, parse_limit_policy
from coolbound_envs.params import PlantParams
from coolbound_envs.site import Site
from coolbound_envs.tables import InputError, Table
from coolbound_envs.types import Scalar
from coolbound_safety.margin_checks import check_room

PRICE_LAST: Final = 1000.0
"""Price of slack of limits that give way last, priority 0 and 1. [1]"""

PRICE_FIRST: Final = 100.0
"""Price of slack of limits that give way first, priority 2. [1]"""


@struct.dataclass
class Margins:
    """Distances kept from the limits. Dynamic.

    Attributes:
        inlet_max: CA_T_MAX. [K]
        inlet_min: CA_T_MIN. [K]
        inlet_change: CA_ROC. [K]
        load_growth: AIRFLOW_RATIO: rise of load within one interval. [1]
        load_growth_recovery: AIRFLOW_RATIO: rise of load within 15 min. [1]
        dew_point: DEWPOINT_MARGIN. [K]
        valve: CHW_DP_MIN: opening kept in reserve. [1]
        coil: CHW_DP_MIN: coil heat kept in reserve, share of what is needed. [1]
        heat_growth_recovery: CHW_DP_MIN: rise of heat within 15 min. [1]
        tower_water: ECWT_MIN. [K]
        condenser_water: ECWT_CWRT_MAX. [K]
        wet_bulb_rise: ECWT_CWRT_MAX: rise of wet bulb within 15 min, and its
            sensor's error. [K]
        lift: LIFT_MIN. [K]
        surge: SURGE_LINE. [K]
        power: CAPACITY_N1_POWER: power kept in reserve, share of the feeder's. [1]
        part_load: CAPACITY_N1_POWER: part load kept above the least. [1]
    """

    inlet_max: Scalar
    inlet_min: Scalar
    inlet_change: Scalar
    load_growth: Scalar
    load_growth_recovery: Scalar
    dew_point: Scalar
    valve: Scalar
    coil: Scalar
    heat_growth_recovery: Scalar
    tower_water: Scalar
    condenser_water: Scalar
    wet_bulb_rise: Scalar
    lift: Scalar
    surge: Scalar
    power: Scalar
    part_load: Scalar


# field: limit, key, unit, most, reference value
FIELDS: Final[dict[str, tuple[str, str, str, float, float]]] = {
    "inlet_max": ("CA_T_MAX", "margin", "delta_degC", 5.0, 0.8),
    "inlet_min": ("CA_T_MIN", "margin", "delta_degC", 5.0, 0.6),
    "inlet_change": ("CA_ROC", "margin", "delta_degC", 5.0, 1.0),
    "load_growth": ("AIRFLOW_RATIO", "margin", "", 0.6, 0.2),
    "load_growth_recovery": ("AIRFLOW_RATIO", "recovery_growth", "", 0.6, 0.25),
    "dew_point": ("DEWPOINT_MARGIN", "margin", "delta_degC", 3.0, 0.7),
    "valve": ("CHW_DP_MIN", "margin", "", 0.3, 0.03),
    "coil": ("CHW_DP_MIN", "coil_margin", "", 0.5, 0.035),
    "heat_growth_recovery": ("CHW_DP_MIN", "recovery_growth", "", 0.5, 0.1),
    "tower_water": ("ECWT_MIN", "margin", "delta_degC", 5.0, 0.6),
    "condenser_water": ("ECWT_CWRT_MAX", "margin", "delta_degC", 5.0, 1.0),
    "wet_bulb_rise": ("ECWT_CWRT_MAX", "wet_bulb_rise", "delta_degC", 5.0, 1.5),
    "lift": ("LIFT_MIN", "margin", "delta_degC", 5.0, 1.0),
    "surge": ("SURGE_LINE", "margin", "delta_degC", 5.0, 1.5),
    "power": ("CAPACITY_N1_POWER", "margin", "", 0.3, 0.03),
    "part_load": ("CAPACITY_N1_POWER", "part_load_margin", "", 0.3, 0.03),
}


@struct.dataclass
class SafetyModel:
    """What the envelope is built from. Dynamic.

    Attributes:
        plant: The nominal plant.
        limits: Numbers of the limits.
        margins: Distances kept from them.
        priority: By limit, in the order of `LIMIT_NAMES`: 0 is never relaxed, 1
            is relaxed after 2, int32, shape (21,). [1]
    """

    plant: PlantParams
    limits: LimitValues
    margins: Margins
    priority: jax.Array


def price_of(priority: jax.Array) -> jax.Array:
    """Return the price of slack of limits of some priorities [1].

    Args:
        priority: 0, 1 or 2, any shape. [1]
    """
    return jnp.where(priority > 1, jnp.float32(PRICE_FIRST), jnp.float32(PRICE_LAST))


def parse_margins(root: Table) -> Margins:
    """Read the margins of `[limits.*]`; absent ones keep the reference value.

    Raises:
        InputError: A margin has another unit, is out of range, or stands at a
            limit that has none.
    """
    return _as_margins(_read_margins(root))


def _as_margins(numbers: Mapping[str, float]) -> Margins:
    return Margins(**{k: jnp.asarray(v, jnp.float32) for k, v in numbers.items()})


def _read_margins(root: Table) -> dict[str, float]:
    tables = limit_tables(root)
    with_margin = {row[0] for row in FIELDS.values()}
    for name, table in tables.items():
        if table.has("margin") and name not in with_margin:
            raise InputError(
                f"{table.where}.margin: found a margin, expected none: this limit is "
                "kept exactly; remove it"
            )
    return {
        field: read_limit_number(tables[limit], key, unit, 0.0, most, default)
        for field, (limit, key, unit, most, default) in FIELDS.items()
    }


def safety_model(site: Site, limits: LimitValues) -> SafetyModel:
    """Return the safety model of a site.

    Raises:
        InputError: A margin is wrong, the margins leave no room for an action, or
            the plant's own controls cannot keep a limit.
    """
    margins = _read_margins(site.root)
    check_room(site, limits, margins)
    return SafetyModel(
        plant=site.plant,
        limits=limits,
        margins=_as_margins(margins),
        priority=jnp.asarray(parse_limit_policy(site.root).priority, jnp.int32),
    )

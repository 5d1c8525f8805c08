"""The numbers of the limits, read from `[limits.*]` of a site."""

from typing import Final

import jax
import jax.numpy as jnp
from flax import struct

from coolbound_envs.limit_table import LIMIT_NAMES
from coolbound_envs.tables import InputError, Table
from coolbound_envs.types import Scalar


@struct.dataclass
class LimitValues:
    """Numbers of the limits. Dynamic: replace one to try it.

    Attributes:
        inlet_max: CA_T_MAX. [degC]
        inlet_min: CA_T_MIN. [degC]
        inlet_change: CA_ROC, in 15 min. [K]
        dew_point_margin: DEWPOINT_MARGIN. [K]
        airflow_ratio: AIRFLOW_RATIO. [1]
        chws_emergency_rate: Downward per interval above inlet 26 degC. [K]
        evaporator_flow_min: EVAP_FLOW_MIN, share of design. [1]
        evaporator_flow_max: EVAP_FLOW_MAX, share of design. [1]
        flow_change: CHW_FLOW_ROC, relative, per minute. [1]
        pressure_min: CHW_DP_MIN, remote differential pressure. [kPa]
        valve_max: CHW_DP_MIN, widest coil valve. [1]
        tower_water_min: ECWT_MIN with a chiller on. [degC]
        tower_water_min_free: ECWT_MIN in free cooling. [degC]
        cw_entering_max: ECWT_CWRT_MAX, entering. [degC]
        cw_leaving_max: ECWT_CWRT_MAX, leaving. [degC]
        lift_min: LIFT_MIN. [K]
        surge_base: SURGE_LINE at zero load. [K]
        surge_slope: SURGE_LINE, rise to full load. [K]
        cw_flow_min: CW_FLOW_MIN, share of a machine's design. [1]
        capacity_share: CAPACITY_N1_POWER, share of what is left. [1]
        part_load_min: CAPACITY_N1_POWER, least part load. [1]
        feeder_power: CAPACITY_N1_POWER, mechanical power. [W]
        machine_timer: SHORT_CYCLE_MODE, least run and rest. [s]
        start_window: SHORT_CYCLE_MODE, two starts in this time. [s]
        economizer_timer: SHORT_CYCLE_MODE, economizer hold. [s]
        is_on: 1 where a limit is switched on, shape (21,). [1]
    """

    inlet_max: Scalar
    inlet_min: Scalar
    inlet_change: Scalar
    dew_point_margin: Scalar
    airflow_ratio: Scalar
    chws_emergency_rate: Scalar
    evaporator_flow_min: Scalar
    evaporator_flow_max: Scalar
    flow_change: Scalar
    pressure_min: Scalar
    valve_max: Scalar
    tower_water_min: Scalar
    tower_water_min_free: Scalar
    cw_entering_max: Scalar
    cw_leaving_max: Scalar
    lift_min: Scalar
    surge_base: Scalar
    surge_slope: Scalar
    cw_flow_min: Scalar
    capacity_share: Scalar
    part_load_min: Scalar
    feeder_power: Scalar
    machine_timer: Scalar
    start_window: Scalar
    economizer_timer: Scalar
    is_on: jax.Array


# field: limit, key in the site file, unit, least, most, reference value
FIELDS: Final[dict[str, tuple[str, str, str, float, float, float]]] = {
    "inlet_max": ("CA_T_MAX", "value", "degC", 20.0, 45.0, 27.0),
    "inlet_min": ("CA_T_MIN", "value", "degC", 5.0, 25.0, 18.0),
    "inlet_change": ("CA_ROC", "value", "delta_degC", 1.0, 20.0, 5.0),
    "dew_point_margin": ("DEWPOINT_MARGIN", "value", "delta_degC", 0.0, 5.0, 2.0),
    "airflow_ratio": ("AIRFLOW_RATIO", "value", "", 0.8, 1.5, 1.0),
    "chws_emergency_rate": ("CHWS_SLEW", "emergency", "delta_degC", 0.5, 3.0, 1.0),
    "evaporator_flow_min": ("EVAP_FLOW_MIN", "value", "", 0.2, 0.9, 0.45),
    "evaporator_flow_max": ("EVAP_FLOW_MAX", "value", "", 1.0, 2.0, 1.25),
    "flow_change": ("CHW_FLOW_ROC", "value", "", 0.05, 0.5, 0.30),
    "pressure_min": ("CHW_DP_MIN", "value", "kPa", 5.0, 200.0, 34.5),
    "valve_max": ("CHW_DP_MIN", "valve", "", 0.5, 1.0, 0.95),
    "tower_water_min": ("ECWT_MIN", "value", "degC", 5.0, 25.0, 12.8),
    "tower_water_min_free": ("ECWT_MIN", "free_cooling", "degC", 1.0, 15.0, 5.0),
    "cw_entering_max": ("ECWT_CWRT_MAX", "value", "degC", 25.0, 45.0, 32.0),
    "cw_leaving_max": ("ECWT_CWRT_MAX", "leaving", "degC", 28.0, 50.0, 38.0),
    "lift_min": ("LIFT_MIN", "value", "delta_degC", 2.0, 20.0, 8.0),
    "surge_base": ("SURGE_LINE", "value", "delta_degC", 5.0, 30.0, 14.0),
    "surge_slope": ("SURGE_LINE", "slope", "delta_degC", 0.0, 40.0, 16.0),
    "cw_flow_min": ("CW_FLOW_MIN", "value", "", 0.2, 0.9, 0.5),
    "capacity_share": ("CAPACITY_N1_POWER", "value", "", 0.5, 1.0, 0.95),
    "part_load_min": ("CAPACITY_N1_POWER", "part_load", "", 0.05, 0.5, 0.2),
    "machine_timer": ("SHORT_CYCLE_MODE", "value", "s", 60.0, 7200.0, 900.0),
    "start_window": ("SHORT_CYCLE_MODE", "start_window", "s", 0.0, 14400.0, 3600.0),
    "economizer_timer": ("SHORT_CYCLE_MODE", "economizer", "s", 60.0, 14400.0, 1200.0),
}

_MARGINS: Final = {"CHW_DP_MIN": {"margin", "coil_margin"}}


def parse_limits(root: Table, feeder_power: float) -> LimitValues:
    """Read `[limits.*]`; what a site leaves out keeps the reference value.

    Raises:
        InputError: A limit or key is unknown, or a value has another unit or
            is out of its range.
    """
    section = root.table("limits") if root.has("limits") else Table({}, root.where)
    for name in section.data:
        if name not in LIMIT_NAMES:
            raise InputError(
                f"{section.where}: found unknown limit {name!r}, expected one of "
                f"{', '.join(LIMIT_NAMES)}; correct the name"
            )
    tables = {
        name: section.table(name) if section.has(name) else Table({}, section.where)
        for name in LIMIT_NAMES
    }
    numbers = {field: _read(tables[row[0]], *row[1:]) for field, row in FIELDS.items()}
    is_on = [tables[name].boolean("on", default=True) for name in LIMIT_NAMES]
    for name in LIMIT_NAMES:
        # The safety layer reads its margins from the same table.
        tables[name].seen |= _MARGINS.get(name, {"margin"})
        tables[name].finish()
    if numbers["inlet_min"] >= numbers["inlet_max"]:
        raise InputError(
            f"{section.where}: found CA_T_MIN {numbers['inlet_min']:g} degC not below "
            f"CA_T_MAX {numbers['inlet_max']:g} degC; correct one of them"
        )
    return LimitValues(
        **{name: jnp.asarray(value, jnp.float32) for name, value in numbers.items()},
        feeder_power=jnp.asarray(feeder_power, jnp.float32),
        is_on=jnp.asarray(is_on, jnp.float32),
    )


def _read(
    table: Table, key: str, unit: str, lower: float, upper: float, default: float
) -> float:
    if unit:
        return table.quantity(key, unit, lower, upper, default)
    return table.number(key, lower, upper, default)

"""The numbers of the limits, read from `[limits.*]` of a site."""

import re
from collections.abc import Mapping
from typing import Final

import jax
import jax.numpy as jnp
from flax import struct

from coolbound_envs.limit_policy import (
    POLICY_KEYS,
    LimitPolicy,
    limit_tables,
    parse_limit_policy,
)
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

MARGIN_KEYS: Final[dict[str, frozenset[str]]] = {
    "AIRFLOW_RATIO": frozenset({"margin", "recovery_growth"}),
    "CAPACITY_N1_POWER": frozenset({"margin", "part_load_margin"}),
    "CHW_DP_MIN": frozenset({"margin", "coil_margin", "recovery_growth"}),
    "ECWT_CWRT_MAX": frozenset({"margin", "wet_bulb_rise"}),
}
"""Keys that the safety layer reads from the same tables; elsewhere `margin`."""

_WORD: Final = r"(°|[^\W\d])[\w°]*( ?(\*\*|\^) ?-?\d)?"
_UNIT: Final = re.compile(f"(1 ?/ ?)?{_WORD}( ?[*/] ?{_WORD})*")
"""Units that are handed on: names, their products, ratios and small powers."""


def parse_limits(root: Table, feeder_power: float) -> LimitValues:
    """Read `[limits.*]`; what a site leaves out keeps the reference value.

    Raises:
        InputError: A limit or key is unknown, a value has another unit or is out
            of its range, or two limits leave nothing between them.
    """
    tables = limit_tables(root)
    numbers = {
        field: read_limit_number(tables[row[0]], *row[1:])
        for field, row in FIELDS.items()
    }
    for name, table in tables.items():
        table.seen |= POLICY_KEYS | MARGIN_KEYS.get(name, frozenset({"margin"}))
        table.finish()
    policy = parse_limit_policy(root)
    _check_crossing(numbers, policy, root.where)
    return LimitValues(
        **{name: jnp.asarray(value, jnp.float32) for name, value in numbers.items()},
        feeder_power=jnp.asarray(feeder_power, jnp.float32),
        is_on=jnp.asarray(policy.is_on, jnp.float32),
    )


def _check_crossing(
    numbers: Mapping[str, float], policy: LimitPolicy, where: str
) -> None:
    """Refuse limits that are on and leave nothing between them."""
    least_load = numbers["part_load_min"]
    surge = numbers["surge_base"] + numbers["surge_slope"] * least_load
    leaving = ("ECWT_CWRT_MAX.leaving", numbers["cw_leaving_max"])
    entering = ("ECWT_CWRT_MAX.value", numbers["cw_entering_max"])
    cooling = ("ECWT_MIN.value", numbers["tower_water_min"])
    free = ("ECWT_MIN.free_cooling", numbers["tower_water_min_free"])
    coldest = ("CA_T_MIN.value", numbers["inlet_min"])
    hottest = ("CA_T_MAX.value", numbers["inlet_max"])
    lift = ("LIFT_MIN.value", numbers["lift_min"])
    line = (f"SURGE_LINE.value at part load {least_load:g}", surge)
    pairs = (
        (coldest, hottest),
        (free, cooling),
        (cooling, entering),
        (entering, leaving),
        (lift, line),
    )
    for low, high in pairs:
        names = {low[0].partition(".")[0], high[0].partition(".")[0]}
        is_crossed = low[1] > high[1] if low is free else low[1] >= high[1]
        if is_crossed and not names & set(policy.limits_off):
            raise InputError(
                f"{where}.limits: found {low[0]} {low[1]:g} not below {high[0]} "
                f"{high[1]:g}, expected it below; correct one of them"
            )


def read_limit_number(
    table: Table, key: str, unit: str, lower: float, upper: float, default: float
) -> float:
    """Return one number of a limit: a quantity where it has a unit.

    Args:
        table: The limit's table.
        key: Its key there.
        unit: Unit to convert to; empty for a pure number.
        lower: Least that is accepted. [the number's unit]
        upper: Most that is accepted. [the number's unit]
        default: Taken where the key is absent. [the number's unit]

    Raises:
        InputError: The value is no such number, or out of its range.
    """
    if not unit:
        return table.number(key, lower, upper, default)
    found = table.data.get(key)
    text = "".join(found.split(maxsplit=1)[1:]) if isinstance(found, str) else ""
    refusal = InputError(
        f"{table.where}.{key}: found unit {text!r}, expected one that converts to "
        f"{unit!r}; correct the unit"
    )
    # Of other text the reader of units would compute whatever it says.
    if text and not _UNIT.fullmatch(text):
        raise refusal
    try:
        return table.quantity(key, unit, lower, upper, default)
    except InputError:
        raise
    except (ValueError, ArithmeticError, AssertionError) as error:
        # Words such as nan, and logarithmic units in a product.
        raise refusal from error

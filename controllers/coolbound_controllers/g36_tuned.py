"""`g36_tuned`: a sceptic's baseline, `g36` with its free constants searched.

The same sequences on the same readings; only constants differ, within what the policy
may choose too: supply air up to 25 degC, condenser pumps that follow load and lift.
They were searched on the training cities (`g36_tuned_search`) and ship as data.
"""

import dataclasses
from collections.abc import Mapping
from importlib import resources
from pathlib import Path
from typing import Any, Final

from coolbound_controllers.g36 import G36
from coolbound_controllers.g36_tuning import G36Tuning, PumpReset
from coolbound_controllers.operator_settings import OperatorSettings
from coolbound_envs.tables import Table, read_toml

SHIPPED: Final = "g36_tuned.toml"
"""File of the shipped constants, in the package's `data`."""

PUMP: Final = "pump_"
"""What names of the pump reset's constants begin with."""


@dataclasses.dataclass(frozen=True)
class Constant:
    """A constant that is searched. Static.

    Attributes:
        name: As in `OperatorSettings`, `G36Tuning` or, behind `pump_`, `PumpReset`.
        unit: Unit of the ends; empty for a pure number.
        lower: Least that is tried. [the constant's unit]
        upper: Most that is tried. [the constant's unit]
    """

    name: str
    unit: str
    lower: float
    upper: float


CONSTANTS: Final = (
    Constant("supply_air_reset", "degC", 22.0, 25.0),
    Constant("airflow_ratio", "", 1.0, 1.2),
    Constant("chw_supply_max", "degC", 13.0, 18.0),
    Constant("lift_min", "delta_degC", 8.6, 12.0),
    Constant("lift_slope", "delta_degC", 0.0, 30.0),
    Constant("lift_offset", "delta_degC", -5.0, 12.0),
    Constant("free_approach", "delta_degC", 5.0, 12.0),
    Constant("precool_water", "delta_degC", 0.5, 5.0),
    Constant("precool_air", "delta_degC", 0.0, 2.5),
    Constant("valve_first", "", 0.80, 0.93),
    Constant("stage_least", "", 0.45, 0.90),
    Constant("pump_base", "", 0.2, 1.0),
    Constant("pump_per_load", "", -0.5, 1.5),
    Constant("pump_per_lift", "1/K", -0.03, 0.06),
    Constant("pump_free", "", 0.5, 1.0),
)
"""What is searched, and within which ends."""


def with_constants(settings: OperatorSettings, values: Mapping[str, Any]) -> G36:
    """Return `g36` with other constants, by the names of `CONSTANTS`.

    Args:
        settings: Of the site: its sizes stay.
        values: Numbers, or scalar arrays while they are searched. [mixed units]
    """
    own = {f.name for f in dataclasses.fields(settings)}
    site = {name: value for name, value in values.items() if name in own}
    pump = {k.removeprefix(PUMP): v for k, v in values.items() if k.startswith(PUMP)}
    rest = {k: v for k, v in values.items() if k not in own and not k.startswith(PUMP)}
    return G36(
        dataclasses.replace(settings, **site),
        G36Tuning(**rest, pump=PumpReset(**pump)),
    )


def read_constants(path: Path) -> dict[str, float]:
    """Return the constants of a file, by the names of `CONSTANTS` [mixed units].

    Raises:
        InputError: One is missing, unknown, of another unit or out of its range.
    """
    root = read_toml(path)
    found = root.table("constants")
    values = {one.name: _read(found, one) for one in CONSTANTS}
    found.finish()
    return values


def _read(table: Table, one: Constant) -> float:
    if one.unit:
        return table.quantity(one.name, one.unit, one.lower, one.upper)
    return table.number(one.name, one.lower, one.upper)


def g36_tuned(settings: OperatorSettings) -> G36:
    """Return the operator with the shipped constants.

    They were searched on the reference site; another one keeps its own sizes.

    Raises:
        InputError: The shipped file is damaged.
    """
    shipped = resources.files("coolbound_controllers") / "data" / SHIPPED
    return with_constants(settings, read_constants(Path(str(shipped))))

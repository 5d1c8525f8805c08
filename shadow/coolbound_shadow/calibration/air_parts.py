"""The air side, where a log has it: CRAH fans and the valves of their coils."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np

from coolbound_envs.params import PlantParams
from coolbound_envs.spec import HALLS
from coolbound_shadow.calibration.chiller_part import through_bypass
from coolbound_shadow.calibration.part_types import (
    Factor,
    Inputs,
    Parameter,
    Part,
    scale_parameter,
)
from coolbound_shadow.calibration.pump_parts import (
    FLOW_CALM,
    SPEED_CALM,
    machines,
)
from coolbound_shadow.calibration.samples import Rows, Sample, make_sample

FAN_CHANNELS = tuple(f"crah_fan_speed_hall{h + 1}" for h in range(HALLS))
VALVE_CALM = 0.04
"""Change of a valve in a step at which it counts as steady. [1]"""


def in_halls(*names: str) -> tuple[str, ...]:
    """Return names of points in every hall."""
    return tuple(f"{name}_hall{h + 1}" for name in names for h in range(HALLS))


def per_hall(rows: Rows, name: str) -> tuple[np.ndarray, ...]:
    """Return a point's readings in every hall, (T,) each."""
    return rows.need(*in_halls(name))


def named(name: str, series: tuple[np.ndarray, ...]) -> dict[str, np.ndarray]:
    """Return a series of each hall under a name with its number."""
    return {f"{name}{h + 1}": values for h, values in enumerate(series)}


def halls(inputs: Inputs, name: str) -> tuple[jax.Array, ...]:
    """Return an input of every hall."""
    return tuple(inputs[f"{name}{h + 1}"] for h in range(HALLS))


def all_calm(rows: Rows, series: tuple[np.ndarray, ...], most: float) -> np.ndarray:
    """Return where all series moved by no more than that, (T,)."""
    return np.all([rows.calm(values, most) for values in series], axis=0)


def _collect_fan(rows: Rows) -> Sample:
    speeds = rows.need(*FAN_CHANNELS)
    power = np.sum(per_hall(rows, "crah_fan_power"), axis=0)
    known = {"fans off": np.all([s > 0.2 for s in speeds], axis=0)}
    calm = all_calm(rows, speeds, SPEED_CALM)
    return make_sample(named("speed", speeds), power, known, calm)


def _fan_parameters(plant: PlantParams) -> tuple[Parameter, ...]:
    exponent = float(plant.crah.fan_exponent)
    return (
        scale_parameter("CRAH fan power", 0.3, 3.0, 0.05, ("crah.fan_power",)),
        Parameter(
            "exponent of CRAH fan power",
            exponent,
            2.0,
            3.2,
            0.2,
            "1",
            ("crah.fan_exponent",),
            FAN_CHANNELS,
        ),
    )


def _apply_fan(
    plant: PlantParams, values: jax.Array, anchors: jax.Array
) -> PlantParams:
    """Turn the exponent about the training medians, so that the power there stays."""
    about = anchors[0] ** (plant.crah.fan_exponent - values[1])
    power = plant.crah.fan_power * values[0] * about
    crah = dataclasses.replace(plant.crah, fan_power=power, fan_exponent=values[1])
    return dataclasses.replace(plant, crah=crah)


def _predict_fan(plant: PlantParams, values: jax.Array, inputs: Inputs) -> jax.Array:
    # As `interval`: P = P_full / halls * speed^exponent in each hall.
    each = [s**plant.crah.fan_exponent for s in halls(inputs, "speed")]
    return sum(each[1:], each[0]) * plant.crah.fan_power / HALLS / 1e3


CRAH_FAN = Part(
    name="crah_fan",
    title="CRAH fans",
    meter="crah_fan_power",
    unit="kW",
    parameters=_fan_parameters,
    needs=(*FAN_CHANNELS, *in_halls("crah_fan_power")),
    collect=_collect_fan,
    apply=_apply_fan,
    predict=_predict_fan,
    # Fan speeds are often written in steps of 0.05.
    systematic=0.02,
    anchors=("speed1",),
    is_power=True,
)


def is_metered(rows: Rows) -> np.ndarray:
    """Return where all the metered water went through the coils, (T,)."""
    (flow,) = rows.need("chw_flow")
    running, _ = machines(rows)
    return ~through_bypass(rows, flow, running)


def _collect_valves(rows: Rows) -> Sample:
    valves = per_hall(rows, "crah_valve")
    pressure, flow = rows.need("chw_pressure", "chw_flow")
    inputs = named("valve", valves) | {"pressure": 1e3 * pressure}
    known = {"minimum-flow bypass may be open": is_metered(rows)}
    calm = all_calm(rows, valves, VALVE_CALM) & rows.calm(flow, FLOW_CALM * flow)
    return make_sample(inputs, flow, known, calm)


def water_share(valve: jax.Array, pressure: jax.Array, plant: PlantParams) -> jax.Array:
    """Return a hall's water over that of open valves, as `coils.coil_water` [1]."""
    root = jnp.sqrt(jnp.maximum(pressure, 1.0) / plant.crah.open_pressure)
    return jnp.maximum(valve**2 * root, 1e-3)


COIL_WATER = Factor(
    scale_parameter(
        "water through open coil valves", 0.3, 3.0, 0.05, ("crah.water_flow",)
    )
)


def _predict_valves(plant: PlantParams, values: jax.Array, inputs: Inputs) -> jax.Array:
    each = [water_share(v, inputs["pressure"], plant) for v in halls(inputs, "valve")]
    return sum(each[1:], each[0]) / HALLS * plant.crah.water_flow


VALVES = Part(
    name="coil_flow",
    title="Coil valves",
    meter="chilled-water flow",
    unit="kg/s",
    parameters=COIL_WATER.parameters,
    needs=(*in_halls("crah_valve"), "chw_pressure", "chw_flow"),
    collect=_collect_valves,
    apply=COIL_WATER.apply,
    predict=_predict_valves,
)

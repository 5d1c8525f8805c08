"""The air side, where a log has it: air, coils, and the heat that they explain."""

import jax
import numpy as np

from coolbound_envs import components
from coolbound_envs.constants import AIR_HEAT
from coolbound_envs.params import PlantParams
from coolbound_envs.spec import HALLS
from coolbound_shadow.calibration.air_parts import (
    FAN_CHANNELS,
    VALVE_CALM,
    all_calm,
    halls,
    in_halls,
    is_metered,
    named,
    per_hall,
    water_share,
)
from coolbound_shadow.calibration.chiller_part import TEMP_CALM
from coolbound_shadow.calibration.part_types import (
    Factor,
    Inputs,
    Parameter,
    Part,
    scale_parameter,
)
from coolbound_shadow.calibration.pump_parts import chw_heat
from coolbound_shadow.calibration.samples import Rows, Sample, make_sample

HEAT_POINTS = ("chw_flow", "chw_supply_temp", "chw_return_temp")

GAIN_MOST = 0.4
"""Largest unexplained heat that is tried, share of the IT design. [1]"""


def _collect_air(rows: Rows) -> Sample:
    speeds = rows.need(*FAN_CHANNELS)
    back = per_hall(rows, "return_air_temp")
    supply = per_hall(rows, "supply_air_temp")
    fans = np.sum(per_hall(rows, "crah_fan_power"), axis=0)
    rises = tuple(b - s for b, s in zip(back, supply, strict=True))
    inputs = named("speed", speeds) | named("rise", rises) | {"fans": 1e3 * fans}
    known = {"minimum-flow bypass may be open": is_metered(rows)}
    calm = all_calm(rows, back + supply, TEMP_CALM)
    return make_sample(inputs, chw_heat(rows) / 1e3, known, calm)


FULL_AIR = Factor(
    scale_parameter("CRAH air at full speed", 0.3, 3.0, 0.05, ("crah.air_flow",))
)


def _predict_air(plant: PlantParams, values: jax.Array, inputs: Inputs) -> jax.Array:
    pairs = zip(halls(inputs, "speed"), halls(inputs, "rise"), strict=True)
    each = [speed * rise for speed, rise in pairs]
    air = sum(each[1:], each[0]) * plant.crah.air_flow * (AIR_HEAT / HALLS)
    return (air + inputs["fans"]) / 1e3


CRAH_AIR = Part(
    name="crah_air",
    title="CRAH air flow",
    meter="heat to chilled water",
    unit="kW",
    parameters=FULL_AIR.parameters,
    needs=(
        *FAN_CHANNELS,
        *in_halls("return_air_temp", "supply_air_temp", "crah_fan_power"),
        *HEAT_POINTS,
    ),
    collect=_collect_air,
    apply=FULL_AIR.apply,
    predict=_predict_air,
)


def _collect_coils(rows: Rows) -> Sample:
    speeds = rows.need(*FAN_CHANNELS)
    back = per_hall(rows, "return_air_temp")
    valves = per_hall(rows, "crah_valve")
    water, pressure = rows.need("chw_supply_temp", "chw_pressure")
    inputs = (
        named("speed", speeds)
        | named("back", back)
        | named("valve", valves)
        | {"water": water, "pressure": 1e3 * pressure}
    )
    known = {"minimum-flow bypass may be open": is_metered(rows)}
    calm = all_calm(rows, (*back, water), TEMP_CALM)
    calm &= all_calm(rows, valves, VALVE_CALM)
    return make_sample(inputs, chw_heat(rows) / 1e3, known, calm)


COIL_CONDUCTANCE = Factor(
    scale_parameter("coil conductance", 0.2, 4.0, 0.15, ("crah.conductance",))
)


def _predict_coils(plant: PlantParams, values: jax.Array, inputs: Inputs) -> jax.Array:
    crah = plant.crah
    each = [
        components.coil_heat(
            back,
            inputs["water"],
            speed,
            water_share(valve, inputs["pressure"], plant),
            HALLS,
            crah,
            crah.water_flow,
        )
        for back, speed, valve in zip(
            halls(inputs, "back"),
            halls(inputs, "speed"),
            halls(inputs, "valve"),
            strict=True,
        )
    ]
    return sum(each[1:], each[0]) / 1e3


COILS = Part(
    name="coils",
    title="Coils",
    meter="heat to chilled water",
    unit="kW",
    parameters=COIL_CONDUCTANCE.parameters,
    needs=(
        *FAN_CHANNELS,
        *in_halls("return_air_temp", "crah_valve"),
        "chw_pressure",
        *HEAT_POINTS,
    ),
    collect=_collect_coils,
    apply=COIL_CONDUCTANCE.apply,
    predict=_predict_coils,
)


def _collect_gain(rows: Rows) -> Sample:
    servers = np.sum(per_hall(rows, "it_power"), axis=0)
    fans = np.sum(per_hall(rows, "crah_fan_power"), axis=0)
    known = {"minimum-flow bypass may be open": is_metered(rows)}
    calm = rows.calm(servers, 0.03 * servers)
    explained = {"explained": servers + fans}
    return make_sample(explained, chw_heat(rows) / 1e3, known, calm)


def _gain_parameters(plant: PlantParams) -> tuple[Parameter, ...]:
    design = float(plant.it.design_power) / 1e3
    most = GAIN_MOST * design
    return (
        Parameter(
            "heat that IT and fans do not explain",
            0.0,
            -most,
            most,
            0.02 * design,
            "kW",
        ),
    )


def _apply_gain(
    plant: PlantParams, values: jax.Array, anchors: jax.Array
) -> PlantParams:
    """Return the plant: it knows no heat through walls, so the gain is only told."""
    return plant


def _predict_gain(plant: PlantParams, values: jax.Array, inputs: Inputs) -> jax.Array:
    return inputs["explained"] + values[0]


HEAT_GAIN = Part(
    name="heat_gain",
    title="Heat balance",
    meter="heat to chilled water",
    unit="kW",
    parameters=_gain_parameters,
    needs=(*in_halls("it_power", "crah_fan_power"), *HEAT_POINTS),
    collect=_collect_gain,
    apply=_apply_gain,
    predict=_predict_gain,
)

"""Condenser flow and both groups of pumps.

The flow of the condenser pumps at full speed comes from a flow meter or, without one,
from the heat balance of condensers and pumps: m c (T_leaving - T_basin) = Q + P + P_p.
"""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np

from coolbound_controllers.operator_settings import parse_operator
from coolbound_envs import components
from coolbound_envs.constants import WATER_HEAT
from coolbound_envs.drives import STANDSTILL, pump_speed_floor
from coolbound_envs.params import PlantParams
from coolbound_shadow.calibration.part_types import (
    Factor,
    Inputs,
    Parameter,
    Part,
    scale_parameter,
)
from coolbound_shadow.calibration.samples import (
    MissingError,
    Rows,
    Sample,
    make_sample,
)

EFFICIENCY_MOST = 0.95
AT_REST = 0.05
"""A drive below this speed counts as at rest. [1]"""

SPEED_CALM = 0.06
"""Set-points are often written in steps of 0.05. [1]"""

RISE_LEAST = 1.0
"""A condenser's rise below this says nothing of its flow. [K]"""

FLOW_CALM = 0.05
"""Change of flow in a step at which it counts as steady, of the flow. [1]"""


def chw_heat(rows: Rows) -> np.ndarray:
    """Return the heat that the chilled water brought back, (T,) [W].

    Raises:
        MissingError: Flow or a temperature is not in the log.
    """
    flow, supply, back = rows.need("chw_flow", "chw_supply_temp", "chw_return_temp")
    return flow * WATER_HEAT * (back - supply)


def evaporator_heat(rows: Rows) -> np.ndarray:
    """Return that heat with what the pumps added where they are metered, (T,) [W].

    Raises:
        MissingError: Flow or a temperature is not in the log.
    """
    return chw_heat(rows) + _metered(rows, "chw_pump_power")


def condenser_pump_heat(rows: Rows) -> np.ndarray:
    """Return what the condenser pumps add, zero where not metered, (T,) [W]."""
    return _metered(rows, "cw_pump_power")


def _metered(rows: Rows, name: str) -> np.ndarray:
    power = rows.maybe(name)
    return np.zeros(rows.log.rows) if power is None else 1e3 * power


def machines(rows: Rows) -> tuple[np.ndarray, np.ndarray]:
    """Return running machines, and those starting, (T,) each [1].

    Raises:
        MissingError: Neither a status nor a request is in the log.
    """
    running = rows.maybe("chillers_running")
    if running is None:
        (running,) = rows.need("chiller_demand")
    starting = rows.maybe("chillers_starting")
    zero = np.zeros_like(running)
    return running, zero if starting is None else np.nan_to_num(starting)


def _speed_inputs(rows: Rows) -> dict[str, np.ndarray]:
    (speed,) = rows.need("cw_pump_speed")
    try:
        running, starting = machines(rows)
    except MissingError:
        return {"speed": speed, "commanded": np.zeros_like(speed)}
    return {"speed": speed, "commanded": np.nan_to_num(running) + starting}


def _turning(plant: PlantParams, inputs: Inputs) -> jax.Array:
    """Return the speed that the drives take, kept up by the machines [1]."""
    floor = pump_speed_floor(inputs["commanded"], plant)
    return jnp.maximum(jnp.maximum(inputs["speed"], floor), STANDSTILL)


def _collect_flow(rows: Rows) -> Sample:
    inputs = _speed_inputs(rows)
    flow = rows.maybe("cw_flow")
    speed = inputs["speed"]
    known = {"pump at rest": speed > AT_REST}
    calm = rows.calm(speed, SPEED_CALM)
    if flow is not None:
        calm &= rows.calm(flow, FLOW_CALM * flow)
        return make_sample(inputs, flow, known, calm)
    power, entering, leaving = rows.need(
        "chiller_power", "cw_supply_temp", "cw_return_temp"
    )
    heat = evaporator_heat(rows) + 1e3 * power + condenser_pump_heat(rows)
    rise = leaving - entering
    known |= {"condenser without load": (rise > RISE_LEAST) & (heat > 0.0)}
    calm &= rows.calm(leaving, 0.3) & rows.calm(entering, 0.3)
    calm &= rows.calm(power, 0.1 * power)
    measured = heat / (WATER_HEAT * np.where(rise > RISE_LEAST, rise, np.nan))
    note = (
        "Condenser flow is not in the log: it was taken from the heat balance of the "
        "condensers."
    )
    return make_sample(inputs, measured, known, calm, (note,))


FULL_FLOW = Factor(
    scale_parameter(
        "condenser flow at full speed", 0.2, 3.0, 0.05, ("condenser.design_flow",)
    )
)


def _predict_flow(plant: PlantParams, values: jax.Array, inputs: Inputs) -> jax.Array:
    return plant.condenser.design_flow * _turning(plant, inputs)


CONDENSER_FLOW = Part(
    name="condenser_flow",
    title="Condenser water flow",
    meter="condenser flow",
    unit="kg/s",
    parameters=FULL_FLOW.parameters,
    collect=_collect_flow,
    apply=FULL_FLOW.apply,
    predict=_predict_flow,
)


def _collect_cw_pump(rows: Rows) -> Sample:
    (power,) = rows.need("cw_pump_power")
    flow = rows.maybe("cw_flow")
    if flow is None:
        inputs = _speed_inputs(rows)
    else:
        design = float(rows.site.plant.condenser.design_flow)
        inputs = {"speed": flow / design, "commanded": np.zeros_like(flow)}
    known = {"pump at rest": inputs["speed"] > AT_REST}
    return make_sample(inputs, power, known, rows.calm(inputs["speed"], SPEED_CALM))


def _cw_pump_parameters(plant: PlantParams) -> tuple[Parameter, ...]:
    condenser = plant.condenser
    head = float(condenser.static_pressure + condenser.friction_pressure)
    share = float(condenser.static_pressure) / head
    least = float(condenser.pump_efficiency) / EFFICIENCY_MOST
    channels = ("cw_pump_speed",)
    return (
        scale_parameter(
            "condenser pump power",
            max(least, 0.4),
            3.0,
            0.05,
            ("condenser.pump_efficiency",),
        ),
        Parameter(
            "static share of condenser head",
            share,
            0.0,
            0.9,
            0.1,
            "1",
            ("condenser.static_pressure", "condenser.friction_pressure"),
            channels,
        ),
    )


def _apply_cw_pump(
    plant: PlantParams, values: jax.Array, anchors: jax.Array
) -> PlantParams:
    old = plant.condenser
    head = old.static_pressure + old.friction_pressure
    condenser = dataclasses.replace(
        old,
        pump_efficiency=old.pump_efficiency / values[0],
        static_pressure=head * values[1],
        friction_pressure=head * (1.0 - values[1]),
    )
    return dataclasses.replace(plant, condenser=condenser)


def _predict_cw_pump(
    plant: PlantParams, values: jax.Array, inputs: Inputs
) -> jax.Array:
    speed = _turning(plant, inputs)
    return components.cw_pump_power(speed, plant.condenser) / 1e3


CW_PUMP = Part(
    name="cw_pump",
    title="Condenser pumps",
    meter="cw_pump_power",
    unit="kW",
    parameters=_cw_pump_parameters,
    collect=_collect_cw_pump,
    apply=_apply_cw_pump,
    predict=_predict_cw_pump,
    is_power=True,
)


def _collect_chw_pump(rows: Rows) -> Sample:
    power, flow = rows.need("chw_pump_power", "chw_flow")
    notes: tuple[str, ...] = ()
    pressure = rows.maybe("chw_pressure")
    if pressure is None:
        pressure = rows.maybe("chw_pressure_setpoint")
    if pressure is None:
        held = parse_operator(rows.site).chw_pressure
        pressure = np.full_like(flow, held)
        notes = (
            f"Remote pressure is not in the log: {held:g} kPa, the operator's of the "
            "site file, was taken for all of it.",
        )
    inputs = {"flow": flow, "pressure": 1e3 * pressure}
    design = float(rows.site.plant.chw.design_flow)
    known = {"pump at rest": flow > AT_REST * design}
    return make_sample(inputs, power, known, rows.calm(flow, FLOW_CALM * flow), notes)


def _chw_pump_parameters(plant: PlantParams) -> tuple[Parameter, ...]:
    least = float(plant.chw.pump_efficiency) / EFFICIENCY_MOST
    channels = ("chw_pressure_setpoint",)
    return (
        scale_parameter(
            "chilled-water pump power",
            max(least, 0.4),
            3.0,
            0.05,
            ("chw.pump_efficiency",),
        ),
        scale_parameter(
            "loss of pipes and evaporators",
            0.1,
            5.0,
            0.25,
            ("chw.pipe_pressure",),
            channels,
        ),
    )


def _apply_chw_pump(
    plant: PlantParams, values: jax.Array, anchors: jax.Array
) -> PlantParams:
    chw = dataclasses.replace(
        plant.chw,
        pump_efficiency=plant.chw.pump_efficiency / values[0],
        pipe_pressure=plant.chw.pipe_pressure * values[1],
    )
    return dataclasses.replace(plant, chw=chw)


def _predict_chw_pump(
    plant: PlantParams, values: jax.Array, inputs: Inputs
) -> jax.Array:
    power = components.chw_pump_power(inputs["flow"], inputs["pressure"], plant.chw)
    return power / 1e3


CHW_PUMP = Part(
    name="chw_pump",
    title="Chilled-water pumps",
    meter="chw_pump_power",
    unit="kW",
    parameters=_chw_pump_parameters,
    collect=_collect_chw_pump,
    apply=_apply_chw_pump,
    predict=_predict_chw_pump,
    is_power=True,
)

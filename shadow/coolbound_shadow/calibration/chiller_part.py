"""Chillers: efficiency scale and curve shape from power, flow and temperatures.

Heat is what the water brought back and the pumps put into it, as in the plant model,
or, where the minimum-flow bypass may be open, what the condensers gave off beyond
power; lift is what the two leaving waters differ by. The Carnot fraction becomes

    eta = s eta_site + a (PLR - PLR_0) + b (lift - lift_0)

with PLR_0 and lift_0 the medians of the rows fitted to, so that the scale s can be
known where a slope cannot; all of it stays in the form of `components.chiller_cop`.
"""

import dataclasses
from collections.abc import Mapping

import jax
import jax.numpy as jnp
import numpy as np

from coolbound_envs import components
from coolbound_envs.carnot_fraction import IDLE_POWER_MAX, shape_of
from coolbound_envs.constants import WATER_HEAT
from coolbound_envs.params import PlantParams
from coolbound_shadow.calibration.part_types import (
    Inputs,
    Parameter,
    Part,
    scale_parameter,
)
from coolbound_shadow.calibration.pump_parts import (
    FLOW_CALM,
    condenser_pump_heat,
    evaporator_heat,
    machines,
)
from coolbound_shadow.calibration.samples import Rows, Sample, make_sample

TEMP_CALM = 0.3
"""Change of a water temperature in a step at which it counts as steady. [K]"""

LOAD_RANGE = (0.05, 1.3)
"""Part loads that a reading may show. [1]"""

LIFT_RANGE = (2.0, 45.0)
"""Lifts that a reading may show. [K]"""

BYPASS_MARGIN = 1.03
"""Flow above the least of the evaporators by which the bypass is surely shut. [1]"""


def is_free_cooling(rows: Rows) -> np.ndarray:
    """Return where an economizer may have taken part of the heat, (T,)."""
    never = np.zeros(rows.log.rows, bool)
    if float(rows.site.plant.condenser.economizer_effectiveness) <= 0.0:
        return never
    status = rows.maybe("economizer_running")
    if status is not None:
        return ~(status < 0.5)
    basin, back = rows.maybe("cw_supply_temp"), rows.maybe("chw_return_temp")
    return never if basin is None or back is None else basin < back


def through_bypass(rows: Rows, flow: np.ndarray, running: np.ndarray) -> np.ndarray:
    """Return where the minimum-flow bypass may have been open, (T,)."""
    chiller = rows.site.plant.chiller
    least = float(chiller.evaporator_flow_min * chiller.evaporator_flow)
    return flow <= BYPASS_MARGIN * least * np.nan_to_num(running)


def _collect(rows: Rows) -> Sample:
    power, flow, supply, back, leaving = rows.need(
        "chiller_power",
        "chw_flow",
        "chw_supply_temp",
        "chw_return_temp",
        "cw_return_temp",
    )
    running, starting = machines(rows)
    heat = evaporator_heat(rows)
    is_unsure = through_bypass(rows, flow, running)
    rejected = _condenser_heat(rows, power, leaving)
    if rejected is not None:
        heat, is_unsure = np.where(is_unsure, rejected, heat), np.zeros_like(is_unsure)
    count = np.maximum(np.nan_to_num(running), 1.0)
    chiller = rows.site.plant.chiller
    part_load = heat / (count * float(chiller.capacity))
    cold = _evaporator_leaving(rows, flow, supply, heat, count)
    inputs = {
        "heat": heat,
        "part_load": part_load,
        "lift": leaving - cold,
        "leaving": cold,
    }
    known = _known(rows, inputs, running, starting, is_unsure)
    calm = rows.calm(back, TEMP_CALM) & rows.calm(supply, TEMP_CALM)
    calm &= rows.calm(leaving, TEMP_CALM) & rows.calm(running, 0.1)
    calm &= rows.calm(flow, FLOW_CALM * flow)
    return make_sample(inputs, power, known, calm, _notes(rows))


def _condenser_heat(
    rows: Rows, power: np.ndarray, leaving: np.ndarray
) -> np.ndarray | None:
    """Return the chillers' heat by what their condensers gave off, (T,) [W].

    m c (T_leaving - T_basin) = Q + P + P_pump; None where the flow is not metered.
    """
    flow, basin = rows.maybe("cw_flow"), rows.maybe("cw_supply_temp")
    if flow is None or basin is None:
        return None
    given = 1e3 * power + condenser_pump_heat(rows)
    return flow * WATER_HEAT * (leaving - basin) - given


def _evaporator_leaving(
    rows: Rows,
    flow: np.ndarray,
    supply: np.ndarray,
    heat: np.ndarray,
    count: np.ndarray,
) -> np.ndarray:
    """Return the water leaving the evaporators [degC]: colder where some passes by."""
    chiller = rows.site.plant.chiller
    most = float(chiller.evaporator_flow_max * chiller.evaporator_flow)
    through = np.minimum(flow / count, most) * count
    rest = heat / (flow * WATER_HEAT)
    return supply + rest - heat / (through * WATER_HEAT)


def _known(
    rows: Rows,
    inputs: Mapping[str, np.ndarray],
    running: np.ndarray,
    starting: np.ndarray,
    is_unsure: np.ndarray,
) -> dict[str, np.ndarray]:
    load, lift = inputs["part_load"], inputs["lift"]
    return {
        "no chiller running": running >= 0.5,
        "a chiller starting": starting < 0.5,
        "free cooling": ~is_free_cooling(rows),
        "minimum-flow bypass may be open": ~is_unsure,
        "load beyond what machines can": (load > LOAD_RANGE[0])
        & (load < LOAD_RANGE[1]),
        "lift beyond what machines can": (lift > LIFT_RANGE[0])
        & (lift < LIFT_RANGE[1]),
    }


def _notes(rows: Rows) -> tuple[str, ...]:
    notes = []
    if rows.maybe("chw_pump_power") is None:
        notes.append("Heat of the chilled-water pumps is not in the chillers' load.")
    if rows.maybe("chillers_running") is None:
        notes.append("Machines running were taken from the request for them.")
    if rows.maybe("chillers_starting") is None:
        notes.append("The log does not tell when a machine was starting.")
    return tuple(notes)


def _parameters(plant: PlantParams) -> tuple[Parameter, ...]:
    keys = ("chiller.efficiency",)
    idle = float(plant.chiller.idle_power)
    return (
        scale_parameter("chiller efficiency", 0.5, 1.6, 0.05, keys),
        Parameter(
            "efficiency rise with load",
            0.0,
            -0.8,
            0.8,
            0.06,
            "1",
            keys,
            ("chiller_demand",),
        ),
        Parameter(
            "efficiency rise with lift",
            0.0,
            -0.03,
            0.03,
            0.003,
            "1/K",
            keys,
            ("chw_supply_setpoint",),
        ),
        Parameter(
            "idle power",
            idle,
            0.0,
            IDLE_POWER_MAX,
            0.1,
            "1",
            ("chiller.idle_power",),
        ),
    )


def _apply(plant: PlantParams, values: jax.Array, anchors: jax.Array) -> PlantParams:
    scale, by_load, by_lift, idle = values
    e0, e1, e2, e3, e4, e5 = (scale * e for e in plant.chiller.efficiency)
    base = e0 - by_load * anchors[0] - by_lift * anchors[1]
    efficiency = (base, e1 + by_load, e2, e3 + by_lift, e4, e5)
    chiller = dataclasses.replace(plant.chiller, efficiency=efficiency, idle_power=idle)
    return dataclasses.replace(plant, chiller=chiller)


def _predict(plant: PlantParams, values: jax.Array, inputs: Inputs) -> jax.Array:
    cop = components.chiller_cop(
        inputs["part_load"], inputs["lift"], inputs["leaving"], plant.chiller
    )
    return inputs["heat"] / jnp.maximum(cop, 0.1) / 1e3


def _is_sound(plant: PlantParams) -> bool:
    """Return whether COP falls with lift and power rises with load everywhere."""
    efficiency = [float(e) for e in plant.chiller.efficiency]
    return shape_of(efficiency, float(plant.chiller.lift_floor)).is_sound


CHILLER = Part(
    name="chiller",
    title="Chillers",
    meter="chiller_power",
    unit="kW",
    parameters=_parameters,
    collect=_collect,
    apply=_apply,
    predict=_predict,
    anchors=("part_load", "lift"),
    is_power=True,
    is_sound=_is_sound,
)

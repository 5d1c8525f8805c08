"""Tower fans, and how near to the wet bulb the towers bring the water."""

import jax
import jax.numpy as jnp
import numpy as np

from coolbound_envs import components
from coolbound_envs.constants import WATER_HEAT
from coolbound_envs.drives import STANDSTILL
from coolbound_envs.params import CondenserParams, PlantParams
from coolbound_envs.psychrometrics import STANDARD_PRESSURE
from coolbound_envs.towers import FREE_CONVECTION, cells_in_service
from coolbound_shadow.calibration.chiller_part import TEMP_CALM
from coolbound_shadow.calibration.part_types import (
    Factor,
    Inputs,
    Part,
    scale_parameter,
)
from coolbound_shadow.calibration.pump_parts import (
    RISE_LEAST,
    SPEED_CALM,
    machines,
)
from coolbound_shadow.calibration.samples import (
    MissingError,
    Rows,
    Sample,
    make_sample,
)

FAN_LEAST = 0.15
"""Fans below this speed count as off. [1]"""

BYPASS_CLEAR = 1.5
"""A basin or a lift this far above its low limit has the tower bypass shut. [K]"""

ROUNDS = 6
"""Fixed-point steps of the air's heat capacity; each cuts the error tenfold. [1]"""


def condenser_share(rows: Rows) -> np.ndarray:
    """Return condenser flow over the design flow, metered or by pump speed [1].

    Raises:
        MissingError: Neither is in the log.
    """
    flow = rows.maybe("cw_flow")
    if flow is not None:
        return flow / float(rows.site.plant.condenser.design_flow)
    (speed,) = rows.need("cw_pump_speed")
    chiller, condenser = rows.site.plant.chiller, rows.site.plant.condenser
    each = float(chiller.condenser_flow_min * chiller.condenser_flow)
    try:
        running, starting = machines(rows)
    except MissingError:
        return speed
    floor = each * (np.nan_to_num(running) + starting) / float(condenser.design_flow)
    return np.maximum(speed, floor)


def cells_of(share: np.ndarray, condenser: CondenserParams) -> np.ndarray:
    """Return the share of cells in service, NaN where it depends on the past [1]."""
    known = np.nan_to_num(share, nan=STANDSTILL)
    water = jnp.asarray(known, jnp.float32)
    every = jnp.zeros_like(water) + condenser.cells
    few, all_cells, none = jnp.ones_like(water), every, jnp.zeros_like(water)
    for _ in range(round(float(condenser.cells))):
        few = cells_in_service(few, water, none, condenser)
        all_cells = cells_in_service(all_cells, water, none, condenser)
    found = np.where(np.asarray(few) == np.asarray(all_cells), np.asarray(few), np.nan)
    return np.where(np.isfinite(share), found, np.nan) / float(condenser.cells)


def _collect_fan(rows: Rows) -> Sample:
    power, speed = rows.need("tower_fan_power", "tower_fan_speed")
    notes: tuple[str, ...] = ()
    try:
        cells = cells_of(condenser_share(rows), rows.site.plant.condenser)
    except MissingError:
        cells = np.ones_like(speed)
        notes = ("Condenser flow is not in the log: all tower cells were taken as on.",)
    unsure = np.isnan(cells)
    inputs = {"speed": speed, "cells": np.where(unsure, 1.0, cells)}
    # Fans at rest tell nothing of their power, but their zero counts in the sum.
    calm = rows.calm(speed, SPEED_CALM) & (speed >= FAN_LEAST)
    return make_sample(
        inputs, power, {"cells in service unknown": ~unsure}, calm, notes
    )


FAN_POWER = Factor(
    scale_parameter("tower fan power", 0.3, 3.0, 0.05, ("condenser.fan_power",))
)


def _predict_fan(plant: PlantParams, values: jax.Array, inputs: Inputs) -> jax.Array:
    # As `towers.step_tower`: the fans of the cells in service turn at one speed.
    full = plant.condenser.fan_power * inputs["cells"]
    return full * inputs["speed"] ** 3 / 1e3


TOWER_FAN = Part(
    name="tower_fan",
    title="Tower fans",
    meter="tower_fan_power",
    unit="kW",
    parameters=FAN_POWER.parameters,
    collect=_collect_fan,
    apply=FAN_POWER.apply,
    predict=_predict_fan,
    is_power=True,
)


def _collect_tower(rows: Rows) -> Sample:
    basin, entering, wet_bulb, speed = rows.need(
        "cw_supply_temp", "cw_return_temp", "outdoor_wet_bulb", "tower_fan_speed"
    )
    share = condenser_share(rows)
    cells = cells_of(share, rows.site.plant.condenser)
    unsure = np.isnan(cells)
    inputs = {
        "entering": entering,
        "rise": entering - basin,
        "wet_bulb": wet_bulb,
        "speed": speed,
        "share": share,
        "cells": np.where(unsure, 1.0, cells),
    }
    known = {
        "towers without load": entering - basin > RISE_LEAST,
        "cells in service unknown": ~unsure,
        "tower bypass may be open": _is_bypass_shut(rows, basin, entering),
    }
    calm = rows.calm(basin, TEMP_CALM) & rows.calm(entering, TEMP_CALM)
    calm &= rows.calm(speed, SPEED_CALM) & rows.calm(share, SPEED_CALM)
    return make_sample(inputs, basin - wet_bulb, known, calm)


def _is_bypass_shut(rows: Rows, basin: np.ndarray, leaving: np.ndarray) -> np.ndarray:
    condenser = rows.site.plant.condenser
    shut = basin > float(condenser.low_limit_cooling) + BYPASS_CLEAR
    cold = rows.maybe("chw_supply_temp")
    if cold is not None:
        shut &= leaving - cold > float(condenser.lift_setpoint) + BYPASS_CLEAR
    return shut


TOWER_CONDUCTANCE = Factor(
    scale_parameter(
        "tower conductance",
        0.2,
        4.0,
        0.15,
        ("condenser.conductance",),
        ("tower_fan_speed",),
    )
)


def _predict_tower(plant: PlantParams, values: jax.Array, inputs: Inputs) -> jax.Array:
    """Return the approach at which the towers reject what they are given [K]."""
    condenser = plant.condenser
    rate = condenser.design_flow * inputs["share"] * WATER_HEAT
    heat = components.tower_heat(
        inputs["entering"],
        inputs["share"],
        inputs["speed"],
        inputs["wet_bulb"],
        _air_capacity(rate * inputs["rise"], inputs, condenser),
        condenser,
        inputs["cells"],
    )
    return inputs["entering"] - heat / rate - inputs["wet_bulb"]


def _air_capacity(
    heat: jax.Array, inputs: Inputs, condenser: CondenserParams
) -> jax.Array:
    """Return the air's heat capacity along saturation at the heat given [J/(kg K)]."""
    wet_bulb = inputs["wet_bulb"]
    pressure = jnp.full_like(wet_bulb, STANDARD_PRESSURE)
    speed = jnp.maximum(inputs["speed"], FREE_CONVECTION)
    air = condenser.air_flow * inputs["cells"] * speed
    capacity = jnp.full_like(wet_bulb, 4000.0)
    for _ in range(ROUNDS):
        rise = jnp.maximum(heat / (air * capacity), 0.5)
        capacity = components.air_capacity_effective(
            wet_bulb + rise, wet_bulb, pressure
        )
    return capacity


TOWER = Part(
    name="tower",
    title="Tower approach",
    meter="tower approach",
    unit="K",
    parameters=TOWER_CONDUCTANCE.parameters,
    collect=_collect_tower,
    apply=TOWER_CONDUCTANCE.apply,
    predict=_predict_tower,
    # 0.2 K of a wet-bulb sensor are some percent of an approach.
    systematic=0.03,
)

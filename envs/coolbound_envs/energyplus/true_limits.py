"""The 21 limits on what EnergyPlus simulated, by the formulas of our own plant.

What our plant watches within an interval is here a mean of it or its end, where
EnergyPlus tells no more: the coldest inlet and the speed at which evaporator flow
changes are of means over 300 s, the tower's water is that at the end.
"""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np

from coolbound_envs.energyplus.observation import hall_points
from coolbound_envs.energyplus.passage import Passage
from coolbound_envs.energyplus.sizes import Sizes
from coolbound_envs.faults import no_faults
from coolbound_envs.interval import CONTROL_INTERVAL, Summary
from coolbound_envs.limit_numbers import LimitValues
from coolbound_envs.limits import Moment, limit_values
from coolbound_envs.params import PlantParams
from coolbound_envs.settling import initial_state
from coolbound_envs.state import Disturbance, Flows, PlantState
from coolbound_envs.types import action_from_vector

HISTORY = 3
"""Intervals in 15 min. [1]"""

NOT_COOLING = 1e3
"""Coldest tower water where no chiller runs. [degC]"""

PRESSURE = 5
"""Place of the remote pressure among the channels. [1]"""


_VALUES = jax.jit(limit_values)


def true_limits(
    passage: Passage, sizes: Sizes, plant: PlantParams, limits: LimitValues
) -> np.ndarray:
    """Return h of all 21 limits in every interval, (T, 21), each limit's unit.

    Args:
        passage: The run.
        sizes: Of the site.
        plant: The site's plant.
        limits: Its limits.
    """
    moment = moment_of(passage, sizes, plant)
    # Constants () meet arrays of halls and machines, time last.
    with jax.numpy_rank_promotion("allow"):
        values = _VALUES(moment, limits, plant)
    return np.asarray(values).T


def moment_of(passage: Passage, sizes: Sizes, plant: PlantParams) -> Moment:
    """Return what the limits look at, time last."""
    inlet = _zones(passage, "inlet", sizes)
    first = np.repeat(inlet[..., :1], HISTORY, axis=-1)
    earlier = np.concatenate([first, inlet], axis=-1)[..., : passage.steps]
    last = np.concatenate([inlet[..., :1], inlet[..., :-1]], axis=-1)
    state = _state(passage, sizes, plant)
    before, after = (
        dataclasses.replace(
            state, sequencer=jax.tree.map(lambda x, at=at: x[..., at], passage.machines)
        )
        for at in (slice(None, -1), slice(1, None))
    )
    return Moment(
        summary=_summary(passage, sizes),
        before=before,
        after=after,
        inlet_before=_number(earlier),
        inlet_last=_number(last),
        action=action_from_vector(_number(passage.applied[1:])),
        previous=action_from_vector(_number(passage.applied[:-1])),
    )


def _number(values: np.ndarray) -> jax.Array:
    return jnp.asarray(values, jnp.float32)


def _zones(passage: Passage, name: str, sizes: Sizes) -> np.ndarray:
    """Return a reading of every zone, (halls, zones, T)."""
    return np.stack(
        [
            [passage.readings[f"{name}{hall}_{zone}"] for zone in range(sizes.zones)]
            for hall in range(sizes.halls)
        ]
    )


def _halls(passage: Passage, name: str, sizes: Sizes) -> np.ndarray:
    return np.stack([passage.readings[f"{name}{h}"] for h in range(sizes.halls)])


def _machines(passage: Passage, name: str, sizes: Sizes) -> np.ndarray:
    return np.stack([passage.readings[f"{name}{n}"] for n in range(sizes.chillers)])


def _derived(passage: Passage, name: str, sizes: Sizes) -> np.ndarray:
    """Return a point of the halls that EnergyPlus has no reading of, (halls, T)."""
    pressure = 1e3 * passage.applied[1:, PRESSURE]
    found = []
    for step in range(passage.steps):
        row = {key: float(x[step]) for key, x in passage.readings.items()}
        points = hall_points(row, float(pressure[step]), sizes)
        found.append([points[f"{name}_hall{h + 1}"] for h in range(sizes.halls)])
    return np.asarray(found).T


def _state(passage: Passage, sizes: Sizes, plant: PlantParams) -> PlantState:
    """Return a state of which limits read dew point, valves and machines alone."""
    zeros = jnp.zeros(passage.steps, jnp.float32)
    still = Disturbance(
        it_work=jnp.zeros((sizes.halls, passage.steps), jnp.float32),
        dry_bulb=zeros,
        wet_bulb=zeros,
        dew_point=zeros,
        pressure=zeros,
        faults=no_faults((passage.steps,)),
    )
    dew_point = _derived(passage, "room_dew_point", sizes).max(axis=0)
    return dataclasses.replace(
        initial_state(still, plant, (passage.steps,)),
        room_dew_point=_number(dew_point),
        valve=_number(_derived(passage, "crah_valve", sizes)),
    )


def _summary(passage: Passage, sizes: Sizes) -> Summary:
    running = np.asarray(passage.machines.running_count)
    inlet, read = _zones(passage, "inlet", sizes), passage.readings
    server_air = _zones(passage, "server_air", sizes).sum(axis=1)
    ratio = _halls(passage, "crah_air", sizes) / np.maximum(server_air, 1e-6)
    basin, flow = read["cw_supply"], _evaporator_flow(passage, sizes)
    is_cooling = running[:-1] > 0.5
    last = np.concatenate([flow[:1], flow[:-1]])
    change = np.abs(flow - last) / np.maximum(last, 1.0) * 60.0 / CONTROL_INTERVAL
    # Between standstill and flow there is no rate.
    is_steady = is_cooling & (np.minimum(flow, last) > 1.0)
    return Summary(
        mean=_flows(passage, sizes, flow),
        inlet_temp_max=_number(read["inlet_max"]),
        inlet_temp_min=_number(inlet.min(axis=(0, 1))),
        airflow_ratio_min=_number(ratio.min(axis=0)),
        basin_temp_min=_number(basin),
        basin_temp_min_cooling=_number(np.where(is_cooling, basin, NOT_COOLING)),
        flow_change_max=_number(np.where(is_steady, change, 0.0)),
        running=_number(running[1:]),
    )


def _evaporator_flow(passage: Passage, sizes: Sizes) -> np.ndarray:
    """Return the water through each machine that has any, (T,) [kg/s]."""
    flows = _machines(passage, "evaporator_flow", sizes)
    return flows.sum(axis=0) / np.maximum((flows > 0.1).sum(axis=0), 1)


def _of_running(passage: Passage, name: str, sizes: Sizes) -> np.ndarray:
    """Return the mean of a reading over the machines that cool, 0 for none, (T,)."""
    is_on = _machines(passage, "chiller_heat", sizes) > 1.0
    values = np.where(is_on, _machines(passage, name, sizes), 0.0)
    return values.sum(axis=0) / np.maximum(is_on.sum(axis=0), 1)


def _flows(passage: Passage, sizes: Sizes, evaporator_flow: np.ndarray) -> Flows:
    read = passage.readings
    heat = _of_running(passage, "chiller_heat", sizes)
    leaving = _of_running(passage, "condenser_leaving", sizes)
    pressure = 1e3 * passage.applied[1:, PRESSURE]
    held = [
        sizes.remote_pressure(float(flow), float(asked))
        for flow, asked in zip(read["chw_flow"], pressure, strict=True)
    ]
    numbers = {
        "inlet_temp": _zones(passage, "inlet", sizes),
        "it_power": _zones(passage, "it_power", sizes).sum(axis=1),
        "crah_power": _halls(passage, "crah_power", sizes),
        "chw_pressure": np.asarray(held),
        "chw_pump_power": read["chw_pump_power"],
        "chiller_power": _machines(passage, "chiller_power", sizes).sum(axis=0),
        "part_load": heat / sizes.chiller_capacity,
        "lift": leaving - _of_running(passage, "evaporator_leaving", sizes),
        "evaporator_flow": evaporator_flow,
        "cw_flow": read["cw_flow"],
        "cw_entering_temp": read["cw_supply"],
        "cw_leaving_temp": leaving,
        "cw_pump_power": read["cw_pump_power"],
        "tower_power": read["tower_power"],
    }
    unread = np.zeros(passage.steps)
    return Flows(
        **{
            field.name: _number(numbers.get(field.name, unread))
            for field in dataclasses.fields(Flows)
        }
    )

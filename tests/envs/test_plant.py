"""The plant closes its energy balance, converges, and answers as physics says."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from made_plants import (
    action,
    disturbance,
    fresh,
    held,
    run_plant,
    site,
)

from coolbound_envs.halls import ZONE_SHARE, apply_supply_air, hall_response, zone_work
from coolbound_envs.interval import Summary
from coolbound_envs.spec import HALLS, ZONES
from coolbound_envs.state import PIPE_CELLS, Disturbance, PlantState
from coolbound_envs.types import Action

DAY = 288
WATER_HEAT = 4186.0


def busy_day() -> tuple[list[Action], list[Disturbance]]:
    """Return a cold day: load swings, three machines, free cooling, and back."""
    actions, acting = [], []
    for k in range(DAY):
        hour = k / 12.0
        machines = 3.0 if 4.0 <= hour < 8.0 else 2.0
        is_free = 11.0 <= hour < 17.0
        opens = 10.0 <= hour < 17.75
        actions.append(
            action(
                n=0.0 if is_free else machines,
                eco=1.0 if opens else 0.0,
                tower=0.85 if opens else 0.4,
                chw=13.0 + 1.5 * np.sin(hour / 3.0),
                air1=23.0 + np.sin(hour / 2.0),
                air2=23.0,
                fan1=0.9,
                dp=90.0,
            )
        )
        load = 0.7 + 0.15 * np.sin(2 * np.pi * hour / 24.0)
        acting.append(disturbance(load, wet_bulb=2.0 + 2.0 * np.sin(hour / 4.0)))
    return actions, acting


@pytest.fixture(scope="module")
def day() -> tuple[PlantState, PlantState, Summary]:
    """Return the first state, all states and all summaries of a busy day."""
    actions, acting = busy_day()
    start, _ = held(actions[0], acting[0])
    _, states, summaries = run_plant(start, actions, acting, 10)
    return start, states, summaries


def stored(state: PlantState) -> np.ndarray:
    """Return the heat in every store, float64, from the site's sizes [J]."""
    plant = site().plant
    design = float(plant.it.design_power) / HALLS * np.asarray(ZONE_SHARE)
    design = np.broadcast_to(design, (HALLS, ZONES))
    stores = {
        "server_temp": plant.it.server_capacity,
        "hot_aisle_temp": plant.it.air_capacity,
        "structure_temp": plant.it.structure_capacity,
    }

    def of(name: str) -> np.ndarray:
        return np.asarray(getattr(state, name), np.float64)

    heat = sum(
        np.einsum("hz,hz...->...", design * float(size), of(name))
        for name, size in stores.items()
    )
    pipes = np.sum(of("supply_pipe_temp") + of("return_pipe_temp"), axis=0)
    water = (
        pipes * float(plant.chw.pipe_mass) / PIPE_CELLS
        + of("buffer_temp") * float(plant.chw.buffer_mass)
        + of("basin_temp") * float(plant.condenser.basin_mass)
    )
    return np.asarray(heat + water * WATER_HEAT)


def heat_in_and_out(summary: Summary) -> tuple[np.ndarray, np.ndarray]:
    """Return each interval's heat given off and rejected, float64 [J]."""
    mean = jax.tree.map(lambda x: np.asarray(x, np.float64), summary.mean)
    given = (
        mean.it_power.sum(0)
        + mean.crah_power.sum(0)
        + mean.chw_pump_power
        + mean.cw_pump_power
        + mean.chiller_power
        + mean.latent_heat
    )
    return given * 300.0, mean.tower_heat * 300.0


def test_the_busy_day_stages_and_changes_to_free_cooling_and_back(
    day: tuple[PlantState, PlantState, Summary],
) -> None:
    _, states, _ = day
    running = np.asarray(states.sequencer.running_count)
    assert set(np.unique(running)) >= {0.0, 2.0, 3.0}
    assert np.ptp(np.asarray(states.sequencer.economizer)) == 1.0
    assert running[-1] == 2.0


def test_energy_closes_over_a_day_and_over_its_transients(
    day: tuple[PlantState, PlantState, Summary],
) -> None:
    start, states, summary = day
    given, rejected = heat_in_and_out(summary)
    missing = np.cumsum(given - rejected) - (stored(states) - stored(start))
    assert abs(missing[-1]) / given.sum() < 1e-3
    # After every hour, whatever was going on in it.
    hourly = missing.reshape(24, 12)[:, -1]
    heat = given.reshape(24, 12).sum(1)
    assert np.max(np.abs(np.diff(hourly, prepend=0.0)) / heat) < 1e-3


def test_thirty_second_steps_agree_with_five_second_steps(
    day: tuple[PlantState, PlantState, Summary],
) -> None:
    start, states, coarse = day
    _, _, fine = run_plant(start, *busy_day(), 60)
    quiet = np.asarray(states.sequencer.mode_age) > 900.0
    gap = np.asarray(coarse.mean.inlet_temp) - np.asarray(fine.mean.inlet_temp)
    assert np.sqrt(np.mean(gap[..., quiet] ** 2)) < 0.15
    totals = [float(np.sum(s.mean.facility_power)) for s in (coarse, fine)]
    cooling = [float(np.sum(s.mean.mechanical_power)) for s in (coarse, fine)]
    assert abs(totals[0] / totals[1] - 1.0) < 0.005
    assert abs(cooling[0] / cooling[1] - 1.0) < 0.005


def without_cooling(state: PlantState) -> PlantState:
    shut = jnp.zeros_like(state.valve)
    return dataclasses.replace(state, valve=shut, valve_command=shut)


def test_halls_without_cooling_warm_by_two_degrees_a_minute() -> None:
    acting = disturbance(load=1.0)
    act = action(fan1=1.0, fan2=1.0)
    warm = without_cooling(held(act, acting)[0])
    # A set-point out of reach keeps the coil valves shut.
    adiabatic = action(fan1=1.0, fan2=1.0, air1=90.0, air2=90.0)
    after, _, _ = run_plant(warm, [adiabatic], [acting], 60)
    rise = np.asarray(after.server_temp - warm.server_temp) / 5.0
    assert np.all(np.abs(rise / 2.3 - 1.0) < 0.3)


def server_time_constant(load: float) -> float:
    """Return the time to 63 % of a step of supply air, in minutes."""
    acting = disturbance(load)
    state, _ = held(action(), acting)
    work = zone_work(acting.it_work)
    air = site().plant.crah.air_flow / HALLS * jnp.asarray([0.9, 0.9], jnp.float32)

    def settle(state: PlantState, steps: int) -> tuple[PlantState, jax.Array]:
        def body(s: PlantState, _: None) -> tuple[PlantState, jax.Array]:
            response = hall_response(s, work, air, 5.0, site().plant.it)
            s = apply_supply_air(s, response, s.supply_air_temp)[0]
            return s, jnp.mean(s.server_temp)

        return jax.lax.scan(body, state, None, length=steps)

    state, _ = settle(state, 2000)
    before = float(jnp.mean(state.server_temp))
    warmer = dataclasses.replace(state, supply_air_temp=state.supply_air_temp - 2.0)
    _, path = settle(warmer, 2000)
    share = (np.asarray(path) - before) / (float(path[-1]) - before)
    return float(np.argmax(share >= 0.632) + 1) * 5.0 / 60.0


@pytest.mark.parametrize("load", [0.75, 1.0])
def test_servers_answer_a_step_of_supply_air_in_four_to_six_minutes(
    load: float,
) -> None:
    assert 4.0 <= server_time_constant(load) <= 6.0


SIGNS = [
    ("chw", 2.0, "chiller_power", -1),
    ("chw", 2.0, "lift", -1),
    ("chw", 2.0, "chw_pump_power", +1),
    ("fan1", 0.1, "crah_power", +1),
    ("fan1", 0.1, "airflow_ratio", +1),
    ("air1", 2.0, "inlet_temp", +1),
    ("air1", 2.0, "coil_flow", -1),
    ("dp", 20.0, "chw_pressure", +1),
    ("dp", 20.0, "chw_pump_power", +1),
    ("pump", 0.1, "cw_pump_power", +1),
    ("pump", 0.1, "cw_flow", +1),
    ("tower", 0.2, "tower_power", +1),
    ("tower", 0.2, "cw_entering_temp", -1),
    ("tower", 0.2, "chiller_power", -1),
    ("n", 1.0, "part_load", -1),
]


@pytest.mark.parametrize(("channel", "change", "quantity", "sign"), SIGNS)
def test_every_actuator_moves_what_physics_says(
    channel: str, change: float, quantity: str, sign: int
) -> None:
    acting = disturbance(wet_bulb=20.0)
    base = {
        "air1": 22.0, "fan1": 0.85, "chw": 12.0, "dp": 80.0, "pump": 0.8,
        "tower": 0.6, "n": 2.0,
    }  # fmt: skip
    before = getattr(held(action(), acting)[1].mean, quantity)
    moved = action(**{channel: base[channel] + change})
    after = getattr(held(moved, acting)[1].mean, quantity)
    first, then = float(jnp.ravel(before)[0]), float(jnp.ravel(after)[0])
    assert sign * (then - first) > 1e-3 * abs(first)


def test_the_economizer_takes_load_off_the_chillers_and_they_keep_their_least() -> None:
    acting = disturbance(wet_bulb=3.0)
    without = held(action(tower=0.9), acting)[1].mean
    combined = held(action(tower=0.9, eco=1.0), acting)[1].mean
    assert float(combined.economizer_heat) > 0.0 == float(without.economizer_heat)
    assert float(combined.chiller_heat) < float(without.chiller_heat)
    assert float(combined.part_load) >= float(site().plant.chiller.load_min) - 1e-3


def test_chilled_water_keeps_its_set_point_while_capacity_lasts() -> None:
    state, _ = held(action(chw=11.0), disturbance())
    np.testing.assert_allclose(state.supply_pipe_temp, 11.0, atol=0.02)


def test_facility_power_is_the_sum_of_its_meters() -> None:
    mean = held(action(), disturbance())[1].mean
    meters = (
        float(mean.it_power.sum()) + float(mean.crah_power.sum())
        + float(mean.chiller_power) + float(mean.chw_pump_power)
        + float(mean.cw_pump_power) + float(mean.tower_power)
    )  # fmt: skip
    np.testing.assert_allclose(float(mean.facility_power), meters, rtol=1e-6)


def test_evaporator_flow_never_jumps_when_machines_start_or_stop(
    day: tuple[PlantState, PlantState, Summary],
) -> None:
    _, _, summary = day
    assert float(np.max(summary.flow_change_max)) < 0.30


def test_shut_valves_leave_no_heat_without_water() -> None:
    acting = disturbance()
    shut = without_cooling(fresh(acting))
    after, _, _ = run_plant(shut, [action(air1=90.0, air2=90.0)] * 6, [acting] * 6, 10)
    assert float(jnp.max(after.return_pipe_temp)) < 60.0
    assert all(bool(jnp.all(jnp.isfinite(x))) for x in jax.tree.leaves(after))


def test_pump_pressure_follows_its_set_point_within_one_interval() -> None:
    acting = disturbance()
    state, _ = held(action(dp=80.0), acting)
    after, _, summary = run_plant(state, [action(dp=95.0)], [acting], 10)
    np.testing.assert_allclose(after.pressure_setpoint, 95.0e3, rtol=1e-6)
    assert 80.0e3 < float(summary.mean.chw_pressure[0]) < 95.0e3

"""What breaks acts as physics and protection say, and the plant recovers."""

import dataclasses
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import psychrolib
import pytest
from made_plants import action, disturbance, held, run_plant, scalar, site

from coolbound_envs.energy import heat_given, heat_rejected, stored_heat
from coolbound_envs.faults import no_faults
from coolbound_envs.interval import Summary, run_interval
from coolbound_envs.plant_room import evaporator_flow
from coolbound_envs.state import Disturbance, PlantState
from coolbound_envs.towers import cells_in_service, water_use

psychrolib.SetUnitSystem(psychrolib.SI)
AHEAD = 3  # intervals before a fault
BROKEN = 6
AFTER = 18


def broken(given: Disturbance, **parts: Any) -> Disturbance:
    arrays = {name: jnp.asarray(value, jnp.float32) for name, value in parts.items()}
    return dataclasses.replace(given, faults=dataclasses.replace(no_faults(), **arrays))


def timeline(
    first: int, load: float = 0.75, wet_bulb: float = 18.0, **parts: Any
) -> tuple[PlantState, PlantState, Summary]:
    """Return start, states and summaries: sound, `first` broken intervals, sound."""
    sound = disturbance(load, wet_bulb)
    acting = [sound] * AHEAD + [broken(sound, **parts)] * first
    acting += [sound] * (AHEAD + BROKEN + AFTER - len(acting))
    start, _ = held(action(), sound)
    _, states, summaries = run_plant(start, [action()] * len(acting), acting, 10)
    return start, states, summaries


def numbers(values: jax.Array) -> np.ndarray:
    return np.asarray(values, np.float64)


def test_a_tripped_chiller_stops_at_once_and_the_rested_one_replaces_it() -> None:
    _, states, summaries = timeline(BROKEN, chiller_tripped=[1.0, 0.0, 0.0])
    machines = states.sequencer
    commanded = numbers(machines.commanded)
    assert commanded[:, AHEAD - 1].tolist() == [1.0, 1.0, 0.0]
    # Same interval, although stage hold and mode gap would make a choice wait.
    assert commanded[:, AHEAD].tolist() == [0.0, 1.0, 1.0]
    ramp = numbers(machines.ramp)
    assert ramp[0, AHEAD] == 0.0
    assert 0.0 < ramp[2, AHEAD] < 1.0
    assert ramp[2, AHEAD + 3] == 1.0
    lockout = numbers(machines.lockout)[0]
    assert lockout[AHEAD : AHEAD + BROKEN].min() > 0.0
    assert lockout[AHEAD + BROKEN + 3] == 0.0
    assert numbers(summaries.mean.chiller_power)[-1] > 1e5


def test_all_chillers_lost_warms_the_water_and_the_first_one_back_cools_it() -> None:
    _, states, _ = timeline(BROKEN, chiller_tripped=[1.0, 1.0, 1.0])
    water = numbers(states.supply_pipe_temp)[0]
    assert np.all(np.diff(water[AHEAD : AHEAD + BROKEN]) > 0.2)
    assert water[AHEAD + BROKEN] > water[AHEAD - 1] + 4.0
    assert water[-1] < water[AHEAD + BROKEN] - 4.0


def test_lost_crah_units_take_their_air_fans_and_coils_with_them() -> None:
    _, states, summaries = timeline(BROKEN, crah_lost=[0.5, 0.0])
    fan = numbers(summaries.mean.crah_power)
    ratio = numbers(summaries.mean.airflow_ratio)
    assert fan[0, AHEAD] == pytest.approx(0.5 * fan[0, AHEAD - 1], rel=1e-4)
    assert fan[1, AHEAD] == pytest.approx(fan[1, AHEAD - 1], rel=1e-4)
    assert ratio[0, AHEAD] < 0.6 * ratio[0, AHEAD - 1]
    inlet = numbers(states.hot_aisle_temp).mean(1)
    assert inlet[0, AHEAD + BROKEN - 1] > inlet[0, AHEAD - 1] + 2.0
    assert abs(inlet[1, AHEAD + BROKEN - 1] - inlet[1, AHEAD - 1]) < 1.0


def test_a_stuck_valve_stays_and_the_other_hall_goes_on() -> None:
    sound = disturbance(0.6)
    start, _ = held(action(), sound)
    warmer = action(air1=24.0, air2=24.0)
    acting = [broken(sound, valve_stuck=[1.0, 0.0])] * BROKEN
    _, states, _ = run_plant(start, [warmer] * BROKEN, acting, 10)
    valve = numbers(states.valve)
    assert np.all(valve[0] == float(start.valve[0]))
    assert valve[1, -1] < float(start.valve[1]) - 0.03


@pytest.mark.parametrize(
    ("part", "flow"), [("chw_pump_lost", "chw_flow"), ("cw_pump_lost", "cw_flow")]
)
def test_half_the_pumps_give_between_half_and_all_of_the_flow(
    part: str, flow: str
) -> None:
    sound = disturbance(0.9)
    wide = action(dp=120.0, pump=1.0, chw=14.0, air1=20.0, air2=20.0)
    start, _ = held(wide, sound)
    acting = [sound, broken(sound, **{part: 0.5})]
    _, _, summaries = run_plant(start, [wide] * 2, acting, 10)
    whole, half = numbers(getattr(summaries.mean, flow))
    assert 0.5 * whole < half < 0.95 * whole


def test_without_condenser_pumps_the_flow_switches_trip_the_machines() -> None:
    _, states, summaries = timeline(BROKEN, cw_pump_lost=1.0)
    machines = states.sequencer
    assert numbers(machines.running_count)[AHEAD] == 0.0
    assert numbers(machines.lockout)[0, AHEAD] > 0.0
    assert np.isfinite(numbers(summaries.mean.facility_power)).all()
    assert np.max(numbers(summaries.mean.cw_leaving_temp)) < 60.0
    assert numbers(machines.running_count)[-1] >= 1.0


def test_hot_condensers_trip_the_machines_before_anything_breaks() -> None:
    _, states, summaries = timeline(BROKEN, wet_bulb=27.0, tower_cell_lost=1.0)
    machines = states.sequencer
    assert np.any(numbers(machines.lockout) > 0.0)
    assert np.max(numbers(summaries.mean.cw_leaving_temp)) < 43.0


def test_a_lost_tower_cell_warms_the_basin_and_costs_less_fan_power() -> None:
    _, states, summaries = timeline(BROKEN, wet_bulb=24.0, tower_cell_lost=1.0 / 3.0)
    basin, fan = numbers(states.basin_temp), numbers(summaries.mean.tower_power)
    assert numbers(states.tower_cells)[AHEAD] == 2.0
    assert basin[AHEAD + BROKEN - 1] > basin[AHEAD - 1] + 1.0
    assert fan[AHEAD] == pytest.approx(fan[AHEAD - 1] * 2.0 / 3.0, rel=1e-3)
    assert numbers(states.tower_cells)[-1] == 3.0


def test_a_power_dip_stops_everything_but_servers_and_machines_restart() -> None:
    _, states, summaries = timeline(1, power_lost=120.0)
    mean, machines = summaries.mean, states.sequencer
    # Two of the five minutes dark, then a minute to come up again.
    crah = numbers(mean.crah_power).sum(0)
    assert 0.3 * crah[AHEAD - 1] < crah[AHEAD] < 0.65 * crah[AHEAD - 1]
    assert numbers(mean.it_power).sum(0)[AHEAD] > numbers(mean.it_power).sum(0)[0]
    assert numbers(mean.chiller_power)[AHEAD] < 0.2 * numbers(mean.chiller_power)[0]
    assert numbers(machines.commanded_count)[AHEAD] == 2.0
    assert numbers(machines.lockout).max() == 0.0
    assert numbers(machines.running_count)[AHEAD + 1] == 2.0
    hottest = numbers(summaries.inlet_temp_max)
    assert hottest[AHEAD] > hottest[AHEAD - 1] + 2.0
    assert abs(hottest[-1] - hottest[AHEAD - 1]) < 0.5


def test_energy_closes_through_trips_dips_and_lost_pumps() -> None:
    parts: tuple[dict[str, Any], ...] = (
        {"chiller_tripped": [1.0, 1.0, 0.0]},
        {"power_lost": 240.0},
        {"cw_pump_lost": 1.0},
        {"chw_pump_lost": 1.0},
        {"crah_lost": [1.0, 0.3]},
        {"tower_cell_lost": 2.0 / 3.0},
    )
    plant = site().plant
    for part in parts:
        start, states, summaries = timeline(BROKEN, **part)
        flows = summaries.mean
        given = numbers(heat_given(flows)) * 300.0
        missing = np.sum(given - numbers(heat_rejected(flows)) * 300.0)
        last = jax.tree.map(lambda x: x[..., -1], states)
        kept = float(stored_heat(last, plant)) - float(stored_heat(start, plant))
        assert abs(missing - kept) / given.sum() < 1e-3, part


def test_one_more_open_valve_takes_a_half_a_third_a_quarter_of_the_flow() -> None:
    state, _ = held(action(), disturbance())
    plant = site().plant

    def each(open_count: int) -> float:
        valves = jnp.ones((open_count,), jnp.float32)
        machines = dataclasses.replace(state.sequencer, valve=valves)
        opened = dataclasses.replace(state, sequencer=machines)
        return float(evaporator_flow(scalar(90.0), opened, plant))

    lost = [1.0 - each(n + 1) / each(n) for n in (1, 2, 3)]
    np.testing.assert_allclose(lost, [1 / 2, 1 / 3, 1 / 4], atol=1e-6)


def test_a_fast_isolation_valve_shocks_the_running_machine_and_a_slow_one_not() -> None:
    plant = site().plant
    given = disturbance(0.4)
    alone, more = action(n=1.0, chw=15.0), action(n=2.0, chw=15.0)
    start, summary = held(alone, given)
    assert float(summary.mean.evaporator_flow) > 60.0
    worst = {}
    for stroke in (30.0, 300.0):
        timers = dataclasses.replace(plant.sequencer, valve_stroke=scalar(stroke))
        worst[stroke] = max(
            float(s.flow_change_max) for s in run_with(start, more, given, timers)
        )
    assert worst[30.0] > 0.3
    assert worst[300.0] < 0.2


def run_with(
    start: PlantState, act: Any, given: Disturbance, timers: Any
) -> list[Summary]:
    plant = dataclasses.replace(site().plant, sequencer=timers)
    run = jax.jit(run_interval, static_argnums=4)
    found = []
    for _ in range(2):
        start, summary = run(start, act, given, plant, 10)
        found.append(summary)
    return found


def test_machines_take_turns_so_that_duty_rotates() -> None:
    given = disturbance(0.5)
    start, _ = held(action(n=1.0, chw=9.0), given)
    actions = []
    for k in range(6 * 12):
        actions.append(action(n=2.0 if (k // 12) % 2 else 1.0, chw=9.0))
    _, states, _ = run_plant(start, actions, [given] * len(actions), 10)
    ran = numbers(states.sequencer.commanded)
    # Over some starts and stops every machine has run and has rested.
    assert ran.max(axis=1).tolist() == [1.0, 1.0, 1.0]
    assert ran.min(axis=1).tolist() == [0.0, 0.0, 0.0]


def test_cells_follow_the_water_and_never_starve() -> None:
    condenser = site().plant.condenser
    cells = scalar(3.0)
    seen = []
    for share in [1.0, 0.6, 0.45, 0.34, 0.3, 0.2, 0.45, 0.51, 0.54, 1.0, 1.0]:
        cells = cells_in_service(cells, scalar(share), scalar(0.0), condenser)
        seen.append(float(cells))
    assert seen == [3, 3, 2, 2, 1, 1, 2, 2, 3, 3, 3]


def test_towers_evaporate_what_psychrolib_says_the_air_takes_up() -> None:
    for wet_bulb in (2.0, 12.0, 22.0):
        given = dataclasses.replace(
            disturbance(0.75, wet_bulb), dry_bulb=scalar(wet_bulb + 6.0)
        )
        dew = psychrolib.GetTDewPointFromTWetBulb(wet_bulb + 6.0, wet_bulb, 101325.0)
        given = dataclasses.replace(given, dew_point=scalar(dew))
        _, mean = held(action(), given)
        heat = float(mean.mean.tower_heat)
        ratio_in = psychrolib.GetHumRatioFromTDewPoint(dew, 101325.0)
        enthalpy_in = psychrolib.GetMoistAirEnthalpy(wet_bulb + 6.0, ratio_in)
        air = 209.5 * 0.6
        # The saturated air that carries the heat, found by bisection.
        low, high = wet_bulb, 60.0
        for _ in range(60):
            middle = 0.5 * (low + high)
            ratio = psychrolib.GetSatHumRatio(middle, 101325.0)
            enthalpy = psychrolib.GetMoistAirEnthalpy(middle, ratio)
            low, high = (
                (middle, high)
                if air * (enthalpy - enthalpy_in) < heat
                else (low, middle)
            )
        expected = air * (psychrolib.GetSatHumRatio(low, 101325.0) - ratio_in)
        assert float(mean.mean.evaporation) == pytest.approx(expected, rel=0.03)


def test_blowdown_holds_the_cycles_of_concentration() -> None:
    condenser = site().plant.condenser
    water = water_use(scalar(2.0), scalar(250.0), condenser)
    lost = float(water["drift"] + water["blowdown"])
    assert float(water["make_up"]) == pytest.approx(2.0 + lost)
    assert float(water["make_up"]) / lost == pytest.approx(4.0, rel=1e-5)


def test_cold_coils_dry_damp_halls_and_take_up_the_heat_of_condensation() -> None:
    damp = dataclasses.replace(
        held(action(chw=8.0), disturbance())[0], room_dew_point=scalar(16.0)
    )
    given = disturbance()
    _, states, _ = run_plant(damp, [action(chw=8.0)] * 12, [given] * 12, 10)
    dew = numbers(states.room_dew_point)
    water = numbers(states.supply_pipe_temp)[-1]
    assert dew[0] < 13.0
    assert np.all(dew[2:] < water[2:] + 1.0)
    # All the heat comes from vapour that has left the air of the halls.
    pressure = 101325.0
    ratio = [psychrolib.GetHumRatioFromTDewPoint(float(t), pressure) for t in dew]
    first = psychrolib.GetHumRatioFromTDewPoint(16.0, pressure)
    mass = 3.2 * 4e6 / 1006.0
    vapour = mass * (first - ratio[0])
    assert float(states.latent_heat[0]) * 300.0 == pytest.approx(
        2.48e6 * vapour, rel=0.25
    )


def test_warm_water_leaves_the_coils_dry() -> None:
    _, summary = held(action(chw=12.0), disturbance())
    assert float(summary.mean.latent_heat) == 0.0

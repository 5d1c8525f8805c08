import dataclasses
import itertools
import os
import signal
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

pytest.importorskip("pyenergyplus", reason="the extra coolbound[energyplus]")

from made_plants import action, site

from coolbound_envs.chiller_records import find_record
from coolbound_envs.components import server_power
from coolbound_envs.energyplus import launch as launch_module
from coolbound_envs.energyplus import options as options_module
from coolbound_envs.energyplus.closed_loop import closed_loop
from coolbound_envs.energyplus.course import Course, course_of, still_course
from coolbound_envs.energyplus.engine import EnergyPlusError
from coolbound_envs.energyplus.machine_objects import exchanger_conductance
from coolbound_envs.energyplus.model import MACHINE, build_model
from coolbound_envs.energyplus.observation import DERIVED, Instruments
from coolbound_envs.energyplus.options import Options
from coolbound_envs.energyplus.plant import EnergyPlusPlant
from coolbound_envs.energyplus.responses import Point as OperatingPoint
from coolbound_envs.energyplus.responses import ResponseRow, Step, compare_responses
from coolbound_envs.energyplus.site_sizes import sizes_of
from coolbound_envs.energyplus.weather_file import write_epw
from coolbound_envs.load import load_trace
from coolbound_envs.spec import OBSERVATION_SIZE, POINT_INDEX, POINTS
from coolbound_envs.tables import InputError
from coolbound_envs.types import Action, Observation, Quality, action_to_vector
from coolbound_envs.weather import load_weather

SITE = site()
WORK = 0.75 * 4e6
HELD = 9
"""Intervals after which powers move by less than a percent. [1]"""


def mild(steps: int) -> Course:
    return still_course(WORK, 24.0, 0.5, steps)


@dataclasses.dataclass(frozen=True)
class Held:
    observation: Observation
    power: dict[str, float]
    readings: dict[str, float]
    water: dict[str, float]


def hold(plant: EnergyPlusPlant, wanted: Action, steps: int = HELD) -> Held:
    for _ in range(steps - 1):
        plant.step(wanted)
    seen, _, _, _, info = plant.step(wanted)
    return Held(seen, info["power"], info["readings"], info["water"])


MOVES = {
    "base": {},
    "supply_air": {"air1": 23.0, "air2": 23.0},
    "crah": {"fan1": 0.95},
    "chw": {"chw": 14.0},
    "dp": {"dp": 100.0},
    "pump": {"pump": 0.65},
    "tower": {"tower": 0.75},
    "three": {"n": 3.0},
    "one": {"n": 1.0},
}


@pytest.fixture(scope="module")
def held(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Held]:
    """One run through every set-point, and the files that it leaves."""
    folder = tmp_path_factory.mktemp("energyplus")
    found: dict[str, Held] = {}
    with EnergyPlusPlant(SITE, Options(folder=folder)) as plant:
        plant.reset(mild(HELD * (2 * len(MOVES) + 2)), action())
        for name, move in MOVES.items():
            hold(plant, action())
            found[name] = hold(plant, action(**move))
        plant.stop()
        errors = plant.errors()
    assert errors.is_complete
    assert errors.severe == ()
    assert errors.warnings == ()
    return found


def share(held: dict[str, Held], move: str, consumer: str) -> float:
    return held[move].power[consumer] / held["base"].power[consumer]


def chiller_heats(readings: dict[str, float]) -> np.ndarray:
    return np.asarray([readings[f"chiller_heat{n}"] for n in range(3)])


@pytest.mark.parametrize("name", ["base", "chw", "pump", "three"])
def test_heat_of_servers_reaches_coils_then_chillers_then_the_tower(
    held: dict[str, Held], name: str
) -> None:
    power, seen = held[name].power, held[name].readings
    coils = seen["coil_heat0"] + seen["coil_heat1"]
    assert coils == pytest.approx(power["it"] + power["crah"], rel=0.01)
    chilled = chiller_heats(seen).sum()
    assert chilled == pytest.approx(coils + power["chw_pump"], rel=0.005)
    rejected = chilled + power["chiller"] + power["cw_pump"]
    assert seen["tower_heat"] == pytest.approx(rejected, rel=0.005)


def test_the_consumers_make_up_energyplus_own_meter(held: dict[str, Held]) -> None:
    for each in held.values():
        assert sum(each.power.values()) == pytest.approx(
            each.readings["facility_power"], rel=1e-6
        )


def test_crah_speed_sets_air_and_power_by_the_affinity_law(
    held: dict[str, Held],
) -> None:
    base, moved = held["base"].readings, held["crah"].readings
    assert moved["crah_air0"] / base["crah_air0"] == pytest.approx(0.95 / 0.85, 1e-3)
    assert moved["crah_air1"] == pytest.approx(base["crah_air1"], rel=1e-3)
    assert base["crah_air0"] == pytest.approx(0.85 * 455.6 / 2, rel=0.002)
    ratio = moved["crah_power0"] / base["crah_power0"]
    assert ratio == pytest.approx((0.95 / 0.85) ** 2.8, rel=1e-3)


def test_supply_air_follows_its_setpoint(held: dict[str, Held]) -> None:
    assert held["base"].readings["supply_air0"] == pytest.approx(22.0, abs=0.05)
    assert held["supply_air"].readings["supply_air1"] == pytest.approx(23.0, abs=0.05)
    assert share(held, "supply_air", "chw_pump") < 0.95


def test_warmer_chilled_water_costs_pump_and_spares_the_chiller(
    held: dict[str, Held],
) -> None:
    assert held["chw"].readings["chw_supply"] == pytest.approx(14.0, abs=0.05)
    assert share(held, "chw", "chw_pump") > 1.2
    assert 0.85 < share(held, "chw", "chiller") < 0.98


def test_pressure_costs_pump_power_by_flow_times_head(held: dict[str, Held]) -> None:
    for name, pressure in (("base", 80e3), ("dp", 100e3)):
        seen = held[name].readings
        pipes = 130e3 * (seen["chw_flow"] / 149.3) ** 2
        expected = seen["chw_flow"] / 998.2 * (pressure + pipes) / 0.684
        assert seen["chw_pump_power"] == pytest.approx(expected, rel=0.005)


def test_condenser_pumps_follow_their_speed(held: dict[str, Held]) -> None:
    for name, speed in (("base", 0.8), ("pump", 0.65)):
        seen = held[name].readings
        assert seen["cw_flow"] == pytest.approx(251.4 * speed, rel=0.001)
        head = 30e3 + 170e3 * speed**2
        expected = seen["cw_flow"] / 997.0 * head / 0.7125
        assert seen["cw_pump_power"] == pytest.approx(expected, rel=0.005)


def test_tower_fans_turn_at_the_commanded_speed_and_cool(held: dict[str, Held]) -> None:
    for name, speed in (("base", 0.6), ("tower", 0.75)):
        assert held[name].readings["tower_speed"] == pytest.approx(speed, abs=0.002)
    assert share(held, "tower", "tower") == pytest.approx((0.75 / 0.6) ** 3, rel=0.01)
    assert share(held, "tower", "chiller") < 0.97


def test_only_as_many_chillers_run_as_the_sequencer_lets(held: dict[str, Held]) -> None:
    for name, count in (("base", 2), ("three", 3), ("one", 1)):
        heats = chiller_heats(held[name].readings)
        assert np.sum(heats > 1e3) == count
        assert held[name].observation.read("chillers_running") == count
        running = heats[heats > 1e3]
        assert running == pytest.approx(running.mean(), rel=0.01)


def test_readings_lie_in_the_instruments_ranges(held: dict[str, Held]) -> None:
    seen = held["base"].observation
    for point, value in zip(POINTS, np.asarray(seen.value), strict=True):
        assert point.lower <= value <= point.upper, point.name
    # Make-up air is dried to 5.5 degC; outdoors it is 12.9 degC.
    assert seen.read("room_dew_point_hall1") == pytest.approx(5.5, abs=0.2)
    quality = np.asarray(seen.quality)
    derived = [i for name, i in POINT_INDEX.items() if name.startswith(DERIVED)]
    assert (quality[derived] == Quality.UNCERTAIN).all()
    assert np.sum(quality == Quality.GOOD) == OBSERVATION_SIZE - len(derived)


def test_outdoor_air_is_that_of_the_course(held: dict[str, Held]) -> None:
    course, seen = mild(1), held["base"].observation
    assert seen.read("outdoor_temp") == pytest.approx(24.0, abs=0.01)
    assert seen.read("outdoor_wet_bulb") == pytest.approx(
        float(course.wet_bulb[0]), abs=0.1
    )


def test_servers_draw_what_our_servers_draw_at_the_same_inlet(
    held: dict[str, Held],
) -> None:
    seen, shares = held["base"].readings, ((0.52, 0.48), (0.36, 0.34, 0.30))
    for hall, of_site in enumerate(shares[0]):
        for zone, of_hall in enumerate(shares[1]):
            work = jnp.asarray(WORK * of_site * of_hall, jnp.float32)
            inlet = jnp.asarray(seen[f"inlet{hall}_{zone}"], jnp.float32)
            expected = float(server_power(work, inlet, SITE.plant.it))
            assert seen[f"it_power{hall}_{zone}"] == pytest.approx(expected, rel=1e-4)


def test_an_economizer_in_winter_carries_the_load_without_machines() -> None:
    cold = still_course(WORK, 2.0, 0.8, 24)
    free = action(n=0.0, eco=1.0, tower=0.9, pump=1.0, chw=14.0)
    with EnergyPlusPlant(SITE) as plant:
        plant.reset(cold, action(tower=0.3))
        last = hold(plant, free, 24)
    seen, power = last.observation, last.power
    assert seen.read("chillers_running") == 0.0
    assert seen.read("economizer_running") == 1.0
    assert seen.read("chw_supply_temp") == pytest.approx(14.0, abs=0.1)
    assert power["chiller"] == 0.0
    heat = power["it"] + power["crah"] + power["chw_pump"]
    assert last.readings["economizer_heat"] == pytest.approx(heat, rel=0.02)


def test_the_towers_water_balance_closes(held: dict[str, Held]) -> None:
    water, seen = held["base"].water, held["base"].readings
    parts = water["evaporation"] + water["drift"] + water["blowdown"]
    assert water["make_up"] == pytest.approx(parts, rel=1e-6)
    # Most of the heat leaves as vapour; the rest warms the air.
    latent = water["evaporation"] * 2.45e6 / seen["tower_heat"]
    assert 0.6 < latent < 1.0
    # EnergyPlus lets drift follow the fans: share of the design flow times speed.
    assert water["drift"] == pytest.approx(8e-5 * 251.4 * 0.6, rel=0.01)


def test_two_runs_are_equal_and_leave_no_files() -> None:
    course = course_of(
        SITE.plant.it, load_weather("phoenix"), load_trace("google2019"), 0, 4
    )
    rows, folders = [], []
    for _ in range(2):
        options = Options(instruments=Instruments(1.0), settle_steps=2)
        with EnergyPlusPlant(SITE, options) as plant:
            seen = [plant.reset(course, seed=3)]
            seen += [plant.step(action())[0] for _ in range(4)]
            folders.append(plant.folder)
        rows.append(np.stack([np.asarray(each.value) for each in seen]))
    np.testing.assert_array_equal(rows[0], rows[1])
    assert not any(folder.exists() for folder in folders)


def test_an_action_outside_its_box_is_refused_and_the_episode_ends() -> None:
    with EnergyPlusPlant(SITE, Options(settle_steps=1)) as plant:
        plant.reset(mild(2), action())
        seen, reward, is_tripped, is_over, info = plant.step(action(tower=1.4))
        assert info["action_refused"]
        assert plant.refused == 1
        np.testing.assert_array_equal(seen.applied, action_to_vector(action()))
        above = sum(info["power"].values()) - info["work"]
        assert reward == pytest.approx(-above / 1e5)
        assert (is_tripped, is_over) == (False, False)
        *_, is_over, _ = plant.step(action())
        assert is_over
        with pytest.raises(RuntimeError, match="course is over"):
            plant.step(action())


@pytest.mark.long
def test_five_minute_timesteps_give_the_energy_of_one_minute_timesteps() -> None:
    weather, load = load_weather("phoenix"), load_trace("google2019")
    course = course_of(SITE.plant.it, weather, load, 100 * 86400, 288)
    energy = []
    for timesteps in (12, 60):
        with EnergyPlusPlant(SITE, Options(timesteps=timesteps)) as plant:
            plant.reset(course, action())
            energy.append(sum(-plant.step(action())[1] for _ in range(288)))
    assert energy[0] == pytest.approx(energy[1], rel=1e-3)


class Holding:
    """A controller with a memory: it counts, and cools a little more each time."""

    def init(self, params: tuple[int, ...]) -> jax.Array:
        return jnp.zeros(params, jnp.float32)

    def act(
        self, key: jax.Array, state: jax.Array, observation: Observation
    ) -> tuple[Action, jax.Array]:
        del key
        assert observation.value.shape == (1, OBSERVATION_SIZE)
        state = state + 1.0
        batch = jax.tree.map(lambda leaf: leaf[None], action())
        return dataclasses.replace(batch, chw_supply_setpoint=12.0 - 0.5 * state), state


def test_any_controller_runs_in_closed_loop() -> None:
    with EnergyPlusPlant(SITE, Options(settle_steps=1)) as plant:
        records = list(closed_loop(Holding(), plant, mild(3)))
    assert [float(each.action.chw_supply_setpoint) for each in records] == [
        11.5,
        11.0,
        10.5,
    ]
    for before, after in itertools.pairwise(records):
        assert after.seen is before.observation
    assert float(records[-1].observation.time) == 3 * 300.0


def test_a_killed_engine_is_an_error_and_no_hang() -> None:
    with EnergyPlusPlant(SITE, Options(settle_steps=1)) as plant:
        plant.reset(mild(4), action())
        engine = plant._engine
        assert engine is not None
        os.kill(engine._process.pid, signal.SIGKILL)
        engine._process.wait()
        with pytest.raises(EnergyPlusError, match=r"eplusout\.err"):
            plant.step(action())


def test_a_slow_engine_is_an_error_after_the_limit() -> None:
    with (
        EnergyPlusPlant(SITE, Options(limit=0.01)) as plant,
        pytest.raises(EnergyPlusError, match=r"no answer in 0\.01 s"),
    ):
        plant.reset(mild(4), action())


def test_a_model_that_energyplus_refuses_is_told_in_its_own_words(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def broken(*given):
        objects = build_model(*given)
        del objects["Fan:SystemModel"]["Hall 1 Fan"]
        return objects

    monkeypatch.setattr(launch_module, "build_model", broken)
    with (
        EnergyPlusPlant(SITE) as plant,
        pytest.raises(EnergyPlusError, match="HALL 1 FAN"),
    ):
        plant.reset(mild(4), action())


def test_a_run_that_does_not_fit_a_year_is_refused() -> None:
    with (
        EnergyPlusPlant(SITE) as plant,
        pytest.raises(InputError, match="expected 1 to 363 days"),
    ):
        plant.reset(mild(364 * 288))


def test_without_the_extra_the_error_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(options_module, "PACKAGE", "no_such_package")
    with pytest.raises(InputError, match="make energyplus"):
        EnergyPlusPlant(SITE)


def test_the_weather_file_is_an_epw_file(tmp_path: Path) -> None:
    hours = np.arange(48)
    dry = 10.0 + 8.0 * np.sin(hours / 4.0)
    dew, pressure = dry - 3.0, np.full(48, 98000.0)
    write_epw(tmp_path / "made.epw", dry, dew, pressure)
    read = load_weather(tmp_path / "made.epw", allow_partial=True)
    # Row 1 is hour 1: the state at the end of the first hour.
    np.testing.assert_allclose(read.dry_bulb, dry, atol=0.01)
    np.testing.assert_allclose(read.dew_point, dew, atol=0.1)
    np.testing.assert_allclose(read.pressure, pressure)


def test_the_course_has_the_disturbance_of_our_plant() -> None:
    weather, load = load_weather("chicago"), load_trace("google2019")
    course = course_of(SITE.plant.it, weather, load, 40 * 86400 + 1800, 24)
    hour = 40 * 24
    middle = 0.5 * (weather.wet_bulb[hour] + weather.wet_bulb[hour + 1])
    assert course.wet_bulb[0] == pytest.approx(float(middle), abs=1e-4)
    peak = float(jnp.max(load.utilisation))
    step = (40 * 86400 + 1800) // 300
    utilisation = float(load.utilisation[step % len(load.utilisation)]) / peak
    expected = 4e6 * (0.5 + 0.5 * utilisation)
    assert course.it_work[0].sum() == pytest.approx(expected, rel=1e-5)


def test_the_exchanger_has_the_sites_effectiveness_at_design_flows() -> None:
    sizes = sizes_of(SITE.plant)
    small, large = sizes.chw_flow * 4186.0, sizes.cw_flow * 4186.0
    units, ratio = exchanger_conductance(sizes) / small, small / large
    decay = np.exp(-units * (1.0 - ratio))
    assert (1.0 - decay) / (1.0 - ratio * decay) == pytest.approx(0.8, rel=0.01)


def test_the_chillers_curves_stay_sound_where_they_are_extended() -> None:
    """Up to 18 degC leaving water the record says nothing; its polynomials hold."""
    record = find_record(MACHINE)
    x, y = np.meshgrid(np.linspace(4.44, 18.0, 40), np.linspace(12.78, 35.0, 40))

    def surface(c: tuple[float, ...]) -> np.ndarray:
        return c[0] + c[1] * x + c[2] * x**2 + c[3] * y + c[4] * y**2 + c[5] * x * y

    energy, capacity = surface(record.energy_curve), surface(record.capacity_curve)
    assert energy.min() > 0.3
    assert capacity.min() > 0.8
    assert np.diff(energy, axis=1).max() < 0.0, "warmer chilled water needs less"
    assert np.diff(energy, axis=0).min() > 0.0, "warmer condenser water needs more"


def test_both_plants_answer_alike_where_they_should() -> None:
    step = Step("chw_supply_setpoint", 2.0, "K")
    vector = tuple(np.asarray(action_to_vector(action())).tolist())
    point = OperatingPoint("mild", 0.75, 24.0, 0.5, vector, (step,))
    rows = {row.consumer: row for row in compare_responses(SITE, [point])}
    for consumer in ("chiller", "chw_pump"):
        row: ResponseRow = rows[consumer]
        assert row.sign_agrees
        assert 0.4 < row.energyplus_percent / row.ours_percent < 2.5
    assert rows["cw_pump"].sign_agrees
    assert rows["cw_pump"].ours_kw == pytest.approx(0.0, abs=0.2)

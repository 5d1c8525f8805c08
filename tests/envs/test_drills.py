"""Every kind of fault in the running task: one lane each, beside a lane in order."""

import functools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from made_plants import NORMAL, TASK, task_params

from coolbound_envs.episode import TaskState
from coolbound_envs.fault_kinds import FaultEvent, FaultKind
from coolbound_envs.fault_schedule import fixed_plan
from coolbound_envs.scenario import Place
from coolbound_envs.spec import POINT_INDEX
from coolbound_envs.types import Quality, action_from_vector

BEGIN, END, INTERVALS = 24, 36, 120
START, DURATION = 300.0 * BEGIN, 300.0 * (END - BEGIN)


def fault(kind: FaultKind, target: str = "site", size: float | None = None) -> Any:
    return [FaultEvent(kind, target, START, DURATION, size)]


DRILLS: dict[str, list[FaultEvent]] = {
    "well": [],
    "trip": fault(FaultKind.CHILLER_TRIP, "chiller1"),
    "crah": fault(FaultKind.CRAH_LOSS, "hall1", 0.4),
    "chw": fault(FaultKind.CHW_PUMP_LOSS, size=0.6),
    "cw": fault(FaultKind.CW_PUMP_LOSS, size=0.5),
    "tower": fault(FaultKind.TOWER_CELL_LOSS),
    "valve": fault(FaultKind.STUCK_VALVE, "hall1"),
    "load": fault(FaultKind.LOAD_STEP),
    "heat": fault(FaultKind.HEAT_WAVE),
    "dip": [FaultEvent(FaultKind.POWER_DIP, "site", START, 120.0)],
    "bias": fault(FaultKind.SENSOR_BIAS, "cw_supply_temp", 2.0),
    "drift": fault(FaultKind.SENSOR_DRIFT, "cw_supply_temp", 24.0),
    "stuck": fault(FaultKind.SENSOR_STUCK, "outdoor_temp"),
    "dropout": fault(FaultKind.SENSOR_DROPOUT, "cw_supply_temp"),
    "late": fault(FaultKind.SENSOR_LATE, "cw_supply_temp", 2.0),
}
LANE = {name: lane for lane, name in enumerate(DRILLS)}
INSTRUMENTS = ("bias", "drift", "stuck", "dropout", "late")


@functools.cache
def story() -> dict[str, np.ndarray]:
    """Return what the lanes did, time axis first, lanes last."""
    count = len(DRILLS)
    params = task_params(
        # One city for each lane, all of the same weather.
        *["phoenix"] * count,
        noise=0.0,
        faults=fixed_plan(*DRILLS.values(), by_city=True),
    )
    lanes = jnp.arange(count, dtype=jnp.int32)
    place = Place(
        city=lanes,
        trace=0 * lanes,
        time=0 * lanes + 170 * 86400,
        load_offset=0 * lanes,
    )
    vector = jnp.broadcast_to(jnp.asarray(NORMAL, jnp.float32), (count, len(NORMAL)))

    @jax.jit
    def run(key: jax.Array) -> Any:
        def body(state: TaskState, key: jax.Array) -> tuple[TaskState, Any]:
            seen, state, *_, info = TASK.step(
                key, state, action_from_vector(vector), params
            )
            mean = info["summary"].mean
            row = {
                "value": jnp.moveaxis(seen.value, -1, 0),
                "quality": jnp.moveaxis(seen.quality, -1, 0),
                "age": jnp.moveaxis(seen.age, -1, 0),
                "inlet": info["summary"].inlet_temp_max,
                "running": state.plant.sequencer.running,
                "valve": state.plant.valve,
                "basin": state.plant.basin_temp,
                "air": mean.airflow_ratio,
                "crah_power": mean.crah_power,
                "coil_flow": mean.coil_flow,
                "pressure": mean.chw_pressure,
                "cw_flow": mean.cw_flow,
                "tower_power": mean.tower_power,
                "it_power": mean.it_power,
                "wet_bulb": info["disturbance"].wet_bulb,
                "dry_bulb": info["disturbance"].dry_bulb,
                "diverged": info["diverged"],
            }
            return state, row

        _, state = TASK.start_at(key, place, params)
        return jax.lax.scan(body, state, jax.random.split(key, INTERVALS))[1]

    return jax.tree.map(np.asarray, run(jax.random.key(0)))


def lane(what: str, name: str) -> np.ndarray:
    return story()[what][..., LANE[name]]


def change(what: str, name: str) -> np.ndarray:
    return lane(what, name) - lane(what, "well")


DURING = slice(BEGIN, END)
RTOL, ATOL = 1e-5, 1e-3


def test_all_lanes_are_alike_until_the_fault_begins() -> None:
    for name, values in story().items():
        early = values[:BEGIN].astype(np.float64)
        np.testing.assert_allclose(
            early,
            np.repeat(early[..., :1], len(DRILLS), -1),
            rtol=RTOL,
            atol=ATOL,
            err_msg=name,
        )


def test_nothing_diverges_and_every_plant_recovers() -> None:
    assert not np.any(story()["diverged"])
    for name in DRILLS:
        if name != "heat":  # it takes hours to come and to go
            assert np.max(np.abs(change("inlet", name)[-6:])) < 0.5, name
            assert np.max(np.abs(change("basin", name)[-6:])) < 0.5, name
        assert np.max(np.abs(change("it_power", name)[-6:])) < 0.01 * np.max(
            lane("it_power", "well")
        )


def test_a_tripped_chiller_stands_and_another_takes_over() -> None:
    running = lane("running", "trip")
    assert np.all(lane("running", "well")[BEGIN] == [1.0, 1.0, 0.0])
    assert np.all(running[DURING, 0] == 0.0)
    assert np.all(running[BEGIN + 2 : END] == [0.0, 1.0, 1.0])
    assert np.max(change("inlet", "trip")[BEGIN : END + 6]) > 0.05
    assert np.sum(running[-1]) == np.sum(lane("running", "well")[-1])


def test_lost_crahs_take_air_and_power_from_their_hall_alone() -> None:
    ratio = lane("air", "crah")[DURING] / lane("air", "well")[DURING]
    np.testing.assert_allclose(ratio[1:, 0], 0.6, atol=0.03)
    np.testing.assert_allclose(ratio[:, 1], 1.0, atol=0.01)
    power = lane("crah_power", "crah") / lane("crah_power", "well")
    np.testing.assert_allclose(power[BEGIN + 1 : END, 0], 0.6, atol=0.03)
    np.testing.assert_allclose(power[END + 1 :], 1.0, atol=1e-3)
    assert np.max(change("inlet", "crah")[DURING]) > 0.5


def test_lost_chilled_water_pumps_cost_pressure() -> None:
    assert np.all(change("pressure", "chw")[BEGIN + 1 : END] < -1e3)
    np.testing.assert_allclose(change("pressure", "chw")[-6:], 0.0, atol=1e3)


def test_lost_condenser_pumps_cost_flow() -> None:
    assert np.all(change("cw_flow", "cw")[BEGIN + 1 : END] < -5.0)
    np.testing.assert_allclose(change("cw_flow", "cw")[END + 1 :], 0.0, atol=1.0)


def test_a_lost_tower_cell_warms_the_basin() -> None:
    assert np.all(change("basin", "tower")[BEGIN + 2 : END] > 0.1)
    assert np.all(change("tower_power", "tower")[BEGIN + 1 : END] < 0.0)


def test_a_stuck_valve_stays_where_it_was_and_its_neighbour_moves() -> None:
    valve = lane("valve", "valve")
    np.testing.assert_array_equal(valve[DURING, 0], valve[BEGIN - 1, 0])
    assert np.ptp(valve[DURING, 1]) > 0.0
    assert np.ptp(valve[END:, 0]) > 0.0


def test_a_load_step_is_thirty_percent_more_power() -> None:
    ratio = lane("it_power", "load") / lane("it_power", "well")
    np.testing.assert_allclose(ratio[BEGIN], 1.15, atol=0.01)
    np.testing.assert_allclose(ratio[BEGIN + 1 : END], 1.3, atol=0.02)
    np.testing.assert_allclose(ratio[END + 1 :], 1.0, atol=0.01)


def test_a_heat_wave_warms_dry_bulb_wet_bulb_and_basin() -> None:
    dry, wet = change("dry_bulb", "heat"), change("wet_bulb", "heat")
    assert np.all(np.diff(dry[BEGIN:END]) > 0.0)
    assert np.all((wet[BEGIN:END] > 0.0) & (wet[BEGIN:END] < dry[BEGIN:END]))
    assert np.max(change("basin", "heat")) > 0.1


def test_a_power_dip_stops_the_plant_for_its_seconds_and_it_restarts() -> None:
    power = lane("crah_power", "dip") / lane("crah_power", "well")
    assert np.all(power[BEGIN] < 0.9)
    np.testing.assert_allclose(power[BEGIN + 2 :], 1.0, atol=0.01)
    assert np.max(change("inlet", "dip")[BEGIN : BEGIN + 6]) > 1.0
    assert np.sum(lane("running", "dip")[-1]) == np.sum(lane("running", "well")[-1])
    # Servers run on.
    it_power = lane("it_power", "dip")[BEGIN] / lane("it_power", "well")[BEGIN]
    assert np.all(it_power > 0.95)


@pytest.mark.parametrize("name", INSTRUMENTS)
def test_a_faulty_instrument_changes_no_plant(name: str) -> None:
    for what in set(story()) - {"value", "quality", "age"}:
        np.testing.assert_allclose(
            lane(what, name), lane(what, "well"), rtol=RTOL, atol=ATOL, err_msg=what
        )
    row = POINT_INDEX["outdoor_temp" if name == "stuck" else "cw_supply_temp"]
    others = np.arange(len(POINT_INDEX)) != row
    np.testing.assert_allclose(
        lane("value", name)[:, others],
        lane("value", "well")[:, others],
        rtol=1e-5,
        atol=0.11,  # one step of the converter, at its edge
    )


def test_faulty_instruments_say_what_the_documents_promise() -> None:
    row = POINT_INDEX["cw_supply_temp"]
    bias = change("value", "bias")[:, row]
    np.testing.assert_allclose(bias[DURING], 2.0, atol=0.051)
    np.testing.assert_allclose(bias[END:], 0.0, atol=0.051)
    drift = change("value", "drift")[DURING, row]
    wanted = 24.0 * 300.0 * np.arange(1, END - BEGIN + 1) / 86400.0
    np.testing.assert_allclose(drift, wanted, atol=0.051)
    outdoor = POINT_INDEX["outdoor_temp"]
    stuck = lane("value", "stuck")[:, outdoor]
    np.testing.assert_array_equal(stuck[DURING], stuck[BEGIN - 1])
    assert np.ptp(lane("value", "well")[DURING, outdoor]) > 0.0
    assert np.all(lane("quality", "stuck")[:, outdoor] == Quality.GOOD)
    assert np.all(lane("age", "stuck")[:, outdoor] == 0.0)


def test_lost_and_late_readings_grow_old_and_are_never_fresh() -> None:
    row = POINT_INDEX["cw_supply_temp"]
    age = lane("age", "dropout")[:, row]
    np.testing.assert_array_equal(age[DURING], 300.0 * np.arange(1, END - BEGIN + 1))
    np.testing.assert_array_equal(age[END:], 0.0)
    quality = lane("quality", "dropout")[DURING, row]
    assert list(quality[:3]) == [Quality.GOOD, Quality.GOOD, Quality.UNCERTAIN]
    late, prompt = lane("value", "late")[:, row], lane("value", "well")[:, row]
    np.testing.assert_allclose(
        late[BEGIN + 1 : END], prompt[BEGIN - 1 : END - 2], atol=0.051
    )
    np.testing.assert_array_equal(lane("age", "late")[BEGIN + 1 : END, row], 600.0)
    np.testing.assert_array_equal(lane("age", "late")[END:, row], 0.0)

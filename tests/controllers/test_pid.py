"""`pid`: its loops are textbook loops, nothing winds up, and the plant obeys them."""

import dataclasses
import functools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from made_plants import observed, places, site, task_params

from coolbound_controllers.operator_settings import parse_operator
from coolbound_controllers.pid import Pid, PidSettings
from coolbound_controllers.pid_loop import Gains, LoopState, loop_move, no_memory
from coolbound_controllers.pid_readings import hottest_inlets
from coolbound_envs.cooling import CoolingTask
from coolbound_envs.interval import CONTROL_INTERVAL
from coolbound_envs.limit_table import LIMIT_NAMES, TOLERANCE
from coolbound_envs.spec import channel_array
from coolbound_envs.types import Observation, action_to_vector

CITIES = ("frankfurt-2021", "singapore-2021")
DAYS = 2
GAINS = Gains(-0.3, 900.0, 120.0)
WARM_UP = 36
"""Steps after which a hall has reached its set-point. [1]"""


@functools.cache
def controller() -> Pid:
    return Pid(parse_operator(site()))


def moved(gains: Gains, readings: list[float], setpoint: float) -> np.ndarray:
    """Return the moves that a loop makes on some readings in a row."""
    state, moves = no_memory(()), []
    for reading in readings:
        move, state = loop_move(
            gains, state, jnp.float32(reading), jnp.float32(setpoint)
        )
        moves.append(float(move))
    return np.asarray(moves)


def test_moves_add_up_to_the_pid_formula_in_position_form() -> None:
    """K (e + sum e dt/Ti - Td dy/dt), written down a second time, in float64."""
    readings = 24.0 + np.cumsum(np.random.default_rng(0).normal(0.0, 0.3, 40))
    setpoint = 24.5
    error = setpoint - readings
    integral = CONTROL_INTERVAL / GAINS.integral_time * np.cumsum(error)
    slope = np.diff(readings, prepend=readings[0]) / CONTROL_INTERVAL
    whole = GAINS.proportional * (error + integral - GAINS.derivative_time * slope)
    ours = np.cumsum(moved(GAINS, readings.tolist(), setpoint))
    # The velocity form starts from where the output stands; the slope of the first
    # two readings enters once both are there to be compared with a third.
    first = GAINS.proportional * error[0]
    late = GAINS.proportional * GAINS.derivative_time * slope[1]
    np.testing.assert_allclose(ours[2:], (whole - first)[2:] + late, atol=1e-4)


def test_a_loop_brings_a_slow_process_to_its_set_point_without_offset() -> None:
    state, output, level = no_memory(()), jnp.float32(0.0), 10.0
    for _ in range(200):
        move, state = loop_move(
            Gains(0.4, 1200.0), state, jnp.float32(level), jnp.float32(13.0)
        )
        output = output + move
        # First order, gain 2, with a load that nobody measures.
        level += 0.5 * (2.0 * float(output) - 4.0 + 10.0 - level)
    assert abs(level - 13.0) < 0.02


def test_the_first_decision_has_no_kick_and_none_at_the_set_point() -> None:
    at_rest = moved(GAINS, [24.0], 24.0)
    off = moved(GAINS, [25.0], 24.0)
    assert at_rest[0] == 0.0
    integral = GAINS.proportional * CONTROL_INTERVAL / GAINS.integral_time * -1.0
    np.testing.assert_allclose(off[0], integral, rtol=1e-5)


def test_a_missing_reading_moves_nothing_and_is_not_remembered() -> None:
    moves = moved(GAINS, [24.0, float("nan"), 24.6, 24.6], 24.0)
    assert moves[1] == 0.0
    np.testing.assert_allclose(moves[2], moved(GAINS, [24.0, 24.6], 24.0)[1], rtol=1e-5)


@functools.cache
def decide() -> Any:
    return jax.jit(controller().act)


def after(seen: Observation, steps: int) -> np.ndarray:
    """Return the set-points asked for after decisions on one observation, (4, 8)."""
    memory = controller().init((4,))
    asked = jnp.zeros(())
    for _ in range(steps):
        action, memory = decide()(jax.random.key(0), memory, seen)
        asked = action_to_vector(action)
    return np.asarray(asked)[:, :8]


def hot(inlet: float) -> dict[str, float]:
    return {f"inlet_temp_hall{h}_zone{z}": inlet for h in (1, 2) for z in (1, 2, 3)} | {
        "crah_valve_hall1": 0.7,
        "crah_valve_hall2": 0.85,
    }


def test_nothing_winds_up_while_another_holds_the_set_points() -> None:
    """A safety layer holds everything for three hours: the answer stays the same."""
    seen = observed(**hot(25.6))
    np.testing.assert_allclose(after(seen, 3), after(seen, 36), atol=1e-4)


def test_set_points_stay_where_they_are_when_every_loop_is_content() -> None:
    """A takeover without a bump: air and pressure, whose readings can be set."""
    pid = controller()
    inlet, valve = pid.loops.inlet, pid.loops.valve
    seen = observed(**hot(inlet) | {"crah_valve_hall2": valve})
    asked, in_force = after(seen, 1), np.asarray(seen.applied)
    np.testing.assert_allclose(asked[:, [0, 1, 5]], in_force[:, [0, 1, 5]], atol=1e-3)


@pytest.mark.parametrize(
    ("readings", "channel", "sign"),
    [
        (hot(26.0), 0, -1.0),
        (hot(23.0), 0, 1.0),
        (hot(26.5), 2, 1.0),
        ({"crah_valve_hall1": 0.93}, 5, 1.0),
        ({"crah_valve_hall1": 0.6, "crah_valve_hall2": 0.6}, 5, -1.0),
        ({"cw_return_temp": 38.0}, 7, 1.0),
        ({"cw_return_temp": 33.0, "cw_supply_temp": 24.0}, 6, 1.0),
    ],
)
def test_every_loop_moves_its_set_point_the_right_way(
    readings: dict[str, float], channel: int, sign: float
) -> None:
    seen = observed(**readings)
    change = after(seen, 1)[:, channel] - np.asarray(seen.applied)[:, channel]
    assert np.all(sign * change > 1e-4)


def test_water_goes_colder_only_where_it_reaches_its_set_point() -> None:
    high = {"crah_valve_hall1": 0.85, "crah_valve_hall2": 0.85}

    def water(supply: float) -> np.ndarray:
        seen = observed(**high, chw_supply_temp=supply)
        applied = seen.applied.at[:, 5].set(110.0).at[:, 4].set(12.0)
        asked = after(dataclasses.replace(seen, applied=applied), 1)
        return asked[:, 4] - 12.0

    assert np.all(water(12.1) < -0.05)
    assert np.all(water(14.0) >= 0.0)


def test_the_hottest_inlet_is_that_of_the_zones_that_are_read() -> None:
    seen = observed(
        inlet_temp_hall1_zone1=25.0,
        inlet_temp_hall1_zone2=float("nan"),
        inlet_temp_hall1_zone3=24.0,
        **{f"inlet_temp_hall2_zone{z}": float("nan") for z in (1, 2, 3)},
    )
    found = np.asarray(hottest_inlets(seen))
    assert np.all(found[:, 0] == 25.0)
    assert np.all(np.isnan(found[:, 1]))
    assert np.all(np.isfinite(after(seen, 2)))


def test_pid_speaks_for_a_batch_and_for_one_plant() -> None:
    seen, pid = observed(), controller()
    batch, _ = decide()(jax.random.key(0), pid.init((4,)), seen)
    one = jax.tree.map(lambda x: x[0], seen)
    single, _ = decide()(jax.random.key(0), pid.init(()), one)
    for alone, many in zip(
        jax.tree.leaves(single), jax.tree.leaves(batch), strict=True
    ):
        np.testing.assert_allclose(alone, many[0], rtol=1e-5)


@functools.cache
def days() -> dict[str, np.ndarray]:
    """Return limits, set-points, inlets and machines of two days, (steps, lanes)."""
    task, params = CoolingTask(settle_steps=12), task_params(*CITIES)
    place = places(4, 2, 110, spread=86400)

    @jax.jit
    def run(key: jax.Array) -> Any:
        seen, state = task.start_at(key, place, params)

        def body(carry: Any, key: jax.Array) -> Any:
            seen, state, memory = carry
            action, memory = controller().act(key, memory, seen)
            later, state, *_, info = task.step(key, state, action, params)
            record = {
                "limits": info["limits"],
                "before": seen.applied,
                "applied": later.applied,
                "inlet": hottest_inlets(later),
                "running": info["summary"].running,
            }
            return (later, state, memory), record

        carry = (seen, state, controller().init((4,)))
        return jax.lax.scan(body, carry, jax.random.split(key, DAYS * 288))[1]

    return jax.tree.map(np.asarray, run(jax.random.key(0)))


def test_pid_keeps_every_limit_for_two_days() -> None:
    worst = days()["limits"].max(axis=(0, 1))
    broken = {
        n: float(h) for n, h in zip(LIMIT_NAMES, worst, strict=True) if h > TOLERANCE
    }
    assert not broken


def test_pid_moves_every_set_point_within_its_ramp() -> None:
    run, ramp = days(), channel_array("ramp")
    ramp[7] = 0.2
    assert np.max(np.abs(run["applied"] - run["before"]) - ramp) < 1e-5


def test_halls_stand_at_the_set_point_of_their_loop() -> None:
    inlet = days()["inlet"][WARM_UP:, 1::2]
    assert abs(inlet.mean() - PidSettings().inlet) < 0.2


def test_memory_before_the_first_decision_is_empty() -> None:
    state = no_memory((2,))
    assert isinstance(state, LoopState)
    assert np.all(np.isnan(np.stack(jax.tree.leaves(state))))

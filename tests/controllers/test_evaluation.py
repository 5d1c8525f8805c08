"""What `run` keeps of a day is what the day was, and it is the same for everyone."""

import dataclasses
import functools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import struct
from made_plants import drill, places, site, task_params

from coolbound_controllers.evaluation import DAY_STEPS, Contender, Trace, run
from coolbound_controllers.evaluation_account import CONSUMERS, WARM
from coolbound_controllers.evaluation_bins import LOADS, WET_BULBS, bin_table
from coolbound_controllers.evaluation_figures import at, figures
from coolbound_envs.cooling import CoolingTask
from coolbound_envs.fault_kinds import FaultEvent, FaultKind
from coolbound_envs.limit_table import LIMIT_NAMES, TOLERANCE
from coolbound_envs.types import Action, Observation, action_from_vector
from coolbound_envs.variation import make_spread

CITIES = ("phoenix", "frankfurt-2021")
TASK = CoolingTask(settle_steps=2)
DAYS = 2
HOT = (25.0, 25.0, 0.6, 0.6, 14.0, 80.0, 0.8, 0.6, 2.0, 0.0)
"""Set-points that break limits. [each channel's unit]"""

DRIFT = 0.01
"""By which the pressure's set-point rises at every step. [kPa]"""

NERVES = 0.1
"""By which condenser pumps follow the measured pressure. [1]"""


TRACED: list[None] = []
"""Grows when a program with the controller is made."""


@struct.dataclass
class Drifting:
    """Asks for about the same at every step; its numbers are dynamic, its name not."""

    vector: jax.Array
    name: str = struct.field(pytree_node=False)

    def init(self, params: Any = ()) -> jax.Array:
        return jnp.zeros(params, jnp.float32)

    def act(self, key: Any, state: Any, observation: Observation) -> tuple[Action, Any]:
        TRACED.append(None)  # runs while tracing, not while computing
        shape = observation.applied.shape
        vector = jnp.broadcast_to(self.vector, shape)
        vector = vector.at[..., 5].add(DRIFT * state)
        # What an instrument says, its noise with it, can be told from the pumps.
        seen = jnp.nan_to_num(observation.read("chw_pressure")) / 80.0
        vector = vector.at[..., 6].add(NERVES * (seen - 1.0))
        return action_from_vector(vector), state + 1.0


@functools.cache
def params() -> Any:
    trip = FaultEvent(FaultKind.CHILLER_TRIP, "chiller1", 3600.0, 7200.0)
    spread = make_spread(leakage=0.1, chiller_efficiency=0.1)
    return task_params(*CITIES, dropout=1e-3, faults=drill(trip), variation=spread)


@functools.cache
def first() -> Any:
    where = dataclasses.replace(places(2, 2, 190), city=jnp.asarray([0, 1], jnp.int32))
    return jax.jit(TASK.start_at)(jax.random.key(3), where, params())


def held(*changes: tuple[int, float], name: str = "held") -> Drifting:
    vector = np.asarray(HOT, np.float32)
    for channel, value in changes:
        vector[channel] = value
    return Drifting(jnp.asarray(vector), name)


def played(controller: Any, days: int = DAYS, seed: int = 7) -> Trace:
    observation, state = first()
    contender = Contender("any", controller, TASK, params())
    return run(contender, observation, state, seed, days)


@functools.cache
def hot_days() -> Trace:
    return played(held())


@functools.cache
def by_hand() -> dict[str, np.ndarray]:
    """Return every step of the same days, float64, (days, steps, places, ...)."""

    @jax.jit
    def play(given: Any) -> Any:
        def body(carry: Any, number: jax.Array) -> Any:
            seen, state, memory = carry
            _, key = jax.random.split(jax.random.fold_in(jax.random.key(7), number))
            action, memory = held().act(None, memory, seen)
            running = state.plant.sequencer.running_count
            after, state, reward, _, _, info = TASK.step(key, state, action, params())
            mean = info["summary"].mean
            kept = {name: info["power"][name] for name in CONSUMERS}
            kept |= {"facility": mean.facility_power, "work": info["work"]}
            kept |= {"wet": info["disturbance"].wet_bulb, "limits": info["limits"]}
            kept |= {"inlet": info["summary"].inlet_temp_max, "reward": reward}
            kept |= {"water": info["water"]["make_up"], "costs": info["costs"]}
            kept |= {"moved": jnp.abs(after.applied - seen.applied)}
            kept |= {"started": jnp.maximum(info["summary"].running - running, 0.0)}
            kept |= {"leakage": state.variation.leakage}
            return (after, state, memory), kept

        carry = (*given, held().init((2,)))
        return jax.lax.scan(body, carry, jnp.arange(DAYS * DAY_STEPS))[1]

    def by_day(x: jax.Array) -> np.ndarray:
        return np.asarray(x, np.float64).reshape(DAYS, DAY_STEPS, *x.shape[1:])

    return jax.tree.map(by_day, play(first()))


def test_a_days_account_is_what_its_steps_add_up_to() -> None:
    steps, days = by_hand(), hot_days().days
    for i, name in enumerate(CONSUMERS):
        np.testing.assert_allclose(days.power[..., i], steps[name].mean(1), rtol=1e-4)
    np.testing.assert_allclose(days.peak, steps["facility"].max(1), rtol=1e-5)
    np.testing.assert_allclose(days.water, 300.0 * steps["water"].sum(1), rtol=1e-4)
    np.testing.assert_allclose(days.inlet, steps["inlet"].max(1), rtol=1e-5)
    np.testing.assert_allclose(days.travel, steps["moved"].sum(1), rtol=1e-2)
    np.testing.assert_allclose(days.costs, steps["costs"].sum(1), rtol=1e-3)
    np.testing.assert_allclose(days.reward, steps["reward"].sum(1), rtol=1e-4)
    np.testing.assert_array_equal(days.starts, steps["started"].sum(1))
    assert np.all(days.steps == DAY_STEPS)


def test_violations_and_warmth_of_a_day_are_counted_on_the_true_state() -> None:
    steps, days = by_hand(), hot_days().days
    over = steps["limits"] > TOLERANCE
    # Another program may round otherwise at the very edge of a limit.
    np.testing.assert_allclose(days.after, over.sum(1), atol=1)
    np.testing.assert_allclose(days.before, over.sum(1), atol=1)
    np.testing.assert_allclose(days.broken, over.any(-1).sum(1), atol=1)
    assert np.all(days.broken > 0), "these set-points break limits"
    np.testing.assert_allclose(days.worst, steps["limits"].max(1), atol=1e-3)
    for i, edge in enumerate(WARM):
        warm = np.maximum(steps["inlet"] - edge, 0.0).sum(1) * 300.0 / 3600.0
        np.testing.assert_allclose(days.warm[..., i], warm, rtol=1e-3, atol=1e-3)
    assert days.warm.min() > 0.0


def test_cooling_energy_counts_what_warm_inlets_cost_the_servers() -> None:
    steps = by_hand()
    it = site().plant.it
    fan, leakage = float(it.fan_share), float(it.leakage) * steps["leakage"]
    # Below the knee of the fan curve server fans draw what they draw at 20 degC.
    assert float(it.fan_knee_temp) > 21.0
    at_21 = steps["work"] * ((1.0 - fan) * (1.0 + leakage * 1.0) + fan)
    rest = np.sum([steps[name] for name in CONSUMERS if name != "it"], axis=0)
    expected = (rest + steps["it"] - at_21).sum() * 300.0 / 3.6e6
    found = figures(hot_days())
    assert found["cooling_energy_21_kwh"] == pytest.approx(expected, rel=1e-4)
    plain = rest.sum() * 300.0 / 3.6e6
    assert found["cooling_energy_kwh"] == pytest.approx(plain, rel=1e-4)
    assert expected > 1.01 * plain, "25 degC costs servers something"


def test_bins_hold_every_step_once_where_its_weather_and_load_are() -> None:
    steps, bins = by_hand(), hot_days().bins
    design = float(site().plant.it.design_power)
    wet, work, facility, it = (
        steps[name].reshape(-1, 2) for name in ("wet", "work", "facility", "it")
    )
    rows = np.searchsorted(WET_BULBS, wet.astype(np.float32), "right")
    load = (work / design).astype(np.float32)
    columns = np.searchsorted(LOADS, load, "right")
    expected = np.zeros(bins.steps.shape)
    cooling = np.zeros(bins.steps.shape)
    for place in range(2):
        cells = (rows[:, place], columns[:, place])
        np.add.at(expected[place], cells, 1.0)
        used = (facility - it)[:, place] * 300.0 / 3.6e6
        np.add.at(cooling[place], cells, used)
    np.testing.assert_array_equal(bins.steps, expected)
    np.testing.assert_allclose(bins.cooling, cooling, rtol=1e-3, atol=0.05)
    assert np.count_nonzero(expected) > 3


def test_everyone_meets_the_same_weather_load_plant_and_noise() -> None:
    again = played(held(name="again"))
    for one, other in zip(
        jax.tree.leaves(hot_days().days), jax.tree.leaves(again.days), strict=True
    ):
        np.testing.assert_array_equal(one, other)
    cold = played(held((0, 20.0), (1, 20.0)))
    np.testing.assert_array_equal(cold.bins.steps, hot_days().bins.steps)
    np.testing.assert_array_equal(cold.days.work, hot_days().days.work)
    np.testing.assert_array_equal(cold.days.reference, hot_days().days.reference)
    assert np.all(cold.days.inlet < hot_days().days.inlet)


def test_policies_that_differ_in_numbers_and_name_share_one_program() -> None:
    hot_days()
    before = len(TRACED)
    played(held((4, 12.0), name="other numbers, another name"))
    assert len(TRACED) == before


def test_what_a_controller_remembers_is_carried_from_day_to_day() -> None:
    told: list[int] = []
    observation, state = first()
    contender = Contender("any", held(), TASK, params())
    found = run(contender, observation, state, 7, DAYS, told.append)
    assert told == [1, 2]
    assert found.seconds.shape == (DAYS,)
    # On the second day it goes on from where it was, and never jumps back.
    drift = DRIFT * DAY_STEPS
    np.testing.assert_allclose(found.days.travel[1, :, 5], drift, rtol=1e-3)


def test_the_figures_of_all_places_are_those_of_each_together() -> None:
    whole = figures(hot_days())
    parts = [figures(at(hot_days(), [i])) for i in range(2)]
    for name in ("total_energy_kwh", "cooling_energy_21_kwh", "steps", "water_l"):
        assert whole[name] == pytest.approx(sum(part[name] for part in parts))
    assert whole["peak_power_kw"] == max(part["peak_power_kw"] for part in parts)
    for name in LIMIT_NAMES:
        both = sum(part["violations"][name]["after"] for part in parts)
        assert whole["violations"][name]["after"] == both


def test_bins_of_other_weather_are_not_compared() -> None:
    bins = hot_days().bins
    moved = dataclasses.replace(bins, steps=np.roll(bins.steps, 1, axis=1))
    with pytest.raises(ValueError, match="did not meet the same weather"):
        bin_table(bins, moved)


def test_no_days_are_no_evaluation() -> None:
    with pytest.raises(ValueError, match="found 0"):
        played(held(), days=0)

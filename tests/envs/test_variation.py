"""Plants differ from episode to episode, exactly as much as asked, and not in name."""

import dataclasses
import functools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from made_plants import CITIES, TASK, places, scalar, site, start, step, task_params

from coolbound_envs.cooling import true_plant
from coolbound_envs.curriculum import (
    Curriculum,
    at_difficulty,
    difficulty_of,
    easiest,
    linear_curriculum,
)
from coolbound_envs.episode import TaskParams, TaskState
from coolbound_envs.fault_kinds import FaultKind
from coolbound_envs.fault_schedule import random_plan
from coolbound_envs.params import PlantParams
from coolbound_envs.spec import CHILLERS
from coolbound_envs.tables import InputError
from coolbound_envs.variation import (
    NAMES,
    OFFSETS,
    Variation,
    VariationSpread,
    draw_variation,
    make_spread,
    no_variation,
    varied_plant,
)

LANES = 4096

# What each factor may change, and the power of it that it changes it by.
CHANGES = {
    "chiller_efficiency": {"chiller.efficiency": 1.0},
    "chiller_capacity": {"chiller.capacity": 1.0},
    "coil_conductance": {"crah.conductance": 1.0},
    "tower_conductance": {"condenser.conductance": 1.0},
    "pump_efficiency": {
        "chw.pump_efficiency": 1.0,
        "condenser.pump_efficiency": 1.0,
    },
    "fan_power": {"crah.fan_power": 1.0, "condenser.fan_power": 1.0},
    "server_airflow": {"it.air_rise": -1.0},
    "recirculation": {"it.recirculation": 1.0},
    "leakage": {"it.leakage": 1.0},
    "thermal_mass": {
        "it.server_capacity": 1.0,
        "it.air_capacity": 1.0,
        "it.structure_capacity": 1.0,
    },
    "economizer_effectiveness": {"condenser.economizer_effectiveness": 1.0},
    "load": {},
    "hall_split": {},
    "outdoor_temp": {},
}


def constants(params: PlantParams) -> dict[str, np.ndarray]:
    return {
        f"{part.name}.{field.name}": np.asarray(
            getattr(getattr(params, part.name), field.name)
        )
        for part in dataclasses.fields(params)
        for field in dataclasses.fields(getattr(params, part.name))
    }


def one(name: str, value: float) -> Variation:
    return dataclasses.replace(no_variation(), **{name: scalar(value)})


def test_without_spread_every_factor_is_exactly_one_and_every_offset_zero() -> None:
    drawn = draw_variation(jax.random.key(0), (LANES,), VariationSpread())
    for name in NAMES:
        wanted = 0.0 if name in OFFSETS else 1.0
        np.testing.assert_array_equal(getattr(drawn, name), wanted)


def test_a_nominal_variation_is_the_nominal_plant_bit_for_bit() -> None:
    plain = constants(site().plant)
    for name, values in constants(varied_plant(site().plant, no_variation())).items():
        np.testing.assert_array_equal(values, plain[name], err_msg=name)


@pytest.mark.parametrize("name", NAMES)
def test_a_factor_changes_what_it_names_and_nothing_else(name: str) -> None:
    plain = constants(site().plant)
    for name_there, values in constants(
        varied_plant(site().plant, one(name, 1.1))
    ).items():
        power = CHANGES[name].get(name_there, 0.0)
        np.testing.assert_allclose(
            values, plain[name_there] * 1.1**power, rtol=1e-6, err_msg=name_there
        )


def test_no_exchanger_becomes_perfect() -> None:
    most = varied_plant(site().plant, one("economizer_effectiveness", 1.3))
    assert float(most.condenser.economizer_effectiveness) == pytest.approx(0.95)


def test_draws_fill_their_half_widths_evenly_and_independently() -> None:
    spread = make_spread(**{name: 0.2 for name in NAMES})
    drawn = draw_variation(jax.random.key(0), (LANES,), spread)
    rows = np.stack([np.asarray(getattr(drawn, name)) for name in NAMES])
    centre = np.asarray([0.0 if name in OFFSETS else 1.0 for name in NAMES])[:, None]
    off = (rows - centre) / 0.2
    assert np.all(np.abs(off) <= 1.0 + 1e-5)
    np.testing.assert_allclose(off.mean(axis=1), 0.0, atol=0.05)
    np.testing.assert_allclose(off.std(axis=1), 1.0 / np.sqrt(3.0), rtol=0.05)
    apart = np.corrcoef(off) - np.eye(len(NAMES))
    assert np.max(np.abs(apart)) < 0.08


@pytest.mark.parametrize(
    ("widths", "words"),
    [
        ({"chiller": 0.1}, "found 'chiller'"),
        ({"load": -0.1}, "found -0.1"),
        ({"load": 0.6}, "0 to 0.5"),
        ({"hall_split": 0.4}, "0 to 0.3"),
        ({"leakage": float("nan")}, "found nan"),
    ],
)
def test_an_impossible_spread_is_refused(widths: dict[str, float], words: str) -> None:
    with pytest.raises(InputError, match=words):
        make_spread(**widths)


@functools.cache
def varied_params() -> TaskParams:
    spread = make_spread(
        chiller_efficiency=0.1,
        chiller_capacity=0.1,
        coil_conductance=0.2,
        tower_conductance=0.2,
        fan_power=0.2,
        server_airflow=0.1,
        recirculation=0.5,
        thermal_mass=0.3,
        load=0.1,
        hall_split=0.05,
        outdoor_temp=3.0,
    )
    return task_params(*CITIES, noise=0.0, variation=spread)


def lane_of(tree: Any, lane: int) -> Any:
    return jax.tree.map(lambda x: x[..., lane], tree)


def a_few_steps(
    state: TaskState, params: TaskParams, count: int = 6
) -> tuple[TaskState, dict[str, Any]]:
    info: dict[str, Any] = {}
    for k in range(count):
        _, state, *_, info = step(jax.random.key(k), state, state.applied, params)
    return state, info


def test_every_lane_runs_the_plant_that_it_was_given() -> None:
    """Lane by lane against a plant whose site file had said so."""
    params = varied_params()
    place = places(4, 2, 180)
    _, state = start(jax.random.key(3), place, params)
    nominal = dataclasses.replace(
        state,
        variation=dataclasses.replace(
            no_variation((4,)),
            load=state.variation.load,
            hall_split=state.variation.hall_split,
            outdoor_temp=state.variation.outdoor_temp,
        ),
    )
    after, info = a_few_steps(state, params)
    for lane in range(4):
        own = dataclasses.replace(
            params, plant=varied_plant(params.plant, lane_of(state.variation, lane))
        )
        alone, told = a_few_steps(nominal, own)
        for a, b in zip(
            jax.tree.leaves(lane_of(after.plant, lane)),
            jax.tree.leaves(lane_of(alone.plant, lane)),
            strict=True,
        ):
            np.testing.assert_allclose(a, b, rtol=2e-5, atol=2e-3)
        np.testing.assert_allclose(
            info["limits"][lane], told["limits"][lane], rtol=1e-4, atol=2e-3
        )


def test_lanes_differ_and_the_nominal_plant_stays_what_it_was() -> None:
    params = varied_params()
    _, state = start(jax.random.key(3), places(4, 2, 180), params)
    constants_there = true_plant(state, params)
    assert constants_there.chiller.capacity.shape == (4,)
    assert len(np.unique(constants_there.chiller.capacity)) == 4
    assert params.plant.chiller.capacity.shape == ()
    np.testing.assert_array_equal(
        params.plant.chiller.capacity, site().plant.chiller.capacity
    )
    other = start(jax.random.key(4), places(4, 2, 180), params)[1]
    assert not np.array_equal(state.variation.load, other.variation.load)


def test_limits_judge_the_true_plant() -> None:
    """A machine that is weaker than its nameplate leaves less after a loss."""
    params = task_params(*CITIES, noise=0.0)
    _, state = start(jax.random.key(3), places(4, 2, 180), params)
    factor = jnp.asarray([1.0, 0.9, 0.8, 0.7], jnp.float32)
    weak = dataclasses.replace(
        state, variation=dataclasses.replace(state.variation, chiller_capacity=factor)
    )
    _, info = a_few_steps(weak, params, 1)
    mean = info["summary"].mean
    load = np.sum(mean.it_power + mean.crah_power, axis=0) + mean.chw_pump_power
    left = (CHILLERS - 1) * float(params.plant.chiller.capacity) * np.asarray(factor)
    wanted = load / (float(params.limits.capacity_share) * left) - 1.0
    found = np.asarray(info["limits"])[:, 19]
    assert np.all(found >= wanted - 1e-4)
    np.testing.assert_allclose(found[2:], wanted[2:], rtol=1e-4)


def test_one_lane_and_many_vary_alike_under_vmap() -> None:
    params = varied_params()
    keys = jax.random.split(jax.random.key(5), 3)
    place = places(3, 2, 180)

    @jax.jit
    @jax.vmap
    def alone(key: jax.Array, where: Any) -> tuple[jax.Array, jax.Array]:
        _, state = TASK.start_at(key, where, params)
        _, _, reward, *_ = TASK.step(key, state, state.applied, params)
        return reward, true_plant(state, params).chiller.capacity

    reward, capacity = alone(keys, place)
    assert reward.shape == capacity.shape == (3,)
    assert len(np.unique(capacity)) == 3
    assert np.all(np.isfinite(reward))


def hard_params() -> TaskParams:
    plan = random_plan({FaultKind.CHILLER_TRIP: 4.0, FaultKind.SENSOR_BIAS: 4.0}, 86400)
    params = dataclasses.replace(varied_params(), faults=plan)
    sensors = dataclasses.replace(params.sensors, bias=scalar(0.2), delay=scalar(1.0))
    return dataclasses.replace(params, sensors=sensors)


def test_a_curriculum_goes_from_the_easiest_task_to_the_one_given() -> None:
    params = hard_params()
    curriculum: Curriculum = linear_curriculum(params, until=0.5)

    def same(found: Any, wanted: Any) -> None:
        for a, b in zip(jax.tree.leaves(found), jax.tree.leaves(wanted), strict=True):
            np.testing.assert_array_equal(a, b)

    same(curriculum(scalar(0.0)), easiest(params))
    same(curriculum(scalar(0.5)), difficulty_of(params))
    same(curriculum(scalar(1.0)), difficulty_of(params))
    half = curriculum(scalar(0.25))
    assert float(half.variation.load) == pytest.approx(0.05)
    trip = FaultKind.CHILLER_TRIP
    assert float(half.fault_rates[trip]) == pytest.approx(2.0 / 86400.0)
    assert float(half.sensors.bias) == pytest.approx(0.1)
    same(at_difficulty(params, difficulty_of(params)), params)


def test_a_training_loop_follows_a_curriculum_without_compiling_again() -> None:
    params = hard_params()
    curriculum = linear_curriculum(params)
    traces: list[None] = []

    @jax.jit
    def restart(key: jax.Array, progress: jax.Array) -> tuple[jax.Array, jax.Array]:
        traces.append(None)
        task = at_difficulty(params, curriculum(progress))
        _, state = TASK.start_at(key, places(64, 2), task)
        return state.faults.kind, state.variation.load

    found = [restart(jax.random.key(0), scalar(p)) for p in (0.0, 0.25, 0.5, 1.0)]
    assert len(traces) == 1
    broken = [int(np.sum(np.asarray(kind) > 0)) for kind, _ in found]
    assert broken[0] == 0
    assert 0 < broken[1] < broken[2] == broken[3]
    width = [float(np.max(np.abs(np.asarray(load) - 1.0))) for _, load in found]
    assert width[0] == 0.0
    assert 0.0 < width[1] < width[2]


def test_a_curriculum_that_never_arrives_is_refused() -> None:
    with pytest.raises(ValueError, match="until"):
        linear_curriculum(hard_params(), until=0.0)

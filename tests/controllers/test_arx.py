"""ARX identification: known systems are found again, and the walk stays in bounds."""

import functools
import json
from importlib import resources
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from made_plants import observed, site, task_params

from coolbound_controllers.arx import ArxModel, Series, fit, next_output
from coolbound_controllers.arx_data import SHIPPED, models_text, read_models
from coolbound_controllers.arx_plant import (
    DISTURBANCES,
    INPUTS,
    MODES,
    OUTPUTS,
    allowed,
    disturbances_of,
    mode_of,
    outputs_of,
)
from coolbound_controllers.arx_walk import RandomWalk, of_mode, record
from coolbound_controllers.g36_tuned import g36_tuned
from coolbound_controllers.operator_settings import parse_operator
from coolbound_envs.cooling import CoolingTask
from coolbound_envs.spec import channel_array
from coolbound_envs.tables import InputError
from coolbound_envs.types import Action, Key, Observation, action_from_vector

DATA = Path(str(resources.files("coolbound_controllers") / "data"))
N, M, D, LAGS = 3, 2, 2, 2
SIZE = len(INPUTS)


def known_system(seed: int) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """Return a stable sparse system in float64, and who may act on whom."""
    draw = np.random.default_rng(seed)
    may = draw.random((N, N + M + D)) < 0.7
    may[:, N] = True
    parts = {
        "outputs": draw.uniform(-0.25, 0.25, (LAGS, N, N)) * may[:, :N],
        "inputs": draw.normal(0.0, 1.0, (LAGS, N, M)) * may[:, N : N + M],
        "disturbances": draw.normal(0.0, 1.0, (N, D)) * may[:, N + M :],
        "bias": draw.normal(0.0, 5.0, N),
    }
    return parts, may


def run_known(parts: dict[str, np.ndarray], noise: float, seed: int) -> Series:
    """Return a record of the system under random inputs, in plain numpy."""
    draw, steps, runs = np.random.default_rng(seed + 100), 300, 3
    u = draw.uniform(20.0, 22.0, (steps, runs, M))
    w = draw.uniform(1000.0, 1500.0, (steps, runs, D))
    x = np.zeros((steps, runs, N))
    for t in range(LAGS, steps):
        for k in range(LAGS):
            x[t] += x[t - 1 - k] @ parts["outputs"][k].T
            x[t] += u[t - 1 - k] @ parts["inputs"][k].T
        x[t] += w[t - 1] @ parts["disturbances"].T + parts["bias"]
        x[t] += noise * draw.normal(size=(runs, N))
    return Series(x, u, w, np.ones((steps, runs), bool))


@pytest.mark.parametrize("seed", range(4))
def test_coefficients_of_a_known_system_are_recovered(seed: int) -> None:
    parts, may = known_system(seed)
    model, errors = fit(run_known(parts, 0.0, seed), LAGS, may, ridge=1e-12)
    for name, true in parts.items():
        scale = 1e-3 * np.abs(true).max() + 1e-6
        np.testing.assert_allclose(getattr(model, name), true, atol=scale)
    assert np.all(errors < 1e-3)


def test_noise_is_told_from_dynamics() -> None:
    parts, may = known_system(0)
    model, errors = fit(run_known(parts, 0.3, 0), LAGS, may)
    np.testing.assert_allclose(errors, 0.3, rtol=0.1)
    np.testing.assert_allclose(model.inputs, parts["inputs"], atol=0.1)


def test_an_output_never_depends_on_what_it_may_not() -> None:
    parts, may = known_system(1)
    model, _ = fit(run_known(parts, 0.3, 1), LAGS, may)
    found = [np.asarray(x) for x in (model.outputs, model.inputs)]
    assert not np.any(found[0][:, ~may[:, :N]])
    assert not np.any(found[1][:, ~may[:, N : N + M]])
    assert not np.any(np.asarray(model.disturbances)[~may[:, N + M :]])
    assert np.any(~may)


def test_examples_that_are_not_used_or_not_read_change_nothing() -> None:
    parts, may = known_system(2)
    clean = run_known(parts, 0.0, 2)
    x, used = clean.outputs.copy(), clean.is_used.copy()
    x[50, 1], used[50, 1] = 1e6, False
    # The two after it have it among their past.
    used[51:53, 1] = False
    x[90, 0] = np.nan
    model, _ = fit(Series(x, clean.inputs, clean.disturbances, used), LAGS, may, 1e-12)
    np.testing.assert_allclose(model.inputs, parts["inputs"], atol=2e-3)


def test_too_short_a_record_is_refused() -> None:
    parts, may = known_system(0)
    whole = run_known(parts, 0.1, 0)
    none = np.zeros_like(whole.is_used)
    with pytest.raises(ValueError, match="found 0 examples"):
        fit(Series(whole.outputs, whole.inputs, whole.disturbances, none), LAGS, may)


def test_the_next_output_is_that_of_the_equation_for_any_batch() -> None:
    parts, _ = known_system(3)
    model = ArxModel(**{k: jnp.asarray(v, jnp.float32) for k, v in parts.items()})
    series = run_known(parts, 0.0, 3)
    t = 40
    past = [series.outputs[t - 1 :: -1][:LAGS], series.inputs[t - 1 :: -1][:LAGS]]
    x, u = (jnp.asarray(np.moveaxis(p, 0, 1), jnp.float32) for p in past)
    w = jnp.asarray(series.disturbances[t - 1], jnp.float32)
    np.testing.assert_allclose(
        next_output(model, x, u, w), series.outputs[t], rtol=1e-4, atol=1e-2
    )
    one = next_output(model, x[0], u[0], w[0])
    np.testing.assert_allclose(one, series.outputs[t, 0], rtol=1e-4, atol=1e-2)


def test_modes_are_told_apart_and_left_out_while_they_change() -> None:
    def mode(running: float, starting: float, economizer: float) -> int:
        seen = observed(
            chillers_running=running,
            chillers_starting=starting,
            economizer_running=economizer,
        )
        return int(mode_of(seen)[0])

    assert [mode(2, 0, 0), mode(0, 0, 1)] == [0, 1]
    assert [mode(1, 1, 0), mode(2, 0, 1), mode(0, 0, 0)] == [-1, -1, -1]


def test_a_mode_counts_once_it_has_lasted() -> None:
    mode = np.asarray([[0], [0], [1], [1], [1], [1], [0], [1]])
    zero = np.zeros((8, 1, 1))
    series = Series(zero, zero, zero, np.ones((8, 1), bool))
    used = of_mode(series, mode, 1, 3).is_used[:, 0]
    assert used.tolist() == [False] * 4 + [True] * 2 + [False] * 2


def test_readings_stand_where_the_models_expect_them() -> None:
    seen = observed(
        inlet_temp_hall2_zone3=26.5, crah_valve_hall1=0.4, cw_return_temp=33.0
    )
    x, w = np.asarray(outputs_of(seen))[0], np.asarray(disturbances_of(seen))[0]
    found = dict(zip(OUTPUTS, x.tolist(), strict=True))
    assert found["inlet_hall2"] == 26.5
    np.testing.assert_allclose(found["valve_hall1"], 0.4, rtol=1e-6)
    assert found["cw_return"] == 33.0
    assert w[DISTURBANCES.index("outdoor_wet_bulb")] == seen.read("outdoor_wet_bulb")[0]


def test_a_hall_never_depends_on_the_other_halls_own_set_points() -> None:
    names = (*OUTPUTS, *INPUTS, *DISTURBANCES)
    may = allowed()

    def depends(output: str, cause: str) -> bool:
        return bool(may[OUTPUTS.index(output), names.index(cause)])

    assert depends("inlet_hall1", "crah_fan_speed_hall1")
    assert not depends("inlet_hall1", "crah_fan_speed_hall2")
    assert not depends("valve_hall2", "it_power_hall1")
    assert not depends("inlet_hall1", "tower_fan_speed")
    assert depends("cw_supply", "tower_fan_speed")


class Holding:
    """Proposes the middle of every range."""

    def init(self, params: Any = ()) -> tuple[()]:
        return ()

    def act(self, key: Key, state: Any, observation: Observation) -> tuple[Action, Any]:
        middle = 0.5 * (channel_array("lower") + channel_array("upper"))
        vector = jnp.broadcast_to(
            jnp.asarray(middle, jnp.float32), observation.applied.shape
        )
        return action_from_vector(vector), state


def test_the_walk_stays_about_its_point_within_ramps_and_uses_its_width() -> None:
    walk = RandomWalk(Holding(), width=0.1, step=1.0)
    seen, memory = observed(), walk.init((4,))
    act, found = jax.jit(walk.act), []
    lower, span = (
        channel_array("lower"),
        channel_array("upper") - channel_array("lower"),
    )
    middle = (lower + 0.5 * span)[None]
    applied = jnp.asarray(np.repeat(middle, 4, axis=0), jnp.float32)
    for k in range(400):
        held = seen.__class__(seen.value, seen.quality, seen.age, applied, seen.time)
        action, memory = act(jax.random.key(k), memory, held)
        moved = jnp.concatenate(
            [action.supply_air_setpoint, action.crah_fan_speed]
            + [
                x[:, None]
                for x in (
                    action.chw_supply_setpoint,
                    action.chw_pressure_setpoint,
                    action.cw_pump_speed,
                    action.tower_fan_speed,
                )
            ],
            axis=1,
        )
        ramp = channel_array("ramp")[:SIZE]
        assert np.all(np.abs(np.asarray(moved - applied[:, :SIZE])) <= ramp + 1e-5)
        applied = applied.at[:, :SIZE].set(moved)
        found.append(np.asarray(moved))
    shares = (np.asarray(found) - middle[:, :SIZE]) / span[:SIZE]
    assert np.all(np.abs(shares) <= 0.1 + 1e-5)
    assert np.all(shares.max(axis=(0, 1)) > 0.08)
    assert np.all(shares.min(axis=(0, 1)) < -0.08)


@functools.cache
def shipped() -> tuple[ArxModel, ...]:
    return read_models(DATA / SHIPPED)


@functools.cache
def fresh() -> tuple[Series, np.ndarray]:
    """Return half a day of eight plants that no model has seen."""
    task = CoolingTask(settle_steps=12)
    walk = RandomWalk(g36_tuned(parse_operator(site())))
    return record(walk, task, task_params("toronto-2021", "chicago"), 12, 144, 77)


@pytest.mark.parametrize("mode", MODES)
def test_shipped_models_foretell_fresh_days_better_than_yesterdays_reading(
    mode: str,
) -> None:
    """One step ahead, against holding the last reading, for what moves most."""
    series, modes = fresh()
    number, lags = MODES.index(mode), 2
    used = of_mode(series, modes, number, lags + 2).is_used[lags:]
    x, u = series.outputs, series.inputs
    past = np.stack([x[1:-1], x[:-2]], axis=-2)
    given = np.stack([u[1:-1], u[:-2]], axis=-2)
    ours = np.asarray(
        next_output(
            shipped()[number],
            jnp.asarray(past),
            jnp.asarray(given),
            jnp.asarray(series.disturbances[1:-1]),
        )
    )
    now, last = x[lags:][used], x[1:-1][used]
    assert len(now) > 60
    error = np.sqrt(np.mean((ours[used] - now) ** 2, axis=0))
    persistence = np.sqrt(np.mean((last - now) ** 2, axis=0))
    names = ("inlet_hall1", "inlet_hall2", "chw_supply", "cw_return")
    rows = [OUTPUTS.index(name) for name in names]
    assert np.all(error[rows] < 0.85 * persistence[rows]), (error, persistence)


def test_shipped_models_name_how_they_were_made() -> None:
    data = json.loads((DATA / SHIPPED).read_text("utf-8"))
    assert data["provenance"]["command"] == (
        "python -m coolbound_controllers.arx_identify"
    )
    assert "singapore-2021" not in data["provenance"]["weather"]


def test_models_are_read_as_they_were_written(tmp_path: Path) -> None:
    path = tmp_path / "models.json"
    errors = [np.ones(len(OUTPUTS))] * len(MODES)
    path.write_text(models_text(shipped(), errors, {}), "utf-8")
    for ours, theirs in zip(read_models(path), shipped(), strict=True):
        for one, other in zip(
            jax.tree.leaves(ours), jax.tree.leaves(theirs), strict=True
        ):
            np.testing.assert_allclose(one, other, rtol=1e-5)


def _without_a_mode(data: dict[str, Any]) -> None:
    del data["models"]["free"]


def _with_other_inputs(data: dict[str, Any]) -> None:
    data["inputs"] = data["inputs"][::-1]


def _with_a_short_row(data: dict[str, Any]) -> None:
    data["models"]["chillers"]["bias"] = [1.0]


def _with_no_number(data: dict[str, Any]) -> None:
    data["models"]["chillers"]["bias"][0] = float("nan")


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (_without_a_mode, "mode 'free'"),
        (_with_other_inputs, "found inputs"),
        (_with_a_short_row, r"bias of mode 'chillers' with shape \(1,\)"),
        (_with_no_number, "finite numbers"),
    ],
)
def test_a_damaged_file_of_models_is_refused(
    tmp_path: Path, damage: Any, message: str
) -> None:
    data = json.loads((DATA / SHIPPED).read_text("utf-8"))
    damage(data)
    path = tmp_path / "models.json"
    path.write_text(json.dumps(data), "utf-8")
    with pytest.raises(InputError, match=message):
        read_models(path)


def test_a_file_that_is_none_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot be read"):
        read_models(tmp_path / "none.json")

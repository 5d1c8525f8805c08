"""The rule-based operators keep the servers cool and the ramps exactly, for days."""

import dataclasses
import functools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from made_plants import observed, places, site, task_params

from coolbound_controllers.g36 import G36
from coolbound_controllers.legacy import Legacy
from coolbound_controllers.operator_settings import (
    OperatorSettings,
    keep_ramps,
    parse_operator,
)
from coolbound_envs.cooling import CoolingTask
from coolbound_envs.limit_table import LIMIT_NAMES, TOLERANCE
from coolbound_envs.spec import CHANNEL_NAMES, channel_array
from coolbound_envs.tables import InputError

CITIES = ("frankfurt-2021", "singapore-2021")
DAYS = (20, 200)
OPERATORS = {"legacy": Legacy, "g36": G36}
LANES = len(CITIES) * len(DAYS)


@functools.cache
def settings() -> OperatorSettings:
    return parse_operator(site())


@functools.cache
def three_days(name: str) -> dict[str, np.ndarray]:
    """Return limits, set-points and powers, (steps, lanes, ...)."""
    task = CoolingTask(settle_steps=12)
    operator = OPERATORS[name](settings())
    params = task_params(*CITIES)
    winter, summer = (places(2, 2, day, spread=0) for day in DAYS)
    place = jax.tree.map(lambda a, b: np.concatenate([a, b]), winter, summer)

    @jax.jit
    def run(key: jax.Array) -> Any:
        seen, state = task.start_at(key, place, params)

        def body(carry: Any, key: jax.Array) -> Any:
            seen, state, memory = carry
            action, memory = operator.act(key, memory, seen)
            after, state, _, _, _, info = task.step(key, state, action, params)
            record = {
                "limits": info["limits"],
                "before": seen.applied,
                "applied": after.applied,
                "running": info["summary"].running,
                "cooling": info["summary"].mean.mechanical_power,
            }
            return (after, state, memory), record

        carry = (seen, state, operator.init((LANES,)))
        return jax.lax.scan(body, carry, jax.random.split(key, 3 * 288))[1]

    return jax.tree.map(np.asarray, run(jax.random.key(0)))


def worst(name: str, limit: str) -> float:
    return float(three_days(name)["limits"][..., LIMIT_NAMES.index(limit)].max())


EXACT = (
    "CA_T_MAX", "CA_T_MIN", "CA_ROC", "AIRFLOW_RATIO", "CRAH_FAN", "SAT_BOX_RATE",
    "CHWS_BOX", "CHWS_SLEW", "CHW_FLOW_ROC", "EVAP_FLOW_MIN", "EVAP_FLOW_MAX",
    "CW_FLOW_MIN", "CT_CWP_RATE", "SHORT_CYCLE_MODE",
)  # fmt: skip


@pytest.mark.parametrize("limit", EXACT)
@pytest.mark.parametrize("name", OPERATORS)
def test_operators_keep_what_they_must_for_three_days(name: str, limit: str) -> None:
    assert worst(name, limit) <= TOLERANCE


@pytest.mark.parametrize("name", OPERATORS)
def test_operators_move_every_set_point_within_its_ramp(name: str) -> None:
    run = three_days(name)
    moved = np.abs(run["applied"] - run["before"])
    ramp = channel_array("ramp")
    # A tower fan steps between off and its lowest speed.
    ramp[CHANNEL_NAMES.index("tower_fan_speed")] = 0.2
    assert np.max(moved - ramp) < 1e-5
    fan = run["applied"][..., CHANNEL_NAMES.index("tower_fan_speed")]
    assert np.all((fan == 0.0) | (fan >= 0.2 - 1e-6))


def test_g36_uses_less_for_cooling_than_legacy_everywhere() -> None:
    legacy, g36 = (three_days(n)["cooling"].mean(0) for n in ("legacy", "g36"))
    assert np.all(g36 < legacy)


def test_g36_cools_freely_in_a_frankfurt_winter_and_never_in_singapore() -> None:
    running = three_days("g36")["running"]
    assert np.mean(running[:, 0] == 0.0) > 0.5
    assert np.all(running[:, [1, 3]] > 0.0)


@pytest.mark.parametrize("name", OPERATORS)
def test_operators_speak_for_a_batch_and_for_one_plant(name: str) -> None:
    operator = OPERATORS[name](settings())
    seen = observed()
    act = jax.jit(operator.act)
    batch, _ = act(jax.random.key(0), operator.init((4,)), seen)
    first = jax.tree.map(lambda x: x[0], seen)
    single, _ = act(jax.random.key(0), operator.init(()), first)
    for one, many in zip(jax.tree.leaves(single), jax.tree.leaves(batch), strict=True):
        np.testing.assert_allclose(one, many[0], rtol=1e-6)


def test_ramps_hold_for_any_wish_from_any_place() -> None:
    generator = np.random.default_rng(0)
    lower, upper = channel_array("lower"), channel_array("upper")
    span = upper - lower
    applied = (lower + span * generator.random((500, 10))).astype(np.float32)
    applied[:, 7] = np.where(applied[:, 7] < 0.2, 0.0, applied[:, 7])
    wanted = lower + span * generator.uniform(-1.0, 2.0, (500, 10))
    kept = np.asarray(
        keep_ramps(jnp.asarray(wanted, jnp.float32), jnp.asarray(applied))
    )
    ramp = channel_array("ramp")
    ramp[7] = 0.2
    assert np.all(np.abs(kept - applied) <= ramp + 1e-5)
    assert np.all((kept >= lower - 1e-6) & (kept <= upper + 1e-6))
    assert np.all((kept[:, 7] == 0.0) | (kept[:, 7] >= 0.2))


def test_operator_section_is_read_strictly() -> None:
    found = site()
    table = dict(found.root.data) | {"operator": {"supply_airr": "22 degC"}}
    root = dataclasses.replace(found.root, data=table, seen=set())
    with pytest.raises(InputError, match=r"supply_airr.*supply_air"):
        parse_operator(dataclasses.replace(found, root=root))
    assert settings().supply_air == 22.0

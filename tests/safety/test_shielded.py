"""Behind the filter the plant stays inside its limits, whatever is proposed."""

import dataclasses
import functools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from made_plants import TASK, places, start, task_params
from seen_plants import LOWER, SPAN, model

from coolbound_envs.cooling import CoolingTask
from coolbound_envs.limit_table import LIMIT_NAMES, TOLERANCE
from coolbound_envs.spec import channel_array
from coolbound_envs.types import action_from_vector, from_unit
from coolbound_safety.kernel import ProjectConfig
from coolbound_safety.reference import solve_active_set
from coolbound_safety.shielded import ShieldedParams, ShieldedState, ShieldedTask
from coolbound_safety.types import Envelope

CITIES = ("phoenix", "chicago", "singapore-2021", "frankfurt-2021")
LANES = 8
DAY = 288
TASK_BEHIND = ShieldedTask(CoolingTask(settle_steps=12))


def params() -> ShieldedParams:
    return ShieldedParams(task=task_params(*CITIES, dropout=1e-3), safety=model())


@functools.cache
def runner(steps: int, is_extreme: bool) -> Any:
    """Return a run under random proposals: anywhere, or only at the ends."""

    def run(key: jax.Array, given: ShieldedParams, day: jax.Array) -> Any:
        place = places(LANES, len(CITIES), spread=0)
        place = dataclasses.replace(place, time=day * 86400)
        seen, state = TASK_BEHIND.inner.start_at(key, place, given.task)
        state = ShieldedState(task=state, observation=seen)

        def body(state: ShieldedState, key: jax.Array) -> Any:
            draw, noise = jax.random.split(key)
            unit = jax.random.uniform(draw, (LANES, 10))
            unit = jnp.round(unit) if is_extreme else unit
            asked = jax.vmap(from_unit)(unit)
            _, after, reward, ended, _, info = TASK_BEHIND.step(
                noise, state, action_from_vector(asked), given
            )
            kept = ("limits", "certified", "proposed", "slack", "is_flagged")
            record = {name: info[name] for name in (*kept, "envelope", "intervention")}
            record |= {"before": state.observation.applied, "ended": ended}
            return after, record | {"reward": reward}

        return jax.lax.scan(body, state, jax.random.split(key, steps))[1]

    return jax.jit(run)


@functools.cache
def one_day(is_extreme: bool = False, seed: int = 0) -> dict[str, Any]:
    days = jnp.asarray([10, 40, 100, 130, 190, 220, 280, 340], jnp.int32)
    found = runner(DAY, is_extreme)(jax.random.key(seed), params(), days)
    return jax.tree.map(np.asarray, found)


def excess(run: dict[str, Any], name: str) -> np.ndarray:
    return run["limits"][..., LIMIT_NAMES.index(name)]


HELD = (
    "CA_T_MAX", "CA_ROC", "DEWPOINT_MARGIN", "AIRFLOW_RATIO", "CRAH_FAN",
    "SAT_BOX_RATE", "CHWS_BOX", "EVAP_FLOW_MIN", "EVAP_FLOW_MAX", "CHW_FLOW_ROC",
    "ECWT_MIN", "CW_FLOW_MIN", "SHORT_CYCLE_MODE",
)  # fmt: skip


@pytest.mark.parametrize("name", HELD)
def test_a_day_of_random_proposals_breaks_no_limit(name: str) -> None:
    assert excess(one_day(), name).max() <= TOLERANCE
    assert not np.any(one_day()["ended"])


def test_the_coldest_inlet_stays_within_a_sensors_reach_of_its_limit() -> None:
    """The supply-air loop undershoots under such a ride by more than the margin."""
    values = excess(one_day(), "CA_T_MIN")
    assert values.max() < 0.25
    assert np.mean(values > TOLERANCE) < 2e-3


@pytest.mark.long
def test_five_days_of_proposals_at_the_ends_never_get_hot() -> None:
    for seed in range(5):
        found = one_day(is_extreme=True, seed=seed)
        assert excess(found, "CA_T_MAX").max() < 1.5
        assert not np.any(found["ended"])
        assert excess(found, "CHW_FLOW_ROC").max() <= TOLERANCE


def test_info_carries_what_was_proposed_and_what_was_certified() -> None:
    run = one_day()
    assert run["proposed"].shape == run["certified"].shape == (DAY, LANES, 10)
    band = channel_array("dead_band")
    moved = np.any(np.abs(run["certified"] - run["proposed"]) > band, axis=-1)
    np.testing.assert_array_equal(moved, run["intervention"] > 0.5)
    np.testing.assert_array_equal(run["before"][1:], run["certified"][:-1])
    assert 0.5 < run["intervention"].mean() <= 1.0


def test_no_lane_needs_the_backup() -> None:
    assert not np.any(one_day()["is_flagged"])


def lane(envelope: Envelope, k: int, c: int) -> Envelope:
    return jax.tree.map(lambda x: np.asarray(x[k, c], np.float64), envelope)


def test_projections_agree_with_the_float64_reference_on_recorded_envelopes() -> None:
    run = one_day()
    generator = np.random.default_rng(0)
    worst = 0.0
    for _ in range(120):
        k, c = int(generator.integers(DAY)), int(generator.integers(LANES))
        envelope = lane(run["envelope"], k, c)
        inward = dataclasses.replace(envelope, h=envelope.h - ProjectConfig().margin)
        proposed = (run["proposed"][k, c].astype(np.float64) - LOWER) / SPAN
        exact = solve_active_set(inward, proposed)[0]
        found = (run["certified"][k, c].astype(np.float64) - LOWER) / SPAN
        worst = max(worst, float(np.max(np.abs(found - exact))))
    assert worst <= 1e-4


def test_the_same_key_gives_the_same_day() -> None:
    days = jnp.asarray([10, 40, 100, 130, 190, 220, 280, 340], jnp.int32)
    again = runner(DAY, False)(jax.random.key(0), params(), days)
    for name in ("limits", "certified", "reward"):
        np.testing.assert_array_equal(again[name], one_day()[name])


def test_a_shielded_task_is_reset_like_any_other() -> None:
    reset = jax.jit(ShieldedTask(TASK).reset_batch, static_argnums=2)
    seen, state = reset(jax.random.key(0), params(), (4,))
    np.testing.assert_array_equal(seen.value, state.observation.value)
    assert seen.applied.shape == (4, 10)


def test_a_proposal_that_is_no_number_is_refused_and_the_last_action_goes_on() -> None:
    given = params()
    seen, state = start(jax.random.key(0), places(2, len(CITIES)), given.task)
    before = ShieldedState(task=state, observation=seen)
    asked = seen.applied.at[1, 4].set(jnp.nan)
    *_, info = jax.jit(TASK_BEHIND.step)(
        jax.random.key(2), before, action_from_vector(asked), given
    )
    assert np.asarray(info["action_refused"]).tolist() == [False, True]
    assert np.all(np.isfinite(np.asarray(info["correction"])))
    np.testing.assert_array_equal(info["proposed"][1], seen.applied[1])

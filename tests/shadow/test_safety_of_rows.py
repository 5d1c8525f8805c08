"""Beside the operator the safety layer decides as it would beside the plant."""

import dataclasses
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from coolbound_envs.limit_numbers import parse_limits
from coolbound_envs.limit_table import LIMIT_NAMES
from coolbound_envs.site import Site
from coolbound_envs.spec import CHANNEL_NAMES, POINT_NAMES, channel_array
from coolbound_envs.types import Quality
from coolbound_safety.coordinates import from_coordinates
from coolbound_safety.estimate import Estimate
from coolbound_safety.filter import SafetyFilter
from coolbound_safety.guard import first_memory, least_cost, prepare
from coolbound_safety.margins import SafetyModel, safety_model
from coolbound_safety.rows import ROW_NAMES
from coolbound_safety.types import Envelope
from coolbound_shadow import replay_inputs as inputs_module
from coolbound_shadow.controller_calls import plain_view
from coolbound_shadow.decide import EMERGENCY_WORDS, HELD_WORDS, plain_reason
from coolbound_shadow.envelopes import build_envelopes
from coolbound_shadow.estimates import Known, watch_rows
from coolbound_shadow.log_types import Log
from coolbound_shadow.proposals import logged_operator
from coolbound_shadow.replay import Policy, Replay, replay
from coolbound_shadow.replay_inputs import Inputs, observation_of, replay_inputs
from coolbound_shadow.selection import first_rows

HOT, BLIND, GAP, ROWS = 12, slice(30, 38), 45, 60
ZONE = "Europe/Berlin"
INLETS = [i for i, name in enumerate(POINT_NAMES) if name.startswith("inlet_temp")]


@pytest.fixture(scope="module")
def model(site: Site) -> SafetyModel:
    return safety_model(site, parse_limits(site.root, site.feeder_power))


@pytest.fixture(scope="module")
def log(two_days: Log) -> Log:
    """Return five hours: one row too hot, inlets lost for a while, a row missing."""
    short = first_rows(two_days, ROWS + 1)
    values, quality = short.values.copy(), short.quality.copy()
    values[HOT, INLETS] = 26.9
    values[BLIND, INLETS], quality[BLIND, INLETS] = np.nan, Quality.MISSING
    keep = np.arange(ROWS + 1) != GAP
    rows = {
        "time_utc": short.time_utc,
        "offset": short.offset,
        "values": values,
        "quality": quality,
        "applied": short.applied,
    }
    return dataclasses.replace(short, **{k: x[keep] for k, x in rows.items()})


@pytest.fixture(scope="module")
def inputs(log: Log) -> Inputs:
    return replay_inputs(log, ZONE)


@pytest.fixture(scope="module")
def known(inputs: Inputs, model: SafetyModel) -> Known:
    return watch_rows(inputs, model, 1.0)


@pytest.fixture(scope="module")
def found(log: Log, model: SafetyModel) -> Replay:
    """Return the replay of the operator's own set-points."""
    policy = Policy(logged_operator(log.applied), "test", "0" * 64, plain_view())
    return replay(log, policy, model, ZONE)


def row_by_row(
    inputs: Inputs, proposed: np.ndarray, model: SafetyModel
) -> tuple[list[Estimate], list[Envelope], np.ndarray, np.ndarray]:
    """Return estimates, envelopes, asked and machines of `guard.prepare` itself."""
    ask = jax.jit(prepare)
    price = jax.jit(jax.vmap(least_cost, in_axes=(0, None)))
    memory, seen = first_memory(), observation_of(inputs, np.arange(inputs.rows))
    estimates, envelopes, asked, machines = [], [], [], []
    for row in range(inputs.rows):
        if inputs.is_own[row]:
            memory = first_memory()
        one = jax.tree.map(lambda x, i=row: x[i], seen)
        want = jnp.asarray(proposed[row], jnp.float32)
        options, memory = ask(memory, one, want, model)
        cost = price(options.envelopes, options.asked) + options.staging.penalty
        best = int(jnp.argmin(cost))
        estimates.append(options.estimate)
        envelopes.append(jax.tree.map(lambda x, i=best: x[i], options.envelopes))
        asked.append(np.asarray(from_coordinates(options.asked)))
        machines.append(float(options.staging.machines[best]))
    return estimates, envelopes, np.stack(asked), np.asarray(machines)


def test_each_row_is_asked_what_the_safety_layer_would_ask(
    inputs: Inputs, known: Known, model: SafetyModel
) -> None:
    rng = np.random.default_rng(1)
    proposed = inputs.previous + 0.5 * channel_array("ramp") * rng.uniform(
        -1.0, 1.0, inputs.previous.shape
    )
    proposed = np.clip(proposed, channel_array("lower"), channel_array("upper"))
    choices = build_envelopes(inputs, proposed, known, model, 1.0)
    estimates, envelopes, asked, machines = row_by_row(inputs, proposed, model)
    for field in dataclasses.fields(Estimate):
        ours = getattr(known.estimate, field.name)
        theirs = np.stack([np.asarray(getattr(x, field.name)) for x in estimates])
        np.testing.assert_allclose(ours, theirs, rtol=1e-3, atol=1e-3)
    np.testing.assert_array_equal(choices.machines, machines)
    np.testing.assert_allclose(choices.asked, asked, atol=1e-4)
    for field, close in (("G", 5e-3), ("h", 5e-3), ("lower", 1e-6), ("upper", 1e-6)):
        theirs = np.stack([np.asarray(getattr(x, field)) for x in envelopes])
        ours = np.asarray(getattr(choices.envelopes, field))
        np.testing.assert_allclose(ours, theirs, atol=close, err_msg=field)


def test_the_memory_goes_from_chunk_to_chunk(
    inputs: Inputs, known: Known, model: SafetyModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(inputs_module, "CHUNK", 25)
    again = watch_rows(inputs, model, 1.0)
    for ours, theirs in zip(
        jax.tree.leaves((known.estimate, known.timers)),
        jax.tree.leaves((again.estimate, again.timers)),
        strict=True,
    ):
        np.testing.assert_allclose(ours, theirs, rtol=1e-5, atol=1e-5)


def test_a_gap_in_the_log_begins_a_new_memory(inputs: Inputs, known: Known) -> None:
    assert np.flatnonzero(inputs.is_own).tolist() == [0, GAP]
    before = np.isfinite(known.estimate.inlet_before[:, 0])
    # Ten minutes after the beginning and after the gap there is an inlet before.
    fresh = [0, 1, GAP, GAP + 1]
    np.testing.assert_array_equal(np.flatnonzero(~before), fresh)
    assert np.all(known.timers.stage_age[[0, GAP]] >= 1e5)


def test_the_change_of_inlets_is_judged_where_ten_minutes_are_known(
    found: Replay, known: Known
) -> None:
    judged = np.isfinite(found.decisions.margins["CA_ROC"])
    seen = np.all(np.isfinite(known.estimate.inlet_before), axis=1)
    np.testing.assert_array_equal(judged, seen)


def test_a_rate_over_fifteen_minutes_is_not_judged_from_other_steps(
    inputs: Inputs, model: SafetyModel
) -> None:
    slow = watch_rows(inputs, model, 3.0).estimate
    assert np.all(np.isnan(slow.inlet_before))
    assert np.all(np.isfinite(slow.rise))


def test_an_emergency_asks_for_all_cooling_and_says_so(found: Replay) -> None:
    decisions = found.decisions
    at = np.flatnonzero([EMERGENCY_WORDS in text for text in decisions.reason])
    assert HOT in at
    assert decisions.status[HOT] in ("PROJECTED", "RELAXED")
    assert (decisions.limit[HOT], decisions.kind[HOT]) == ("CA_T_MAX", "limit")
    fan = CHANNEL_NAMES.index("crah_fan_speed_hall1")
    water = CHANNEL_NAMES.index("chw_supply_setpoint")
    moved = decisions.certified[HOT] - found.inputs.previous[HOT]
    assert moved[fan] > 0.0
    assert moved[water] < 0.0


def test_without_inlets_the_proposal_is_not_used_and_the_record_says_so(
    found: Replay,
) -> None:
    decisions = found.decisions
    is_held = np.array([HELD_WORDS in text for text in decisions.reason])
    assert np.any(is_held[BLIND])
    assert not np.any(is_held[: BLIND.start])
    for row in np.flatnonzero(is_held).tolist():
        assert decisions.status[row] == "FALLBACK"
        assert (decisions.rung[row], decisions.kind[row]) == ("hold", "fallback")
    # Readings are back after the last of them, and so is the policy.
    assert "FALLBACK" not in decisions.status[BLIND.stop :]


def test_instruments_that_a_site_never_logs_are_not_called_lost(
    inputs: Inputs, model: SafetyModel
) -> None:
    value = inputs.value.copy()
    value[:, INLETS] = np.nan
    without = watch_rows(dataclasses.replace(inputs, value=value), model, 1.0)
    np.testing.assert_array_equal(without.estimate.stale, 0.0)
    assert np.all(np.isnan(without.estimate.inlet_before))


def test_a_setpoint_that_is_not_logged_teaches_nothing(
    inputs: Inputs, model: SafetyModel
) -> None:
    fans = [i for i, name in enumerate(CHANNEL_NAMES) if "crah_fan" in name]
    bare = inputs.previous.copy()
    bare[:, fans] = np.nan
    found = watch_rows(dataclasses.replace(inputs, previous=bare), model, 1.0)
    np.testing.assert_array_equal(found.estimate.air_factor, 1.0)
    np.testing.assert_array_equal(found.estimate.coil_factor, 1.0)


def test_what_is_certified_lies_within_its_bounds(
    found: Replay, inputs: Inputs
) -> None:
    certified, ramp = found.decisions.certified, channel_array("ramp")
    low, high = channel_array("lower"), channel_array("upper")
    assert np.all(certified >= low - 1e-9)
    assert np.all(certified <= high + 1e-9)
    moved = np.abs(certified - inputs.previous)
    # Chilled water may fall faster in an emergency.
    ramped = [0, 1, 2, 3, 5]
    assert np.all(moved[:, ramped] <= ramp[ramped] + 1e-9)
    machines = certified[:, CHANNEL_NAMES.index("chiller_demand")]
    np.testing.assert_allclose(machines, np.round(machines), atol=1e-12)


def test_foresight_that_gives_way_is_not_called_a_limit_exceeded() -> None:
    names = ("AIRFLOW_RATIO:hall1:recovery", "CHW_DP_MIN:hall1")
    assert set(names) <= set(ROW_NAMES)
    # Two rows that no action can keep: u0 <= -1 with u0 at least 0.
    rows = np.zeros((2, 10))
    rows[0, 0] = rows[1, 1] = 1.0
    envelope = Envelope(
        lower=np.zeros(10),
        upper=np.ones(10),
        G=rows,
        h=np.full(2, -1.0),
        price=np.array([100.0, 1000.0]),
        scale=np.ones(2),
        priority=np.array([2.0, 1.0]),
        held=np.full(10, 0.5),
        backup=np.full(10, 0.5),
        names=names,
    )
    said = plain_reason(SafetyFilter().decide_unit(envelope, np.full(10, 0.5)))
    assert "foresight of AIRFLOW_RATIO:hall1 (one step further) gives way" in said
    assert "AIRFLOW_RATIO:hall1:recovery is exceeded" not in said
    assert "CHW_DP_MIN:hall1 is exceeded by 1" in said


def test_interventions_are_counted_by_limit_and_not_by_row(found: Replay) -> None:
    limits: Any = {limit.name: limit for limit in found.limits}
    assert tuple(limits) == LIMIT_NAMES
    assert not any(":" in name for name in found.decisions.limit)

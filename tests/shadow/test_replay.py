"""Every row of a log becomes one decision, whatever the policy does."""

import dataclasses
from typing import Any
from zoneinfo import ZoneInfo

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from coolbound_controllers.g36 import G36
from coolbound_controllers.operator_settings import parse_operator
from coolbound_envs.limit_numbers import parse_limits
from coolbound_envs.site import Site
from coolbound_envs.spec import CHANNEL_NAMES, POINT_INDEX, channel_array
from coolbound_envs.types import Action, Observation, Quality, action_from_vector
from coolbound_safety.margins import SafetyModel, safety_model
from coolbound_safety.rows import ROW_NAMES
from coolbound_safety.types import from_unit64
from coolbound_shadow.controller_calls import plain_view
from coolbound_shadow.envelopes import Choices, build_envelopes, nominal_action
from coolbound_shadow.estimates import watch_rows
from coolbound_shadow.local_time import seconds_of_year
from coolbound_shadow.log_types import Log
from coolbound_shadow.proposals import logged_operator, propose
from coolbound_shadow.replay import Policy, replay
from coolbound_shadow.replay_inputs import HOLD_S, Inputs, replay_inputs
from coolbound_shadow.selection import first_rows
from coolbound_shadow.statistics import replay_error


@dataclasses.dataclass(frozen=True)
class Crashing:
    """A policy that raises on some observations, as no compiled one could."""

    above: float

    def init(self, params: Any) -> tuple[()]:
        return ()

    def act(
        self, key: jax.Array, state: Any, observation: Observation
    ) -> tuple[Action, Any]:
        if float(observation.time.reshape(-1)[0]) > self.above:
            raise RuntimeError("the network is gone")
        return action_from_vector(observation.applied), state


@dataclasses.dataclass(frozen=True)
class NotANumber:
    """A policy whose answer is not a number."""

    def init(self, params: Any) -> tuple[()]:
        return ()

    def act(
        self, key: jax.Array, state: Any, observation: Observation
    ) -> tuple[Action, Any]:
        return action_from_vector(observation.applied * jnp.float32(jnp.nan)), state


@pytest.fixture(scope="module")
def model(site: Site) -> SafetyModel:
    return safety_model(site, parse_limits(site.root, site.feeder_power))


@pytest.fixture
def log(two_days: Log) -> Log:
    """Return five hours that a test may change."""
    short = first_rows(two_days, 60)
    values, quality = short.values.copy(), short.quality.copy()
    return dataclasses.replace(short, values=values, quality=quality)


def choices(
    inputs: Inputs, proposed: np.ndarray, model: SafetyModel, scale: float = 1.0
) -> Choices:
    known = watch_rows(inputs, model, scale)
    return build_envelopes(inputs, proposed, known, model, scale)


def policy(controller: Any) -> Policy:
    return Policy(controller, "test", "0" * 64, plain_view())


def test_a_policy_that_crashes_leaves_a_fallback_and_a_reason_in_each_row(
    log: Log, model: SafetyModel
) -> None:
    above = float(replay_inputs(log, "Europe/Berlin").time[30])
    found = replay(log, policy(Crashing(above)), model, "Europe/Berlin").decisions
    assert found.rows == log.rows
    assert set(found.status[31:]) == {"FALLBACK"}
    assert "FALLBACK" not in found.status[:31]
    reason = "the policy raised RuntimeError: the network is gone"
    assert set(found.reason[31:]) == {reason}
    assert np.all(np.isnan(found.proposed[31:]))
    assert np.all(np.isfinite(found.certified))


def test_an_answer_that_is_no_number_is_a_fallback(
    log: Log, model: SafetyModel
) -> None:
    found = replay(log, policy(NotANumber()), model, "Europe/Berlin").decisions
    assert set(found.status) == {"FALLBACK"}
    assert set(found.kind) == {"fallback"}
    assert set(found.reason) == {"the policy's answer is not finite"}


def test_the_log_replayed_as_its_own_policy_differs_by_exactly_nothing(
    two_days: Log,
) -> None:
    inputs = replay_inputs(two_days, "Europe/Berlin")
    again = propose(logged_operator(two_days.applied), inputs, plain_view())
    given = two_days.applied.astype(np.float32).astype(np.float64)
    assert replay_error(given, again.action) == 0.0


def test_a_reading_is_held_for_ten_minutes_and_then_missing(log: Log) -> None:
    point = POINT_INDEX["chw_supply_temp"]
    log.values[20:30, point], log.quality[20:30, point] = np.nan, Quality.MISSING
    inputs = replay_inputs(log, "Europe/Berlin")
    age = log.time_utc[20:30] - log.time_utc[19]
    known = np.isfinite(inputs.value[20:30, point])
    np.testing.assert_array_equal(known, age <= HOLD_S)
    assert np.all(inputs.quality[20:30, point][known] == Quality.UNCERTAIN)
    assert np.all(inputs.is_held[20:30, point] == known)


def test_a_row_without_the_readings_a_policy_needs_says_which(
    log: Log, model: SafetyModel, start_rule: Any
) -> None:
    point = POINT_INDEX["it_power_hall1"]
    log.values[10:20, point], log.quality[10:20, point] = np.nan, Quality.MISSING
    found = replay(log, policy(start_rule), model, "Europe/Berlin").decisions
    assert found.reason[18] == "no reading of it_power_hall1"
    assert found.status[18] == "FALLBACK"
    assert found.status[25] != "FALLBACK"


def test_a_lost_reading_does_not_stay_in_a_controllers_memory(
    log: Log, model: SafetyModel, site: Site
) -> None:
    point = POINT_INDEX["chw_return_temp"]
    log.values[10:20, point], log.quality[10:20, point] = np.nan, Quality.MISSING
    operator = policy(G36(parse_operator(site)))
    found = replay(log, operator, model, "Europe/Berlin").decisions
    assert found.status[18] == "FALLBACK"
    assert "FALLBACK" not in found.status[21:]


def test_a_gap_leaves_no_action_before(log: Log) -> None:
    kept = np.ones(log.rows, dtype=bool)
    kept[30:35] = False
    rows = ("time_utc", "offset", "values", "quality", "applied")
    cut = dataclasses.replace(log, **{k: getattr(log, k)[kept] for k in rows})
    inputs = replay_inputs(cut, "Europe/Berlin")
    assert inputs.is_own[30]
    np.testing.assert_array_equal(inputs.previous[30], cut.applied[30])
    np.testing.assert_array_equal(inputs.previous[29], cut.applied[28])


def test_bounds_are_exact_and_never_looser_than_ranges_and_ramps(
    log: Log, model: SafetyModel
) -> None:
    inputs = replay_inputs(log, "Europe/Berlin")
    envelope = choices(inputs, inputs.previous, model).envelopes
    low, high = channel_array("lower"), channel_array("upper")
    ramp = channel_array("ramp")
    upper = from_unit64(np.asarray(envelope.upper))
    lower = from_unit64(np.asarray(envelope.lower))
    for channel in range(6):
        most = np.minimum(inputs.previous[:, channel] + ramp[channel], high[channel])
        assert np.all(upper[:, channel] <= most + 1e-12)
        assert np.all(lower[:, channel] >= low[channel] - 1e-12)


def test_a_channel_that_is_not_in_the_log_is_never_guessed_at(
    two_days: Log, model: SafetyModel, start_rule: Any
) -> None:
    log = first_rows(two_days, 40)
    applied = log.applied.copy()
    channel = CHANNEL_NAMES.index("chw_supply_setpoint")
    applied[:, channel] = np.nan
    log = dataclasses.replace(log, applied=applied)
    found = replay(log, policy(start_rule), model, "Europe/Berlin")
    limits = {limit.name: limit for limit in found.limits}
    assert not limits["CHWS_SLEW"].certified.observable
    assert not limits["CHWS_BOX"].operator.observable
    envelope = choices(found.inputs, found.decisions.proposed, model).envelopes
    assert np.all(np.asarray(envelope.G)[:, :, channel] == 0.0)
    assert np.all(np.isfinite(found.decisions.certified))


def test_the_clock_is_the_sites_standard_time() -> None:
    # 1 July 12:00 summer time in Berlin is 11:00 standard time, day 181.
    noon = np.asarray([1_625_133_600])
    seconds = seconds_of_year(noon, ZoneInfo("Europe/Berlin"))
    assert seconds[0] == 181 * 86400 + 11 * 3600


def test_metered_water_stands_for_a_setpoint_that_is_not_logged(
    log: Log, model: SafetyModel
) -> None:
    bare = log.applied.copy()
    bare[:, CHANNEL_NAMES.index("chw_supply_setpoint")] = np.nan
    blind = dataclasses.replace(log, applied=bare)
    inputs = replay_inputs(blind, "Europe/Berlin")
    proposed = np.repeat(nominal_action()[None], blind.rows, axis=0)
    envelopes = choices(inputs, proposed, model).envelopes
    rows = np.asarray(envelopes.G)
    norms = np.linalg.norm(rows, axis=2)
    water = CHANNEL_NAMES.index("chw_supply_setpoint")
    assert np.all(rows[:, :, water] == 0.0)
    np.testing.assert_allclose(norms[norms > 0.0], 1.0, atol=1e-6)
    entering = ROW_NAMES.index("ECWT_CWRT_MAX:entering")
    lift = ROW_NAMES.index("LIFT_MIN")
    assert np.any(norms[:, entering] > 0.0)
    assert np.any(norms[:, lift] > 0.0)

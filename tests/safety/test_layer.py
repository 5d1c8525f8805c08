"""Every decision ends in an action that may be applied, whatever breaks."""

import dataclasses
import gc
import threading
import types
from collections.abc import Callable, Iterator
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from made_layers import (
    BACKUP,
    FAN_FLOOR,
    HELD,
    LOWER,
    RULE,
    SPAN,
    UPPER,
    Check,
    Rule,
    along,
    finding,
    made_envelope,
    made_layer,
    made_observation,
    made_options,
    same_rows,
)
from made_plants import places, start, step, task_params
from seen_plants import model

from coolbound_envs.spec import channel_array
from coolbound_envs.types import Observation, Quality, action_from_vector
from coolbound_safety import ladder
from coolbound_safety.filter import SafetyFilter
from coolbound_safety.layer import Decision, SafetyLayer
from coolbound_safety.takeover import PATIENCE, RETURN_AFTER, Mode
from coolbound_safety.types import Envelope, FilterStatus
from coolbound_safety.verify_rule import VerifyStatus

RAMP = channel_array("ramp")
SAFE = HELD + 0.25 * RAMP * np.array([1, 1, 1, 1, 1, 1, 1, 1, 0, 0])
LOW_FAN = np.where(np.arange(10) == 2, 0.5, HELD)


def fails(*given: Any) -> Any:
    raise FloatingPointError("injected")


def keeps_rates(decision: Decision, before: np.ndarray = HELD) -> bool:
    moved = np.abs(decision.action - before)
    inside = (decision.action >= LOWER - 1e-6) & (decision.action <= UPPER + 1e-6)
    return bool(np.all(moved <= RAMP + 1e-5) and np.all(inside))


# Each rung of the ladder, forced.


def test_a_safe_proposal_passes_unchanged() -> None:
    decision = made_layer().decide(made_observation(), SAFE)
    assert decision.result.status == FilterStatus.PASSED
    assert decision.result.rung == "clip"
    np.testing.assert_allclose(decision.action, SAFE, atol=1e-5)
    assert decision.verification is not None
    assert decision.machines == 2.0


def test_an_unsafe_proposal_is_projected_and_certified() -> None:
    decision = made_layer().decide(made_observation(), LOW_FAN)
    assert decision.result.status == FilterStatus.PROJECTED
    assert decision.result.certificate.is_certified
    assert decision.action[2] == pytest.approx(FAN_FLOOR, abs=1e-6)


def test_what_the_nonlinear_model_refuses_is_shrunk_towards_the_backup() -> None:
    half = made_layer(back_check=lambda *given: types.SimpleNamespace(share=0.5))
    decision = half.decide(made_observation(), SAFE)
    assert decision.result.rung == "shrunk"
    assert decision.result.status == FilterStatus.FALLBACK
    np.testing.assert_allclose(decision.action, 0.5 * (SAFE + BACKUP), atol=1e-5)
    assert "nonlinear model" in decision.result.reason


def test_what_the_nonlinear_model_refuses_is_first_projected_again() -> None:
    floor = 0.76

    def higher(*given: Any) -> Any:
        rows, _, scale = same_rows()
        return rows, np.array([-along(2, floor), 1.0]), scale

    def agrees_above(unit: Any, *given: Any) -> Any:
        kept = float(np.asarray(unit)[2]) >= along(2, floor) - 1e-5
        return types.SimpleNamespace(share=1.0 if kept else 0.0)

    layer = made_layer(tangent=higher, back_check=agrees_above)
    decision = layer.decide(made_observation(), LOW_FAN)
    assert decision.result.status == FilterStatus.PROJECTED
    assert decision.result.certificate.is_certified
    assert decision.action[2] == pytest.approx(floor, abs=1e-5)


def test_what_the_nonlinear_model_refuses_altogether_becomes_the_backup() -> None:
    none = made_layer(back_check=lambda *given: types.SimpleNamespace(share=0.0))
    decision = none.decide(made_observation(), SAFE)
    assert decision.result.rung == "backup"
    assert decision.result.certificate.is_certified
    np.testing.assert_allclose(decision.action, BACKUP, atol=1e-6)


@pytest.mark.parametrize(("best", "action"), [("backup", BACKUP), ("hold", HELD)])
def test_a_veto_takes_what_the_second_check_prefers(
    best: str, action: np.ndarray
) -> None:
    check = Check(finding(VerifyStatus.VETOED, best))
    decision = made_layer(verifier=check).decide(made_observation(), SAFE)
    assert decision.result.rung == best
    assert decision.result.status == FilterStatus.FALLBACK
    assert "CA_T_MAX" in decision.result.reason
    np.testing.assert_allclose(decision.action, action, atol=1e-6)


def test_what_cannot_be_checked_is_held_and_then_left_to_the_rule() -> None:
    layer = made_layer(verifier=Check(finding(VerifyStatus.UNSEEN)))
    first = layer.decide(made_observation(), SAFE)
    assert first.result.rung == "hold"
    np.testing.assert_allclose(first.action, HELD, atol=1e-6)
    assert first.mode == Mode.AGENT
    second = layer.decide(made_observation(), SAFE)
    assert second.result.rung == "neutral"
    assert second.mode == Mode.NEUTRAL


def test_the_neutral_rule_moves_bumplessly_until_it_is_reached() -> None:
    layer, before, rungs = made_layer(prepare=fails), HELD, []
    for _ in range(30):
        seen = made_observation(applied=before.astype(np.float32))
        decision = layer.decide(seen, SAFE)
        assert keeps_rates(decision, before)
        before = decision.action
        rungs.append(decision.result.rung)
    assert rungs == ["hold"] * (PATIENCE - 1) + ["neutral"] * (31 - PATIENCE)
    np.testing.assert_allclose(before, RULE, atol=1e-5)


def test_the_agent_drives_again_only_after_enough_certified_decisions() -> None:
    layer = made_layer()
    good = layer._tools
    layer._tools = dataclasses.replace(good, prepare=fails)
    for _ in range(PATIENCE):
        layer.decide(made_observation(), SAFE)
    assert layer.mode == Mode.NEUTRAL
    layer._tools = good
    rungs = [
        layer.decide(made_observation(), SAFE).result.rung for _ in range(RETURN_AFTER)
    ]
    assert rungs[:-1] == ["neutral"] * (RETURN_AFTER - 1)
    assert layer.mode == Mode.AGENT
    decision = layer.decide(made_observation(), SAFE)
    assert decision.result.status == FilterStatus.PASSED


def test_while_the_rule_drives_its_set_points_are_projected_too() -> None:
    low = tuple(np.where(np.arange(10) == 2, 0.4, RULE))
    layer = made_layer(rule=Rule(low))
    layer._takeover = dataclasses.replace(layer._takeover, mode=Mode.NEUTRAL)
    decision = layer.decide(made_observation(), SAFE)
    assert decision.result.rung == "neutral"
    assert decision.result.certificate.is_certified
    assert decision.action[2] >= FAN_FLOOR - 1e-6


# Every part broken in turn.


def hang(gate: threading.Event) -> Callable[..., Any]:
    def wait(*given: Any) -> Any:
        gate.wait(30.0)
        raise FloatingPointError("too late")

    return wait


@pytest.fixture
def gate() -> Iterator[threading.Event]:
    event = threading.Event()
    yield event
    event.set()


class BrokenMemory(Check):
    def remember(self, record: Any, observation: Observation) -> Any:
        return fails()


class BrokenCheck(Check):
    def verify(self, *given: Any) -> Any:
        return fails()


class BrokenRule(Rule):
    def act(self, key: Any, state: Any, observation: Any) -> Any:
        return fails()


BROKEN: dict[str, dict[str, Any]] = {
    "prepare": {"prepare": fails},
    "back_check": {"back_check": fails},
    "record": {"verifier": BrokenMemory()},
    "verify": {"verifier": BrokenCheck()},
    "both solvers": {"safety_filter": SafetyFilter(exact=fails, second=fails)},
    "rule": {"rule": BrokenRule()},
    "rule and prepare": {"rule": BrokenRule(), "prepare": fails},
}


@pytest.mark.parametrize("part", BROKEN)
@pytest.mark.parametrize("proposed", [SAFE, LOW_FAN])
def test_a_part_that_crashes_never_leaves_the_plant_without_an_action(
    part: str, proposed: np.ndarray
) -> None:
    layer = made_layer(**BROKEN[part])
    for k in range(4):
        decision = layer.decide(made_observation(), proposed)
        assert keeps_rates(decision)
        assert decision.number == k + 1
        if "rule" not in part and part != "both solvers":
            assert decision.result.status == FilterStatus.FALLBACK
            assert "injected" in decision.result.reason


def test_a_crash_after_the_backup_was_certified_falls_back_to_it() -> None:
    decision = made_layer(back_check=fails).decide(made_observation(), SAFE)
    assert decision.result.rung == "backup"
    assert decision.result.certificate.is_certified
    np.testing.assert_allclose(decision.action, BACKUP, atol=1e-6)


def test_a_solver_that_hangs_is_late_and_the_backup_is_used(
    gate: threading.Event,
) -> None:
    filter_ = SafetyFilter(exact=hang(gate), always_solve=True)
    layer = made_layer(limit_s=0.3, safety_filter=filter_)
    layer._rule(layer._rule_state, made_observation())
    decision = layer.decide(made_observation(), SAFE)
    assert decision.is_late
    assert decision.stuck >= 1
    assert decision.result.status == FilterStatus.FALLBACK
    assert decision.result.rung == "backup"
    assert "not ready" in decision.result.reason
    np.testing.assert_allclose(decision.action, BACKUP, atol=1e-6)


def test_before_any_backup_is_known_the_action_in_force_is_held(
    gate: threading.Event,
) -> None:
    layer = made_layer(limit_s=0.3, prepare=hang(gate))
    layer._rule(layer._rule_state, made_observation())
    decision = layer.decide(made_observation(), SAFE)
    assert decision.is_late
    assert decision.result.rung == "hold"
    np.testing.assert_allclose(decision.action, HELD, atol=1e-5)


def test_a_backup_that_cannot_be_told_leaves_the_action_in_force(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    layer = made_layer(back_check=fails)
    assert layer.decide(made_observation(), SAFE).result.rung == "backup"
    layer = made_layer(back_check=fails)
    monkeypatch.setattr(ladder, "safe_result", fails)
    decision = layer.decide(made_observation(), SAFE)
    assert decision.result.rung == "hold"
    np.testing.assert_allclose(decision.action, HELD, atol=1e-5)


def test_what_came_too_late_is_not_remembered(gate: threading.Event) -> None:
    layer = made_layer(limit_s=30.0)
    layer.decide(made_observation(), SAFE)
    assert layer._memory == 1
    good = layer._tools
    layer._tools = dataclasses.replace(good, back_check=hang(gate))
    layer._watchdog.limit_s = 0.3
    assert layer.decide(made_observation(), SAFE).is_late
    assert layer._memory == 1
    layer._tools, layer._watchdog.limit_s = good, 30.0
    layer.decide(made_observation(), SAFE)
    assert layer._memory == 2


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_a_proposal_that_is_no_number_holds_and_then_hands_over(value: float) -> None:
    layer = made_layer()
    proposed = np.where(np.arange(10) == 4, value, SAFE)
    first = layer.decide(made_observation(), proposed)
    assert keeps_rates(first)
    assert first.action[4] == pytest.approx(HELD[4], abs=1e-5)
    assert first.result.status == FilterStatus.FALLBACK
    assert "not finite" in first.result.reason
    assert not np.isfinite(first.result.proposed[4])
    assert layer.decide(made_observation(), proposed).mode == Mode.NEUTRAL
    for _ in range(2 * RETURN_AFTER):
        assert layer.decide(made_observation(), proposed).mode == Mode.NEUTRAL


@pytest.mark.parametrize("field", ["lower", "upper", "G", "h", "held", "backup"])
def test_an_envelope_with_a_value_that_is_no_number_certifies_nothing(
    field: str,
) -> None:
    bad = np.array(getattr(made_envelope(), field))
    bad[(1,) * bad.ndim] = np.nan
    envelope = made_envelope(**{field: bad})
    layer = made_layer(prepare=lambda m, o, a: (made_options(a, envelope=envelope), m))
    decision = layer.decide(made_observation(), SAFE)
    assert decision.result.status == FilterStatus.FALLBACK
    assert np.all(np.isfinite(decision.action))


@pytest.mark.parametrize("shape", [(9,), (1, 10), ()])
def test_wrong_shapes_are_refused(shape: tuple[int, ...]) -> None:
    layer = made_layer()
    with pytest.raises(ValueError, match="proposed"):
        layer.decide(made_observation(), np.zeros(shape))
    with pytest.raises(ValueError, match=r"observation\.applied"):
        layer.decide(made_observation(applied=np.zeros(shape)), SAFE)
    with pytest.raises(ValueError, match=r"observation\.value"):
        layer.decide(made_observation(value=np.zeros(shape)), SAFE)


# The choice among numbers of machines.


def chosen(*envelopes: Envelope, penalty: tuple[float, ...], asked: np.ndarray) -> Any:
    def prepare(memory: Any, seen: Any, given: np.ndarray) -> Any:
        stacked = jax.tree.map(lambda *x: np.stack(x), *envelopes)
        base = made_options(given, envelopes=stacked)
        staging = dataclasses.replace(
            base.staging,
            penalty=np.asarray(penalty),
            admissible=np.asarray(penalty) < 1e5,
        )
        return dataclasses.replace(base, staging=staging), memory

    return made_layer(prepare=prepare).decide(made_observation(), asked)


def floor_at(fan: float) -> Envelope:
    h = np.array([-along(2, fan), 1.0])
    return made_envelope(h=h)


def test_fewer_relaxed_limits_outweigh_any_penalty_or_distance() -> None:
    out_of_reach, within = floor_at(0.95), floor_at(0.70)
    decision = chosen(
        out_of_reach, within, within, penalty=(0.0, 0.3, 1e6), asked=LOW_FAN
    )
    assert decision.machines == 2.0
    assert decision.result.slack == {}


def test_a_change_must_be_cheaper_than_its_penalty() -> None:
    near, far = floor_at(0.65), floor_at(0.75)
    changes = chosen(near, far, far, penalty=(1e-3, 0.0, 1e6), asked=LOW_FAN)
    stays = chosen(near, far, far, penalty=(0.5, 0.0, 1e6), asked=LOW_FAN)
    assert (changes.machines, stays.machines) == (1.0, 2.0)


def test_what_the_masks_forbid_is_never_chosen() -> None:
    decision = chosen(
        floor_at(0.3), floor_at(0.8), floor_at(0.3), penalty=(1e6, 0.0, 1e6), asked=SAFE
    )
    assert decision.machines == 2.0


# The whole layer on the simulated plant.

TASK_PARAMS = task_params("phoenix", dropout=1e-2)


@pytest.fixture(scope="module")
def compiled() -> SafetyLayer:
    layer = SafetyLayer(model(), Rule(), limit_s=600.0)
    layer.warm_up()
    return layer


@pytest.mark.parametrize("name", ["prepare", "back_check", "tangent"])
def test_start_up_compiles_what_only_a_rare_decision_asks_for(
    compiled: SafetyLayer, name: str
) -> None:
    tool = getattr(compiled._tools, name)
    assert getattr(tool, "program", tool)._cache_size() == 1


def test_no_collection_within_a_decision_walks_what_start_up_left(
    compiled: SafetyLayer,
) -> None:
    assert gc.get_freeze_count() > 2 * len(gc.get_objects())


@pytest.fixture
def layer(compiled: SafetyLayer) -> SafetyLayer:
    compiled._reset()
    return compiled


@pytest.fixture(scope="module")
def plant() -> tuple[Observation, Any]:
    return start(jax.random.key(0), places(1, 1, 180), TASK_PARAMS)


def seen_of(observation: Observation, **changes: Any) -> Observation:
    one = jax.tree.map(lambda x: np.asarray(x[0]), observation)
    return dataclasses.replace(one, **changes)


def drive(
    layer: SafetyLayer,
    plant: tuple[Observation, Any],
    steps: int,
    change: Callable[[int, Observation], Observation | None],
    propose: Callable[[int, np.ndarray], np.ndarray],
) -> list[tuple[Decision, np.ndarray]]:
    """Return decisions and h of all limits, the plant driven by what was decided."""
    observation, state = plant
    record = []
    for k in range(steps):
        seen = seen_of(observation)
        in_force = np.asarray(seen.applied, np.float64)
        decision = layer.decide(change(k, seen), propose(k, in_force))
        action = jnp.asarray(decision.action[None], jnp.float32)
        observation, state, _, _, _, info = step(
            jax.random.key(k), state, action_from_vector(action), TASK_PARAMS
        )
        assert not bool(info["action_refused"][0])
        record.append((decision, np.asarray(info["limits"][0])))
    return record


def unchanged(k: int, seen: Observation) -> Observation:
    return seen


def at_ends(k: int, in_force: np.ndarray) -> np.ndarray:
    draw = np.random.default_rng(k).random(10)
    return LOWER + SPAN * np.round(draw)


def test_wild_proposals_never_break_the_inlet_limit(
    layer: SafetyLayer, plant: tuple[Observation, Any]
) -> None:
    record = drive(layer, plant, 48, unchanged, at_ends)
    assert max(h[0] for _, h in record) <= 0.0
    assert {x.mode for x, _ in record} == {Mode.AGENT}
    assert sum(x.result.certificate.is_certified for x, _ in record) == 48


def test_data_that_grow_old_are_held_and_then_left_to_the_rule(
    layer: SafetyLayer, plant: tuple[Observation, Any]
) -> None:
    def lost(k: int, seen: Observation) -> Observation | None:
        return seen if k < 3 else None

    record = drive(layer, plant, 8, lost, lambda k, a: a)
    rungs = [x.result.rung for x, _ in record]
    ages = [x.estimate_age_s for x, _ in record]
    assert ages[2] == 0.0
    assert ages[3:6] == [300.0, 600.0, 900.0]
    assert [x.mode for x, _ in record[:5]] == [Mode.AGENT] * 5
    assert rungs[5] == "hold"
    assert rungs[6:] == ["neutral"] * 2


FAULTS: dict[str, Callable[[Observation], dict[str, Any]]] = {
    "all missing": lambda o: {
        "value": np.full_like(o.value, np.nan),
        "quality": np.full_like(o.quality, int(Quality.MISSING)),
    },
    "not a number but flagged good": lambda o: {"value": np.full_like(o.value, np.nan)},
    "infinite": lambda o: {"value": np.full_like(o.value, np.inf)},
    "all bad": lambda o: {"quality": np.full_like(o.quality, int(Quality.BAD))},
    "very old": lambda o: {"age": np.full_like(o.age, 7200.0)},
    "ages not a number": lambda o: {"age": np.full_like(o.age, np.nan)},
    "nobody knows what is in force": lambda o: {
        "applied": np.full_like(o.applied, np.nan)
    },
    "absurd readings": lambda o: {"value": np.full_like(o.value, 1e9)},
}


@pytest.mark.parametrize("fault", FAULTS)
def test_no_observation_can_stop_the_layer(
    layer: SafetyLayer, plant: tuple[Observation, Any], fault: str
) -> None:
    def broken(k: int, seen: Observation) -> Observation:
        if k < 2:
            return seen
        return dataclasses.replace(seen, **FAULTS[fault](seen))

    record = drive(layer, plant, 9, broken, at_ends)
    before = np.asarray(plant[0].applied[0], np.float64)
    for decision, _ in record:
        assert keeps_rates(decision, before)
        before = decision.action
    if fault not in ("nobody knows what is in force", "absurd readings"):
        assert record[-1][0].result.rung == "neutral"


def test_without_any_observation_ever_the_rule_takes_over(layer: SafetyLayer) -> None:
    decisions = [layer.decide(None, SAFE) for _ in range(4)]
    assert np.all(np.isfinite([x.action for x in decisions]))
    assert decisions[0].result.rung == "full_cooling"
    assert decisions[-1].mode == Mode.NEUTRAL

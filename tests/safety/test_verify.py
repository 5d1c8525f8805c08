"""The second check agrees with sound envelopes and catches broken ones.

Compared with the simulated plant itself: what the check predicts, and what it would
have prevented.
"""

import ast
import dataclasses
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from made_plants import CITIES, limits, places, site, start, step, task_params
from seen_plants import model

from coolbound_envs.episode import TaskState
from coolbound_envs.limit_table import LIMIT_NAMES, TOLERANCE
from coolbound_envs.spec import POINT_INDEX, channel_array
from coolbound_envs.types import Observation, Quality, action_from_vector
from coolbound_safety import verify as verify_module
from coolbound_safety import verify_plant, verify_record, verify_rule
from coolbound_safety.backcheck import back_check
from coolbound_safety.filter import SafetyFilter
from coolbound_safety.guard import first_memory, prepare
from coolbound_safety.types import FilterResult, from_unit64, to_unit64
from coolbound_safety.verify import Verifier
from coolbound_safety.verify_record import Record, empty_record
from coolbound_safety.verify_rule import (
    EXACT,
    RESOLUTION,
    Verification,
    VerifyStatus,
    conclude,
    why_worse,
    worse,
)

RAMP = channel_array("ramp")
INDEX = {name: i for i, name in enumerate(LIMIT_NAMES)}
CHANNEL = ("air1", "air2", "fan1", "fan2", "chw", "dp", "pump", "tower", "n", "eco")


@pytest.fixture(scope="module")
def verifier() -> Verifier:
    found = Verifier(site().plant, limits())
    found.warm_up()
    return found


class Plant:
    """One simulated plant, driven step by step, and what the check remembers of it."""

    def __init__(
        self, verifier: Verifier, day: int = 200, lane: int = 0, noise: float = 1.0
    ) -> None:
        self.verifier, self.noise = verifier, noise
        self.params = task_params(*CITIES, noise=noise)
        place = jax.tree.map(lambda x: x[lane : lane + 1], places(4, 2, day, 21600))
        observation, self.state = start(jax.random.key(day), place, self.params)
        self.steps, self.record = 0, empty_record()
        self._see(observation)

    def _see(self, observation: Observation) -> None:
        self.seen = jax.tree.map(lambda x: np.asarray(x[0]), observation)
        self.record = self.verifier.remember(self.record, self.seen)

    @property
    def in_force(self) -> np.ndarray:
        return np.asarray(self.seen.applied, np.float64)

    def apply(self, action: np.ndarray) -> np.ndarray:
        """Return h of all limits after one interval."""
        self.state, h, observation = self._step(self.state, action)
        self._see(observation)
        return h

    def ahead(self, action: np.ndarray) -> np.ndarray:
        """Return what truly happens when an action is held 15 min, (3, 21)."""
        state, rows = self.state, []
        for _ in range(3):
            state, h, _ = self._step(state, action)
            rows.append(h)
        return np.stack(rows)

    def _step(
        self, state: TaskState, action: np.ndarray
    ) -> tuple[TaskState, np.ndarray, Observation]:
        vector = jnp.asarray(action[None], jnp.float32)
        self.steps += 1
        observation, state, *_, info = step(
            jax.random.key(self.steps), state, action_from_vector(vector), self.params
        )
        return state, np.asarray(info["limits"][0]), observation

    def check(
        self, action: np.ndarray, backup: np.ndarray | None = None
    ) -> Verification:
        backup = self.in_force if backup is None else backup
        return self.verifier.verify(self.record, self.in_force, action, backup)


def changed(action: np.ndarray, **changes: float) -> np.ndarray:
    moved = np.array(action)
    for name, value in changes.items():
        moved[CHANNEL.index(name)] = value
    return moved


@pytest.fixture(scope="module")
def warm(verifier: Verifier) -> Plant:
    """A plant on a summer day, two hours after its start."""
    plant = Plant(verifier)
    for _ in range(24):
        plant.apply(plant.in_force)
    return plant


@pytest.mark.parametrize(
    "module", [verify_module, verify_plant, verify_record, verify_rule]
)
def test_it_shares_nothing_with_what_it_checks(module: Any) -> None:
    tree = ast.parse(Path(module.__file__).read_text())
    imported = {
        node.module
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and node.module
    } | {a.name for n in ast.walk(tree) if isinstance(n, ast.Import) for a in n.names}
    own = {name for name in imported if name.startswith("coolbound_safety")}
    assert own <= {f"coolbound_safety.verify_{x}" for x in ("plant", "record", "rule")}


def test_the_action_in_force_on_a_plant_in_order_is_agreed(warm: Plant) -> None:
    found = warm.check(warm.in_force)
    assert found.status == VerifyStatus.AGREED
    assert found.passed
    assert found.failed == ()
    assert found.best == "action"
    assert found.reason == ""
    seen = np.isfinite(found.values)
    assert seen[
        [INDEX[name] for name in LIMIT_NAMES if name != "SHORT_CYCLE_MODE"]
    ].all()


@pytest.mark.parametrize("day", [10, 100, 200, 290])
@pytest.mark.parametrize("lane", [0, 1])
def test_it_predicts_what_the_plant_then_does(
    verifier: Verifier, day: int, lane: int
) -> None:
    plant = Plant(verifier, day, lane)
    first = plant.in_force
    generator = np.random.default_rng(day + lane)
    for k in range(16):
        move = generator.uniform(-1.0, 1.0, 10) * RAMP * (np.arange(10) < 8)
        action = np.clip(plant.in_force + move, first - 2.0 * RAMP, first + 2.0 * RAMP)
        action = np.clip(action, channel_array("lower"), channel_array("upper"))
        action[7] = max(action[7], 0.2)
        if k >= 4:
            predicted = plant.check(action).values
            true = np.max(plant.ahead(action), axis=0)
            both = np.isfinite(predicted) & (predicted > -900.0) & (true > -900.0)
            # Whether the emergency rate holds turns on a tenth of a degree.
            both[INDEX["CHWS_SLEW"]] = False
            for i in np.flatnonzero(both):
                name = LIMIT_NAMES[i]
                room = 0.005 if name in EXACT else 3.0 * RESOLUTION[name]
                assert predicted[i] == pytest.approx(true[i], abs=room), name
        plant.apply(action)


BAD: dict[str, tuple[dict[str, float], str]] = {
    "cooling off": (
        {"air1": 25.0, "air2": 25.0, "fan1": 0.3, "fan2": 0.3, "chw": 18.0, "n": 0.0},
        "CA_T_MAX",
    ),
    "fans at minimum": ({"fan1": 0.3, "fan2": 0.3}, "CA_T_MAX"),
    "fans of one hall at minimum": ({"fan2": 0.3}, "AIRFLOW_RATIO"),
    "warmest supply air and little of it": (
        {"air1": 25.0, "air2": 25.0, "fan1": 0.5, "fan2": 0.5},
        "CA_T_MAX",
    ),
    "coldest air and much of it": (
        {"air1": 16, "air2": 16, "fan1": 1, "fan2": 1, "chw": 7, "dp": 120, "n": 3},
        "CA_T_MIN",
    ),
    "towers and pumps at rest": ({"tower": 0.0, "pump": 0.4}, "ECWT_CWRT_MAX"),
    "a jump of the chilled water": ({"chw": 16.0}, "CHWS_SLEW"),
    "out of range": ({"fan1": 1.3}, "CRAH_FAN"),
    "no pressure for the coils": (
        {"dp": 34.5, "air1": 18.0, "air2": 18.0, "chw": 18.0},
        "CHW_DP_MIN",
    ),
}


@pytest.mark.parametrize("name", BAD)
def test_a_bad_action_is_vetoed_for_the_limit_that_it_breaks(
    warm: Plant, name: str
) -> None:
    changes, limit = BAD[name]
    action = changed(warm.in_force, **changes)
    true = np.max(warm.ahead(np.clip(action, channel_array("lower"), None)), axis=0)
    found = warm.check(action)
    assert found.status == VerifyStatus.VETOED
    assert limit in {LIMIT_NAMES[i] for i in np.flatnonzero(found.values > 0.0)}
    assert found.best != "action"
    assert found.failed
    # None of them is bad in the check's imagination only.
    if name != "out of range":
        assert true[INDEX[limit]] > 0.0


@pytest.mark.parametrize(("day", "lane"), [(100, 2), (120, 1)])
def test_free_cooling_in_weather_too_warm_is_vetoed(
    verifier: Verifier, day: int, lane: int
) -> None:
    plant = Plant(verifier, day, lane)
    base = changed(plant.in_force, eco=1.0, air1=23.0, air2=23.0, chw=14.0)
    for _ in range(12):
        plant.apply(base)
    assert plant.seen.value[POINT_INDEX["economizer_running"]] > 0.5
    free = changed(base, n=0.0)
    assert plant.check(base).passed
    assert np.max(plant.ahead(free), axis=0)[INDEX["CA_T_MAX"]] > 0.0
    assert plant.check(free).failed == ("CA_T_MAX",)


def test_towers_off_at_a_high_wet_bulb_are_vetoed(warm: Plant) -> None:
    # Step by step, as the rates allow.
    plant = warm
    record, state, seen = plant.record, plant.state, plant.seen
    failed: list[tuple[str, ...]] = []
    for _ in range(12):
        speed = plant.in_force[7]
        lower = 0.0 if speed <= 0.2 else max(speed - 0.15, 0.2)
        action = changed(plant.in_force, tower=lower)
        action[6] = max(plant.in_force[6] - 0.1, 0.5)
        found = plant.check(action, changed(plant.in_force, tower=min(speed + 0.15, 1)))
        if found.status == VerifyStatus.VETOED:
            failed.append(found.failed)
            break
        plant.apply(action)
    plant.record, plant.state, plant.seen = record, state, seen
    assert failed == [("ECWT_CWRT_MAX",)]


def test_a_violation_that_nothing_at_hand_avoids_is_no_veto(warm: Plant) -> None:
    """A reading of 29 degC stands whatever is done within 15 min."""
    value = np.array(warm.seen.value)
    for zone in (1, 2, 3):
        value[POINT_INDEX[f"inlet_temp_hall1_zone{zone}"]] = 35.0
    hot = dataclasses.replace(warm.seen, value=value, time=warm.seen.time + 300.0)
    record = warm.verifier.remember(warm.record, hot)
    found = warm.verifier.verify(record, warm.in_force, warm.in_force, warm.in_force)
    assert found.values[INDEX["CA_T_MAX"]] > 0.0
    assert found.passed


def test_of_two_actions_on_a_plant_too_hot_the_better_passes(
    verifier: Verifier,
) -> None:
    plant = Plant(verifier)
    hot = changed(plant.in_force, air1=25.0, air2=25.0, fan1=0.55, fan2=0.55)
    for _ in range(4):
        plant.apply(hot)
    assert plant.apply(hot)[INDEX["CA_T_MAX"]] > 1.0
    better = changed(hot, air1=24.0, air2=24.0, fan1=0.65, fan2=0.65)
    worse = changed(hot, fan1=0.45, fan2=0.45)
    found = plant.check(better, hot)
    assert found.passed
    assert found.values[INDEX["CA_T_MAX"]] > 0.0
    assert plant.check(worse, hot).failed == ("CA_T_MAX",)


# The rule itself, on made numbers.


def excess(**values: float) -> np.ndarray:
    found = np.zeros(len(LIMIT_NAMES))
    for name, value in values.items():
        found[INDEX[name]] = value
    return found


def names(found: list[int]) -> tuple[str, ...]:
    return tuple(LIMIT_NAMES[i] for i in found)


def test_less_than_the_model_can_tell_is_no_difference() -> None:
    for name, step_ in RESOLUTION.items():
        assert why_worse(excess(**{name: 0.9 * step_}), excess()) == []
        assert names(why_worse(excess(**{name: 1.1 * step_}), excess())) == (name,)
        same = why_worse(excess(**{name: 9.0 + step_}), excess(**{name: 9.05 + step_}))
        assert same == []


def test_the_hottest_inlet_outweighs_all_but_the_actuators() -> None:
    cool, breaks = excess(SURGE_LINE=9.0, CHW_DP_MIN=90.0), excess(CA_T_MAX=0.5)
    assert why_worse(cool, breaks) == []
    assert names(why_worse(breaks, cool)) == ("CA_T_MAX",)
    jumps = excess(CRAH_FAN=0.05)
    assert names(why_worse(jumps, breaks)) == ("CRAH_FAN",)


def test_within_a_tier_the_scaled_sum_decides() -> None:
    dry, surge = excess(DEWPOINT_MARGIN=2.0), excess(SURGE_LINE=2.0)
    assert names(why_worse(dry, surge)) == ("DEWPOINT_MARGIN",)
    assert why_worse(surge, dry) == []


def h(lanes: list[dict[str, float]]) -> np.ndarray:
    found = np.full((3, len(LIMIT_NAMES), 3), -1.0)
    for lane, values in enumerate(lanes):
        for name, value in values.items():
            found[:, INDEX[name], lane] = value
    return found


EVERY = np.ones(len(LIMIT_NAMES), bool)


def test_a_backup_that_is_itself_broken_excuses_nothing() -> None:
    """A builder that is wrong may be wrong in its backup too: hold speaks then."""
    action, broken = {"CA_T_MAX": 1.0}, {"CA_T_MAX": 5.0, "CRAH_FAN": 0.4}
    found = conclude(h([action, broken, {}]), EVERY, 0.0)
    assert found.failed == ("CA_T_MAX",)
    assert found.best == "hold"


def test_a_rival_that_jumps_is_no_alternative() -> None:
    action, rival = {"CA_T_MAX": 1.0}, {"CRAH_FAN": 0.4}
    found = conclude(h([action, rival, action]), EVERY, 0.0)
    assert found.passed


@pytest.mark.parametrize("scale", [0.3, 1.0, 3.0])
def test_the_quick_way_finds_what_the_rule_finds(scale: float) -> None:
    rng = np.random.default_rng(7)
    steps = np.asarray([RESOLUTION.get(name, TOLERANCE) for name in LIMIT_NAMES])
    statuses, bests = set(), set()
    for _ in range(300):
        size = steps[:, None] * scale * rng.exponential(size=(len(steps), 3))
        values = np.broadcast_to(size * (rng.random(size.shape) < 0.15), (3, 21, 3))
        found = conclude(values, EVERY, 0.0)
        excess = 3.0 * values[0].T
        lanes = ("action", "backup", "hold")
        best = 0
        for k in (1, 2):
            best = k if why_worse(excess[best], excess[k]) else best
        allowed = [x for x in excess[1:] if not worse(x, excess[0], 0).size]
        blamed = {i for x in allowed for i in why_worse(excess[0], x)}
        assert set(found.failed) == {LIMIT_NAMES[i] for i in blamed}
        assert found.best == lanes[best]
        statuses.add(found.status)
        bests.add(found.best)
    assert VerifyStatus.AGREED in statuses
    assert scale < 1.0 or (VerifyStatus.VETOED in statuses and len(bests) == 3)


def test_what_is_not_seen_is_neither_met_nor_broken() -> None:
    known = EVERY.copy()
    known[INDEX["SURGE_LINE"]] = False
    found = conclude(h([{"SURGE_LINE": 5.0}, {}, {}]), known, 0.0)
    assert found.passed
    assert np.isnan(found.values[INDEX["SURGE_LINE"]])
    known[INDEX["CA_T_MAX"]] = False
    assert conclude(h([{}, {}, {}]), known, 0.0).status == VerifyStatus.UNSEEN
    broken = conclude(h([{"AIRFLOW_RATIO": 0.3}, {}, {}]), known, 0.0)
    assert broken.status == VerifyStatus.VETOED


# What the instruments do not show.


def without(plant: Plant, *stems: str) -> tuple[Record, Observation]:
    """Return record and observation where these points have been missing for long."""
    value, quality = np.array(plant.seen.value), np.array(plant.seen.quality)
    for name, i in POINT_INDEX.items():
        if name.startswith(stems):
            value[i], quality[i] = np.nan, int(Quality.MISSING)
    record, seen = plant.record, plant.seen
    for _ in range(4):
        seen = dataclasses.replace(
            seen, value=value, quality=quality, time=seen.time + np.float32(300.0)
        )
        record = plant.verifier.remember(record, seen)
    return record, seen


@pytest.mark.parametrize(
    ("missing", "limit"),
    [
        ("outdoor_wet_bulb", "ECWT_MIN"),
        ("room_dew_point", "DEWPOINT_MARGIN"),
        ("crah_valve", "CHW_DP_MIN"),
        ("inlet_temp_hall1_zone1", "CA_ROC"),
        ("chillers_running", "CW_FLOW_MIN"),
    ],
)
def test_a_limit_without_its_reading_is_not_checked(
    warm: Plant, missing: str, limit: str
) -> None:
    record, _ = without(warm, missing)
    found = warm.verifier.verify(record, warm.in_force, warm.in_force, warm.in_force)
    assert np.isnan(found.values[INDEX[limit]])
    assert np.isfinite(found.values[INDEX["CA_T_MAX"]])
    assert found.passed


@pytest.mark.parametrize(
    "missing", ["supply_air_temp_hall1", "it_power_hall2", "chw_supply_temp"]
)
def test_one_missing_instrument_does_not_blind_it(warm: Plant, missing: str) -> None:
    record, _ = without(warm, missing)
    bad = changed(warm.in_force, fan1=0.3, fan2=0.3)
    found = warm.verifier.verify(record, warm.in_force, bad, warm.in_force)
    assert found.status == VerifyStatus.VETOED
    held = warm.verifier.verify(record, warm.in_force, warm.in_force, warm.in_force)
    assert held.passed
    assert held.values[INDEX["CA_T_MAX"]] == pytest.approx(
        warm.check(warm.in_force).values[INDEX["CA_T_MAX"]], abs=1.0
    )


def test_without_the_air_side_nothing_is_agreed(warm: Plant) -> None:
    record, _ = without(warm, "it_power", "chw_flow", "supply_air", "inlet_temp")
    found = warm.verifier.verify(record, warm.in_force, warm.in_force, warm.in_force)
    assert found.status == VerifyStatus.UNSEEN
    assert not found.passed
    assert "cannot be checked" in found.reason


def test_fans_that_do_not_turn_are_noticed(warm: Plant) -> None:
    """With half the units of a hall at rest, half the power is metered."""
    value = np.array(warm.seen.value)
    value[POINT_INDEX["crah_fan_power_hall1"]] *= 0.5
    broken = dataclasses.replace(warm.seen, value=value, time=warm.seen.time + 300.0)
    record = warm.verifier.remember(warm.record, broken)
    faster = changed(warm.in_force, fan1=min(warm.in_force[2] + 0.1, 1.0))
    found = warm.verifier.verify(record, warm.in_force, warm.in_force, faster)
    assert found.values[INDEX["AIRFLOW_RATIO"]] > 0.2
    assert found.best == "backup"


def test_timers_are_checked_only_by_a_record_that_is_long_enough(
    verifier: Verifier,
) -> None:
    plant = Plant(verifier, day=100)
    at = INDEX["SHORT_CYCLE_MODE"]
    for k in range(14):
        known = np.isfinite(plant.check(plant.in_force).values[at])
        assert known == (k * 300.0 >= 3600.0)
        plant.apply(plant.in_force)


def test_the_record_counts_starts_as_the_plant_does(verifier: Verifier) -> None:
    plant = Plant(verifier, day=200, noise=0.0)
    for demand in (2.0, 2.0, 3.0, 3.0, 3.0, 3.0, 3.0, 2.0, 2.0):
        plant.apply(changed(plant.in_force, n=demand))
        true, known = plant.state.plant.sequencer, plant.record
        assert float(jnp.sum(known.commanded)) == float(true.commanded_count[0])
        for name in ("stage_age", "start_age"):
            real, found = float(getattr(true, name)[0]), float(getattr(known, name))
            assert found == pytest.approx(real, abs=5.0) or min(real, found) > 9e4
        real, found = np.sort(true.machine_age[:, 0]), np.sort(known.machine_age)
        np.testing.assert_allclose(
            np.minimum(found, 5e4), np.minimum(real, 5e4), atol=5
        )


def test_wrong_shapes_are_refused(warm: Plant) -> None:
    with pytest.raises(ValueError, match="expected \\(10,\\)"):
        warm.verifier.verify(warm.record, warm.in_force, np.zeros(9), np.zeros(10))


# Sabotage: what the check is for.


@dataclasses.dataclass(frozen=True)
class Sabotage:
    """An envelope's builder with one row wrong."""

    row: str
    factor: float

    def apply(self, envelope: Any) -> Any:
        at = [i for i, name in enumerate(envelope.names) if name.startswith(self.row)]
        rows, h = np.array(envelope.G), np.array(envelope.h)
        rows[..., at, :] *= self.factor
        h[..., at] = 1e3 if self.factor == 0.0 else h[..., at] * self.factor
        return dataclasses.replace(envelope, G=rows, h=h)


def checked_back(
    result: FilterResult, envelope: Any, now: Any, machines: np.ndarray
) -> np.ndarray:
    """Return the certified action after the layer's own nonlinear check."""
    slack = result.certificate.slack * envelope.scale
    given = (to_unit64(result.action), envelope.backup, slack)
    unit, backup, slack = (np.asarray(x, np.float32) for x in given)
    return from_unit64(np.asarray(checked(unit, backup, slack, now, machines)))


def greedy(plant: Plant, sabotage: Sabotage | None, ask: Any, is_used: bool) -> Any:
    """Return worst h and vetoes of a day's fraction behind a certified projection."""
    verifier, memory, worst, vetoes = plant.verifier, first_memory(), [], 0
    for _ in range(20):
        wanted = np.asarray(ask(plant.in_force), np.float32)
        options, memory = prepared(memory, plant.seen, wanted)
        best = int(np.argmin(np.asarray(options.staging.penalty)))
        envelope = jax.tree.map(lambda x, k=best: np.asarray(x[k]), options.envelopes)
        safe_backup = from_unit64(envelope.backup)
        if sabotage is not None:
            envelope = sabotage.apply(envelope)
        result = SafetyFilter().decide(envelope, wanted.astype(np.float64))
        action = result.action
        if sabotage is None:
            machines = np.asarray(options.staging.machines)[best]
            action = checked_back(result, envelope, options.estimate, machines)
        found = verifier.verify(plant.record, plant.in_force, action, safe_backup)
        vetoes += found.status == VerifyStatus.VETOED
        if is_used and found.status == VerifyStatus.VETOED:
            action = safe_backup if found.best == "backup" else plant.in_force
        worst.append(plant.apply(action))
    return np.max(worst, axis=0), vetoes


SAFETY = model()
checked = jax.jit(lambda u, b, s, e, n: back_check(u, b, s, e, SAFETY, n).u)
prepared = jax.jit(lambda m, o, p: prepare(m, o, p, SAFETY))

STARVE = {"fan1": 0.3, "fan2": 0.3}
CASES = {
    "sign of the air": (Sabotage("AIRFLOW_RATIO", -1.0), STARVE, "AIRFLOW_RATIO"),
    "missing air": (Sabotage("AIRFLOW_RATIO", 0.0), STARVE, "AIRFLOW_RATIO"),
    "missing coldest inlet": (
        Sabotage("CA_T_MIN", 0.0),
        {"air1": 16.0, "air2": 16.0, "fan1": 1.0, "fan2": 1.0, "chw": 7.0, "dp": 120.0},
        "CA_T_MIN",
    ),
    "missing tower water": (
        Sabotage("ECWT_CWRT_MAX", 0.0),
        {"tower": 0.2, "pump": 0.4},
        "ECWT_CWRT_MAX",
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_a_sabotaged_envelope_is_caught_before_the_plant_feels_it(
    verifier: Verifier, case: str
) -> None:
    sabotage, changes, limit = CASES[case]

    def ask(in_force: np.ndarray) -> np.ndarray:
        return changed(in_force, **changes)

    unguarded, _ = greedy(Plant(verifier), sabotage, ask, is_used=False)
    guarded, vetoes = greedy(Plant(verifier), sabotage, ask, is_used=True)
    assert unguarded[INDEX[limit]] > RESOLUTION[limit]
    assert vetoes > 0
    assert guarded[INDEX[limit]] < min(RESOLUTION[limit], unguarded[INDEX[limit]])


@pytest.mark.parametrize("case", CASES)
def test_a_sound_envelope_is_hardly_ever_vetoed_under_the_same_demands(
    verifier: Verifier, case: str
) -> None:
    _, changes, limit = CASES[case]

    def ask(in_force: np.ndarray) -> np.ndarray:
        return changed(in_force, **changes)

    worst, vetoes = greedy(Plant(verifier), None, ask, is_used=False)
    assert vetoes == 0
    assert worst[INDEX[limit]] < RESOLUTION[limit]

"""The evidence page counts what happened, explains it, and hides nothing."""

import dataclasses
import functools
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from made_plants import site

from coolbound.evidence import causes, coverage, violations
from coolbound.evidence.campaign import policies
from coolbound.evidence.causes import CLASSES, cause
from coolbound.evidence.coverage import BINS, COVERED, Coverage, quantiles
from coolbound.evidence.episode import Arena, Running
from coolbound.evidence.findings import STEPS, counts, findings
from coolbound.evidence.gather import Contest, Evidence
from coolbound.evidence.page import render
from coolbound.evidence.plans import QUICK, WHOLE
from coolbound.evidence.tables import avoidable_table, cause_table, per_thousand
from coolbound.evidence.tallies import (
    APART,
    HOT,
    NEVER,
    ONSETS,
    Tally,
    as_numbers,
    as_one,
    beside,
    no_tally,
    together,
)
from coolbound.evidence.violations import LEADS, REACTION, SINCE, STARTS, Violation
from coolbound.validation.evidence import CITIES
from coolbound.validation.verdicts import MET, NOT_MET
from coolbound.verbs.evidence import drawn_figures
from coolbound_envs.fault_events import make_schedule
from coolbound_envs.fault_kinds import FaultEvent, FaultKind
from coolbound_envs.limit_table import LIMIT_NAMES, LIMITS

FACTS: dict[str, Any] = {
    "machine": {"cores": 2, "processor": "made up"},
    "versions": {"jax": "0"},
    "revision": "0" * 40,
    "seconds": 1.0,
}
COMMAND = "coolbound evidence --out docs"
HOUR = 3600.0
WHERE = ("no faults", "faults")


def classes(events: list[FaultEvent], steps: int) -> list[str]:
    """Return the class of every step of an episode with some faults."""
    schedule = jax.tree.map(lambda x: x[:, None], make_schedule(events))
    numbers = jnp.arange(steps, dtype=jnp.int32)[:, None]
    found = jax.vmap(lambda n: cause(schedule, n))(numbers)
    return [CLASSES[int(i)] for i in np.asarray(found)[:, 0]]


def test_a_fault_is_the_cause_from_its_start_to_an_hour_after_its_end() -> None:
    events = [FaultEvent(FaultKind.CHILLER_TRIP, "chiller1", 2 * HOUR, HOUR)]
    found = classes(events, 60)
    assert found[:12] == ["start"] * 12
    assert found[12:24] == ["none"] * 12
    assert found[24:36] == ["chiller_trip"] * 12
    assert found[36:48] == ["after chiller_trip"] * 12
    assert found[48:] == ["none"] * 12


def test_a_load_step_ends_when_it_has_ramped_away() -> None:
    events = [FaultEvent(FaultKind.LOAD_STEP, "site", 2 * HOUR, HOUR, 0.3)]
    found = classes(events, 60)
    assert found[24:37] == ["load_step"] * 13


def test_the_gravest_fault_is_the_cause_and_equipment_before_instruments() -> None:
    events = [
        FaultEvent(FaultKind.SENSOR_STUCK, "chw_flow", 0.0, 9 * HOUR),
        FaultEvent(FaultKind.HEAT_WAVE, "site", 2 * HOUR, 6 * HOUR),
        FaultEvent(FaultKind.CRAH_LOSS, "hall1", 3 * HOUR, HOUR),
        FaultEvent(FaultKind.POWER_DIP, "site", 3.5 * HOUR, 60.0),
    ]
    found = classes(events, 60)
    assert found[0] == "start", "who settled the plant did not read that instrument"
    assert found[20] == "sensor_stuck"
    assert found[30] == "heat_wave"
    assert found[40] == "crah_loss"
    assert found[42] == "power_dip"
    assert found[43] == "crah_loss", "what is on is graver than what is over"
    assert found[50] == "heat_wave"


def tallied(h: np.ndarray, ended: np.ndarray | None = None) -> tuple[Tally, Any]:
    """Return the tally of made-up h (steps, lanes, 21), two policies."""
    steps, lanes = h.shape[:2]
    arena: Any = Arena(None, 2, lanes // 2, None, steps)  # pyright: ignore
    none = jnp.zeros((lanes, len(LIMITS)), jnp.float32)
    running: Any = Running(
        observation=None,  # pyright: ignore
        state=None,
        memory=None,
        is_alive=jnp.ones(lanes, bool),
        above=none,
        last_hot=jnp.full(lanes, -APART, jnp.int32),
        tally=no_tally(2, lanes // 2),
        kept=(),
        seen=(),
    )
    count = jax.jit(arena._count)
    for number in range(steps):
        over = np.zeros(lanes, bool) if ended is None else ended[number]
        info = {
            "limits": jnp.asarray(h[number]),
            "diverged": jnp.zeros(lanes, bool),
            "intervention": jnp.ones(lanes, jnp.float32),
        }
        kinds = jnp.full(lanes, CLASSES.index("none") if number < 5 else 2, jnp.int32)
        seen, above, tally = count(
            running, kinds, jnp.int32(number), jnp.asarray(over), info
        )
        hot = jnp.where(seen[:, HOT] > 1e-3, number, running.last_hot)
        running = dataclasses.replace(
            running,
            above=above,
            tally=tally,
            last_hot=hot,
            is_alive=running.is_alive & ~jnp.asarray(over),
        )
    return as_numbers(running.tally), running


def flat(steps: int = 40, lanes: int = 4) -> np.ndarray:
    return np.full((steps, lanes, len(LIMITS)), -1.0, np.float32)


def test_violations_are_counted_by_policy_limit_and_cause() -> None:
    h = flat()
    h[2:8, 3, HOT] = 0.5
    h[7, 3, HOT] = 2.0
    h[30, 0, HOT] = 5e-4
    tally, _ = tallied(h)
    assert tally.violations[1, HOT].sum() == 6
    assert tally.violations[1, HOT, CLASSES.index("none")] == 3
    assert tally.violations[1, HOT, 2] == 3
    assert tally.violations[0].sum() == 0, "float32 rounding is no violation"
    assert tally.steps.sum() == 160
    assert tally.worst[1, HOT] == 2.0
    assert tally.worst_calm[1, HOT] == 0.5
    assert tally.interventions.tolist() == [80, 80]


def test_recovery_is_the_length_of_what_was_above() -> None:
    h = flat()
    h[3:6, 0, 4] = 1.0
    h[10:20, 1, 4] = 1.0
    h[35:, 1, 4] = 1.0
    tally, _ = tallied(h)
    assert tally.recoveries[0, 4] == 2
    assert tally.recovery_steps[0, 4] == 13
    assert tally.recovery_longest[0, 4] == 10
    h[25:, 1, 4] = 1.0
    assert tallied(h)[0].recovery_longest[0, 4] == 15, "back or not"


def test_violations_that_follow_soon_are_one_and_the_first_are_remembered() -> None:
    h = flat(90)
    for begin in (2, 8, 30, 50, 70, 88):
        h[begin : begin + 2, 2, HOT] = 0.1
    tally, _ = tallied(h)
    assert tally.onsets[2].tolist() == [2, 30, 50, 70]
    assert tally.onset_count[2] == 5
    assert tally.onsets[0].tolist() == [NEVER] * ONSETS


def test_nothing_counts_after_an_episode_has_ended() -> None:
    h, ended = flat(), np.zeros((40, 4), bool)
    h[10:, 0, HOT] = 1.0
    ended[11:, 0] = True
    tally, _ = tallied(h, ended)
    assert tally.trips.tolist() == [1, 0]
    assert tally.violations[0, HOT].sum() == 2
    assert tally.steps.sum(axis=1).tolist() == [52, 80]


def test_tallies_are_put_together_by_what_they_mean() -> None:
    h = flat()
    h[2:8, 3, HOT] = 0.5
    one, other = tallied(h)[0], tallied(flat())[0]
    both = together(one, other)
    assert both.violations.sum() == one.violations.sum()
    assert both.worst[1, HOT] == 0.5
    assert both.onsets.shape == (8, ONSETS)
    whole = as_one(both)
    assert whole.steps.shape == (1, len(CLASSES))
    assert whole.worst[0, HOT] == 0.5
    assert whole.steps.sum() == both.steps.sum()
    assert beside(whole, one).worst.shape == (3, len(LIMITS))


def reactions(events: list[FaultEvent], step: int) -> tuple[int, int]:
    schedule = jax.tree.map(lambda x: x[:, None], make_schedule(events))
    task: Any = dataclasses.make_dataclass("Task", ["faults"])(schedule)
    newest, oldest = violations.reaction_steps(task, jnp.asarray([step], jnp.int32))
    return int(newest[0]), int(oldest[0])


def test_a_reaction_begins_after_the_fault_shows() -> None:
    trip = FaultEvent(FaultKind.CHILLER_TRIP, "chiller1", 10 * HOUR, HOUR)
    assert reactions([trip], 125) == (121, 121)
    assert reactions([trip], 120) == (121, 121), "it came in that very interval"
    assert reactions([trip], 100) == (88, 88), "an hour before where nothing is broken"
    long = FaultEvent(FaultKind.HEAT_WAVE, "site", 0.0, 24 * HOUR)
    assert reactions([long, trip], 125) == (121, 125 - violations.REACTION_MOST)
    stuck = FaultEvent(FaultKind.SENSOR_STUCK, "chw_flow", 10 * HOUR, HOUR)
    assert reactions([stuck], 125) == (113, 113), "an instrument is no excuse"
    assert reactions([], 125) == (113, 113)


def violation(
    newest: tuple[str, ...],
    oldest: tuple[str, ...],
    leads: tuple[str, ...],
    begun: int = 3,
    since: int = 40,
) -> Violation:
    """Return a violation that some avoid from each of the starts."""
    return Violation(
        policy="walk",
        cause="crah_loss",
        step=100,
        avoided_by={REACTION: newest, SINCE: oldest, **dict.fromkeys(LEADS, leads)},
        begun={REACTION: begun, SINCE: since, **LEADS},
    )


def test_the_verdict_names_the_latest_start_that_avoids_it() -> None:
    anybody = ("g36",)
    assert violation((), (), ()).verdict == "nobody avoids it"
    assert violation(anybody, anybody, anybody).verdict == "avoidable"
    assert violation((), anybody, anybody).verdict == "only since an older fault"
    assert violation((), (), anybody).verdict == "only since an older fault"
    # The newest fault was long known half an hour before.
    assert violation((), (), anybody, begun=30).verdict == "avoidable"
    assert violation((), (), anybody, since=3).verdict == "only with foresight"


def test_a_decision_after_the_violation_avoids_nothing() -> None:
    found = np.asarray([True, False])
    assert violations.avoiders(("hold", "g36"), found, True) == ("hold",)
    assert violations.avoiders(("hold", "g36"), found, False) == ()


def contest(names: tuple[str, ...], hot: int = 0, steps: float = 1e6) -> Contest:
    """Return a contest in which every policy has some hot steps, none calm."""
    tally = as_numbers(no_tally(len(names), 1))
    tally.steps[:, CLASSES.index("none")] = 0.5 * steps
    tally.steps[:, CLASSES.index("crah_loss")] = 0.5 * steps
    tally.violations[:, HOT, CLASSES.index("crah_loss")] = hot
    tally.worst[:] = -1.0
    tally.worst[:, HOT] = 1.5 if hot else -0.5
    tally.worst_calm[:] = -1.0
    return Contest(names, tally)


@functools.cache
def evidence() -> Evidence:
    """Return evidence that meets every bound."""
    names = ("g36", "walk", *[f"opponent {i}" for i in range(9)])
    hunts = ("search, inlet, faults",)
    count = len(COVERED)
    errors = np.zeros((count, BINS))
    errors[:, BINS // 2] = 1000.0
    many = np.full(count, 1000.0)
    covered = Coverage(many, 0 * many, many, 0 * many, errors, 0.5 * many)
    return Evidence(
        plan=WHOLE,
        cities=("phoenix", "chicago"),
        loads=("google2019",),
        filtered=contest((*names, *hunts), hot=4),
        bare=contest(names, hot=900),
        violations=[violation((), (), ()), violation((), (), ("hold",), since=3)],
        not_tried=46,
        coverage={0.0: covered, 0.1: covered},
        projection=projection(),
    )


def projection(**changes: Any) -> dict[str, Any]:
    figures: dict[str, Any] = {
        "envelopes": 1_000_000, "flagged": 3, "bound_violations": 0,
        "row_violations": 0, "never_relaxed_violations": 0,
        "max_excess_beyond_exact": 1e-7, "distance_p99_9": 1e-5, "max_distance": 2e-4,
    }  # fmt: skip
    case = {"broken": 512, "flagged": 512, "known": 512, "others_changed": 0}
    return {
        "recorded": figures | changes,
        "degenerate": {"parallel rows": figures | {"envelopes": 1024}},
        "not_finite": {"h": {"nan": case}},
        "batch_invariance": {"1": {"lanes": 512, "max_difference": 0.0, "flags": 0}},
    }


def page(**changes: Any) -> str:
    found = dataclasses.replace(evidence(), **changes)
    return render(found, ("hold", "g36"), FACTS, COMMAND)


def verdicts(**changes: Any) -> dict[str, str]:
    found = dataclasses.replace(evidence(), **changes)
    return {row.what: row.verdict for row in findings(found)}


def test_evidence_that_meets_every_bound_is_said_to() -> None:
    assert set(verdicts().values()) <= {MET, "no bound"}
    assert "proves nothing" not in page()
    found = counts(evidence())
    assert (found.hot, found.calm, found.begun, found.tried) == (48, 0, 48, 2)
    assert (found.avoidable, found.early) == (0, 1)
    assert "**0 could have been avoided**" in page()


CALM_HOT = contest(("g36", "walk"), hot=1)
CALM_HOT.tally.violations[1, HOT, CLASSES.index("none")] = 1
BROKEN: list[tuple[dict[str, Any], str]] = [
    ({"violations": [violation(("g36",), (), ())]}, "27 degC at any rack inlet"),
    ({"filtered": CALM_HOT}, "Steps over 27 degC with nothing broken"),
    ({"filtered": contest(("g36", "walk"))}, "Closed-loop steps"),
    ({"projection": projection(row_violations=1)}, "Hard rows violated"),
    ({"projection": projection(bound_violations=1)}, "Hard rows violated"),
    ({"projection": projection(envelopes=8192)}, "Recorded envelopes"),
]


@pytest.mark.parametrize(("changes", "promise"), BROKEN)
def test_what_is_not_met_is_said_in_the_summary(
    changes: dict[str, Any], promise: str
) -> None:
    found = verdicts(**changes)
    assert {v for what, v in found.items() if what.startswith(promise)} == {NOT_MET}
    rows = page(**changes).splitlines()
    [line] = [row for row in rows if row.startswith(f"| {promise}")]
    assert line.endswith("| **not met** |")


def test_a_quick_run_says_that_it_proves_nothing_but_hides_no_failure() -> None:
    assert "proves nothing" in page(plan=QUICK)
    found = verdicts(plan=QUICK, violations=[violation(("g36",), (), ())])
    name = "27 degC at any rack inlet, where any controller could have avoided it"
    assert found[name] == NOT_MET


def test_the_plan_of_the_whole_run_owes_its_steps() -> None:
    effort = WHOLE.effort
    batch = effort.plans * effort.episodes * effort.steps
    searched = 2 * 2 * effort.rounds * (effort.generations + 1) * batch
    assert WHOLE.filtered + searched > STEPS
    assert WHOLE.is_whole
    assert not QUICK.is_whole


def test_every_picture_of_the_page_is_drawn_and_no_other() -> None:
    drawn = drawn_figures(evidence())
    assert set(re.findall(r"figures/safety-(\w+)\.svg", page())) == set(drawn)
    for picture in drawn.values():
        assert picture.startswith(b"<?xml")
        assert len(picture) < 300_000
    assert drawn_figures(evidence()) == drawn


def test_the_page_has_no_number_that_is_none() -> None:
    assert not re.search(r"\b(nan|inf|None|Undefined)\b", page())
    assert not re.search(r"\b(nan|inf|None|Undefined)\b", page(projection=None))


def test_tables_add_up() -> None:
    rows = cause_table(evidence().filtered).splitlines()[2:]
    assert sum(int(row.split("|")[3]) for row in rows) == 48
    last = avoidable_table(evidence().violations).splitlines()[-1]
    assert [int(x) for x in re.findall(r"\d+", last)] == [2, 1, 1, 0, 0]
    assert per_thousand(0.0, 10.0) == "0"
    assert per_thousand(1.0, 1e7) == "<0.001"


def test_quantiles_of_errors_are_those_of_the_histogram() -> None:
    generator = np.random.default_rng(0)
    errors = generator.normal(0.3, 0.5, 200_000)
    place = np.round((errors / (2 * coverage.REACH) + 0.5) * (BINS - 1)).astype(int)
    found = quantiles(np.bincount(place, minlength=BINS).astype(float), 1.0)
    expected = np.quantile(errors, coverage.QUANTILES)
    np.testing.assert_allclose(found, expected, atol=0.03)


def test_every_limit_and_every_fault_has_its_place() -> None:
    assert set(causes.GRAVITY) | set(causes.MISREADINGS) == set(FaultKind) - {0}
    assert len(CLASSES) == 2 + 2 * 14
    assert LIMIT_NAMES[HOT] == "CA_T_MAX"
    assert STARTS[:2] == (REACTION, SINCE)
    assert len(CITIES) == len(set(CITIES)) == 8


def test_a_target_that_is_a_file_is_refused_before_anything_is_measured(
    coolbound: Callable, tmp_path: Path
) -> None:
    (tmp_path / "docs").write_text("mine")
    ran = coolbound("evidence", "--out", tmp_path / "docs")
    assert ran.code == 2
    assert "expected a folder for the page" in ran.err
    assert (tmp_path / "docs").read_text() == "mine"


SHORT = """
import dataclasses, sys
from coolbound.startup import prepare_environment

prepare_environment()
from coolbound import main
from coolbound.evidence import plans
from coolbound.verbs import evidence

evidence.QUICK = dataclasses.replace(
    plans.QUICK, steps=36, lanes=1, hunts=(), trials=0
)
sys.exit(main.main(sys.argv[1:]))
"""
WHOLLY = "import sys; from coolbound.main import main; sys.exit(main(sys.argv[1:]))"


def written(ran: Any, out: Path) -> dict[str, Any]:
    """Return what was measured, where page and pictures agree with it."""
    assert (ran.code, ran.err) == (0, "")
    found = json.loads(ran.out)
    text = (out / "safety-evidence.md").read_text(encoding="utf-8")
    assert "proves nothing" in text
    for name in re.findall(r"figures/[\w-]+\.svg", text):
        assert (out / name).is_file()
    steps = [policy["steps"] for policy in found["filtered"].values()]
    assert found["counts"]["steps"] == sum(steps)
    assert f"{found['counts']['steps']:,}" in text
    return found


def test_the_short_form_lets_everyone_at_the_plant_and_writes_the_page(
    python: Callable, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    ran = python(SHORT, "evidence", "--quick", "--json", "--out", out)
    found = written(ran, out)
    assert set(found["bare"]) == set(found["filtered"]) == set(policies(site()))
    assert found["counts"]["bare_hot"] > found["counts"]["hot"]
    for violation in found["violations"]:
        assert set(violation["avoided_by"]) == set(STARTS)


@pytest.mark.long
def test_a_quick_run_hunts_and_tries_the_margins(
    python: Callable, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    ran = python(WHOLLY, "evidence", "--quick", "--json", "--out", out)
    found = written(ran, out)
    hunts = set(found["filtered"]) - set(found["bare"])
    assert hunts == {f"{name}, {w}" for name in QUICK.hunts for w in WHERE}
    assert (out / "figures/safety-margins.svg").is_file()

"""The audit passes a sound environment and fails each broken one where it is broken."""

import dataclasses
import functools
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from broken_environments import (
    AutoReset,
    Counting,
    Deaf,
    Frail,
    Leaking,
    OneStale,
    Rewired,
    Sound,
    Spoilt,
    Stale,
    Swallowing,
    always_good,
    always_young,
    backward_pressure,
    batch_noise,
    batch_reward,
    capped_costs,
    clipped_reward,
    dead_pump,
    free_trips,
    heat_loss,
    hidden_divergence,
    late_setpoints,
    no_costs,
    one_word_for_both,
    other_final,
    rounded_reward,
    silent_limit,
    stepped_costs,
    swapped_halls,
    uncharged,
)
from made_plants import site, task_params

from coolbound_controllers.g36 import G36
from coolbound_controllers.legacy import Legacy
from coolbound_controllers.operator_settings import parse_operator
from coolbound_envs import numerics
from coolbound_envs.audit.causes import FAILURES, TRIPS
from coolbound_envs.audit.closure import busy_actions
from coolbound_envs.audit.distribution import (
    WARM_STEPS,
    kolmogorov_smirnov,
    wasserstein,
)
from coolbound_envs.audit.lab import LOWER, RAMP, UPPER, make_lab, wander
from coolbound_envs.audit.moves import MOVES
from coolbound_envs.audit.page import number, render_page
from coolbound_envs.audit.records import (
    Audit,
    BatchedEnvironment,
    LoggedRun,
    Sizes,
    Subject,
    judged,
    not_run,
    task_state,
)
from coolbound_envs.audit.run import CHECKS, TITLES, run_audit
from coolbound_envs.audit.sign_table import POINTS, QUANTITIES
from coolbound_envs.audit.subjects import calm_and_rough
from coolbound_envs.spec import CHANNEL_NAMES, POINT_INDEX, POINT_NAMES

LANES = 128
TINY = Sizes(
    lanes=LANES,
    batches=(96, LANES),
    energy_steps=72,
    episodes=LANES,
    episode_steps=24,
    places=5,
    score_steps=72,
    sweep=6,
    log_steps=3 * WARM_STEPS,
)


@functools.cache
def sound() -> Subject:
    """Return the sound environment with operators and a log of its own."""
    cities = ("toronto-2021", "chicago")
    calm, rough = calm_and_rough(task_params(*cities), TINY.episode_steps)
    settings = parse_operator(site())
    subject = Subject(
        "sound",
        Sound(),
        calm,
        rough,
        {"g36": G36(settings), "legacy": Legacy(settings)},
        is_traceable=False,
    )
    return dataclasses.replace(subject, log=own_log(subject))


def own_log(subject: Subject) -> LoggedRun:
    """Return the log of one plant of the environment under moving set-points."""
    lab = make_lab(subject, TINY, 0)
    _, state = lab.reset(lab.noisy, 5)
    task = task_state(state)
    values, applied = [], []
    for step_number in range(TINY.log_steps):
        actions = busy_actions(step_number, LANES)
        step = lab.step(lab.noisy, state, actions, step_number)
        values.append(np.asarray(step.observation.value)[0])
        applied.append(actions[0])
        state = step.state
    points = np.asarray(values, np.float64)
    return LoggedRun(
        name="its own log",
        points={name: points[:, i] for i, name in enumerate(POINT_NAMES)},
        applied=np.asarray(applied),
        scenario=lab.noisy.scenario,
        place=task.place,
    )


def failed_checks(subject: Subject, names: tuple[str, ...] = tuple(CHECKS)) -> set[str]:
    audit = run_audit(subject, TINY, names=names)
    return {check.name for check in audit.checks if check.passed is False}


@functools.cache
def whole_audit() -> Audit:
    return run_audit(sound(), TINY)


def test_a_sound_environment_passes_every_check() -> None:
    wrong = [check for check in whole_audit().checks if check.passed is not True]
    assert [(check.name, check.sentence) for check in wrong] == []
    assert [check.name for check in whole_audit().checks] == list(CHECKS)


BROKEN: dict[str, tuple[Callable[[], BatchedEnvironment], set[str]]] = {
    "one stale reading": (OneStale, {"fresh_observation", "reading_age"}),
    # Noise, keys and divergence are seen a step late as well.
    "stale observation": (
        Stale,
        {
            *("fresh_observation", "reading_age", "determinism"),
            *("batch_noise", "divergence"),
        },
    ),
    "clipped reward": (lambda: Spoilt(clipped_reward), {"reward"}),
    "rounded reward": (
        lambda: Spoilt(rounded_reward),
        {"reward", "random_episodes"},
    ),
    "heat left behind for nothing": (lambda: Spoilt(uncharged), {"reward"}),
    "trips for free": (
        lambda: Spoilt(free_trips),
        {"reward", "trip_price", "random_episodes"},
    ),
    "state leaking between resets": (Leaking, {"reset_independence"}),
    "noise of its own": (Counting, {"determinism", "reset_independence"}),
    "key not used": (Deaf, {"determinism"}),
    "reward depends on the batch": (lambda: Spoilt(batch_reward), {"batch_size"}),
    "noise depends on the batch": (lambda: Spoilt(batch_noise), {"batch_noise"}),
    # The charge for heat is that of a plant that is gone.
    "hidden auto-reset": (AutoReset, {"ends", "reward"}),
    "truncated called terminated": (lambda: Spoilt(one_word_for_both), {"ends"}),
    "silent time-out": (lambda: Spoilt(silent_limit), {"ends"}),
    "wrong final observation": (lambda: Spoilt(other_final), {"ends"}),
    "capped costs": (lambda: Spoilt(capped_costs), {"costs"}),
    "no costs": (lambda: Spoilt(no_costs), {"costs", "degenerate_policies"}),
    "costs with a step": (lambda: Spoilt(stepped_costs), {"costs"}),
    # The charge for heat is that of a plant that was warmer.
    "energy leak": (lambda: Spoilt(heat_loss), {"energy", "reward"}),
    "age always zero": (lambda: Spoilt(always_young), {"reading_age"}),
    "quality always good": (lambda: Spoilt(always_good), {"reading_age"}),
    "set-points shown late": (
        lambda: Spoilt(late_setpoints),
        {"setpoints_in_force", "action_space", "refused_actions"},
    ),
    "fans wired to the other hall": (lambda: Rewired(swapped_halls), {"actuators"}),
    # What never moves cannot be seen to be fresh.
    "dead condenser pump": (
        lambda: Rewired(dead_pump),
        {"actuators", "fresh_observation"},
    ),
    # The operator that resets the pressure loses to those that leave it alone.
    "pressure backwards": (
        lambda: Rewired(backward_pressure),
        {"actuators", "degenerate_policies"},
    ),
    "impossible actions swallowed": (Swallowing, {"refused_actions"}),
    "divergence hidden": (lambda: Spoilt(hidden_divergence), {"divergence"}),
    "fails one time in ten": (Frail, {"random_episodes"}),
}
"""Each fault with the checks that must fail, and no others."""


def broken(name: str) -> Subject:
    """Return the sound subject with a broken environment, and without its log.

    Against a log of the sound plant many of them would differ, and rightly so.
    """
    make, _ = BROKEN[name]
    return dataclasses.replace(sound(), environment=make(), log=None)


@pytest.mark.parametrize("name", BROKEN)
def test_every_fault_is_caught(name: str) -> None:
    wanted = BROKEN[name][1]
    assert (
        failed_checks(broken(name), tuple(c for c in CHECKS if c in wanted)) == wanted
    )


@pytest.mark.long
@pytest.mark.parametrize("name", BROKEN)
def test_every_fault_fails_the_right_checks_and_no_other(name: str) -> None:
    assert failed_checks(broken(name)) == BROKEN[name][1]


def test_every_check_but_those_of_numbers_and_tables_is_failed_by_some_fault() -> None:
    caught = set().union(*(wanted for _, wanted in BROKEN.values()))
    assert set(CHECKS) - caught == {"numerics", "log_distribution"}


def test_wrong_linear_algebra_fails_the_audit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(numerics, "self_test", lambda: ["sums are off"])
    assert failed_checks(sound(), ("numerics",)) == {"numerics"}


def test_a_log_of_another_plant_fails_and_names_the_point() -> None:
    log = sound().log
    assert log is not None
    warmer = dict(log.points) | {"cw_supply_temp": log.points["cw_supply_temp"] + 3.0}
    other = dataclasses.replace(sound(), log=dataclasses.replace(log, points=warmer))
    [check] = run_audit(other, TINY, names=("log_distribution",)).checks
    assert check.passed is False
    assert "cw_supply_temp" in check.sentence
    assert check.figure == pytest.approx(3.0, abs=0.2)


def test_without_a_log_the_check_is_not_run_and_does_not_pass() -> None:
    audit = run_audit(
        dataclasses.replace(sound(), log=None), TINY, names=("log_distribution",)
    )
    assert audit.checks[0].passed is None
    assert audit.checks[0].sentence.startswith("Not run: ")
    assert not audit.passed, "an audit that ran nothing has shown nothing"


def test_a_digest_of_another_table_fails_and_names_whose() -> None:
    other = dataclasses.replace(sound(), digests={"policy old": "0" * 64})
    [check] = run_audit(other, TINY, names=("action_space",)).checks
    assert check.passed is False
    assert "policy old" in check.sentence


def test_limits_switched_off_cannot_be_probed_and_do_not_pass() -> None:
    limits = sound().params.limits
    off = dataclasses.replace(limits, is_on=limits.is_on.at[0].set(0.0))
    params = dataclasses.replace(sound().params, limits=off)
    subject = dataclasses.replace(sound(), params=params)
    [check] = run_audit(subject, TINY, names=("costs",)).checks
    assert check.passed is False
    assert "could not be driven: CA_T_MAX" in check.sentence


def test_an_environment_that_raises_has_failed_and_the_audit_goes_on() -> None:
    class Raising(Sound):
        def step(self, key: Any, state: Any, action: Any, params: Any) -> Any:
            raise RuntimeError("no plant today")

    subject = dataclasses.replace(sound(), environment=Raising())
    audit = run_audit(subject, TINY, names=("energy", "reward"))
    assert [check.passed for check in audit.checks] == [False, False]
    assert "no plant today" in audit.checks[0].sentence


def test_without_references_nothing_is_said_about_cheating() -> None:
    subject = dataclasses.replace(sound(), references={})
    [check] = run_audit(subject, TINY, names=("degenerate_policies",)).checks
    assert check.passed is None


def test_failures_are_counted_by_cause_and_trips_apart_from_them() -> None:
    [check] = run_audit(
        broken("fails one time in ten"), TINY, names=("random_episodes",)
    ).checks
    assert set(check.details["failures"]) == set(FAILURES)
    assert set(check.details["trips"]) == set(TRIPS)
    assert check.details["failures"]["diverged"] == pytest.approx(LANES / 10, abs=1)
    assert check.figure == pytest.approx(0.1, abs=0.02)
    assert check.details["trips"]["too little air"] > 0


def test_the_sign_table_asks_every_channel_and_uses_every_quantity() -> None:
    moved = {move.channel for move in MOVES}
    mirrored = {name.replace("_hall1", "_hall2") for name in moved}
    assert moved | mirrored == set(CHANNEL_NAMES)
    asked = {r.quantity for move in MOVES for r in move.responses}
    still = {name for move in MOVES for name in move.still}
    assert asked | still == {n for n in QUANTITIES if not n.endswith("_hall2")} | {
        n for n in QUANTITIES if n.endswith("_hall2") and n in asked | still
    }
    for move in MOVES:
        assert set(move.points) <= {point.name for point in POINTS}
        for response in move.responses:
            assert response.sign in (-1, 1)
            assert 0.0 < response.least <= response.most
            assert response.reason
            assert set(response.points) <= set(move.points)
            assert response.quantity not in move.still


def test_a_figure_that_is_no_number_keeps_no_bound() -> None:
    assert judged("energy", float("nan"), 1.0, "1", "").passed is False
    assert judged("energy", 1.0, 1.0, "1", "").passed is True
    assert judged("energy", 0.0, 1.0, "1", "", and_also=False).passed is False


def test_distances_of_distributions_agree_with_scipy() -> None:
    from scipy import stats

    rng = np.random.default_rng(0)
    first, second = rng.normal(0.0, 1.0, 500), rng.normal(0.4, 1.5, 700)
    assert wasserstein(first, second) == pytest.approx(
        stats.wasserstein_distance(first, second)
    )
    largest, _ = stats.ks_2samp(first, second)
    assert kolmogorov_smirnov(first, second) == pytest.approx(largest)
    assert wasserstein(first, first) == 0.0


def test_random_set_points_keep_box_and_ramps_and_the_tower_fans_gap() -> None:
    rng = np.random.default_rng(0)
    last = np.tile(0.5 * (LOWER + UPPER), (256, 1))
    for _ in range(50):
        now = wander(rng, last, 0.1)
        assert np.all((now >= LOWER) & (now <= UPPER))
        moved = np.abs(now - last)
        fan = now[:, 7]
        assert np.all((fan == 0.0) | (fan >= np.float32(0.2)))
        steps = np.delete(moved, 7, axis=1)
        assert np.all(steps <= np.delete(RAMP, 7) + 1e-4)
        # The fan steps from 0 to its least speed and back, and ramps otherwise.
        starts = (last[:, 7] < 1e-4) | (fan < 1e-4)
        assert np.all(moved[~starts, 7] <= RAMP[7] + 1e-6)
        assert np.all(moved[starts, 7] <= 0.2 + 1e-6)
        last = now


def test_the_page_shows_every_check_and_needs_nothing_from_elsewhere() -> None:
    page = render_page(whole_audit(), {"Versions": "jax 0"})
    for name, title in TITLES.items():
        assert title in page
        assert f"{name}</code>" in page
    for check in whole_audit().checks:
        assert check.sentence.split(":")[0][:40] in page
    assert page.count("<svg") == 1 + len(whole_audit().trajectories)
    for word in ("<script", "src=", "@import", "url(http"):
        assert word not in page


def test_a_failed_check_is_on_the_page_with_its_words() -> None:
    audit = run_audit(broken("dead condenser pump"), TINY, names=("actuators",))
    page = render_page(audit, {})
    assert "Every actuator moves what it must" in page
    assert "too small" in page
    assert "Do not train" in page


def test_what_was_not_run_is_on_the_page_as_such() -> None:
    check = not_run("log_distribution", 1.0, "tolerances", "there is no log")
    page = render_page(Audit("none", [check], [], 0, 1.0), {})
    assert "not run" in page
    assert "Not run: there is no log." in page


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.0, "0"),
        (0.357276, "0.357"),
        (4.5e-8, "4.5\u00b710\u207b\u2078"),
        (-12.0, "\u221212"),
        (float("nan"), "\u2013"),
    ],
)
def test_figures_are_printed_as_people_write_them(value: float, text: str) -> None:
    assert number(value) == text


def test_every_check_has_a_title() -> None:
    assert list(TITLES) == list(CHECKS)
    assert POINT_INDEX.keys() == set(POINT_NAMES)

"""The filter certifies before it acts, and every rung of its ladder is reached."""

import dataclasses

import numpy as np
import pytest
from families import ARRAYS, M, N, lane, make_family

from coolbound_envs.spec import CHANNEL_NAMES, channel_array
from coolbound_safety.active_set import solve_active_set
from coolbound_safety.candidates import (
    FULL_COOLING,
    Solver,
    breaks_a_row,
    check,
    safe_candidate,
    shrink,
)
from coolbound_safety.conclusion import differs
from coolbound_safety.coordinates import weights
from coolbound_safety.filter import SafetyFilter
from coolbound_safety.start_up import warm_up
from coolbound_safety.types import (
    Envelope,
    FilterResult,
    FilterStatus,
    SolverFailureError,
    as_float64,
    from_unit64,
    to_unit64,
)

FILTER = SafetyFilter()


def raises(envelope: Envelope, c: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    raise RuntimeError("no licence")


def gives_garbage(envelope: Envelope, c: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    return np.asarray(envelope.upper) + 0.5, np.full(M, -3.0)


def gives_nan(envelope: Envelope, c: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    return np.full(N, np.nan), np.zeros(M)


def gives_wrong_shape(
    envelope: Envelope, c: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    return np.zeros(N + 1), np.zeros(M)


def is_slightly_off(envelope: Envelope, c: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    u, multipliers = solve_active_set(envelope, c)
    return 0.999 * u + 0.001 * np.asarray(envelope.held), multipliers


FAULTS = [raises, gives_garbage, gives_nan, gives_wrong_shape, is_slightly_off]


def problem(has_slack: bool = False) -> tuple[Envelope, np.ndarray]:
    """Return an instance whose proposal some row moves, the backup being safe.

    With slack, one that no action satisfies.
    """
    envelopes, c = make_family(200, 51, shift=0.15 if has_slack else 0.0)
    for i, proposed in enumerate(c):
        envelope = lane(envelopes, i)
        room = np.asarray(envelope.h) - np.asarray(envelope.G) @ envelope.backup
        _, multipliers = solve_active_set(envelope, proposed)
        is_relaxed = bool(np.any(multipliers >= np.asarray(envelope.price)))
        is_moved = bool(np.any(multipliers > 1e-3))
        if is_moved and is_relaxed == has_slack and (has_slack or np.min(room) > 1e-3):
            return envelope, proposed
    raise AssertionError("no such instance")


def assert_inside(envelope: Envelope, result: FilterResult) -> None:
    u = to_unit64(result.action)
    assert np.all(u >= np.asarray(envelope.lower) - 1e-12)
    assert np.all(u <= np.asarray(envelope.upper) + 1e-12)
    assert np.all(np.asarray(envelope.G) @ u <= np.asarray(envelope.h) + 1e-12)


def test_a_safe_proposal_passes_unchanged_without_a_solver() -> None:
    envelope, _ = problem()
    proposed = from_unit64(np.asarray(envelope.backup))
    result = SafetyFilter(exact=raises, second=raises).decide(envelope, proposed)
    assert result.status == FilterStatus.PASSED
    assert result.rung == "clip"
    np.testing.assert_allclose(result.action, proposed, rtol=0, atol=1e-12)
    assert result.certificate.is_certified
    assert result.certificate.distance == 0.0
    assert result.reason == ""


def test_an_unsafe_proposal_is_projected_and_says_which_limit() -> None:
    envelope, c = problem()
    result = FILTER.decide(envelope, from_unit64(c))
    assert result.status == FilterStatus.PROJECTED
    assert result.rung == "active_set"
    assert result.certificate.is_certified
    assert_inside(envelope, result)
    rows = [name for name, _ in result.active if name in envelope.names]
    assert rows
    assert all(abs(margin) < 1e-4 for _, margin in result.active)
    assert not result.slack
    assert result.timing_s > 0.0


def test_the_certified_action_is_the_nearest_one() -> None:
    envelopes, c = make_family(40, 52)
    for i, proposed in enumerate(c):
        envelope = lane(envelopes, i)
        exact, _ = solve_active_set(envelope, proposed)
        result = FILTER.decide_unit(envelope, proposed)
        np.testing.assert_allclose(to_unit64(result.action), exact, rtol=0, atol=1e-6)


def test_a_move_within_the_dead_band_passes() -> None:
    envelope, _ = problem()
    open_rows = dataclasses.replace(envelope, G=np.zeros((M, N)), h=np.ones(M))
    band = to_unit64(channel_array("lower") + channel_array("dead_band"))
    upper = np.asarray(envelope.upper)
    inside = FILTER.decide_unit(open_rows, upper + 0.9 * band)
    beyond = FILTER.decide_unit(open_rows, upper + 1.1 * band)
    assert inside.status == FilterStatus.PASSED
    assert beyond.status == FilterStatus.PROJECTED


def test_differs_compares_each_channel_with_its_dead_band() -> None:
    base = channel_array("lower")
    moved = base + channel_array("dead_band") * np.array([0.9, 1.1] * 5)
    np.testing.assert_array_equal(differs(moved, base), [False, True] * 5)
    assert np.all(differs(np.full(N, np.nan), base))


def test_active_bounds_tell_ramp_from_range() -> None:
    envelope, _ = problem()
    lower, upper = np.full(N, 0.3), np.full(N, 0.6)
    lower[0], upper[1] = 0.0, weights()[1]
    free = dataclasses.replace(
        envelope,
        lower=lower,
        upper=upper,
        held=np.full(N, 0.4),
        backup=np.full(N, 0.4),
        G=np.zeros((M, N)),
        h=np.ones(M),
    )
    c = np.full(N, 0.4)
    c[:3] = -0.5, weights()[1] + 0.5, 0.9
    active = dict(FILTER.decide_unit(free, c).active)
    names = [f"range:{CHANNEL_NAMES[0]}", f"range:{CHANNEL_NAMES[1]}"]
    assert list(active) == [*names, f"ramp:{CHANNEL_NAMES[2]}"]


def test_slack_is_named_and_in_the_limits_own_unit() -> None:
    envelope, c = problem(has_slack=True)
    result = FILTER.decide_unit(envelope, c)
    assert result.status == FilterStatus.RELAXED
    assert result.certificate.is_certified
    assert result.slack
    u = to_unit64(result.action)
    excess = np.asarray(envelope.G) @ u - np.asarray(envelope.h)
    for name, value in result.slack.items():
        i = envelope.names.index(name)
        assert value == pytest.approx(excess[i] * np.asarray(envelope.scale)[i])
        assert name in result.reason


def test_slack_on_a_hard_row_is_refused() -> None:
    envelope, c = problem(has_slack=True)
    hard = dataclasses.replace(envelope, priority=np.zeros(M, np.int32))
    result = FILTER.decide_unit(hard, c)
    assert result.status == FilterStatus.FALLBACK
    assert "never relaxed" in result.reason


@pytest.mark.parametrize("fault", FAULTS)
def test_a_failing_exact_solver_gives_way_to_cvxpy(fault: Solver) -> None:
    envelope, c = problem()
    result = dataclasses.replace(FILTER, exact=fault).decide_unit(envelope, c)
    assert result.rung == "cvxpy"
    assert result.status == FilterStatus.PROJECTED
    assert "active_set: " in result.reason
    assert result.certificate.is_certified
    assert_inside(envelope, result)


@pytest.mark.parametrize("fault", FAULTS[:4])
def test_a_failing_witness_is_noted_and_the_exact_answer_used(fault: Solver) -> None:
    envelope, c = problem()
    result = dataclasses.replace(FILTER, second=fault).decide_unit(envelope, c)
    assert result.rung == "active_set"
    assert "cvxpy: " in result.reason


@pytest.mark.parametrize("fault", FAULTS[:4])
def test_without_a_solver_the_proposal_is_shrunk_towards_the_backup(
    fault: Solver,
) -> None:
    envelope, c = problem()
    result = SafetyFilter(exact=fault, second=fault).decide_unit(envelope, c)
    assert result.rung == "shrunk"
    assert result.status == FilterStatus.FALLBACK
    assert result.certificate.is_certified
    assert_inside(envelope, result)
    assert not np.allclose(to_unit64(result.action), envelope.backup)


def test_without_a_solver_or_a_way_the_backup_is_used() -> None:
    envelope, c = problem()
    # Every row is met by the backup with nothing to spare: no way leads anywhere.
    rows = np.array(envelope.G)
    rows[0] = np.where(np.arange(N) == 0, np.sign(c[0] - envelope.backup[0]), 0.0)
    h = np.array(envelope.h)
    h[0] = rows[0] @ np.asarray(envelope.backup)
    blocked = dataclasses.replace(envelope, G=rows, h=h)
    result = SafetyFilter(exact=raises, second=raises).decide_unit(blocked, c)
    np.testing.assert_allclose(
        to_unit64(result.action), envelope.backup, rtol=0, atol=1e-12
    )
    assert result.status == FilterStatus.FALLBACK
    assert result.certificate.is_certified


def test_an_unsafe_backup_gives_way_to_a_safe_held_action() -> None:
    envelope, _ = problem()
    worst = np.asarray(envelope.G)[np.argmax(np.asarray(envelope.h) < 1.0)]
    bad = np.clip(np.asarray(envelope.backup) + 5.0 * worst, 0.0, 1.0)
    bad = np.clip(bad, envelope.lower, envelope.upper)
    assert np.any(np.asarray(envelope.G) @ bad > np.asarray(envelope.h))
    unsafe = dataclasses.replace(envelope, backup=bad)
    result = FILTER.decide_unit(unsafe, np.full(N, np.nan))
    assert result.rung == "hold"
    assert result.certificate.is_certified
    np.testing.assert_allclose(
        to_unit64(result.action), envelope.held, rtol=0, atol=1e-12
    )


def test_solvers_that_disagree_mean_bad_data() -> None:
    envelope, c = problem()

    def drifts(given: Envelope, point: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        u, multipliers = solve_active_set(given, point)
        j = int(np.argmax(np.minimum(u - given.lower, given.upper - u)))
        u = u.copy()
        u[j] += 4e-4 if np.asarray(given.G)[:, j].sum() < 0 else -4e-4
        return u, multipliers

    wide = dataclasses.replace(envelope, G=np.zeros((M, N)), h=np.ones(M))
    result = SafetyFilter(second=drifts, always_solve=True).decide_unit(wide, c)
    assert result.status == FilterStatus.FALLBACK
    assert result.rung == "backup"
    assert "disagree" in result.reason


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("field", ARRAYS)
def test_data_that_are_not_finite_fall_back_with_a_reason(
    field: str, value: float
) -> None:
    envelope, c = problem()
    broken = np.array(getattr(envelope, field), dtype=np.float64)
    broken.flat[0] = value
    result = FILTER.decide_unit(dataclasses.replace(envelope, **{field: broken}), c)
    assert result.status == FilterStatus.FALLBACK
    assert result.rung == ("hold" if field == "backup" else "backup")
    assert "not finite" in result.reason
    assert np.all(np.isfinite(result.action))


@pytest.mark.parametrize("value", [np.inf, -np.inf, 1e308])
def test_a_wild_proposal_ends_inside_the_envelope(value: float) -> None:
    envelope, c = problem()
    result = FILTER.decide_unit(envelope, np.where(np.arange(N) == 2, value, c))
    assert_inside(envelope, result)
    assert result.certificate.is_certified


def test_nan_proposal_falls_back_to_the_certified_backup() -> None:
    envelope, c = problem()
    result = FILTER.decide_unit(envelope, np.where(np.arange(N) == 4, np.nan, c))
    assert result.rung == "backup"
    assert "proposed action: a value is not finite" in result.reason
    assert result.certificate.is_certified


def test_with_nothing_known_the_plant_is_cooled_fully() -> None:
    envelope, c = problem()
    lost = np.full(N, np.nan)
    result = FILTER.decide_unit(
        dataclasses.replace(envelope, held=lost, backup=lost), c
    )
    np.testing.assert_array_equal(result.action, from_unit64(FULL_COOLING))
    assert result.rung == "full_cooling"
    coldest = channel_array("lower")[[0, 1, 4]]
    np.testing.assert_array_equal(result.action[[0, 1, 4]], coldest)
    fastest = channel_array("upper")[[2, 3, 5, 6, 7, 8]]
    np.testing.assert_allclose(result.action[[2, 3, 5, 6, 7, 8]], fastest)


@pytest.mark.parametrize(
    ("field", "value", "words"),
    [
        ("lower", 0.99, "above its upper bound"),
        ("price", 1e6, "outside 0 to 1000"),
        ("G", 2.0, "longer than 1"),
        ("priority", 3, "not 0, 1 or 2"),
    ],
)
def test_inconsistent_data_fall_back_with_a_reason(
    field: str, value: float, words: str
) -> None:
    envelope, c = problem()
    wrong = np.array(getattr(envelope, field))
    wrong.flat[0] = value
    result = FILTER.decide_unit(dataclasses.replace(envelope, **{field: wrong}), c)
    assert result.status == FilterStatus.FALLBACK
    assert words in result.reason


def test_a_wrong_shape_is_an_error_that_names_the_field() -> None:
    envelope, c = problem()
    with pytest.raises(ValueError, match=r"envelope\.h: found shape \(24,\)"):
        FILTER.decide_unit(
            dataclasses.replace(envelope, h=np.asarray(envelope.h)[:-1]), c
        )
    with pytest.raises(ValueError, match=r"proposed: found shape \(9,\)"):
        FILTER.decide_unit(envelope, c[:9])


def test_the_same_answer_with_and_without_the_short_cut() -> None:
    envelopes, c = make_family(60, 53)
    slow = SafetyFilter(always_solve=True)
    near = np.asarray(envelopes.held) + 0.1 * (c - np.asarray(envelopes.held))
    rungs = set()
    for i, proposed in enumerate(near):
        quick = FILTER.decide_unit(lane(envelopes, i), proposed)
        full = slow.decide_unit(lane(envelopes, i), proposed)
        rungs.add(quick.rung)
        np.testing.assert_allclose(quick.action, full.action, rtol=0, atol=1e-6)
        assert quick.status == full.status
    assert rungs == {"clip", "active_set"}


def test_only_what_no_certificate_would_pass_is_screened_out() -> None:
    envelopes, c = make_family(200, 53)
    near = np.asarray(envelopes.held) + 0.1 * (c - np.asarray(envelopes.held))
    free = dataclasses.replace(envelopes, price=np.zeros_like(envelopes.price))
    seen = set()
    for given in (envelopes, free):
        for i, proposed in enumerate(near):
            envelope = as_float64(lane(given, i), proposed)
            clipped = np.clip(proposed, envelope.lower, envelope.upper)
            found = check(envelope, proposed, "clip", clipped).certificate
            assert breaks_a_row(envelope, clipped) == (not found.is_certified)
            seen.add((found.is_certified, bool(np.any(found.slack > 0.0))))
    # A row without a price is no one's loss: it is exceeded and certified.
    assert seen == {(True, False), (False, True), (True, True)}


def test_a_backup_that_is_known_is_not_looked_at_again() -> None:
    envelope, c = problem()
    known = safe_candidate(as_float64(envelope, c))
    plain, given = (
        SafetyFilter(raises, raises).decide_unit(envelope, c, x) for x in (None, known)
    )
    np.testing.assert_array_equal(plain.action, given.action)
    assert (plain.rung, plain.status) == (given.rung, given.status)


def test_shrinking_never_leaves_the_envelope() -> None:
    envelopes, c = make_family(100, 54)
    moved = 0
    for i, proposed in enumerate(c):
        envelope = lane(envelopes, i)
        room = np.asarray(envelope.h) - np.asarray(envelope.G) @ envelope.backup
        point = np.clip(proposed, envelope.lower, envelope.upper)
        u = shrink(envelope, point)
        if np.all(room >= 0.0):
            excess = np.asarray(envelope.G) @ u - np.asarray(envelope.h)
            assert np.max(excess) <= 1e-12
            moved += not np.allclose(u, envelope.backup)
    assert moved > 10


def test_physical_units_round_trip() -> None:
    action = np.linspace(channel_array("lower"), channel_array("upper"), 7)
    np.testing.assert_allclose(from_unit64(to_unit64(action)), action, atol=1e-12)


def test_the_digest_names_everything_that_was_given() -> None:
    envelope, c = problem()
    digests = {FILTER.decide_unit(envelope, c).input_digest}
    assert FILTER.decide_unit(envelope, c.copy()).input_digest in digests
    for field in ARRAYS:
        other = np.array(getattr(envelope, field), dtype=np.float64)
        other.flat[-1] = 2.0 if field == "priority" else other.flat[-1] * 0.999
        if np.array_equal(other, getattr(envelope, field)):
            other.flat[-1] = 1.0
        changed = dataclasses.replace(envelope, **{field: other})
        digests.add(FILTER.decide_unit(changed, c).input_digest)
    renamed = dataclasses.replace(envelope, names=("other", *envelope.names[1:]))
    digests.add(FILTER.decide_unit(renamed, c).input_digest)
    digests.add(FILTER.decide_unit(envelope, c * 0.999).input_digest)
    assert len(digests) == len(ARRAYS) + 3


def test_slack_is_summed_by_priority() -> None:
    envelope, c = problem(has_slack=True)
    result = FILTER.decide_unit(envelope, c)
    priority = np.asarray(envelope.priority)
    for tier in (0, 1, 2):
        names = [envelope.names[i] for i in np.flatnonzero(priority == tier)]
        scale = dict(zip(envelope.names, np.asarray(envelope.scale), strict=True))
        total = sum(result.slack.get(name, 0.0) / scale[name] for name in names)
        assert result.slack_by_priority[tier] == pytest.approx(total)


def test_start_up_compiles_and_proves_a_sound_filter() -> None:
    seen: list[tuple[int, ...]] = []

    def counted(given: Envelope, c: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        seen.append(np.shape(given.G))
        return solve_active_set(given, c)

    warm_up(SafetyFilter(exact=counted), M)
    assert set(seen) == {(M, N)}
    with pytest.raises(ValueError, match="found 1 row"):
        warm_up(FILTER, 1)


@pytest.mark.parametrize("fault", FAULTS)
def test_start_up_refuses_a_filter_without_a_sound_solver(fault: Solver) -> None:
    with pytest.raises(SolverFailureError, match="a known answer is missed"):
        warm_up(SafetyFilter(exact=fault, second=fault), M)

"""Rows decided in batches are what the filter of control time decides one by one."""

import dataclasses
from typing import Any

import numpy as np
import pytest

from coolbound_safety.coordinates import weights
from coolbound_safety.filter import SafetyFilter
from coolbound_safety.types import Envelope, FilterStatus, from_unit64
from coolbound_shadow.batch import (
    SAMPLE,
    decide_again,
    decide_batch,
    envelope_of,
    sample_rows,
)

ROWS, M, N = 60, 6, 10


@pytest.fixture(scope="module")
def problems() -> tuple[Envelope, np.ndarray]:
    """Return envelopes with a known inside, and proposals of which many lie out."""
    rng = np.random.default_rng(0)
    length = weights()
    inside = rng.uniform(0.2, 0.8, (ROWS, N)) * length
    normals = rng.normal(size=(ROWS, M, N))
    normals /= np.linalg.norm(normals, axis=-1, keepdims=True)
    room = rng.uniform(0.02, 0.6, (ROWS, M))
    sides = np.sum(normals * inside[:, None, :], axis=-1) + room
    # In the last rows, two limits contradict each other and one must give way.
    normals[-5:, 1] = -normals[-5:, 0]
    sides[-5:, 1] = -sides[-5:, 0] - 0.1
    reach = rng.uniform(0.05, 0.4, (ROWS, N))
    envelopes = Envelope(
        lower=np.maximum(inside - reach, 0.0),
        upper=np.minimum(inside + reach, length),
        G=normals,
        h=sides,
        price=np.full((ROWS, M), 100.0),
        scale=np.ones((ROWS, M)),
        priority=np.broadcast_to(np.asarray([2, 1, 2, 2, 2, 2]), (ROWS, M)),
        held=inside,
        backup=inside,
        names=tuple(f"limit{i}" for i in range(M)),
    )
    asked = from_unit64(inside + rng.normal(scale=0.15, size=(ROWS, N)))
    asked[0] = from_unit64(inside[0])
    return envelopes, asked


def test_every_row_is_decided_as_at_control_time(
    problems: tuple[Envelope, np.ndarray],
) -> None:
    envelopes, asked = problems
    found = decide_batch(envelopes, asked, SafetyFilter())
    safety = SafetyFilter()
    rungs = set()
    for row, ours in enumerate(found):
        theirs = safety.decide(envelope_of(envelopes, row), asked[row])
        assert (ours.status, ours.rung) == (theirs.status, theirs.rung)
        np.testing.assert_allclose(ours.action, theirs.action, atol=1e-9)
        np.testing.assert_allclose(ours.proposed, theirs.proposed, atol=1e-9)
        assert [name for name, _ in ours.active] == [name for name, _ in theirs.active]
        assert ours.certificate.is_certified == theirs.certificate.is_certified
        assert ours.slack.keys() == theirs.slack.keys()
        rungs.add(ours.rung)
    assert {"clip", "active_set"} < rungs
    assert any(each.status == FilterStatus.RELAXED for each in found)
    assert found[0].status == FilterStatus.PASSED


@pytest.mark.parametrize(
    ("name", "value"), [("h", np.nan), ("price", -1.0), ("scale", np.inf)]
)
def test_broken_data_takes_the_whole_sequence(
    name: str, value: float, problems: tuple[Envelope, np.ndarray]
) -> None:
    envelopes, asked = problems
    array = np.array(getattr(envelopes, name))
    array[0, 3] = value
    broken: Any = dataclasses.replace(envelopes, **{name: array})
    found = decide_batch(broken, asked, SafetyFilter())
    assert found[0].status == FilterStatus.FALLBACK
    assert found[0].reason
    assert found[1].status != FilterStatus.FALLBACK


def test_a_decision_that_is_not_the_filters_own_is_noticed(
    problems: tuple[Envelope, np.ndarray],
) -> None:
    envelopes, asked = problems
    found = decide_batch(envelopes, asked, SafetyFilter())
    rows = np.arange(0, ROWS, 2)
    same = decide_again(envelopes, asked, found, rows, SafetyFilter())
    assert (same.decisions, same.differing) == (30, 0)
    assert np.all(same.latency > 0.0)
    wrong = found[4].action.copy()
    wrong[0] += 0.1
    found[4] = dataclasses.replace(found[4], action=wrong)
    other = decide_again(envelopes, asked, found, rows, SafetyFilter())
    assert other.differing == 1
    assert other.largest > 0.01


def test_the_sample_is_random_in_order_and_the_same_every_time() -> None:
    rows = sample_rows(105_120)
    assert len(set(rows.tolist())) == SAMPLE == 1000
    assert np.all(np.diff(rows) > 0)
    np.testing.assert_array_equal(rows, sample_rows(105_120))
    counts = np.histogram(rows, bins=10, range=(0, 105_120))[0]
    assert np.all(counts > 60)
    np.testing.assert_array_equal(sample_rows(7), np.arange(7))

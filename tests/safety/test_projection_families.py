"""Degenerate envelopes and values that are not finite end somewhere safe."""

import dataclasses
from typing import Any

import numpy as np
import pytest
from families import make_family

from coolbound_safety.kernel import DEFAULT_CONFIG
from coolbound_safety.projection_families import (
    FAMILIES,
    FIELDS,
    VALUES,
    degenerate_families,
    near_rows,
    not_finite,
)

COUNT = 64


@pytest.fixture(scope="module")
def degenerate() -> dict[str, dict[str, Any]]:
    return degenerate_families(*make_family(COUNT, 72), seed=1, bent=COUNT)


@pytest.mark.parametrize("family", FAMILIES)
def test_no_degenerate_envelope_breaks_the_promise(
    degenerate: dict[str, dict[str, Any]], family: str
) -> None:
    found = degenerate[family]
    assert found["envelopes"] == found["exact_proven"] == COUNT
    assert found["steps_max"] <= DEFAULT_CONFIG.step_limit
    assert found["row_violations"] == found["not_finite_answers"] == 0
    # 25 dense rows through one point make float32 turn in circles: a fifth is given
    # up, and gets its backup, which is that point.
    assert found["flagged"] <= (COUNT // 2 if family == "dense_vertex" else 2)
    assert found["max_flagged_excess"] is None or found["max_flagged_excess"] <= 1e-6
    assert found["max_excess_beyond_exact"] <= 1e-3
    # A locked float64 value that no float32 meets is met by the clip downstream.
    assert found["max_bound_excess"] <= 1e-7


def test_families_are_what_they_are_called(
    degenerate: dict[str, dict[str, Any]],
) -> None:
    for empty in ("row_and_its_opposite", "row_without_authority"):
        assert degenerate[empty]["relaxed_by_exact"] == COUNT
    assert degenerate["rows_moved_inward"]["relaxed_by_exact"] > COUNT // 2
    assert degenerate["vertex"]["roomy"] == 0
    assert degenerate["vertex"]["thin"] + degenerate["vertex"]["flagged"] >= COUNT - 2
    envelopes, c = make_family(COUNT, 72)
    rng = np.random.default_rng(0)
    rows = np.arange(COUNT)
    near = near_rows(envelopes, c)
    bent, _ = FAMILIES["parallel_row"](envelopes, c, rng)
    both = bent.G[rows, near], bent.G[rows, (near + 1) % bent.G.shape[1]]
    across = both[0] - both[1] * np.sum(both[0] * both[1], axis=1, keepdims=True)
    turned = np.linalg.norm(across, axis=1)
    assert np.all((turned > 1e-7) & (turned < 1e-5))
    locked, _ = FAMILIES["half_locked"](envelopes, c, rng)
    share = np.mean(np.asarray(locked.lower) == np.asarray(locked.upper))
    assert 0.4 < share < 0.6


def test_what_is_not_finite_ends_at_a_known_action_and_nowhere_else() -> None:
    envelopes, c = make_family(COUNT, 72)
    middle = (np.asarray(envelopes.lower) + np.asarray(envelopes.upper)) / 2.0
    envelopes = dataclasses.replace(envelopes, backup=middle)
    found = not_finite(envelopes, c, seed=1, bent=COUNT)
    assert set(found) == set(FIELDS)
    for field in FIELDS:
        assert set(found[field]) == set(VALUES)
        for case in found[field].values():
            assert case["broken"] == case["flagged"] == case["known"] == COUNT // 2
            assert case["others_changed"] == 0
            assert case["steps_max"] <= DEFAULT_CONFIG.step_limit

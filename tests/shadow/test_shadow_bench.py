"""The bench of a shadow run: what is measured is what is said to be."""

from typing import Any

import numpy as np
import pytest
from made_logs import made_log

from coolbound_shadow import bench


def test_a_longer_log_is_the_simulated_one_again_dated_on(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(bench, "SIMULATED_DAYS", 1)
    day = made_log(288)
    found = bench.dated_on(day, 3)
    assert found.rows == found.rows_read == 3 * day.rows
    assert np.all(np.diff(found.time_utc) == 300)
    np.testing.assert_array_equal(found.values[288:576], day.values)
    np.testing.assert_array_equal(found.applied[576:], day.applied)
    assert bench.dated_on(day, 1).rows == day.rows


def test_what_a_run_costs_once_is_not_in_the_time_of_an_added_decision(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def apart(days: int) -> dict[str, Any]:
        decisions = 288 * days
        return {
            "days": days,
            "decisions": decisions,
            "seconds": 5.0 + 0.0005 * decisions,
            "compile_s": 10.0,
            "peak_mb": 1000.0,
            "report_mb": 0.4,
            "is_report_same": True,
            "parts": 1,
            "machine": {},
            "versions": {},
        }

    monkeypatch.setattr(bench, "_apart", apart)
    monkeypatch.setattr(bench, "measure_append", lambda: {"p99_ms": 9.0})
    found = bench.measure_sizes([365, 7])
    week, year = found["sizes"]
    assert (week["days"], year["days"]) == (7, 365)
    assert week["ms_per_added_decision"] is None
    assert year["ms_per_added_decision"] == pytest.approx(0.5)
    assert week["ms_per_decision"] > 2.0
    assert found["ledger"] == {"p99_ms": 9.0}

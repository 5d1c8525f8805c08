"""Interventions become events, and records stay byte for byte the same."""

import dataclasses
import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from made_logs import made_decisions, made_log, with_fallback

from coolbound_envs.spec import CHANNEL_NAMES, channel_array
from coolbound_envs.tables import InputError
from coolbound_shadow.events import intervention_events
from coolbound_shadow.output import output_folder, write_json
from coolbound_shadow.records import (
    Decisions,
    beyond_dead_band,
    decision_bytes,
    intervention_mask,
    read_decisions,
    write_decisions,
)
from coolbound_shadow.statistics import Interval
from coolbound_shadow.summary import (
    agreement,
    build_summary,
    intervention_summary,
    limit_value,
)

CHWS = CHANNEL_NAMES.index("chw_supply_setpoint")


def quiet(steps: int = 20) -> Decisions:
    """Return decisions in which the safety layer changed nothing."""
    log = made_log(steps)
    made = made_decisions(log)
    empty = ("",) * steps
    return dataclasses.replace(
        made,
        proposed=made.certified,
        status=("PASSED",) * steps,
        limit=empty,
        kind=empty,
    )


def changed(
    steps: list[int], kind: str, by: float = 1.0, base: Decisions | None = None
) -> Decisions:
    """Return decisions in which the chilled-water set-point was changed."""
    base = base or quiet()
    proposed = base.proposed.copy()
    proposed[steps, CHWS] -= by
    kinds, limits = list(base.kind), list(base.limit)
    for i in steps:
        kinds[i], limits[i] = kind, "CHWS_BOX"
    return dataclasses.replace(
        base, proposed=proposed, kind=tuple(kinds), limit=tuple(limits)
    )


def test_consecutive_steps_are_one_event_and_a_pause_makes_two() -> None:
    events = intervention_events(changed([3, 4, 5, 9], "limit"), 300)
    assert sorted((e.steps, e.duration_s) for e in events) == [(1, 300), (3, 900)]
    assert {e.limit for e in events} == {"CHWS_BOX"}


def test_a_gap_in_the_log_ends_an_event() -> None:
    decisions = changed([3, 4, 5], "limit")
    time = decisions.time_utc.copy()
    time[5:] += 3600
    events = intervention_events(dataclasses.replace(decisions, time_utc=time), 300)
    assert [e.steps for e in events] == [2, 1]


def test_a_ramp_that_binds_all_day_does_not_swallow_a_limit() -> None:
    decisions = changed([5], "limit", base=changed([3, 4, 5, 6], "ramp"))
    events = intervention_events(decisions, 300)
    assert sorted((e.kind, e.steps) for e in events) == [
        ("limit", 1),
        ("ramp", 1),
        ("ramp", 2),
    ]


def test_a_change_within_the_dead_band_is_no_intervention() -> None:
    band = channel_array("dead_band")[CHWS]
    assert not intervention_events(changed([3], "ramp", by=float(band)), 300)
    assert (
        len(intervention_events(changed([3], "ramp", by=1.1 * float(band)), 300)) == 1
    )


def test_a_fallback_counts_even_where_the_action_is_the_same() -> None:
    decisions = with_fallback(quiet(), slice(2, 4), "no reading")
    assert np.flatnonzero(intervention_mask(decisions)).tolist() == [2, 3]
    event = intervention_events(decisions, 300)[0]
    assert (event.kind, event.reason) == ("fallback", "no reading")


def test_the_most_serious_event_comes_first() -> None:
    decisions = changed([1, 2, 3, 4], "ramp", by=3.0)
    decisions = changed([7], "limit", by=0.5, base=decisions)
    decisions = with_fallback(decisions, slice(12, 13), "no reading")
    kinds = [e.kind for e in intervention_events(decisions, 300)]
    assert kinds == ["fallback", "limit", "ramp"]


def test_the_largest_change_keeps_its_sign() -> None:
    event = intervention_events(changed([3], "limit", by=2.0), 300)[0]
    assert event.changes[CHWS] == pytest.approx(2.0)
    assert event.size == pytest.approx(2.0 / 11.0)


def test_counts_by_kind_add_up_to_the_count() -> None:
    decisions = changed([1, 2], "ramp", base=changed([6], "limit"))
    found = intervention_summary(decisions)
    assert found.count == sum(found.by_kind.values()) == 3
    assert found.by_kind == {"ramp": 2, "limit": 1, "fallback": 0}
    assert found.rate == pytest.approx(3 / 20)


def test_a_channel_that_the_log_lacks_is_unknown_and_not_agreement() -> None:
    decisions = quiet()
    applied = decisions.applied.copy()
    applied[:, CHWS] = np.nan
    found = agreement(dataclasses.replace(decisions, applied=applied))
    assert found["chw_supply_setpoint"] == {
        "mean_abs_difference": None,
        "within_dead_band": None,
    }
    assert not beyond_dead_band(applied, decisions.certified)[:, CHWS].any()


def test_a_limit_that_was_never_known_is_not_observable() -> None:
    assert not limit_value(np.full(5, np.nan)).observable
    value = limit_value(np.array([-1.0, 0.0, 0.5, np.nan]))
    assert (value.worst, value.violations, value.steps) == (0.5, 1, 3)


def test_the_same_decisions_give_the_same_bytes(tmp_path: Path) -> None:
    first, second = (made_decisions(made_log(40)) for _ in range(2))
    assert decision_bytes(first) == decision_bytes(second)
    digests = {write_decisions(d, tmp_path / "d.parquet") for d in (first, second)}
    assert len(digests) == 1


def test_decisions_read_back_as_they_were(tmp_path: Path) -> None:
    decisions = made_decisions(made_log(40))
    path = tmp_path / "decisions.parquet"
    write_decisions(decisions, path)
    again = read_decisions(path)
    for field in dataclasses.fields(decisions):
        np.testing.assert_equal(
            getattr(again, field.name), getattr(decisions, field.name)
        )
    local = pq.read_table(path).column("time_local")[0].as_py()
    assert local == "2024-05-01T00:05:00+02:00"
    assert decision_bytes(again) == decision_bytes(decisions)


def test_a_foreign_parquet_file_is_no_decision_record(tmp_path: Path) -> None:
    path = tmp_path / "other.parquet"
    pq.write_table(pa.table({"a": [1]}), path)
    with pytest.raises(InputError, match="found schema 'none'"):
        read_decisions(path)


def test_the_summary_has_the_keys_of_the_design_and_is_plain_json(
    tmp_path: Path,
) -> None:
    log = made_log(40)
    value = limit_value(np.full(40, np.nan))
    summary = build_summary(
        site="reference",
        policy_name="reference",
        log=log,
        decisions=made_decisions(log),
        limits={s: {"CA_T_MAX": value} for s in ("proposed", "certified", "operator")},
        potential=Interval(refused="1 whole day"),
        null_test=Interval(0.1, -0.2, 0.4),
        writes_attempted=0,
        seconds=1.23456,
    )
    write_json(summary, tmp_path / "summary.json")
    read = json.loads((tmp_path / "summary.json").read_text())
    assert list(read) == [
        *("schema", "site", "policy", "log", "decisions", "interventions"),
        *("agreement", "limit_values", "modelled_potential", "null_test"),
        *("writes_attempted", "seconds"),
    ]
    assert {"rows", "start", "end", "step_s", "rejected"} <= set(read["log"])
    assert set(read["interventions"]) == {"count", "rate", "by_limit", "by_kind"}
    assert read["limit_values"]["operator"]["CA_T_MAX"]["observable"] is False
    assert read["modelled_potential"]["percent"] is None
    assert read["modelled_potential"]["refused"] == "1 whole day"
    assert read["null_test"]["low"] == -0.2


def test_results_appear_whole_and_replace_only_results(tmp_path: Path) -> None:
    target = tmp_path / "runs" / "one"
    for number in (1, 2):
        with output_folder(target) as folder:
            assert not (target / "report.html").exists() or number == 2
            write_json({"number": number}, folder / "summary.json")
        assert json.loads((target / "summary.json").read_text())["number"] == number
    assert [p.name for p in (tmp_path / "runs").iterdir()] == ["one"]


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt])
def test_an_error_leaves_no_folder_and_keeps_the_earlier_result(
    tmp_path: Path, error: type[BaseException]
) -> None:
    def run(target: Path) -> None:
        with output_folder(target) as folder:
            write_json({"number": 2}, folder / "summary.json")
            raise error

    with pytest.raises(error):
        run(tmp_path / "new")
    assert list(tmp_path.iterdir()) == []
    old = tmp_path / "old"
    with output_folder(old) as folder:
        write_json({"number": 1}, folder / "summary.json")
    with pytest.raises(error):
        run(old)
    assert json.loads((old / "summary.json").read_text()) == {"number": 1}
    assert list(tmp_path.iterdir()) == [old]


def test_a_folder_that_is_no_result_is_never_replaced(tmp_path: Path) -> None:
    target = tmp_path / "thesis"
    target.mkdir()
    (target / "chapter.txt").write_text("years of work")
    refused = pytest.raises(InputError, match=r"without summary\.json")
    with refused, output_folder(target):
        pass
    assert (target / "chapter.txt").read_text() == "years of work"
    refused = pytest.raises(InputError, match="found a file")
    with refused, output_folder(target / "chapter.txt"):
        pass

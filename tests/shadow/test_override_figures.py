"""The figures of the override report, against plain counts."""

import dataclasses
from collections.abc import Sequence
from pathlib import Path

import pytest
from made_overrides import START, STEP, bad_reading, day, override, tick, write

from coolbound_shadow.ledger.reader import LedgerReader
from coolbound_shadow.ledger.records import Record
from coolbound_shadow.overrides.charts import top_limits
from coolbound_shadow.overrides.events import events_of
from coolbound_shadow.overrides.figures import bad_periods, run_figures
from coolbound_shadow.overrides.groups import grouped, repeats
from coolbound_shadow.overrides.material import Material, read_material
from coolbound_shadow.overrides.references import References
from coolbound_shadow.overrides.rows import View
from coolbound_shadow.overrides.words import margin_text, share
from coolbound_shadow.shift_plan import USUAL

DAY = 288


def material(folder: Path, records: Sequence[Record]) -> Material:
    write(folder, records)
    with LedgerReader(folder) as reader:
        return read_material(reader)


def test_service_factor_counts_gaps_and_fallbacks_against_the_policy(
    tmp_path: Path,
) -> None:
    ticks = [t for i, t in enumerate(day({5: "fallback"}, 20)) if i not in (8, 9)]
    ticks[10] = dataclasses.replace(ticks[10], proposed={}, status="FALLBACK")
    found = run_figures(material(tmp_path, ticks), ())[0]
    assert (found.decisions, found.due, found.in_service) == (18, 20, 16)


def test_utilisation_leaves_out_what_was_held_and_what_was_changed(
    tmp_path: Path,
) -> None:
    held = [override(step=4), override(state="ended", step=8)]
    found = material(tmp_path, [*day({1: "limit", 2: "limit"}, 20), *held])
    figures = run_figures(found, events_of(found))[0]
    assert (figures.channel_steps, figures.held) == (200, 4)
    assert figures.free == 200 - 4 - 2


def test_an_hour_of_decisions_is_twelve_steps(tmp_path: Path) -> None:
    assert run_figures(material(tmp_path, day({}, 24)), ())[0].hours == 2.0


def test_every_step_counts_under_its_own_limit(tmp_path: Path) -> None:
    """As in the shadow report, though an event is named after one of its limits."""
    limits = ["CHWS_BOX", "CHWS_BOX", "CHW_DP_MIN", "CHWS_BOX"]
    ticks = [tick(i, "limit", limit) for i, limit in enumerate(limits)]
    ticks += [tick(4, "ramp", "CT_CWP_RATE"), tick(5), tick(6, "fallback")]
    found = material(tmp_path, ticks)
    figures = run_figures(found, ())
    assert dict(figures[0].limit_steps) == {
        "CHWS_BOX": 3,
        "CHW_DP_MIN": 1,
        "fallback": 1,
    }
    view = View(until=found.end, offset=0, steps=7, seconds=0, refs=References())
    table = top_limits(events_of(found), figures, view)["table"]
    assert [(row["name"], row["count"], row["steps"]) for row in table] == [
        ("CHWS_BOX", "1", "3"),
        ("CHW_DP_MIN", "0", "1"),
        ("fallback", "1", "1"),
    ]


def test_readings_that_never_come_are_no_bad_readings(tmp_path: Path) -> None:
    ticks = [bad_reading(t, "chw_flow") for t in day({}, 6)]
    ticks[3] = dataclasses.replace(ticks[3], quality={"chw_flow": 1, "cw_flow": 0})
    found = run_figures(material(tmp_path, ticks), ())[0]
    assert (found.silent_points, found.bad) == (("chw_flow",), 1)


def test_bad_periods_are_runs_of_one_point_and_gaps(tmp_path: Path) -> None:
    ticks = day({}, 20)
    for i in (3, 4, 5, 9):
        ticks[i] = bad_reading(ticks[i], "chw_flow")
    kept = [t for i, t in enumerate(ticks) if i not in (12, 13)]
    found = bad_periods(material(tmp_path, kept))
    seen = [(p.point, p.word, (p.start - START) // STEP, p.steps) for p in found]
    assert seen == [
        ("chw_flow", "bad", 3, 3),
        ("", "no decision", 12, 2),
        ("chw_flow", "bad", 9, 1),
    ]


def test_like_events_stand_together_the_serious_ones_first(tmp_path: Path) -> None:
    kinds = {i: "ramp" for i in range(0, 60, 4)} | {i: "limit" for i in range(2, 30, 4)}
    groups = grouped(events_of(material(tmp_path, day(kinds | {99: "fallback"}))))
    assert [(g.kind.value, len(g.events)) for g in groups] == [
        ("fallback", 1),
        ("limit", 7),
        ("ramp", 15),
    ]
    assert groups[1].seconds == 7 * STEP


def test_a_repeat_is_the_same_hour_on_three_days(tmp_path: Path) -> None:
    kinds = {i * DAY + 12: "limit" for i in range(3)} | {40: "limit", DAY + 40: "limit"}
    found = repeats(events_of(material(tmp_path, day(kinds, 3 * DAY))))
    assert [(r.hour, r.days, r.events) for r in found] == [(18, 3, 3)]


@pytest.mark.parametrize(
    ("part", "whole", "said"),
    [
        (1, 2, "50.0 %"),
        (0, 7, "0.0 %"),
        (7, 7, "100.0 %"),
        (105_109, 105_120, "over 99.9 %"),
        (4, 105_120, "under 0.1 %"),
        (0, 0, "\u2013"),
    ],
)
def test_a_share_that_is_not_all_never_reads_as_all(
    part: int, whole: int, said: str
) -> None:
    assert share(part, whole) == said


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("CA_T_MAX", "0.50 K"),
        ("ramp:chw_supply_setpoint", "0.50 K"),
        ("ramp:chw_pressure_setpoint", "0.5 kPa"),
        ("ramp:cw_pump_speed", "0.500"),
        ("something", "0.50"),
    ],
)
def test_a_margin_of_a_temperature_is_a_difference(name: str, said: str) -> None:
    assert margin_text(name, 0.5) == said


@pytest.mark.parametrize(
    ("hour", "name"),
    [
        (5, "night"),
        (6, "early"),
        (13, "early"),
        (14, "late"),
        (22, "night"),
        (0, "night"),
    ],
)
def test_every_hour_has_its_shift(hour: int, name: str) -> None:
    assert USUAL.name_at(60 * hour) == name

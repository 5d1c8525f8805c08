"""The page and the comparison behind it, from traces that are known beforehand."""

import csv
import dataclasses
import functools
import io
import json
import re
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest
from made_traces import made_trace, with_broken

from coolbound.console import json_text
from coolbound.evaluation.compare import compare
from coolbound.evaluation.day_table import day_table
from coolbound.evaluation.headroom import headroom
from coolbound.evaluation.page import render
from coolbound.evaluation.shown import difference, shown, subjects
from coolbound.evaluation_table import evaluation_table
from coolbound_controllers.evaluation import Trace
from coolbound_controllers.evaluation_bound import Bound
from coolbound_envs.limit_table import LIMIT_NAMES

PLACES = ("phoenix", "chicago")
SEEDS = ("ppo seed 0", "ppo seed 1", "ppo seed 2")


def policy(group: str = "", seed: int = 0) -> dict[str, Any]:
    return {
        "name": "mine",
        "digest": "0123456789abcdef0123",
        "is_of_this_site": True,
        "group": group,
        "algorithm": "ppo-lagrangian",
        "seed": seed,
        "command": "coolbound train ppo-lagrangian",
        "revision": "abc",
        "update": 240.0,
        "updates": 240.0,
        "environment_steps": 1e6,
    }


@functools.cache
def traces(days: int = 28) -> dict[str, Trace]:
    found = {
        "g36": made_trace(days, cooling=1.0, seed=1),
        "g36_tuned": made_trace(days, cooling=0.95, seed=2),
        "mine": made_trace(days, cooling=0.85, seed=3, is_guarded=True),
    }
    for i, name in enumerate(SEEDS):
        factor = 0.84 + 0.02 * i
        found[name] = made_trace(days, cooling=factor, seed=4 + i, is_guarded=True)
    return found


def told(found: dict[str, Trace], days: int = 28) -> dict[str, Any]:
    """Return the data of an evaluation of some traces."""
    members = [name for name in SEEDS if name in found]
    rules = [name for name in found if name.startswith("g36")]
    policies = {"mine": policy()} if "mine" in found else {}
    policies |= {name: policy("ppo", i) for i, name in enumerate(members)}
    return {
        "schema": "coolbound.evaluate/1",
        "command": "coolbound evaluate",
        "site": "reference",
        "limits_off": [],
        "weather": list(PLACES),
        "load": "google2019",
        "loads": ["google2019"],
        "fault_schedules": ["none"],
        "random_faults_a_day": 0.0,
        "vary": 0.0,
        "start": [0],
        "days": days,
        "seed": 0,
        "places": list(PLACES),
        "plants": {},
        "faults": {},
        "policies": policies,
        "bound": None,
        **compare(found, PLACES, {"ppo": members} if members else {}, rules),
        "machine": {"cores": 2, "processor": "any"},
        "versions": {"jax": "1", "jaxlib": "1", "numpy": "1"},
        "revision": "abc",
        "seconds": 1.0,
    }


@functools.cache
def page(days: int = 28) -> str:
    return render(told(traces(days), days), traces(days))


def changed(**replaced: Trace) -> tuple[dict[str, Any], dict[str, Trace]]:
    found = traces() | replaced
    return told(found), found


def test_the_page_needs_nothing_but_itself() -> None:
    assert page().startswith("<!DOCTYPE html>")
    for word in ("<script", "http:", "https:", "<link", "<img", "@import", "url("):
        assert word not in page()
    for picture in re.findall(r"<svg.*?</svg>", page(), re.S):
        ElementTree.fromstring(picture)
        assert 'role="img"' in picture
        assert "<title>" in picture
    assert len(re.findall("<svg", page())) == 3


def test_the_first_words_are_the_answer() -> None:
    head = page()[: page().index("<h2>2 ")]
    assert re.search(r"<strong>mine:</strong> 1[45]\.\d % less", head)
    assert "less cooling energy than g36 (95 % interval over days:" in head
    assert "in none of 2 places more" in head
    assert "No limit was broken" in head
    assert re.search(r"<strong>ppo \(3 seeds\):</strong> 1[345]\.\d % less", head)
    assert "Policies are those of their run's last update, never the best one" in head


def test_every_seed_is_on_the_page_with_mean_worst_and_interval() -> None:
    part = page()[page().index("<h2>6 Every seed") : page().index("<h2>7 ")]
    for name in SEEDS:
        assert f">{name}<" in part
    for word in ("mean", "worst seed", "95 % interval", "seeds within"):
        assert word in part
    less = told(traces())["seeds"]["ppo"]["percent_21"]
    for value in (less["mean"], less["worst"]):
        assert f">{value:.1f} %<" in part
    assert f">{less['low']:.1f} to {less['high']:.1f}<" in part
    assert "100 % of the seeds broke no limit" in part
    assert "3 seeds, 10 are wanted" in page()


def test_nothing_is_red_or_amber_where_nothing_is_wrong() -> None:
    body = page()[page().index("<body>") :]
    assert 'violated"' not in body
    assert "\u25b2" not in body
    assert 'limit"' not in body


def test_a_broken_limit_is_red_with_its_name_and_by_how_much() -> None:
    data, found = changed(mine=with_broken(traces()["mine"], "CA_T_MAX", 5))
    body = render(data, found)
    body = body[body.index("<body>") :]
    assert "5 of 16,128 steps broke a limit; g36 0 (CA_T_MAX)." in body
    assert re.search(r'violated">\u25b2 5 <small>\+0.75</small>', body)
    assert "Nobody broke or asked to break the other 20 limits" in body


def test_who_uses_more_is_amber_and_the_places_are_named() -> None:
    data, found = changed(mine=made_trace(28, cooling=1.1, seed=3, is_guarded=True))
    body = render(data, found)
    assert re.search(r"<strong>mine:</strong> 10\.\d % more cooling energy", body)
    assert "more in 2 of 2 places: phoenix, chicago." in body
    assert re.search(r'class="n limit">\u221210\.\d %', body)


def test_a_short_run_has_differences_and_no_interval() -> None:
    body = page(3)
    assert "without an interval (3 whole days with both series, at least 7" in body
    assert "Fewer than 7 days prove nothing" in body
    assert "nan" not in body.lower().replace("governance", "")
    data = told(traces(3), 3)
    assert json.loads(json_text(data))["paired"]["mine"]["percent"] is None
    assert data["paired"]["mine"]["cooling_21"]["point"] == pytest.approx(15, abs=1)


def test_empty_bins_are_blank() -> None:
    part = page()[page().index("<h2>7 ") : page().index("<h2>8 ")]
    table = re.findall(r"<tbody>(.*?)</tbody>", part, re.S)[0]
    cells = re.findall(r'<td class="n(?: \w+)?">(.*?)</td>', table)
    assert len(cells) == 7 * 6
    assert sum(bool(text) for text in cells) == 2
    assert "nan" not in table


def test_the_pairs_are_with_g36_and_beside_it_with_every_rule() -> None:
    data = told(traces())
    assert data["baseline"] == "g36"
    assert set(data["paired"]) == {"g36_tuned", "mine", *SEEDS}
    assert set(data["versus"]) == {"g36_tuned"}
    assert told(dict(reversed(traces().items())))["baseline"] == "g36"
    against = data["versus"]["g36_tuned"]["mine"]["cooling_21"]
    assert against["low"] < 100.0 * (1.0 - 0.85 / 0.95) < against["high"]
    own = data["paired"]["mine"]["cooling_21"]
    assert own["low"] < 15.0 < own["high"]
    assert own["bootstrap"]["low"] < 15.0 < own["bootstrap"]["high"]
    points = [data["cities"][p]["paired"]["mine"]["cooling_21"] for p in PLACES]
    mean = np.mean([point["point"] for point in points])
    assert data["paired"]["mine"]["mean_of_places"] == pytest.approx(mean)


def test_without_g36_the_first_rule_is_the_baseline() -> None:
    found = {name: trace for name, trace in traces().items() if name != "g36"}
    found = dict(reversed(found.items()))
    assert told(found)["baseline"] == "g36_tuned"


def test_seeds_alone_are_compared_with_their_first() -> None:
    found = {name: traces()[name] for name in SEEDS}
    data = told(found)
    assert data["baseline"] == SEEDS[0]
    assert SEEDS[2] in render(data, found)


def test_of_seeds_the_mean_is_shown_with_the_interval_over_seeds() -> None:
    data = told(traces())
    row = next(row for row in shown(data) if row.is_group)
    found = difference(data, row, "g36")
    assert found is not None
    points = [data["paired"][name]["cooling_21"]["point"] for name in SEEDS]
    assert found["point"] == pytest.approx(np.mean(points))
    assert found["low"] < min(points) < max(points) < found["high"]
    group = data["seeds"]["ppo"]["percent_21"]
    assert group["all"] == pytest.approx(points)
    assert group["worst"] == pytest.approx(min(points))


def test_the_page_is_about_policies_or_else_about_all_but_the_baseline() -> None:
    assert [row.name for row in subjects(told(traces()))] == ["mine", "ppo"]
    rules = {name: traces()[name] for name in ("g36", "g36_tuned")}
    assert [row.name for row in subjects(told(rules))] == ["g36_tuned"]
    assert "Nobody acted behind it." in render(told(rules), rules)


def test_the_fields_that_scripts_rely_on_are_there() -> None:
    data = json.loads(json_text(told(traces())))
    fields = {"total_energy_kwh", "cooling_energy_kwh", "mlc", "pue", "wue",
              "worst_inlet_c", "violations", "intervention_rate", "chiller_starts",
              "cooling_energy_21_kwh", "peak_power_kw", "degree_minutes_above",
              "interventions", "actuator_travel", "wall_s"}  # fmt: skip
    for found in data["controllers"].values():
        assert fields <= set(found)
        assert set(found["violations"]) == set(LIMIT_NAMES)
        for counts in found["violations"].values():
            assert {"before", "after"} <= set(counts)
    for pair in data["paired"].values():
        assert {"percent", "low", "high"} <= set(pair)


def test_the_days_give_the_same_difference_again() -> None:
    rows = list(csv.DictReader(io.StringIO(day_table(traces(), PLACES))))
    assert len(rows) == len(traces()) * len(PLACES) * 28
    used = {
        name: sum(float(r["cooling_21_kwh"]) for r in rows if r["controller"] == name)
        for name in traces()
    }
    point = told(traces())["paired"]["mine"]["cooling_21"]["point"]
    again = 100.0 * (used["g36"] - used["mine"]) / used["g36"]
    assert point == pytest.approx(again, abs=1e-3)


def test_the_table_shows_seeds_and_says_where_there_is_no_interval() -> None:
    text = evaluation_table(told(traces()))
    assert "ppo, 3 seeds:" in text
    assert "cost thermal (limit 0.02)" in text
    assert "no interval" not in text
    assert "no interval" in evaluation_table(told(traces(3), 3))


def test_notes_tell_of_limits_off_and_of_another_site() -> None:
    data = told(traces())
    data["limits_off"] = ["CA_ROC"]
    data["policies"]["mine"] = policy() | {"is_of_this_site": False}
    body = render(data, traces())
    assert "Switched off in the site file, not counted: CA_ROC." in body
    assert "mine was trained on another site than reference." in body
    assert "any of 20 limits" in body


def test_plants_and_faults_that_were_drawn_are_listed() -> None:
    data = told(traces())
    data["vary"] = 0.1
    data["plants"] = {place: {"leakage": 1.07} for place in PLACES}
    event = {"kind": "chiller_trip", "target": "chiller2", "start_s": 7200.0}
    data["faults"] = {"phoenix": [event | {"duration_s": None, "size": 0.0}]}
    body = render(data, traces())
    assert "plants drawn within 10 % of the site file" in body
    assert "1.070" in body
    assert "chiller trip" in body
    assert "to the end" in body


def test_names_cannot_bring_markup_into_the_page() -> None:
    found = {"g36": traces()["g36"], "<b>x</b>": traces()["g36_tuned"]}
    body = render(told(found), found)
    assert "<b>x" not in body
    assert "&lt;b&gt;x" in body


def test_a_filter_off_row_is_a_policy_without_a_guard() -> None:
    found = dict(traces())
    found["mine (filter off)"] = dataclasses.replace(made_trace(), causes=())
    rows = {row.name: row for row in shown(told(found))}
    assert rows["mine (filter off)"].is_learned
    assert not rows["mine (filter off)"].is_guarded
    assert rows["mine"].is_guarded


def bounded() -> tuple[dict[str, Any], dict[str, Trace]]:
    """Return data with an optimum that uses half of what `g36` uses in each place."""
    data = told(traces())
    base = [
        part["controllers"]["g36"]["cooling_energy_21_kwh"]
        for part in data["cities"].values()
    ]
    power = np.asarray([0.5 * energy * 1e3 / (24.0 * 28) for energy in base])
    found = Bound(power, hours=24, every=7, unsolved=np.asarray([0, 2]))
    return data | {"bound": headroom(found, PLACES, 28, data)}, traces()


def test_the_share_of_the_way_is_measured_from_the_baseline_to_the_optimum() -> None:
    data, _ = bounded()
    energy = {
        name: each["cooling_energy_21_kwh"]
        for name, each in data["controllers"].items()
    }
    bound = data["bound"]
    assert bound["cooling_energy_21_kwh"] == pytest.approx(0.5 * energy["g36"])
    assert bound["percent"] == pytest.approx(50.0)
    assert bound["unsolved_hours"] == 2
    for name in ("g36_tuned", "mine"):
        wanted = (energy["g36"] - energy[name]) / (0.5 * energy["g36"])
        assert bound["share"][name] == pytest.approx(wanted)
    assert "g36" not in bound["share"]
    assert set(bound["places"]) == set(PLACES)


def test_the_page_and_the_table_show_the_way_to_the_optimum() -> None:
    data, found = bounded()
    shown_page = render(data, found)
    assert "Of the way from g36 to the optimum at rest" in shown_page
    assert "every 7th" in shown_page
    assert "in 2 of all no set-points keep every limit" in shown_page
    share = 100.0 * data["bound"]["share"]["mine"]
    assert f"{share:.0f} %" in shown_page
    assert f"mine {share:.0f} %" in evaluation_table(data)
    assert "optimum" not in page(), "who did not ask for it is not shown it"


def test_blocks_of_one_place_are_one_place() -> None:
    found = traces()
    names = ("phoenix", "phoenix")
    rules = [name for name in found if name.startswith("g36")]
    data = compare(found, names, {}, rules)
    assert list(data["cities"]) == ["phoenix"]
    one = data["cities"]["phoenix"]["controllers"]["mine"]
    assert one["total_energy_kwh"] == data["controllers"]["mine"]["total_energy_kwh"]


def test_a_page_of_several_starts_says_so_and_draws_no_year() -> None:
    data = told(traces()) | {"start": [15, 106, 197, 288]}
    text = render(data, traces())
    assert "each from days 16 and 107 and 198 and 289 of the year" in text
    assert "seasons are missing" not in text
    assert "31 % of the year" in text
    assert "Cooling power, mean of each day" not in text

"""`evaluate`: who may take part, what everyone meets, what stood in the way."""

import functools
import json
import shlex
import shutil
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import jax.numpy as jnp
import numpy as np
import pytest

from coolbound.arguments import parse
from coolbound.choices import RULES
from coolbound.compose import named_controller, policy_folder
from coolbound.evaluation.blame import CAUSES, blame
from coolbound.evaluation.contest import combinations, place_of, spread
from coolbound.evaluation.entries import describe, entries
from coolbound.verbs.evaluate import command
from coolbound_controllers.g36 import G36
from coolbound_controllers.policy_folder import load_policy, save_policy
from coolbound_envs.features import FEATURE_NAMES, feature_map
from coolbound_envs.limit_table import LIMIT_NAMES
from coolbound_envs.site import Site, load_site
from coolbound_envs.spec import CHANNEL_NAMES, channel_array
from coolbound_envs.tables import InputError
from coolbound_envs.variation import NAMES
from coolbound_safety.coordinates import to_coordinates
from coolbound_safety.rows import ROW_LIMITS

DRILL = """
[[fault]]
kind = "chiller_trip"
target = "chiller2"
start = "2 h"
duration = "45 min"
"""


@functools.cache
def site() -> Site:
    return load_site()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return three seeds of the shipped algorithm and one of another."""
    root = tmp_path_factory.mktemp("seeds")
    shipped = policy_folder("reference")
    policy = load_policy(shipped, feature_map(site()), FEATURE_NAMES)
    made = {"schema", "spec_digest", "feature_digest", "weights_sha256"}
    manifest = {k: v for k, v in policy.manifest.items() if k not in made}
    for name, seed, algorithm in (
        ("s0", 0, "ppo-lagrangian"),
        ("s1", 1, "ppo-lagrangian"),
        ("s2", 2, "ppo-lagrangian"),
        ("cpo", 3, "cpo"),
    ):
        told = manifest | {"seed": seed, "algorithm": algorithm}
        save_policy(root / name / "policy", policy.weights, told, FEATURE_NAMES)
    return root


def test_seeds_are_named_by_their_seed_and_belong_together(folder: Path) -> None:
    given = ["g36", f"ppo={folder}/s2,{folder}/s0"]
    found = entries(given, site())
    assert [each.named.name for each in found] == ["g36", "ppo seed 0", "ppo seed 2"]
    assert [each.group for each in found] == ["", "ppo", "ppo"]
    told = describe(found, site())
    assert set(told) == {"ppo seed 0", "ppo seed 2"}
    assert told["ppo seed 2"]["seed"] == 2
    assert told["ppo seed 2"]["update"] == told["ppo seed 2"]["updates"]


def test_a_pattern_stands_for_every_folder_that_it_names(folder: Path) -> None:
    found = entries([f"ppo={folder}/s*"], site())
    assert [each.named.name for each in found] == [f"ppo seed {i}" for i in range(3)]


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("ppo={0}/s0,{0}/s0", "found seed 0 in"),
        ("ppo={0}/s0,{0}/cpo", "expected seeds of one algorithm"),
        ("ppo={0}/s0,g36", "found 'g36', which is a rule"),
        ("ppo={0}/x*", "found no folder like"),
        ("ppo={0}/absent", "no such folder"),
    ],
)
def test_seeds_that_do_not_belong_together_are_refused(
    given: str, said: str, folder: Path, tmp_path: Path, coolbound: Callable
) -> None:
    words = ("evaluate", "--controllers", "g36", given.format(folder))
    ran = coolbound(*words, "--out", tmp_path / "out")
    assert ran.code == 2
    assert said in ran.err
    assert ran.err.count("\n") == 1
    assert not (tmp_path / "out").exists()


def test_a_folder_with_an_equals_sign_is_a_folder(folder: Path, tmp_path: Path) -> None:
    strange = shutil.copytree(folder / "s1", tmp_path / "run=1")
    [found] = entries([str(strange)], site())
    assert (found.named.name, found.group) == (str(strange), "")


@pytest.mark.parametrize(
    ("option", "name"),
    [
        ("controllers", "g36"),
        ("weather", "phoenix"),
        ("load", "google2019"),
        ("faults", "none"),
        ("start", "7"),
    ],
)
def test_nothing_is_compared_twice(
    option: str, name: str, tmp_path: Path, coolbound: Callable
) -> None:
    words = ("evaluate", f"--{option}", name, name)
    ran = coolbound(*words, "--out", tmp_path / "out")
    assert ran.code == 2
    assert f"--{option}: found {name!r} twice, expected each once" in ran.err


@pytest.mark.parametrize(
    ("option", "value"),
    [("--vary", "0.5"), ("--vary", "nan"), ("--random-faults", "-1"), ("--start", "x")],
)
def test_numbers_out_of_range_are_refused(
    option: str, value: str, tmp_path: Path, coolbound: Callable
) -> None:
    ran = coolbound("evaluate", option, value, "--out", tmp_path / "out")
    assert ran.code == 2
    assert f"found {value!r}, expected a" in ran.err


def test_random_faults_that_do_not_fit_into_a_year_are_refused(
    tmp_path: Path, coolbound: Callable
) -> None:
    words = ("evaluate", "--controllers", "g36", "--random-faults", "1")
    ran = coolbound(*words, "--out", tmp_path / "out")
    assert ran.code == 2
    assert "lower the rates or shorten the window" in ran.err


def test_the_spread_is_that_of_the_reference_tasks() -> None:
    found, half = spread(0.1), spread(0.05)
    assert float(found.chiller_efficiency) == pytest.approx(0.1)
    assert float(found.hall_split) == pytest.approx(0.05)
    for name in NAMES:
        wide, narrow = float(getattr(found, name)), float(getattr(half, name))
        assert narrow == pytest.approx(0.5 * wide)


def test_every_place_has_its_weather_its_load_and_its_schedule() -> None:
    weather, loads, drills = ("a", "b", "c"), ("x", "y"), ("none", "drill")
    starts = (5, 100)
    numbers = combinations(weather, loads, drills, starts)
    assert len(set(numbers)) == 3 * 2 * 2 * 2
    place = place_of(numbers, len(drills), starts)
    rows = [name for name in weather for _ in drills]
    for lane, (city, load, drill, start) in enumerate(numbers):
        assert rows[int(place.city[lane])] == weather[city]
        # A schedule goes to the rows whose number has its remainder.
        assert int(place.city[lane]) % len(drills) == drill
        assert int(place.trace[lane]) == load
        assert int(place.time[lane]) == starts[start] * 86400


def test_the_command_on_the_page_does_the_same_again(tmp_path: Path) -> None:
    given = ["evaluate", "--controllers", "g36", "a b=x,y", "--weather", "phoenix",
             "--load", "google2019", "azure2019", "--days", "3", "--start", "5", "90",
             "--vary", "0.1", "--random-faults", "0.25", "--seed", "4",
             "--faults", "none", "drill.toml", "--filter-off"]  # fmt: skip
    first = parse(given)
    again = parse(shlex.split(command(first))[1:])
    assert vars(again) == vars(first)
    plain = parse(["evaluate"])
    assert vars(parse(shlex.split(command(plain))[1:])) == vars(plain) | {
        "controllers": list(plain.controllers),
        "weather": list(plain.weather),
    }


@pytest.fixture(scope="module")
def drilled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of a day of `legacy` in two loads, with a drill and without."""
    from coolbound.main import main

    root = tmp_path_factory.mktemp("drilled")
    (root / "drill.toml").write_text(DRILL, encoding="utf-8")
    words = ["evaluate", "--controllers", "legacy", "--weather", "phoenix", "--load",
             "google2019", "azure2019", "--faults", "none", str(root / "drill.toml"),
             "--vary", "0.1", "--days", "1", "--start", "180", "--json",
             "--out", str(root / "out")]  # fmt: skip
    assert main(words) == 0
    return root / "out"


def evaluation(folder: Path) -> dict[str, Any]:
    return json.loads((folder / "evaluation.json").read_text(encoding="utf-8"))


def test_every_weather_meets_every_load_and_every_schedule(drilled: Path) -> None:
    data = evaluation(drilled)
    places = [
        f"phoenix, {load}, {drill}"
        for load in ("google2019", "azure2019")
        for drill in ("none", "drill")
    ]
    assert data["places"] == places
    assert list(data["cities"]) == places
    assert set(data["faults"]) == {p for p in places if p.endswith("drill")}
    [event] = data["faults"][places[1]]
    assert event["kind"] == "chiller_trip"
    assert event["target"] == "chiller2"
    assert (event["start_s"], event["duration_s"]) == (7200.0, 2700.0)


def test_every_place_has_a_plant_of_its_own_within_the_spread(drilled: Path) -> None:
    plants = evaluation(drilled)["plants"]
    values = np.asarray([list(plant.values()) for plant in plants.values()])
    assert values.shape[0] == 4
    assert len(np.unique(values[:, 0])) == 4
    for plant in plants.values():
        assert 0.9 <= plant["chiller_efficiency"] <= 1.1
        assert -0.05 <= plant["hall_split"] <= 0.05
        assert "outdoor_temp" not in plant


def test_a_run_leaves_page_table_days_and_data(drilled: Path) -> None:
    assert {path.name for path in drilled.iterdir()} == {
        "evaluation.json",
        "table.md",
        "report.html",
        "days.csv",
    }
    lines = (drilled / "days.csv").read_text(encoding="utf-8").splitlines()
    assert len(lines) == 1 + 4
    data = evaluation(drilled)
    assert data["controllers"]["legacy"]["steps"] == 4 * 288
    assert data["bins"]["legacy"], "also one controller alone has its bins"
    page = (drilled / "report.html").read_text(encoding="utf-8")
    assert "plants drawn within 10 % of the site file" in page
    assert "What broke" in page


def lane(**changes: Any) -> dict[str, Any]:
    """Return one step of a shielded plant in which the proposal passed."""
    rows = len(ROW_LIMITS)
    middle = 0.5 * (channel_array("lower") + channel_array("upper"))
    proposed = jnp.asarray(changes.pop("proposed", middle), jnp.float32)[None, :]
    certified = jnp.asarray(changes.pop("certified", middle), jnp.float32)[None, :]
    envelope = SimpleNamespace(
        G=changes.pop("G", jnp.zeros((1, rows, 10), jnp.float32)),
        h=changes.pop("h", jnp.ones((1, rows), jnp.float32)),
    )
    fields: dict[str, Any] = {
        "envelope": envelope,
        "asked": to_coordinates(proposed),
        "proposed": proposed,
        "certified": certified,
        "intervention": jnp.ones(1, jnp.float32),
        "is_flagged": jnp.zeros(1, jnp.float32),
        "is_emergency": jnp.zeros(1, bool),
        "is_blind": jnp.zeros(1, bool),
        "searched": jnp.zeros(1, bool),
    }
    return fields | changes


def blamed(info: dict[str, Any]) -> str:
    code = int(blame(info)[0])
    return "" if code < 0 else CAUSES[code]


MIDDLE = 0.5 * (channel_array("lower") + channel_array("upper"))


def moved(channel: str, by: float) -> np.ndarray:
    return MIDDLE + by * np.asarray([name == channel for name in CHANNEL_NAMES])


def rows_against(channel: str, limits: list[str], certified: np.ndarray) -> Any:
    """Return rows that the answer meets exactly, one for each limit."""
    G = np.zeros((1, len(ROW_LIMITS), 10), np.float32)
    h = np.ones((1, len(ROW_LIMITS)), np.float32)
    at = to_coordinates(jnp.asarray(certified, jnp.float32)[None, :])[0]
    for weight, limit in enumerate(limits, 1):
        row = [LIMIT_NAMES[i] for i in ROW_LIMITS].index(limit)
        G[0, row, CHANNEL_NAMES.index(channel)] = weight / len(limits)
        h[0, row] = float(np.dot(G[0, row], np.asarray(at)))
    return {"G": jnp.asarray(G), "h": jnp.asarray(h)}


def test_nothing_is_blamed_where_nothing_was_changed() -> None:
    assert blamed(lane(intervention=jnp.zeros(1, jnp.float32))) == ""


def test_the_row_that_moved_the_action_most_is_blamed() -> None:
    channel = "chw_supply_setpoint"
    rows = rows_against(channel, ["LIFT_MIN", "CA_T_MAX"], MIDDLE)
    assert blamed(lane(proposed=moved(channel, 2.0), **rows)) == "limit:CA_T_MAX"


def test_a_row_with_room_left_is_not_blamed() -> None:
    channel = "chw_supply_setpoint"
    rows = rows_against(channel, ["CA_T_MAX"], MIDDLE)
    rows["h"] = rows["h"] + 0.1
    assert blamed(lane(proposed=moved(channel, 2.0), **rows)) == "ramp:CHWS_SLEW"


def test_a_request_outside_a_lock_is_a_limit_and_a_slow_channel_a_ramp() -> None:
    assert blamed(lane(proposed=moved("chiller_demand", 1.0))) == (
        "limit:CAPACITY_N1_POWER"
    )
    assert blamed(lane(proposed=moved("tower_fan_speed", 0.3))) == "ramp:CT_CWP_RATE"


def test_a_proposal_outside_its_range_is_blamed_on_the_range() -> None:
    info = lane(proposed=moved("chw_supply_setpoint", 9.0))
    assert blamed(info) == "limit:CHWS_BOX"


def test_emergencies_and_old_readings_come_before_rows() -> None:
    channel = "chw_supply_setpoint"
    rows = rows_against(channel, ["LIFT_MIN"], MIDDLE)
    yes = jnp.ones(1, bool)
    given = {"proposed": moved(channel, 2.0), **rows}
    assert blamed(lane(**given, is_emergency=yes)) == "limit:CA_T_MAX"
    both = {"is_emergency": yes, "is_blind": yes}
    assert blamed(lane(**given, **both)) == "fallback:old readings"
    flagged = jnp.ones(1, jnp.float32)
    assert blamed(lane(**given, is_flagged=flagged)) == "fallback:no certified answer"


def test_where_the_nonlinear_check_moved_the_answer_the_row_overshot_is_blamed() -> (
    None
):
    channel = "chw_supply_setpoint"
    rows = rows_against(channel, ["LIFT_MIN"], MIDDLE)
    # The answer went further than the row asked.
    given = {"proposed": moved(channel, 2.0), "certified": moved(channel, -1.0)}
    searched = {"searched": jnp.ones(1, bool)}
    assert blamed(lane(**given, **rows, **searched)) == "limit:LIFT_MIN"
    assert blamed(lane(**given, **searched)) == "limit:nonlinear check"


def test_every_cause_is_of_a_known_kind() -> None:
    assert {cause.partition(":")[0] for cause in CAUSES} == {
        "limit",
        "ramp",
        "fallback",
    }
    assert len(set(CAUSES)) == len(CAUSES)
    for name in LIMIT_NAMES:
        assert f"limit:{name}" in CAUSES


def test_a_wider_spread_than_makes_sense_is_refused() -> None:
    with pytest.raises(InputError, match=r"variation\."):
        spread(0.9)


@pytest.mark.long
def test_seeds_behind_the_safety_layer_are_compared_seed_by_seed(
    folder: Path, tmp_path: Path, coolbound: Callable
) -> None:
    words = ("--controllers", "g36", f"ppo={folder}/s*", "--weather", "phoenix")
    ran = coolbound(
        "evaluate", *words, "--days", "1", "--out", tmp_path / "o", "--json"
    )
    assert (ran.code, ran.err) == (0, "")
    data = json.loads(ran.out)
    members = data["seeds"]["ppo"]["members"]
    assert members == [f"ppo seed {i}" for i in range(3)]
    one, *others = (data["controllers"][name] for name in members)
    drop = {"wall_s"}
    for other in others:
        # The same weights under three names: the same run, number by number.
        assert {k: v for k, v in one.items() if k not in drop} == {
            k: v for k, v in other.items() if k not in drop
        }
    told = one["interventions"]
    assert (
        sum(told["by_limit"].values()) == told["count"] == sum(told["by_kind"].values())
    )


@pytest.mark.parametrize("name", RULES)
def test_every_rule_can_be_named_wherever_a_controller_is(name: str) -> None:
    found = named_controller(name, site())
    assert found.name == name
    assert callable(found.controller.act)
    assert found.is_shielded == (name == "start")


def test_a_misspelt_rule_is_answered_with_the_nearest() -> None:
    with pytest.raises(InputError, match=r"did you mean 'g36_tuned'\?"):
        named_controller("g36_tund", site())


def test_warm_g36_has_the_warmest_air_that_a_policy_may_ask_for() -> None:
    warm = named_controller("g36_25", site()).controller
    plain = named_controller("g36", site()).controller
    assert isinstance(warm, G36)
    assert isinstance(plain, G36)
    assert warm.settings.supply_air_reset == channel_array("upper")[0] == 25.0
    assert plain.settings.supply_air_reset == 24.0


def test_the_optimum_decides_nothing(tmp_path: Path, coolbound: Callable) -> None:
    words = ("--controllers", "optimum", "--out", tmp_path / "out")
    ran = coolbound("evaluate", *words)
    assert ran.code == 2
    assert "found 'optimum' alone, expected a controller beside" in ran.err
    with pytest.raises(InputError, match="it decides nothing"):
        named_controller("optimum", site())


@pytest.mark.long
def test_nobody_who_runs_the_plant_reaches_the_optimum(
    tmp_path: Path, coolbound: Callable
) -> None:
    words = ("--controllers", "g36", "g36_tuned", "pid", "optimum", "--days", "1")
    where = ("--weather", "frankfurt-2021", "--start", "20", "200")
    ran = coolbound("evaluate", *words, *where, "--out", tmp_path / "o", "--json")
    assert (ran.code, ran.err) == (0, "")
    data = json.loads(ran.out)
    assert data["bound"]["hours"] == 24
    assert data["places"] == [f"frankfurt-2021, day {day}" for day in (21, 201)]
    assert list(data["cities"]) == ["frankfurt-2021"]
    for found in data["controllers"].values():
        assert data["bound"]["cooling_energy_21_kwh"] < found["cooling_energy_21_kwh"]
    assert all(share < 1.0 for share in data["bound"]["share"].values())

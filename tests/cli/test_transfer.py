"""`evaluate --engine energyplus`: its account, its tables, what it refuses."""

import dataclasses
from pathlib import Path
from typing import Any

import jax.numpy as jnp
import numpy as np
import pytest

from coolbound.arguments import parse
from coolbound.evaluation.blame import CAUSES
from coolbound.transfer.account import OF_ACTUATORS, moment_of, trace_of
from coolbound.transfer.comparison import OWN, compare, difference
from coolbound.transfer.decision import Told
from coolbound.transfer.lanes import Lanes
from coolbound.transfer.page import render
from coolbound.transfer.runs import Watched
from coolbound.transfer.tables import cause_table, headline, limit_table
from coolbound.verb_choice import answering_verb
from coolbound.verbs.transfer import transfer_command
from coolbound_controllers.evaluation_account import CONSUMERS
from coolbound_controllers.evaluation_figures import figures
from coolbound_envs.components import server_power
from coolbound_envs.energyplus.course import Course
from coolbound_envs.energyplus.passage import Passage, seen_machines
from coolbound_envs.limit_numbers import parse_limits
from coolbound_envs.limit_table import LIMIT_NAMES
from coolbound_envs.site import Site, load_site
from coolbound_envs.spec import ACTION_SIZE

STEPS = 288
PLACES = ("cold, day 1", "warm, day 1")
CALM = np.array([24.0, 24.0, 0.8, 0.8, 10.0, 80.0, 0.8, 0.6, 2.0, 0.0])


@pytest.fixture(scope="module")
def site() -> Site:
    return load_site()


def courses() -> tuple[Course, ...]:
    rng = np.random.default_rng(7)
    work = rng.uniform(1e6, 2e6, (2, STEPS, 2)).astype(np.float32)
    flat = np.ones(STEPS, np.float32)
    return tuple(
        Course(0, work[i], 10.0 * flat, (5.0 + 15.0 * i) * flat, flat, 1e5 * flat)
        for i in range(2)
    )


def lanes() -> Lanes:
    return Lanes(("cold", "warm"), PLACES, courses(), 1)


def passage(seed: int) -> Passage:
    """A day whose powers are drawn, all else calm."""
    rng = np.random.default_rng(seed)
    flat = np.ones(STEPS)
    found = {
        "inlet_max": 24.5 * flat, "chw_supply": 10.0 * flat, "chw_flow": 120.0 * flat,
        "chw_pump_power": rng.uniform(1e4, 5e4, STEPS), "cw_supply": 22.0 * flat,
        "cw_flow": 200.0 * flat, "cw_pump_power": rng.uniform(1e4, 5e4, STEPS),
        "tower_power": rng.uniform(1e4, 5e4, STEPS), "pressure": 101325.0 * flat,
        "evaporation": 1e-3 * flat, "drift": 1e-5 * flat, "blowdown": 3e-4 * flat,
        "make_up": 1.3e-3 * flat,
    }  # fmt: skip
    for n in range(3):
        on = float(n < 2) * flat
        found |= {
            f"chiller_power{n}": on * rng.uniform(1e5, 2e5, STEPS),
            f"chiller_heat{n}": 1.2e6 * on,
            f"evaporator_flow{n}": 60.0 * on,
            f"condenser_leaving{n}": 27.0 * on,
            f"evaporator_leaving{n}": 10.0 * on,
        }
    for hall in range(2):
        found |= {
            f"crah_air{hall}": 150.0 * flat,
            f"crah_power{hall}": rng.uniform(3e4, 5e4, STEPS),
            f"coil_flow{hall}": 30.0 * flat,
            f"supply_air{hall}": 24.0 * flat,
            f"return_air{hall}": 34.0 * flat,
            f"humidity{hall}": 0.005 * flat,
        }
        for zone in range(3):
            found |= {
                f"it_power{hall}_{zone}": rng.uniform(4e5, 6e5, STEPS),
                f"inlet{hall}_{zone}": 24.3 * flat,
                f"server_air{hall}_{zone}": 40.0 * flat,
            }
    heat = np.stack([found[f"chiller_heat{n}"] for n in range(3)], axis=1)
    applied = np.tile(CALM, (STEPS + 1, 1))
    return Passage(found, applied, seen_machines(heat, 0.0 * flat))


def told(changed: int) -> Told:
    """Decisions of which so many in the first lane were changed, for one limit."""
    shape = (STEPS, 2)
    zero = np.zeros(shape, np.float32)
    changes = zero.copy()
    changes[:changed, 0] = 1.0
    limits = np.full((*shape, len(LIMIT_NAMES)), -1.0, np.float32)
    limits[:5, 1, LIMIT_NAMES.index("CHW_DP_MIN")] = 3.0
    limits[:, :, LIMIT_NAMES.index("EVAP_FLOW_MAX")] = np.nan
    cause = CAUSES.index("limit:CHW_DP_MIN")
    arrays = {
        "action": np.zeros((*shape, ACTION_SIZE), np.float32),
        "proposed_limits": limits,
        "intervention": changes,
        "blamed": np.where(changes > 0.0, cause, -1).astype(np.int32),
        "relaxed": zero,
        "flagged": zero,
        "refused": zero,
        "correction": 0.1 * changes,
    }
    return Told(**arrays)  # type: ignore[arg-type]


def watched(seed: int, decided: Told | None) -> Watched:
    return Watched((passage(seed), passage(seed + 1)), decided, np.ones(1))


@pytest.fixture(scope="module")
def answer(site: Site) -> dict[str, Any]:
    """All that a page is made of, from made runs."""
    limits = parse_limits(site.root, site.feeder_power)
    traces = {
        OWN: trace_of(watched(1, None), lanes(), site, limits),
        "g36": trace_of(watched(3, told(72)), lanes(), site, limits),
    }
    return compare(traces, lanes().rows(), [OWN, "g36"])


def test_energies_are_the_sums_that_energyplus_told(
    answer: dict[str, Any], site: Site
) -> None:
    both = (passage(1), passage(2))
    hours = 300.0 / 3600.0 / 1e3
    it = sum(
        x.readings[f"it_power{h}_{z}"].sum()
        for x in both
        for h in range(2)
        for z in range(3)
    )
    names = ["chw_pump_power", "cw_pump_power", "tower_power"]
    names += [f"chiller_power{n}" for n in range(3)] + ["crah_power0", "crah_power1"]
    cooling = sum(x.readings[name].sum() for x in both for name in names)
    work = np.stack([c.it_work.sum(axis=1) for c in courses()])
    at_21 = server_power(jnp.asarray(work), jnp.full(work.shape, 21.0), site.plant.it)
    found = answer["controllers"][OWN]
    assert found["total_energy_kwh"] == pytest.approx(hours * (it + cooling), rel=1e-5)
    assert found["cooling_energy_kwh"] == pytest.approx(hours * cooling, rel=1e-4)
    extra = it - float(np.sum(np.asarray(at_21), dtype=np.float64))
    assert found["cooling_energy_21_kwh"] == pytest.approx(
        hours * (cooling + extra), rel=1e-4
    )
    assert found["energy_kwh"].keys() == {*CONSUMERS, "extra_it"}
    assert found["water_l"] == pytest.approx(2 * 86400 * 1.3e-3 * 998.2, rel=1e-4)


def test_by_place_the_parts_make_up_the_whole(answer: dict[str, Any]) -> None:
    assert list(answer["cities"]) == ["cold", "warm"]
    for name, found in answer["controllers"].items():
        parts = [x["controllers"][name] for x in answer["cities"].values()]
        for key in ("total_energy_kwh", "cooling_energy_21_kwh", "violation_steps"):
            assert sum(x[key] for x in parts) == pytest.approx(found[key])
    cold = answer["cities"]["cold"]["controllers"][OWN]["energy_kwh"]["chw_pump"]
    told = passage(1).readings["chw_pump_power"].sum() * 300.0 / 3600.0 / 1e3
    assert cold == pytest.approx(told, rel=1e-4)


def test_what_the_layer_did_is_counted_by_limit(answer: dict[str, Any]) -> None:
    found = answer["controllers"]["g36"]
    assert found["intervention_rate"] == pytest.approx(72 / (2 * STEPS))
    assert found["interventions"]["by_limit"] == {"CHW_DP_MIN": 72}
    before = found["violations"]["CHW_DP_MIN"]
    assert (before["before"], before["after"]) == (5, 0)
    unseen = found["violations"]["EVAP_FLOW_MAX"]
    assert (unseen["before"], unseen["unknown_before"]) == (0, 2 * STEPS)


def test_energyplus_by_itself_has_no_channels_and_no_layer(site: Site) -> None:
    run = watched(1, None)
    jumps = [dataclasses.replace(x, applied=x.applied.copy()) for x in run.passages]
    for each in jumps:
        each.applied[9:, :] += 0.9 * CALM
    run = dataclasses.replace(run, passages=tuple(jumps))
    limits = parse_limits(site.root, site.feeder_power)
    own = figures(trace_of(run, lanes(), site, limits))
    ours = dataclasses.replace(run, told=told(0))
    commanded = figures(trace_of(ours, lanes(), site, limits))
    assert all(own["violations"][name]["after"] == 0 for name in OF_ACTUATORS)
    assert all(commanded["violations"][name]["after"] > 0 for name in OF_ACTUATORS)
    assert own["interventions"]["by_kind"] == {}


def test_a_bare_proposals_limits_are_those_that_it_led_to(site: Site) -> None:
    nothing = dataclasses.replace(
        told(0), proposed_limits=np.full((STEPS, 2, len(LIMIT_NAMES)), np.nan)
    )
    limits = parse_limits(site.root, site.feeder_power)
    moment = moment_of(watched(1, nothing), lanes(), site, limits)
    assert np.array_equal(moment.proposed_limits, moment.limits)


def test_differences_are_by_paired_days() -> None:
    before = np.array([[10.0, 20.0], [10.0, 40.0]])
    after = np.array([[9.0, 22.0], [8.0, 30.0]])
    found = difference(before, after)
    assert found["point"] == pytest.approx(100.0 * 11.0 / 80.0)
    assert (found["days_less"], found["lane_days"]) == (3, 4)
    assert (found["least"], found["most"]) == (pytest.approx(-10.0), pytest.approx(25))
    assert found["refused"]


def test_a_steady_difference_over_many_days_has_its_interval() -> None:
    rng = np.random.default_rng(3)
    before = rng.uniform(1e5, 2e5, (28, 4))
    found = difference(before, 0.9 * before)
    assert found["percent"] == pytest.approx(10.0)
    assert found["low"] == pytest.approx(10.0, abs=1e-6)


def setting(answer: dict[str, Any]) -> dict[str, Any]:
    own = {
        "supply_air": 24.0, "airflow_ratio": 1.2,
        "chw_supply": 10.0, "chw_pressure": 7e4,
        "chw_flow_min": 70.0, "stage_share": 0.9, "cw_flow_each": 125.7,
        "tower_approach": 5.6, "tower_water_min": 15.6, "tower_water_max": 29.4,
        "tower_water_free": 8.0, "free_below": 2.2, "free_above": 4.2,
    }  # fmt: skip
    policy = {
        "name": "reference", "digest": "abc", "update": 3, "updates": 9,
        "command": "coolbound train ppo-lagrangian",
    }  # fmt: skip
    machine = {"processor": "P", "cores": 2, "others_running": 1.0}
    return answer | {
        "command": "coolbound evaluate --engine energyplus",
        "own_controls": own, "weather": ["cold", "warm"], "loads": ["made"],
        "start": [0], "days": 1, "places": list(PLACES), "machine": machine,
        "policies": {"mine": policy}, "seconds": 90.0, "revision": "r",
    }  # fmt: skip


def test_the_page_says_what_was_found(answer: dict[str, Any]) -> None:
    page = render(setting(answer))
    found = answer["controllers"]["g36"]
    assert headline(answer) in page
    assert limit_table(answer) in page
    assert cause_table(answer) in page
    assert f"{found['cooling_energy_21_kwh'] / 1e3:,.2f}" in page
    assert "update 3 of 9" in page
    assert "1 day from day 1; 576 control steps" in page
    assert "12.50 %" in page
    assert "`EVAP_FLOW_MAX`" in page


def test_changes_are_printed_with_their_sign(answer: dict[str, Any]) -> None:
    point = answer["paired"][OWN]["g36"]["cooling_21"]["point"]
    [row] = [x for x in headline(answer).splitlines() if x.startswith("| g36")]
    assert f"{-point:+.1f} %" in row
    assert "baseline" in row


def test_limits_are_asked_for_and_then_met(answer: dict[str, Any]) -> None:
    [row] = [x for x in limit_table(answer).splitlines() if "CHW_DP_MIN" in x]
    assert [x.strip() for x in row.split("|")[2:4]] == ["0", "5 / 0"]


def options(*words: str) -> Any:
    return parse(["evaluate", *words])


def test_the_engine_chooses_who_answers() -> None:
    assert answering_verb(options()) == "evaluate"
    assert answering_verb(options("--engine", "energyplus")) == "transfer"
    assert answering_verb(parse(["simulate", "--engine", "energyplus"])) == "simulate"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--page", "x.md"], "--page"),
        (["--engine", "energyplus", "--vary", "0.1"], "--vary"),
        (["--engine", "energyplus", "--random-faults", "1"], "--random-faults"),
        (["--engine", "energyplus", "--faults", "a.toml"], "--faults"),
        (["--engine", "energyplus", "--controllers", "g36", "optimum"], "optimum"),
        (["--engine", "energyplus", "--page", "no/such/folder.md"], "--page"),
    ],
)
def test_what_the_other_plant_has_not_is_refused(
    coolbound: Any, tmp_path: Path, words: list[str], said: str
) -> None:
    ran = coolbound("evaluate", *words, "--out", tmp_path / "out")
    assert ran.code == 2
    assert said in ran.err
    assert ran.err.count("\n") == 1
    assert not (tmp_path / "out").exists()


def _plain(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value


def test_the_command_does_the_same_again() -> None:
    words = ["--engine", "energyplus", "--start", "3", "9", "--days", "2"]
    given = options(*words, "--page", "docs/transfer.md", "--seed", "5")
    again = parse(transfer_command(given).split()[1:])
    ignored = {"out"}
    for name, value in vars(given).items():
        if name not in ignored:
            assert _plain(getattr(again, name)) == _plain(value), name

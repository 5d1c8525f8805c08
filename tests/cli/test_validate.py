"""The validation page says what was measured, and hides nothing."""

import dataclasses
import functools
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from made_plants import site

from coolbound.validation import engines, physics
from coolbound.validation.bands import YearFigures, year_figures
from coolbound.validation.chillers import compare_chillers
from coolbound.validation.convergence import Convergence, forked
from coolbound.validation.engines import COMPARED, EngineComparison
from coolbound.validation.evidence import QUICK, WHOLE, Evidence
from coolbound.validation.findings import findings
from coolbound.validation.headroom import (
    OPTIMA,
    PUBLISHED_CASES,
    Case,
    CityHeadroom,
    Held,
    has_order,
    published_of,
    size_error,
)
from coolbound.validation.page import render
from coolbound.validation.physics import Warming, stored_heat, unaccounted
from coolbound.validation.tower import compare_towers, york_approach
from coolbound.validation.verdicts import MET, NOT_JUDGED, NOT_MET
from coolbound.validation.years import Account, Lineup
from coolbound.verbs.validate import drawn_figures
from coolbound_envs.energyplus.responses import ResponseRow
from coolbound_envs.settling import initial_state
from coolbound_envs.types import Action, Observation

FACTS: dict[str, Any] = {
    "machine": {"cores": 2, "processor": "made up"},
    "versions": {"jax": "0"},
    "revision": "0" * 40,
    "seconds": 1.0,
}
COMMAND = "coolbound validate --out docs"
PARTS = ("chiller", "tower", "cw_pump", "chw_pump", "crah", "extra IT")


def case(mlc: float) -> Case:
    return Case(mlc, 0.2, {part: mlc / len(PARTS) for part in PARTS})


def city(
    name: str = "phoenix", changes: dict[str, float] | None = None
) -> CityHeadroom:
    """Return a city in order and of the size of the reference's table."""
    table = published_of(name)
    bound = ("opt 24, fixed pumps", "opt 24, either mode")
    mlc = dict.fromkeys(bound, 1.03 * table["opt 24"]) | table | (changes or {})
    rules = {k: case(mlc[k]) for k in PUBLISHED_CASES[:3]}
    return CityHeadroom(
        city=name,
        hours=187,
        running=rules,
        rest=rules,
        optimum={k: case(mlc[k]) for k in OPTIMA},
        published={k: case(v) for k, v in table.items()},
        held=Held(935, 0.01, 0.02, 0, {}),
    )


def year(operator: str, **changes: Any) -> YearFigures:
    usual = YearFigures(
        city="phoenix", operator=operator, wet_bulb=13.2, free=0.1, mlc=0.13, pue=1.13,
        wue=2.0, rejected=1.1, latent=0.9, fans=0.03, pumps=0.02, inlet=25.0, starts=9,
        violations=0,
    )  # fmt: skip
    return dataclasses.replace(usual, **changes)


def responses(theirs: float = 8.0) -> EngineComparison:
    """Return one step's responses; EnergyPlus' chiller changes by `theirs` kW."""
    step = "cw_pump_speed", "-0.15"
    rows = [
        ResponseRow(*step, name, 0.0, 0.0, 0.0, 0.0, True, "hot") for name in COMPARED
    ]
    rows[0] = ResponseRow(*step, "chiller", 8.8, theirs, 2.0, 1.0, theirs > 0, "hot")
    return EngineComparison(tuple(rows))


@functools.cache
def evidence() -> Evidence:
    """Return evidence that meets every bound; components are measured, years not."""
    minutes = np.linspace(0.0, 60.0, 121)
    step = 1.0 - np.exp(-minutes / 5.0)
    plant = site().plant
    return Evidence(
        plan=WHOLE,
        closure=1e-6,
        accounts=24,
        years=[year("legacy"), year("g36")],
        concentration=4.0,
        towers=compare_towers(plant.condenser),
        chillers=compare_chillers(plant.chiller),
        warming=Warming(
            minutes=minutes,
            servers=35.0 + 2.3 * minutes,
            rates=np.full(6, 2.3),
            trip_minutes=minutes,
            trip_inlet=23.0 + minutes,
        ),
        steps=[(load, minutes, step) for load in physics.TIME_CONSTANT_LOADS],
        convergence=Convergence(28.0, 1.0, 0.5, 0.02, 0.01, 0.1, 0.001, 0.01),
        headroom=[city("phoenix"), city("chicago")],
        engines=responses(),
    )


def verdicts(found: Evidence) -> dict[str, str]:
    return {row.what: row.verdict for row in findings(found)}


def page(**changes: Any) -> str:
    return render(dataclasses.replace(evidence(), **changes), FACTS, COMMAND)


def test_evidence_that_meets_every_bound_is_said_to() -> None:
    assert {v for v in verdicts(evidence()).values()} <= {MET, "no bound"}
    assert "**not met**" not in page().partition("## Energy")[2]


BROKEN: list[tuple[dict[str, Any], str]] = [
    ({"closure": 2e-3}, "Energy closes"),
    ({"years": [year("g36", mlc=0.2, pue=1.2)]}, "MLC of a year"),
    ({"years": [year("g36", mlc=0.2, pue=1.2)]}, "PUE of a year"),
    ({"years": [year("g36", wue=1.2, latent=0.6)]}, "WUE of a year"),
    ({"headroom": [city(changes={"opt 22": 0.2})]}, "Order of"),
    ({"headroom": [dataclasses.replace(city(), published={
        k: case(1.2 * v) for k, v in published_of("phoenix").items()
    })]}, "Size of MLC"),
    ({"headroom": [dataclasses.replace(
        city(), held=Held(935, 0.0, 0.0, 0, {"LIFT_MIN": 1}))]}, "Optima held"),
    ({"headroom": [dataclasses.replace(
        city(), held=Held(935, 0.0, 3.0, 0, {}))]}, "the same: mechanical"),
    ({"convergence": Convergence(28.0, 1.0, 0.5, 0.06, 0.01, 0.1, 0.0, 0.0)},
     "Steps of 30 s"),
    ({"convergence": Convergence(28.0, 1.0, 0.5, 0.01, 0.01, 0.1, 0.0, 0.6)},
     "the same: facility"),
    ({"engines": responses(-4.4)}, "Direction of every"),
]  # fmt: skip


@pytest.mark.parametrize(("changes", "promise"), BROKEN)
def test_what_is_not_met_is_said_in_the_summary(
    changes: dict[str, Any], promise: str
) -> None:
    found = verdicts(dataclasses.replace(evidence(), **changes))
    assert {v for what, v in found.items() if what.startswith(promise)} == {NOT_MET}
    [line] = [
        li for li in page(**changes).splitlines() if li.startswith(f"| {promise}")
    ]
    assert line.endswith("| **not met** |")


def test_reasons_name_the_years_that_are_outside_and_only_those() -> None:
    text = page(years=[year("legacy", mlc=0.19, pue=1.19), year("g36")])
    assert "**MLC and PUE above** (phoenix `legacy`)" in text
    assert "**WUE below**" not in text
    assert "Why some are outside" not in page()


def test_a_quick_run_judges_no_year_and_says_that_it_proves_nothing() -> None:
    quick = dataclasses.replace(evidence(), plan=QUICK, closure=1.0)
    assert verdicts(quick)["Energy closes over 3 days"] == NOT_JUDGED
    assert "proves nothing" in render(quick, FACTS, COMMAND)
    assert "proves nothing" not in page()


def test_without_energyplus_the_page_says_that_it_was_not_run(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(engines, "is_installed", lambda: False)
    found = engines.compare_engines(site())
    text = page(engines=found)
    assert engines.NOT_INSTALLED in text
    assert "energyplus.svg" not in text
    assert "| not run | all | not judged |" in text


def test_every_picture_of_the_page_is_drawn_and_no_other() -> None:
    for found in (evidence(), dataclasses.replace(evidence(), engines=_not_run())):
        drawn = drawn_figures(found)
        text = render(found, FACTS, COMMAND)
        assert set(re.findall(r"figures/(\w+)\.svg", text)) == set(drawn)
        for picture in drawn.values():
            assert picture.startswith(b"<?xml")
            assert len(picture) < 200_000
        assert drawn_figures(found) == drawn, "the same evidence gives the same bytes"


def _not_run() -> EngineComparison:
    return EngineComparison((), "not here")


def test_the_page_has_no_number_that_is_none() -> None:
    assert not re.search(r"\b(nan|inf|None|Undefined)\b", page())


def test_order_and_size_are_those_of_the_reference() -> None:
    assert has_order(city())
    assert not has_order(city(changes={"opt <= 25": 0.2}))
    assert size_error(city()) == 0.0
    elsewhere = dataclasses.replace(city(), city="honolulu", published={})
    assert size_error(elsewhere) is None
    assert published_of("seattle_wa_tmyx")["opt 24"] == 0.0712


def account(rejected: float, meters: dict[str, float]) -> Account:
    """Return a day of constant flows whose plant warms by 1 K in its basin."""
    before = jax.tree.map(
        lambda x: np.asarray(x, np.float64),
        initial_state(physics.still_air(site().plant, 0.8), site().plant, ()),
    )
    after = dataclasses.replace(before, basin_temp=before.basin_temp + 1.0)
    flat = np.ones(24)
    return Account(
        power={name: watt * flat for name, watt in meters.items()},
        work=flat, latent=0.0 * flat, rejected=rejected * flat, water=2e-3 * flat,
        inlet=25.0 * flat, running=np.asarray([0.0, 2.0] * 12), starts=flat,
        violations=np.zeros((24, 21)), before=before, after=after,
    )  # fmt: skip


def test_heat_that_is_missing_is_found_and_tower_fans_give_none() -> None:
    plant = site().plant
    basin = float(plant.condenser.basin_mass) * 4186.0
    given = 3.0e6
    stored = basin / (24 * 3600.0)
    closed = account(given - stored, {"it": 2.5e6, "chiller": 0.5e6, "tower": 9e9})
    assert abs(unaccounted(closed, plant)) < 1e-9
    leaking = account(given - stored - 3e4, {"it": 2.5e6, "chiller": 0.5e6, "tower": 0})
    np.testing.assert_allclose(unaccounted(leaking, plant), 0.01, rtol=1e-6)
    change = stored_heat(closed.after, plant) - stored_heat(closed.before, plant)
    np.testing.assert_allclose(change, basin, rtol=1e-9)


def test_year_figures_are_the_definitions() -> None:
    meters = {"it": 3.6e6, "chiller": 3e5, "crah": 6e4, "cw_pump": 0.0, "tower": 0.0}
    found = year_figures("phoenix", "g36", account(4e6, meters), 13.2, 4.0)
    np.testing.assert_allclose(found.mlc, 0.1)
    np.testing.assert_allclose(found.pue, 1.1)
    # 2 g/s over 3600 kW is 0.002 kg in every kWh; three quarters of it evaporate.
    np.testing.assert_allclose(found.wue, 2e-3)
    np.testing.assert_allclose(found.latent, 1.5e-3 * 2.43e6 / 4e6)
    assert (found.free, found.starts) == (0.5, 24)
    assert found.outside == ("wue",)


def test_time_constant_is_that_of_an_exact_exponential() -> None:
    minutes = np.arange(1, 2000) * 5.0 / 60.0
    found = physics.time_constant(minutes, 1.0 - np.exp(-minutes / 5.0))
    assert 5.0 <= found <= 5.0 + 5.0 / 60.0


def test_intervals_after_a_fork_count_as_forked_for_two_hours() -> None:
    coarse, fine = np.zeros((60, 2)), np.zeros((60, 2))
    fine[10:12, 1] = 1.0
    found = forked(coarse, fine)
    assert not found[:, 0].any()
    np.testing.assert_array_equal(np.flatnonzero(found[:, 1]), np.arange(10, 35))


def test_yorkcalc_gives_its_published_design_approach() -> None:
    one = np.ones(1)
    found = york_approach(25.56 * one, 5.56 * one, one)
    np.testing.assert_allclose(found, 3.84, atol=0.02)


@dataclasses.dataclass(frozen=True)
class Marker:
    """Answers with its number, and counts its lanes."""

    number: float

    def init(self, params: Any) -> Any:
        return jnp.zeros(params, jnp.float32)

    def act(self, key: Any, state: Any, observation: Any) -> tuple[Any, Any]:
        del key
        return observation + self.number, state + 1.0


def test_every_operator_of_a_lineup_sees_its_own_lanes() -> None:
    lineup = Lineup((Marker(10.0), Marker(20.0)), 3)
    seen: Observation = jnp.arange(6.0, dtype=jnp.float32)  # pyright: ignore
    action: Action
    action, memory = lineup.act(jax.random.key(0), lineup.init(), seen)
    np.testing.assert_array_equal(action, [10, 11, 12, 23, 24, 25])
    assert [m.shape for m in memory] == [(3,), (3,)]


def test_a_target_that_is_a_file_is_refused_before_anything_is_measured(
    coolbound: Callable, tmp_path: Path
) -> None:
    (tmp_path / "docs").write_text("mine")
    ran = coolbound("validate", "--out", tmp_path / "docs")
    assert ran.code == 2
    assert "expected a folder for the page" in ran.err
    assert (tmp_path / "docs").read_text() == "mine"


def test_folders_that_are_not_there_are_named(
    coolbound: Callable, tmp_path: Path
) -> None:
    out = ("--out", tmp_path / "out")
    ran = coolbound("validate", *out, "--shared-weather", tmp_path)
    assert ran.code == 2
    assert "found no file *_tmyx.csv.gz" in ran.err
    ran = coolbound("validate", "--bless", tmp_path / "gone")
    assert ran.code == 2
    assert "found no folder" in ran.err


@pytest.mark.long
def test_a_quick_run_writes_page_and_figures(python: Callable, tmp_path: Path) -> None:
    code = "import sys; from coolbound.main import main; sys.exit(main(sys.argv[1:]))"
    ran = python(code, "validate", "--quick", "--json", "--out", tmp_path / "out")
    assert (ran.code, ran.err) == (0, "")
    found = json.loads(ran.out)
    text = (tmp_path / "out/validation.md").read_text(encoding="utf-8")
    assert "proves nothing" in text
    for name in re.findall(r"figures/\w+\.svg", text):
        assert (tmp_path / "out" / name).is_file()
    rows = {row["what"]: row for row in found["findings"]}
    assert rows["Energy closes over 3 days"]["verdict"] == NOT_JUDGED
    assert rows["Loss of cooling at full load, fans on"]["verdict"] == MET
    assert found["headroom"][0]["held"]["violations"] == {}
    assert float(np.max([h["held"]["power_worst"] for h in found["headroom"]])) < 1.0

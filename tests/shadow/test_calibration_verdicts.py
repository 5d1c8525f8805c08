"""Claims, each against figures made up for it."""

import dataclasses
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from coolbound_envs.site import Site
from coolbound_shadow.calibration.bins import Cell
from coolbound_shadow.calibration.fitting import unfitted
from coolbound_shadow.calibration.free_run import FreeRun
from coolbound_shadow.calibration.judging import Hours, Judgement, TempError
from coolbound_shadow.calibration.metrics import Metrics
from coolbound_shadow.calibration.part_types import Part
from coolbound_shadow.calibration.parts import PARTS
from coolbound_shadow.calibration.plant_fit import PartResult, PlantFit
from coolbound_shadow.calibration.split import Split
from coolbound_shadow.calibration.verdicts import Verdict, least_claim, verdicts

GOOD = Metrics(hours=168, mean=500.0, cv_rmse=8.0, nmbe=2.0)
BAD = Metrics(hours=168, mean=500.0, cv_rmse=44.0, nmbe=-13.0)
NOTHING = np.zeros(0)
RUN = FreeRun({}, "the logged set-points", is_logged=True)


def result(part: Part, site: Site, after: Metrics) -> PartResult:
    fit = unfitted(part, site.plant, "")
    known = tuple(dataclasses.replace(f, refused="") for f in fit.found)
    fit = dataclasses.replace(fit, found=known)
    return PartResult(part, fit, None, (), NOTHING, GOOD, after, GOOD, 1.0)


@pytest.fixture(scope="module")
def fit(site: Site) -> PlantFit:
    return PlantFit(site.plant, tuple(result(part, site, GOOD) for part in PARTS))


def judged(
    free: Metrics = GOOD,
    driven: Metrics = GOOD,
    cells: tuple[Cell, ...] = (Cell(2, 4, GOOD),),
    error: TempError | None = None,
) -> Judgement:
    temperatures = {"condenser water": error or TempError(168, 0.1, 0.6)}
    hours = Hours(NOTHING, NOTHING, NOTHING, NOTHING)
    meters = ("chiller_power",)
    return Judgement(meters, driven, free, {}, temperatures, hours, cells)


def claims(
    fit: PlantFit, judgement: Judgement, run: FreeRun = RUN, unit: str = "weeks"
) -> dict[str, Verdict]:
    split: Any = SimpleNamespace(unit=unit)
    assert Split.__dataclass_fields__["unit"]
    return {v.claim: v for v in verdicts(fit, judgement, run, split)}


def test_a_good_twin_supports_all_claims_and_says_how_small_a_potential(
    fit: PlantFit,
) -> None:
    found = claims(fit, judged())
    assert all(each.supported for each in found.values())
    assert least_claim(judged()) == pytest.approx(10.0)
    text = found["relative_potential"].because[0]
    assert text == "of at least 10.0 %, 5 times the bias"


def test_a_bias_that_no_meter_can_tell_allows_no_tiny_potential() -> None:
    lucky = Metrics(hours=168, mean=500.0, cv_rmse=1.0, nmbe=0.01)
    assert least_claim(judged(free=lucky)) == pytest.approx(2.5)
    assert np.isnan(least_claim(judged(free=Metrics())))


@pytest.mark.parametrize(
    ("judgement", "word"),
    [
        (judged(free=BAD), "the twin run freely: CV(RMSE) 44.0 %"),
        (judged(driven=BAD), "the parts driven by readings: CV(RMSE) 44.0 %"),
        (judged(free=Metrics(hours=3)), "3 held-out hours, too few"),
        (judged(cells=()), "no cell of load and wet bulb"),
        (judged(cells=(Cell(2, 4, BAD),)), "100 % of the held-out hours lie in cells"),
    ],
)
def test_a_bad_twin_supports_no_potential_and_says_why(
    fit: PlantFit, judgement: Judgement, word: str
) -> None:
    potential = claims(fit, judgement)["relative_potential"]
    assert not potential.supported
    assert word in " ".join(potential.because)


def test_a_bias_within_the_guideline_may_still_be_too_much_for_a_potential(
    fit: PlantFit,
) -> None:
    biased = Metrics(hours=168, mean=500.0, cv_rmse=9.0, nmbe=-7.0)
    found = claims(fit, judged(free=biased))
    assert found["absolute_energy"].supported
    assert not found["relative_potential"].supported
    text = found["relative_potential"].because[0]
    assert "more than 20 % of any potential below 35 %" in text


def test_held_out_days_support_no_claim_of_energy(fit: PlantFit) -> None:
    found = claims(fit, judged(), unit="days")
    assert not found["absolute_energy"].supported
    assert not found["relative_potential"].supported
    assert "no whole week" in found["absolute_energy"].because[0]


def test_a_chiller_that_the_log_does_not_tell_supports_no_potential(
    fit: PlantFit, site: Site
) -> None:
    untold = unfitted(PARTS[0], site.plant, "the log lacks cw_return_temp")
    first = dataclasses.replace(fit.results[0], fit=untold)
    found = claims(PlantFit(site.plant, (first, *fit.results[1:])), judged())
    assert found["absolute_energy"].supported
    assert not found["relative_potential"].supported
    assert "the log lacks cw_return_temp" in found["relative_potential"].because[0]


def test_a_potential_names_the_set_points_that_rest_on_the_site_file(
    fit: PlantFit,
) -> None:
    first = fit.results[0]
    known = first.fit.found
    unknown = dataclasses.replace(known[2], refused="not identifiable")
    found = (*known[:2], unknown, *known[3:])
    changed = dataclasses.replace(
        first, fit=dataclasses.replace(first.fit, found=found)
    )
    other = dataclasses.replace(fit, results=(changed, *fit.results[1:]))
    potential = claims(other, judged())["relative_potential"]
    assert potential.supported
    assert len(potential.but) == 1
    told = "tells the effect of chw_supply_setpoint (efficiency rise with lift)"
    assert potential.but[0].endswith(told)


def test_a_limit_asks_for_its_temperature_to_be_met(fit: PlantFit) -> None:
    near = judged(error=TempError(168, 0.9, 0.99))
    far = judged(error=TempError(168, 0.1, 1.01))
    unknown = judged(error=TempError(refused="the log has no cw_supply_temp"))
    supported = [
        claims(fit, each)["limits_condenser_water"].supported
        for each in (near, far, unknown)
    ]
    assert supported == [True, False, False]
    stand_in = FreeRun({}, "the `legacy` rule", is_logged=False)
    limit = claims(fit, near, stand_in)["limits_condenser_water"]
    assert not limit.supported
    assert "the `legacy` rule stood for the operator" in limit.because[0]

"""Which chiller records may be used, and what the table of all of them says."""

import numpy as np
import pytest
from judged_chillers import fits_of, judgements

from coolbound_envs.chiller_records import EIR, REFORMULATED
from coolbound_envs.chiller_report import table_text
from coolbound_envs.chiller_samples import sample
from coolbound_envs.chiller_verdict import GOOD, REFUSED
from coolbound_envs.eir import rating_factors


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("ElectricEIRChiller_Carrier_19XR_1143kW_6_57COP_VSD", "hardly reacts"),
        ("ElectricEIRChiller_York_YT_1794kW_7_90COP_VSD", "off its own rating"),
        ("ElectricEIRChiller_York_YT_1459kW_6_40COP_VSD", "Carnot"),
        ("ElectricEIRChiller_York_YT_1266kW_4_39COP_Vanes", "RMS error"),
        ("ElectricEIRChiller_York_YCAL0033EE_101kW_3_1COP_AirCooled", "air-cooled"),
        ("ReformEIRChiller_Trane_CVHF_2184kW_6_78COP_Vanes", "no power"),
    ],
)
def test_a_record_that_must_not_be_used_is_refused_with_the_reason(
    name: str, kind: str
) -> None:
    one = judgements()[name]
    assert one.verdict == REFUSED
    assert kind in " ".join(reason.kind for reason in one.refusals)


def test_records_off_their_rating_or_beyond_physics_are_all_refused() -> None:
    for one in judgements().values():
        off = max(abs(factor - 1.0) for factor in rating_factors(one.record))
        if off > 0.10 or (one.fit and (one.fit.fraction_max > 1.0 or one.fit.lost)):
            assert one.verdict == REFUSED, one.record.name


def test_reformulated_records_without_power_somewhere_are_refused() -> None:
    for one in fits_of(REFORMULATED):
        points = sample(one.record, 0.0)
        assert one.refusals or np.isfinite(points.cop).all(), one.record.name


def test_good_fits_stay_within_3_percent_rms_and_10_at_a_point() -> None:
    good = [one.fit for one in judgements().values() if one.verdict == GOOD and one.fit]
    assert len(good) > 80
    assert all(fit.error.rms <= 3.0 and fit.error.worst <= 10.0 for fit in good)
    assert all(fit.as_used.rms <= 5.0 for fit in good)
    assert all(fit.low_load is None or fit.low_load.rms <= 5.0 for fit in good)


def test_most_eir_records_fit_within_3_percent() -> None:
    rms = [one.fit.error.rms for one in fits_of(EIR) if one.fit]
    assert (sum(error <= 3.0 for error in rms), len(rms)) == (123, 158)


def test_the_table_of_all_records_has_a_row_and_a_verdict_for_each() -> None:
    lines = table_text(list(judgements().values())).splitlines()
    assert len(lines) == 1 + 316
    assert all(
        any(f",{verdict}," in line for verdict in ("good", "flagged", "refused"))
        for line in lines[1:]
    )

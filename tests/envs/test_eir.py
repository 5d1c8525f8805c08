"""Chiller records: read whole, and evaluated inside their own ranges only."""

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from raw_chillers import EQUIPMENT, by_hand, corners, raw, surface

from coolbound_envs.chiller_fit import fit_chiller
from coolbound_envs.chiller_records import (
    EIR,
    REFORMULATED,
    SHIPPED,
    ChillerRecord,
    find_record,
    read_records,
    shipped_records,
)
from coolbound_envs.eir import evaluate, rating_factors
from coolbound_envs.fitted_chillers import FITTED
from coolbound_envs.tables import InputError

# SHA-256 of the files as they were written from the source.
DIGESTS = {
    "chillers_electric_eir.json": "d8edc5509f789e3c4c18f2c2e42f8811"
    "c6d6c3faba709a7723c3656bf6937e60",
    "chillers_electric_reformulated_eir.json": "0aec99b8175ca7eb1f53f7dcde3cede4"
    "f862f9ace6cb8a5814d5402738c8c2ac",
    "cooling_tower_coefficients.json": "abf3a82edcf38356b64e684c3babddb7"
    "edd8bdc30cb2b1486c81b1801647a065",
}

# Plant reference 1.5 (b): COP at leaving and condenser water, flows, valid leaving and
# condenser water, part load, and the three curves.
REFERENCE = {
    "ElectricEIRChiller_York_YT_1055kW_5_96COP_Vanes": (
        5.96, (6.67, 29.44), (28.39, 56.78), (4.44, 8.89), (12.78, 35.0), (0.1, 1.05),
        (0.1785912, -0.05900023, -0.0005946963, 0.09297889, -0.002841024, 0.004974221),
        (0.524511, -0.02850126, 0.000803472, 0.01893133, 0.0001151629, -9.340642e-05),
        (0.2619878, 0.2393605, 0.4988306),
    ),
    "ElectricEIRChiller_Carrier_19XR_742kW_5_42COP_VSD": (
        5.42, (5.56, 21.11), (17.79, 19.56), (5.56, 10.0), (11.25, 23.89), (0.19, 1.02),
        (0.9797101, -0.002895701, -0.0008970718, 0.0103144, -0.0007431651, 0.001453508),
        (0.9946139, -0.04829399, 0.0004674277, -0.001158726, 0.0005762583,
         0.0002148192),
        (0.1202277, 0.1396384, 0.7394038),
    ),
    "ElectricEIRChiller_Trane_CVHE_1442kW_6_61COP_VSD": (
        6.61, (5.56, 23.89), (50.47, 50.47), (4.44, 8.89), (12.78, 35.0), (0.1, 1.07),
        (0.4007341, 0.001148568, 0.0001049504, 0.05574667, -0.001646131, 0.0013232),
        (0.6287646, -0.03024605, 0.0006137016, 0.01805826, 0.0001640653, -0.0001113802),
        (0.09299787, 0.3244475, 0.5818753),
    ),
}  # fmt: skip


@pytest.mark.parametrize("file", DIGESTS)
def test_equipment_data_are_those_of_the_source(file: str) -> None:
    found = hashlib.sha256((EQUIPMENT / file).read_bytes()).hexdigest()
    assert found == DIGESTS[file]


def test_every_record_is_read() -> None:
    forms = [record.form for record in shipped_records().values()]
    assert (forms.count(EIR), forms.count(REFORMULATED)) == (159, 157)
    assert sum(r.drive == "VSD" for r in shipped_records().values()) == 2 * 37


def test_records_off_their_own_rating_are_the_ones_that_the_source_names() -> None:
    named: set[str] = set()
    for file in SHIPPED.values():
        meta = json.loads((EQUIPMENT / file).read_text(encoding="utf-8"))["_meta"]
        named |= set(meta["records_off_nominal_by_more_than_10_percent"])
    found = {
        name
        for name, record in shipped_records().items()
        if max(abs(factor - 1.0) for factor in rating_factors(record)) > 0.10
    }
    assert found == named


def test_a_record_is_found_by_enough_of_its_name_and_the_eir_form_is_meant() -> None:
    record = find_record("Trane CVHF 2317")
    assert record.name == "ElectricEIRChiller_Trane_CVHF_2317kW_6_33COP_VSD"
    assert find_record("reformeirchiller trane cvhf 2317").form == REFORMULATED


@pytest.mark.parametrize(
    ("name", "said"), [("york", "found 55 records"), ("yrok_yk_9", "did you mean")]
)
def test_a_name_that_fits_no_record_or_several_is_refused(name: str, said: str) -> None:
    with pytest.raises(InputError, match=said):
        find_record(name)


@pytest.mark.parametrize("form", [EIR, REFORMULATED])
def test_evaluation_agrees_with_the_formulas_written_out(form: str) -> None:
    generator = np.random.default_rng(3)
    names = [name for name, r in shipped_records().items() if r.form == form]
    for name in generator.choice(names, 40, replace=False):
        r = raw(name)
        low, high = np.array(corners(r)).T
        low[2] = max(low[2], r["PLRMinUnl"])
        points = low + (high - low) * generator.uniform(0.001, 0.999, (6, 3))
        found = evaluate(shipped_records()[name], *points.T)
        assert not found.is_clamped.any()
        for i, point in enumerate(points):
            heat, power, lift = by_hand(r, *point)
            if power > 0.0:
                np.testing.assert_allclose(
                    (found.heat[i], found.power[i]), (heat, power), rtol=1e-9
                )
                np.testing.assert_allclose(
                    found.condenser_leaving[i] - point[0], lift, rtol=1e-6
                )
            else:
                assert np.isnan(found.power[i])


def test_trane_cvhf_gives_the_cop_of_the_plant_reference() -> None:
    record = find_record("trane_cvhf_2317")
    found = evaluate(record, 8.89, [15.0, 20.0, 25.0, 29.4], 0.8).cop
    np.testing.assert_allclose(found, [13.8, 10.9, 8.8, 7.4], atol=0.06)


@pytest.mark.parametrize("name", REFERENCE)
def test_records_are_those_that_the_plant_reference_prints(name: str) -> None:
    record = find_record(name)
    cop, rated, flows, leaving, condenser, load, capacity, energy, part = REFERENCE[
        name
    ]
    assert record.cop == cop
    np.testing.assert_allclose(
        (record.leaving_rated, record.condenser_rated), rated, atol=0.006
    )
    np.testing.assert_allclose(
        (record.evaporator_flow, record.condenser_flow), flows, atol=0.006
    )
    np.testing.assert_allclose(record.leaving_range, leaving, atol=0.006)
    np.testing.assert_allclose(record.condenser_range, condenser, atol=0.006)
    np.testing.assert_allclose(record.load_range, load, atol=0.006)
    assert record.capacity_curve == capacity
    assert record.energy_curve == energy
    assert record.load_curve == part


def test_raw_polynomials_break_where_the_clamped_ones_do_not() -> None:
    x, y = np.meshgrid(np.linspace(6.7, 18.0, 30), np.linspace(14.0, 32.0, 30))
    data = json.loads((EQUIPMENT / SHIPPED[EIR]).read_text(encoding="utf-8"))
    broken = 0
    for name, r in data.items():
        if name == "_meta":
            continue
        is_low = surface(r["EIRFunT"], x, y) <= 0.05
        broken += bool((is_low | (surface(r["capFunT"], x, y) <= 0.1)).any())
        for load in (0.0, 0.05, 0.3, 1.0, 1.4):
            found = evaluate(shipped_records()[name], x, y, load)
            assert np.all(found.capacity > 0.1 * -r["QEva_flow_nominal"])
            assert np.all(found.power > 0.05 * found.heat / r["COP_nominal"] - 1e-9)
            assert np.all(found.heat >= 0.0)
    assert broken == 28


def test_no_record_gives_negative_power_however_far_outside_it_is_asked() -> None:
    generator = np.random.default_rng(5)
    x, y = generator.uniform(-60.0, 90.0, (2, 400))
    load = generator.uniform(-0.5, 2.0, 400)
    for record in shipped_records().values():
        found = evaluate(record, x, y, load)
        is_known = np.isfinite(found.power)
        assert is_known.all() or record.form == REFORMULATED
        assert np.all(found.power[is_known] >= 0.0)
        assert np.all(found.capacity[is_known] > 0.1 * record.capacity)


def test_clamping_is_told_and_gives_the_value_at_the_edge() -> None:
    record = find_record("trane_cvhf_2317")
    outside = evaluate(record, [30.0, 8.0], [50.0, 20.0], [1.3, 0.5])
    edge = evaluate(record, 8.89, 29.44, 1.04)
    assert outside.is_clamped.tolist() == [True, False]
    np.testing.assert_allclose(outside.power[0], edge.power, rtol=1e-12)


def test_a_machine_cycles_below_its_least_part_load() -> None:
    record = find_record("carrier_19xr_2391kW_6_44")
    assert record.load_range[0] == 0.2
    found = evaluate(record, 8.0, 20.0, [0.05, 0.1, 0.2])
    np.testing.assert_allclose(found.cop, found.cop[2], rtol=1e-12)
    np.testing.assert_allclose(found.heat, np.array([0.25, 0.5, 1.0]) * found.heat[2])


def own(record: dict[str, Any], path: Path) -> ChillerRecord:
    path.write_text(json.dumps(record), encoding="utf-8")
    return next(iter(read_records(path).values()))


def test_a_record_of_the_users_own_fits_as_a_shipped_one(tmp_path: Path) -> None:
    name = FITTED["trane-cvhe-1442"].record
    wanted = fit_chiller(find_record(name))
    alone = own(raw(name), tmp_path / "one.json")
    named = own({"_meta": {"why": "mine"}, "mine": raw(name)}, tmp_path / "many.json")
    toml = tmp_path / "one.toml"
    lines = [f"{key} = {json.dumps(value)}" for key, value in raw(name).items()]
    toml.write_text("\n".join(lines), encoding="utf-8")
    read = next(iter(read_records(toml).values()))
    for record in (alone, named, read):
        assert fit_chiller(record).efficiency == wanted.efficiency
    assert (alone.name, named.name) == (raw(name)["title"], "mine")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"TEvaLvgMin": 4.44}, r"TEvaLvgMin: found 4\.44, expected a number from 250"),
        ({"capFunT": [1.0]}, "capFunT: found .*, expected a list of 6 numbers"),
        ({"EIRFunPLR": [0.1] * 10}, "EIRFunPLR: .* expected a list of 3 numbers"),
        ({"PLRMax": 0.05}, "PLRMax: found 0.05, expected more than PLRMin"),
        ({"QEva_flow_nominal": 5e5}, "QEva_flow_nominal: found 500000.0"),
        ({"COP": 6.0}, "COP"),
        ({"condenser_type": "Evaporative"}, "one of WaterCooled, AirCooled"),
    ],
)
def test_a_wrong_record_is_refused_with_file_key_found_and_expected(
    change: dict[str, Any], said: str, tmp_path: Path
) -> None:
    path = tmp_path / "mine.json"
    with pytest.raises(InputError, match=said) as caught:
        own(raw(FITTED["york-yt-1881"].record) | change, path)
    assert "mine.json" in str(caught.value)


@pytest.mark.parametrize("text", ["", "[1]", "{}", '{"a": 1}'])
def test_a_file_without_records_is_refused(text: str, tmp_path: Path) -> None:
    path = tmp_path / "mine.json"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(InputError, match=r"mine\.json"):
        read_records(path)

"""A site file is read strictly: each mistake is named where it is."""

import tomllib
from pathlib import Path

import jax
import numpy as np
import pytest
from made_plants import site

from coolbound_envs.limit_numbers import FIELDS, parse_limits
from coolbound_envs.limit_policy import parse_limit_policy
from coolbound_envs.limit_table import LIMIT_NAMES
from coolbound_envs.site import load_site
from coolbound_envs.tables import InputError

TEXT = site().path.read_text(encoding="utf-8")
PLAIN = TEXT.partition("# The 21 limits")[0]


def written(folder: Path, text: str) -> Path:
    path = folder / "mine.toml"
    path.write_text(text, encoding="utf-8")
    return path


def changed(folder: Path, old: str, new: str) -> Path:
    assert TEXT.count(old) == 1
    return written(folder, TEXT.replace(old, new))


def refusal(path: Path) -> str:
    def read() -> None:
        found = load_site(path)
        parse_limits(found.root, found.feeder_power)

    with pytest.raises(InputError) as caught:
        read()
    return str(caught.value)


def test_the_embedded_site_is_the_reference_plant() -> None:
    found = load_site()
    assert found.name == "reference"
    np.testing.assert_allclose(found.plant.chiller.capacity, 2.317e6)
    np.testing.assert_allclose(found.plant.it.design_power, 4.0e6)
    np.testing.assert_allclose(found.plant.sequencer.stage_hold, 900.0)


def test_units_are_converted(tmp_path: Path) -> None:
    same = changed(tmp_path, '"2317 kW"', '"658.828 RT"')
    np.testing.assert_allclose(
        load_site(same).plant.chiller.capacity, 2.317e6, rtol=1e-5
    )


def test_a_machine_by_name_is_its_six_numbers(tmp_path: Path) -> None:
    numbers = "efficiency = [0.16426, 0.69328, -0.42972, 0.02897, -0.00062, -0.00047]"
    found = load_site(changed(tmp_path, 'efficiency = "trane-cvhf-2317"', numbers))
    assert found.plant.chiller.efficiency == load_site().plant.chiller.efficiency


def test_two_different_files_have_different_digests(tmp_path: Path) -> None:
    other = changed(tmp_path, '"2317 kW"', '"2318 kW"')
    assert load_site(other).digest != load_site().digest


CAPACITY = 'capacity = "2317 kW"'
RAMP = 'ramp = "0.0025 1/s"'
MACHINE = 'efficiency = "trane-cvhf-2317"'

MISTAKES = [
    (CAPACITY, "capacity = 2317", ("chiller.capacity", "2317", "unit")),
    (CAPACITY, 'capacity = "2317 kg"', ("chiller.capacity", "'kg'", "'W'")),
    (CAPACITY, 'capcity = "2317 kW"', ("chiller", "'capacity' is missing")),
    (CAPACITY, 'capacity = "1 kW"', ("'1 kW'", "10000 to")),
    (CAPACITY, 'capacity = "1500 kW"', ("4500 kW", "enlarge")),
    (RAMP, RAMP + "\nspeed = 3", ("'speed'", "unknown key")),
    ('heat_design = "5000 kW"', 'heat_design = "3000 kW"', ("3000 kW", "4000 kW")),
    ("count = 3", "count = 4", ("count", "4", "3")),
    (MACHINE, "efficiency = [0.2, 0.7]", ("efficiency", "6 numbers")),
    (MACHINE, 'efficiency = "trane-cvhf-2318"', ("efficiency", "trane-cvhf-2317")),
    ('pipe_mass = "18000 kg"', 'pipe_mass = "900 kg"', ("pipe_mass", "900", "30 s")),
    ('basin_mass = "45000 kg"', 'basin_mass = "500 kg"', ("basin_mass", "500", "30 s")),
    ("[equipment.crah]", "[equipment.crahs]", ("'crah' is missing",)),
]  # fmt: skip


@pytest.mark.parametrize(("old", "new", "words"), MISTAKES)
def test_a_mistake_is_told_with_file_key_found_and_expected(
    tmp_path: Path, old: str, new: str, words: tuple[str, ...]
) -> None:
    text = refusal(changed(tmp_path, old, new))
    assert "mine.toml" in text
    assert all(word in text for word in words), text
    assert "expected" in text


LIMIT_MISTAKES = [
    ("[limits.CA_T_MAXX]\nvalue = '27 degC'", ("CA_T_MAXX", "CA_T_MAX")),
    ("[limits.CA_T_MAX]\nvalue = 27", ("limits.CA_T_MAX.value", "27", "degC")),
    ("[limits.CA_T_MAX]\nvalue = '270 degC'", ("270 degC", "20 to 45")),
    ("[limits.CA_T_MAX]\nmaximum = '27 degC'", ("'maximum'", "CA_T_MAX")),
    ("[limits.CA_T_MAX]\nvalue = '20 degC'\n[limits.CA_T_MIN]\nvalue = '21 degC'",
     ("21", "20", "CA_T_MIN", "CA_T_MAX")),
    ("[limits.CRAH_FAN]\non = 'no'", ("CRAH_FAN.on", "'no'", "true or false")),
    ("[limits.LIFT_MIN]\ncoil_margin = 0.1", ("'coil_margin'",)),
]  # fmt: skip


@pytest.mark.parametrize(("text", "words"), LIMIT_MISTAKES)
def test_a_mistake_in_the_limits_is_told(
    tmp_path: Path, text: str, words: tuple[str, ...]
) -> None:
    found = refusal(written(tmp_path, PLAIN + "\n" + text + "\n"))
    assert "mine.toml" in found
    assert all(word in found for word in words), found
    assert "expected" in found or "correct" in found


def test_limits_take_values_units_margins_and_switches(tmp_path: Path) -> None:
    text = (
        "[limits.CA_T_MAX]\nvalue = '77 degF'\nmargin = '0.5 delta_degC'\n"
        "[limits.CHW_DP_MIN]\ncoil_margin = 0.1\nmargin = 0.05\n"
        "[limits.SURGE_LINE]\non = false\n"
    )
    found = load_site(written(tmp_path, PLAIN + "\n" + text))
    numbers = parse_limits(found.root, found.feeder_power)
    np.testing.assert_allclose(numbers.inlet_max, 25.0, atol=1e-4)
    off = [n for n, x in zip(LIMIT_NAMES, numbers.is_on, strict=True) if x < 0.5]
    assert off == ["SURGE_LINE"]
    np.testing.assert_allclose(numbers.feeder_power, 1.2e6)


def test_the_embedded_site_spells_out_every_number_of_every_limit(
    tmp_path: Path,
) -> None:
    section = tomllib.loads(TEXT)["limits"]
    assert tuple(section) == LIMIT_NAMES
    for limit, key, *_ in FIELDS.values():
        assert key in section[limit], f"{limit}.{key}"
    for name, table in section.items():
        assert {"on", "priority", "source"} <= set(table), name
    # Without them a site has the same numbers.
    bare = load_site(written(tmp_path, PLAIN))
    spelled, left_out = (
        parse_limits(found.root, found.feeder_power) for found in (site(), bare)
    )
    jax.tree.map(np.testing.assert_array_equal, spelled, left_out)
    assert parse_limit_policy(site().root) == parse_limit_policy(bare.root)


def test_a_site_that_is_not_there_is_told_with_what_to_check(tmp_path: Path) -> None:
    assert "nowhere" in refusal(tmp_path / "nowhere.toml")
    with pytest.raises(InputError, match="expected 'reference'"):
        load_site("unknown")


def test_a_file_that_is_no_toml_is_told_with_its_line(tmp_path: Path) -> None:
    assert "line 1" in refusal(written(tmp_path, "[site\n"))

"""What a calibration writes, and who may read it how."""

import dataclasses
import json
import re
import tomllib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from made_calibration_logs import EFFICIENCY, Truth, made_log

from coolbound_envs.params import PlantParams
from coolbound_envs.site import Site, load_site
from coolbound_envs.tables import InputError
from coolbound_shadow.calibration.record import refusal_beside
from coolbound_shadow.calibration.run import run_calibration
from coolbound_shadow.calibration.site_copy import changed_values, copy_site
from coolbound_shadow.log_writer import write_log
from coolbound_shadow.statistics import Interval
from coolbound_shadow.twin import told

FILES = ("calibrated_site.toml", "calibration.html", "calibration.json")


@pytest.fixture(scope="module")
def log_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    truth = Truth(efficiency=tuple(0.92 * e for e in EFFICIENCY), cw_efficiency=0.65)
    return write_log(made_log(truth), tmp_path_factory.mktemp("log"))[0]


@pytest.fixture(scope="module")
def written(
    site: Site, log_file: Path, tmp_path_factory: pytest.TempPathFactory
) -> tuple[dict[str, Any], Path]:
    out = tmp_path_factory.mktemp("calibration") / "run"
    return run_calibration(site, log_file, out), out


def test_the_calibrated_site_is_read_as_any_other(
    site: Site, written: tuple[dict[str, Any], Path]
) -> None:
    data, out = written
    calibrated = load_site(out / "calibrated_site.toml")
    assert calibrated.digest == data["calibrated_site"]["sha256"]
    assert calibrated.title == site.title
    changed = changed_values(site.plant, calibrated.plant)
    assert changed == data["changed"]
    factor = np.asarray(calibrated.plant.chiller.efficiency) / EFFICIENCY
    assert float(factor[2]) == pytest.approx(0.92, abs=0.02)


def test_the_copy_differs_from_the_site_only_in_the_changed_lines(
    site: Site, written: tuple[dict[str, Any], Path]
) -> None:
    data, out = written
    before = site.path.read_text(encoding="utf-8").splitlines()
    after = (out / "calibrated_site.toml").read_text(encoding="utf-8").splitlines()
    body = after[len(after) - len(before) :]
    differ = [new for old, new in zip(before, body, strict=True) if old != new]
    keys = {line.split(" =")[0] for line in differ}
    assert keys == {name.split(".")[1] for name in data["changed"]}
    assert all(line.startswith("#") for line in after[: len(after) - len(before)])


def test_the_folder_holds_the_three_files_and_nothing_else(
    written: tuple[dict[str, Any], Path],
) -> None:
    data, out = written
    assert sorted(each.name for each in out.iterdir()) == sorted(FILES)
    assert json.loads((out / "calibration.json").read_text("utf-8")) == data


def test_the_same_log_gives_the_same_bytes(
    site: Site, log_file: Path, written: tuple[dict[str, Any], Path], tmp_path: Path
) -> None:
    run_calibration(site, log_file, tmp_path / "again")
    for name in FILES:
        assert (tmp_path / "again" / name).read_bytes() == (
            written[1] / name
        ).read_bytes()


def test_the_page_stands_alone_and_answers_first(
    written: tuple[dict[str, Any], Path],
) -> None:
    page = (written[1] / "calibration.html").read_text(encoding="utf-8")
    assert not re.search(r"https?:|<script|<link|@import|url\(", page)
    assert len(page.encode()) < 2_000_000
    answer = page.index("supports no modelled potential")
    assert answer < page.index("<h2>1 ")
    assert page.count("<svg") >= 5
    assert page.count('role="img"') == page.count("<svg")
    assert "saving" not in page.lower()
    assert "nan" not in re.findall(r">\s*(nan)\s*<", page.lower())


def test_the_record_beside_a_site_refuses_only_that_site(
    site: Site, written: tuple[dict[str, Any], Path], tmp_path: Path
) -> None:
    data, out = written
    calibrated = load_site(out / "calibrated_site.toml")
    assert not data["claims"]["relative_potential"]["supported"]
    assert refusal_beside(calibrated).startswith(
        "the site's calibration supports no potential"
    )
    edited = dataclasses.replace(calibrated, digest="0" * 64)
    assert refusal_beside(edited) == ""
    assert refusal_beside(site) == ""
    (tmp_path / "calibration.json").write_text("[]")
    alone = dataclasses.replace(calibrated, path=tmp_path / "site.toml")
    assert refusal_beside(alone) == ""


def test_a_shadow_run_tells_no_potential_of_a_refused_twin(
    site: Site, written: tuple[dict[str, Any], Path]
) -> None:
    calibrated = load_site(written[1] / "calibrated_site.toml")
    potential, null_test = Interval(5.0, 4.0, 6.0), Interval(0.0, -0.1, 0.1)
    assert told(site, potential, null_test) == potential
    refused = told(calibrated, potential, null_test)
    assert "the site's calibration supports no potential" in refused.refused
    assert np.isnan([refused.percent, refused.low, refused.high]).all()


def test_a_supported_record_refuses_only_what_is_too_small(
    written: tuple[dict[str, Any], Path], tmp_path: Path
) -> None:
    data, out = written
    good = json.loads(json.dumps(data))
    good["claims"]["relative_potential"]["supported"] = True
    good["least_potential_percent"] = 4.0
    (tmp_path / "calibration.json").write_text(json.dumps(good))
    calibrated = load_site(out / "calibrated_site.toml")
    moved = dataclasses.replace(calibrated, path=tmp_path / "site.toml")
    assert refusal_beside(moved) == ""
    assert refusal_beside(moved, -4.1) == ""
    assert "at least 4.0 %" in refusal_beside(moved, 3.9)


TEXT = """[equipment.chiller] # three of them
efficiency = [ # e0 to e2
    0.1, 0.2, # [sic]
    0.3,
]
idle_power = 0.4 # fitted
[equipment.crah]
idle_power = 0.7
[operator]
idle_power = 0.9
"""


def test_a_value_over_several_lines_is_replaced_and_its_neighbours_stay() -> None:
    copy = copy_site(
        TEXT, {"chiller.efficiency": "[0.5, 0.6, 0.7]"}, "s.toml", "# head\n"
    )
    assert copy.startswith("# head\n")
    found = tomllib.loads(copy)
    assert found["equipment"]["chiller"]["efficiency"] == [0.5, 0.6, 0.7]
    assert "idle_power = 0.4 # fitted" in copy


def test_only_the_named_section_is_changed() -> None:
    found = tomllib.loads(copy_site(TEXT, {"crah.idle_power": "0.1"}, "s.toml", ""))
    assert found["equipment"]["crah"]["idle_power"] == 0.1
    assert found["equipment"]["chiller"]["idle_power"] == 0.4
    assert found["operator"]["idle_power"] == 0.9


def test_a_section_written_otherwise_is_refused_in_one_sentence() -> None:
    inline = "[equipment]\ncrah = { idle_power = 0.7 }\n"
    with pytest.raises(InputError, match="a line of its own"):
        copy_site(inline, {"crah.idle_power": "0.1"}, "s.toml", "")


def test_every_changeable_key_survives_the_way_through_the_file(
    site: Site, tmp_path: Path
) -> None:
    def moved(group: Any, names: tuple[str, ...]) -> Any:
        new = {name: 1.03 * getattr(group, name) for name in names}
        return dataclasses.replace(group, **new)

    plant = site.plant
    chiller = dataclasses.replace(
        plant.chiller,
        efficiency=tuple(0.97 * e for e in plant.chiller.efficiency),
        idle_power=plant.chiller.idle_power * 0.9,
    )
    other = dataclasses.replace(
        plant,
        chiller=chiller,
        chw=moved(plant.chw, ("pump_efficiency", "pipe_pressure")),
        condenser=moved(
            plant.condenser,
            (
                "design_flow",
                "pump_efficiency",
                "static_pressure",
                "friction_pressure",
                "fan_power",
                "conductance",
            ),
        ),
        crah=moved(
            plant.crah,
            ("fan_power", "fan_exponent", "water_flow", "air_flow", "conductance"),
        ),
    )
    text = site.path.read_text(encoding="utf-8")
    values = changed_values(plant, other)
    path = tmp_path / "site.toml"
    path.write_text(copy_site(text, values, str(site.path), ""), encoding="utf-8")
    assert same(load_site(path).plant, other)
    assert len(values) == 15


def same(one: PlantParams, other: PlantParams) -> bool:
    return changed_values(one, other) == {}

"""`coolbound chiller`: what it prints, writes and refuses; the page that quotes it."""

import csv
import json
import re
import tomllib
from collections.abc import Callable
from pathlib import Path

import pytest
from raw_chillers import raw

from coolbound.choices import PART_LOADS
from coolbound_envs.chiller_fit import assess, fit_chiller
from coolbound_envs.chiller_records import find_record
from coolbound_envs.chiller_samples import AVAILABLE, RATED
from coolbound_envs.fitted_chillers import FITTED
from coolbound_envs.site import load_site

PAGE = Path(__file__).parents[2] / "docs" / "chillers.md"
REFUSED = "ElectricEIRChiller_Carrier_19XR_1143kW_6_57COP_VSD"


def test_list_shows_every_record_with_size_ranges_and_drive(
    coolbound: Callable,
) -> None:
    data = json.loads(coolbound("chiller", "list", "--json").out)
    assert data["count"] == len(data["records"]) == 316
    first = next(r for r in data["records"] if "CVHF_2317" in r["name"])
    assert first["capacity_w"] == 2317400.0
    assert (first["cop"], first["is_variable_speed"]) == (6.33, True)
    assert first["leaving_range_c"] == [4.44, 8.89]
    assert "2 records" in coolbound("chiller", "list", "2317").out


def test_fit_prints_verdict_errors_and_a_section_that_is_toml(
    coolbound: Callable,
) -> None:
    ran = coolbound("chiller", "fit", "trane cvhf 2317")
    assert "verdict: good" in ran.out
    wanted = fit_chiller(find_record("trane_cvhf_2317"))
    assert f"RMS {wanted.error.rms:.2f} %" in ran.out
    assert wanted.low_load is not None
    assert f"from 0.10 up: RMS {wanted.low_load.rms:.2f} %" in ran.out
    assert f"idle_power = {wanted.idle_power:.2f}" in ran.out
    section = tomllib.loads(ran.out[ran.out.index("[equipment.chiller]") :])
    chiller = section["equipment"]["chiller"]
    assert chiller["efficiency"] == list(wanted.efficiency)
    assert chiller["idle_power"] == wanted.idle_power
    assert set(chiller) == set(load_site().root.data["equipment"]["chiller"])


def test_fit_as_json_has_every_figure_of_the_fit(coolbound: Callable) -> None:
    ran = coolbound("chiller", "fit", "york_yt_1881", "--part-load", "rated", "--json")
    data = json.loads(ran.out)
    wanted = fit_chiller(find_record("york_yt_1881"), RATED)
    assert data["schema"] == "coolbound.chiller-fit/1"
    assert data["fit"]["part_load"] == "rated"
    assert data["fit"]["efficiency"] == list(wanted.efficiency)
    assert data["fit"]["idle_power"] == wanted.idle_power
    assert data["fit"]["idle_data_from"] == pytest.approx(wanted.idle_data_from)
    assert data["fit"]["error"]["points"] == wanted.error.points
    assert data["fit"]["error"]["rms"] == pytest.approx(wanted.error.rms)
    assert data["fit"]["capacity_range"] == pytest.approx(wanted.capacity_range)


def test_a_refused_record_gets_no_section(coolbound: Callable, tmp_path: Path) -> None:
    ran = coolbound("chiller", "fit", REFUSED, "--out", tmp_path / "out")
    assert ran.code == 0
    assert "verdict: refused" in ran.out
    assert "hardly reacts to temperature" in ran.out
    assert "[equipment.chiller]" not in ran.out
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["fit.json"]


def test_a_record_of_the_users_own_is_fitted_and_written(
    coolbound: Callable, tmp_path: Path
) -> None:
    mine = tmp_path / "my.json"
    mine.write_text(json.dumps(raw(FITTED["york-yt-1881"].record)), encoding="utf-8")
    out = tmp_path / "out"
    for _ in range(2):
        assert coolbound("chiller", "fit", "--file", mine, "--out", out).code == 0
    assert sorted(path.name for path in out.iterdir()) == ["chiller.toml", "fit.json"]
    section = tomllib.loads((out / "chiller.toml").read_text(encoding="utf-8"))
    wanted = fit_chiller(find_record(FITTED["york-yt-1881"].record)).efficiency
    assert section["equipment"]["chiller"]["efficiency"] == list(wanted)


def test_all_records_are_written_and_the_page_quotes_what_is_printed(
    coolbound: Callable, tmp_path: Path
) -> None:
    out = tmp_path / "all"
    ran = coolbound("chiller", "fit", "--all", "--out", out)
    with (out / "chillers.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    forms = json.loads((out / "summary.json").read_text(encoding="utf-8"))["forms"]
    for form, counts in forms.items():
        mine = [row for row in rows if row["form"] == form]
        assert len(mine) == counts["records"]
        within = [row for row in mine if row["rms_pct"] and float(row["rms_pct"]) <= 3]
        assert len(within) == counts["rms_within_3_pct"]
        refused = [row for row in mine if row["verdict"] == "refused"]
        assert len(refused) == counts["refused"]
        assert all(row["reasons"] for row in refused)
    page = PAGE.read_text(encoding="utf-8")
    table = [line for line in ran.out.splitlines() if line.startswith("|")]
    assert len(table) > 15
    assert [line for line in table if line not in page] == []


def test_the_page_quotes_the_errors_of_the_fitted_machines() -> None:
    page = PAGE.read_text(encoding="utf-8")
    for name, fitted in FITTED.items():
        above, below = (
            [cell.strip() for cell in line.split("|")[2:-1]]
            for line in re.findall(rf"^\| `{name}` \|.*$", page, re.M)
        )
        record = find_record(fitted.record)
        ours, rated = fit_chiller(record), fit_chiller(record, RATED)
        given = assess(record, fitted.efficiency, idle_power=fitted.idle_power)
        low, high = given.capacity_range
        assert above == [
            f"{fitted.error_rms:.2f}, {fitted.error_worst:.1f}",
            f"{ours.error.rms:.2f}, {ours.error.worst:.1f}",
            f"{given.as_used.rms:.2f}",
            f"{rated.error.rms:.2f}",
            f"{low:.2f} to {high:.2f}",
        ]
        assert given.low_load is not None
        assert ours.low_load is not None
        assert below[:3] == [
            f"{fitted.idle_power:.2f}",
            f"{ours.idle_data_from:.2f}",
            f"{given.low_load.rms:.2f}, {given.low_load.worst:.1f}",
        ]
        assert below[4] == f"{ours.idle_power:.2f}, {ours.low_load.rms:.2f}"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("fit",), "expected a name, --file or --all"),
        (("fit", "york", "--all"), "found 'york' and --all"),
        (("fit", "york"), "found 55 records"),
        (("fit", "--file", "gone.json"), "gone.json: cannot be read"),
        (("fit", "trane_cvhf_2317", "--site", "gone.toml"), "gone.toml: no such site"),
        (("fit", "trane_cvhf_2317", "--part-load", "half"), "'half'"),
        (("list", "--all"), "found --all"),
        (("list", "york_zz"), "found no record with 'york_zz'"),
        (("fix",), "'fix'"),
    ],
)
def test_a_mistake_is_one_sentence_and_exit_code_2(
    words: tuple[str, ...],
    said: str,
    coolbound: Callable,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    ran = coolbound("chiller", *words)
    assert ran.code == 2
    assert said in ran.err
    assert ran.err.count("\n") == 1
    assert ran.out == ""
    assert list(tmp_path.iterdir()) == []


def test_several_records_in_a_file_need_a_name(
    coolbound: Callable, tmp_path: Path
) -> None:
    mine = tmp_path / "my.json"
    records = {name: raw(FITTED[name].record) for name in list(FITTED)[:2]}
    mine.write_text(json.dumps(records), encoding="utf-8")
    ran = coolbound("chiller", "fit", "--file", mine)
    assert (ran.code, "expected the name of one" in ran.err) == (2, True)
    named = coolbound("chiller", "fit", "trane-cvhe", "--file", mine, "--json")
    assert json.loads(named.out)["name"] == "trane-cvhe-1442"


def test_a_folder_with_other_files_is_left_alone(
    coolbound: Callable, tmp_path: Path
) -> None:
    kept = tmp_path / "mine.txt"
    kept.write_text("mine")
    for words in (("trane_cvhf_2317",), ("--all",)):
        ran = coolbound("chiller", "fit", *words, "--out", tmp_path)
        assert ran.code == 2
    assert list(tmp_path.iterdir()) == [kept]


def test_the_command_line_offers_the_bases_that_there_are() -> None:
    assert set(PART_LOADS) == {AVAILABLE, RATED}


def test_the_record_that_the_page_shows_can_be_fitted(
    coolbound: Callable, tmp_path: Path
) -> None:
    [block] = re.findall(r"^```toml\n(.*?)^```", PAGE.read_text("utf-8"), re.M | re.S)
    mine = tmp_path / "my.toml"
    mine.write_text(block, encoding="utf-8")
    data = json.loads(coolbound("chiller", "fit", "--file", mine, "--json").out)
    assert data["title"] == "Our chiller 2"
    wanted = fit_chiller(find_record("trane_cvhf_2317")).efficiency
    assert data["fit"]["efficiency"] == list(wanted)

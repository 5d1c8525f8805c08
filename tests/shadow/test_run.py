"""The whole run: a log in, three files out, the same ones every time."""

import hashlib
import json
import os
import re
import socket
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from start_rule import StartRule

import coolbound_shadow
from coolbound.main import main
from coolbound_envs.features import feature_map
from coolbound_envs.site import Site, load_site
from coolbound_envs.spec import POINT_INDEX
from coolbound_envs.tables import InputError
from coolbound_shadow.ledger.keys import load_public, make_key, public_path
from coolbound_shadow.ledger.reader import LedgerReader
from coolbound_shadow.ledger.records import Kind
from coolbound_shadow.ledger.verify import verify
from coolbound_shadow.recording import LedgerChoice
from coolbound_shadow.records import read_decisions
from coolbound_shadow.run import Wanted, run_shadow
from coolbound_shadow.selection import load_log, reference_log
from coolbound_shadow.shift_plan import parse_plan
from coolbound_shadow.writes import WriteCounter

PACKAGE = Path(coolbound_shadow.__file__).parent
ROOT = Path(__file__).parents[2]


def test_a_run_leaves_three_files_that_agree(
    shadowed: tuple[dict[str, Any], Path],
) -> None:
    summary, out = shadowed
    names = sorted(path.name for path in out.iterdir())
    assert names == ["decisions.parquet", "report.html", "summary.json"]
    assert json.loads((out / "summary.json").read_text()) == summary
    decisions = read_decisions(out / "decisions.parquet")
    assert decisions.rows == summary["decisions"] == summary["log"]["rows"]
    assert np.all(np.isfinite(decisions.certified))
    assert summary["writes_attempted"] == 0
    assert summary["replay_test"] == {"actions": 0.0, "energy_percent": 0.0}
    kinds = summary["interventions"]["by_kind"]
    assert sum(kinds.values()) == summary["interventions"]["count"]


def test_the_same_input_gives_the_same_bytes(
    shadowed: tuple[dict[str, Any], Path],
    site: Site,
    log_file: Path,
    start_rule: Any,
    tmp_path: Path,
) -> None:
    run_shadow(site, log_file, None, tmp_path / "again", controller=start_rule)
    for name in ("decisions.parquet", "report.html"):
        assert (tmp_path / "again" / name).read_bytes() == (
            shadowed[1] / name
        ).read_bytes()


def test_the_report_never_claims_what_only_a_trial_can_show(
    shadowed: tuple[dict[str, Any], Path],
) -> None:
    page = (shadowed[1] / "report.html").read_text(encoding="utf-8")
    assert not re.search(r"\bsav(ing|ings|ed|es|e)\b", page, re.I)
    assert "In the model, on the true state" in page
    assert len(page.encode()) < 2_000_000


@pytest.mark.parametrize("name", ["cut.parquet", "text.csv", "absent.parquet"])
def test_a_corrupt_log_leaves_no_folder(
    name: str, site: Site, log_file: Path, start_rule: Any, tmp_path: Path
) -> None:
    if name != "absent.parquet":
        (tmp_path / name).write_bytes(log_file.read_bytes()[:2000])
    out = tmp_path / "out"
    with pytest.raises(InputError):
        run_shadow(site, tmp_path / name, None, out, controller=start_rule)
    assert not out.exists()
    assert list(tmp_path.glob(".out*")) == []


def test_the_report_on_record_is_the_one_that_was_written(
    shadowed: tuple[dict[str, Any], Path],
    site: Site,
    log_file: Path,
    start_rule: Any,
    tmp_path: Path,
) -> None:
    plain, key = shadowed[1], make_key(tmp_path / "key.pem")
    choice = LedgerChoice(tmp_path / "ledger", key.path)
    found: Any = run_shadow(
        site,
        log_file,
        None,
        tmp_path / "out",
        Wanted(ledger=choice, plan=parse_plan("day 07:00, night 19:00")),
        controller=start_rule,
    )
    page = (tmp_path / "out" / "report.html").read_bytes()
    with LedgerReader(choice.folder) as reader:
        (report,) = reader.entries(kinds=[Kind.REPORT])
    assert report.data["sha256"] == hashlib.sha256(page).hexdigest()
    assert report.data["head"] in page.decode()
    assert "night 19:00 to 07:00" in page.decode()
    ledger = found["ledger"]
    assert ledger["appended"] == ledger["ticks"] == found["decisions"]
    assert ledger["head"]["count"] == report.seq
    trusted = load_public([public_path(choice.key)])
    assert verify(choice.folder, trusted).passed
    # The head is in the page only: what was decided is the same with a ledger.
    same = "decisions.parquet"
    assert (tmp_path / "out" / same).read_bytes() == (plain / same).read_bytes()


def test_a_folder_that_is_no_policy_leaves_no_folder(
    site: Site, log_file: Path, tmp_path: Path
) -> None:
    (tmp_path / "policy").mkdir()
    with pytest.raises(InputError, match=r"manifest\.json"):
        run_shadow(site, log_file, tmp_path / "policy", tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_crash_in_the_middle_leaves_an_earlier_result_as_it_was(
    shadowed: tuple[dict[str, Any], Path],
    site: Site,
    log_file: Path,
    start_rule: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    out = shadowed[1]
    before = {path.name: path.read_bytes() for path in out.iterdir()}

    def fail(_: object) -> str:
        raise KeyboardInterrupt

    monkeypatch.setattr("coolbound_shadow.run.render_report", fail)
    with pytest.raises(KeyboardInterrupt):
        run_shadow(site, log_file, None, out, controller=start_rule)
    assert {path.name: path.read_bytes() for path in out.iterdir()} == before


def test_what_would_leave_the_process_is_counted() -> None:
    with WriteCounter() as writes, socket.socket() as way_out:
        way_out.bind(("127.0.0.1", 0))
    assert writes.attempts == 1


def test_the_log_that_ships_is_six_weeks_of_all_points(site: Site) -> None:
    log = load_log(site, None)
    assert reference_log().stat().st_size < 400_000
    assert 12_000 < log.rows <= 42 * 288
    assert len(log.observable) == 45


@pytest.mark.long
def test_the_log_that_ships_is_what_the_documented_command_writes(
    site: Site, tmp_path: Path
) -> None:
    lines = (ROOT / "docs" / "shadow.md").read_text(encoding="utf-8").splitlines()
    (line,) = (each for each in lines if "--operator legacy" in each)
    words = line.removeprefix("coolbound ").split()
    assert main([*words[:-1], str(tmp_path)]) == 0
    ours, again = load_log(site, None), load_log(site, tmp_path / "log.parquet")
    np.testing.assert_array_equal(again.time_utc, ours.time_utc)
    # Other machines round other last bits, and a set-point may be a step early.
    same = np.isclose(again.applied, ours.applied, atol=1e-3)
    assert np.mean(same) > 0.99
    power = POINT_INDEX["facility_power"]
    means = [np.nanmean(log.values[:, power]) for log in (ours, again)]
    assert means[1] == pytest.approx(means[0], rel=1e-3)


def test_the_hours_of_the_shifts_come_from_the_site_file(
    site: Site, tmp_path: Path
) -> None:
    path = tmp_path / "site.toml"
    shifts = '\n[shifts]\nday = "noon"\n'
    path.write_text(site.path.read_text(encoding="utf-8") + shifts)
    with pytest.raises(InputError, match=r"shifts: found 'day noon'"):
        run_shadow(load_site(path), None, None, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_site_with_a_point_map_needs_its_own_log() -> None:
    plant = load_site(PACKAGE / "sites" / "december_plant.toml")
    with pytest.raises(InputError, match="give it with --log"):
        load_log(plant, None)


def test_a_real_log_runs_from_end_to_end(tmp_path: Path) -> None:
    default = Path(__file__).parents[3] / "shared" / "data" / "operator_logs"
    folder = Path(os.environ.get("COOLBOUND_OPERATOR_LOGS", default))
    path = folder / "TableData23_12.csv"
    if not path.is_file():
        pytest.skip(
            "the December plant log is not part of the repository; set "
            "COOLBOUND_OPERATOR_LOGS to its folder"
        )
    plant = load_site(PACKAGE / "sites" / "december_plant.toml")
    rule = StartRule(feature_map(plant))
    summary: Any = run_shadow(
        plant, path, None, tmp_path / "out", Wanted(step_limit=400), controller=rule
    )
    assert summary["decisions"] == 400
    certified = read_decisions(tmp_path / "out" / "decisions.parquet").certified
    assert np.all(np.isfinite(certified))
    limits = summary["limit_values"]["certified"]
    seen = {name for name, limit in limits.items() if limit["observable"]}
    water_side = {"ECWT_MIN", "ECWT_CWRT_MAX", "LIFT_MIN", "SURGE_LINE"}
    assert seen == water_side | {"EVAP_FLOW_MIN", "CT_CWP_RATE"}
    assert any("23 assumed points" in note for note in summary["notes"])
    assert summary["modelled_potential"]["refused"]

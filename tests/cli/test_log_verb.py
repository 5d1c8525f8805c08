"""`coolbound log`: from an unknown export to a log that can be shadowed."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from made_exports import made_export, made_map

from coolbound_shadow.intake.handover import read_imported

DECEMBER = Path(__file__).parents[3] / "shared" / "data" / "operator_logs"
ROOT = Path(__file__).parents[2]


def is_one_sentence(text: str) -> bool:
    return text.startswith("coolbound: ") and text.count("\n") == 1


def test_inspect_then_import_then_a_log(coolbound: Callable, tmp_path: Path) -> None:
    path = made_export().write(tmp_path)
    proposed = coolbound(
        "log", "inspect", path, "--zone", "Europe/Berlin", "--out", tmp_path / "in"
    )
    assert proposed.code == 0
    assert "CHWS" in proposed.out
    assert "point map:" in proposed.out
    ran = coolbound(
        "log",
        "import",
        path,
        "--map",
        tmp_path / "in/map.toml",
        "--out",
        tmp_path / "o",
    )
    assert (ran.code, ran.err) == (0, "")
    assert "432 read = 432 accepted + 0 flagged + 0 rejected" in ran.out
    assert read_imported(tmp_path / "o").rows == 432


def test_inspect_as_json_has_evidence_and_doubts(
    coolbound: Callable, tmp_path: Path
) -> None:
    path = made_export().write(tmp_path)
    ran = coolbound("log", "inspect", path, "--json", "--out", tmp_path / "in")
    data = json.loads(ran.out)
    assert data["schema"] == "coolbound.inspection/1"
    assert data["files"][0]["guesses"]["time"]["evidence"]
    assert any("never guessed" in text for text in data["unsure"])
    supply = next(p for p in data["points"] if p["name"] == "CHWS")
    assert (supply["feeds"], supply["unit_in"]) == ("chw_supply_temp", "degF")
    assert supply["evidence"]
    assert supply["doubts"]


def test_a_dry_run_counts_everything_and_writes_nothing(
    coolbound: Callable, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = made_export().write(tmp_path)
    site_map = tmp_path / "map.toml"
    site_map.write_text(made_map())
    monkeypatch.chdir(tmp_path)
    before = sorted(tmp_path.iterdir())
    ran = coolbound("log", "import", path, "--map", site_map, "--dry-run", "--json")
    data = json.loads(ran.out)
    assert data["dry_run"]
    assert [p["readings"] for p in data["points"]] == [432] * 4
    assert sorted(tmp_path.iterdir()) == before


def test_an_edited_map_is_never_written_over(
    coolbound: Callable, tmp_path: Path
) -> None:
    path, out = made_export().write(tmp_path), tmp_path / "in"
    assert coolbound("log", "inspect", path, "--out", out).code == 0
    assert coolbound("log", "inspect", path, "--out", out).code == 0
    edited = (out / "map.toml").read_text() + "# mine\n"
    (out / "map.toml").write_text(edited)
    ran = coolbound("log", "inspect", path, "--out", out)
    assert ran.code == 2
    assert "was edited" in ran.err
    assert (out / "map.toml").read_text() == edited


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("import", "x.csv"), "found no --map"),
        (("import", "x.csv", "--map", "gone.toml"), "gone.toml: cannot be read"),
        (("import", "x.csv", "--map", "m", "--zone", "UTC"), "zone from the map"),
        (("inspect", "gone.csv"), "gone.csv: cannot be read"),
        (("inspect", "x.csv", "--zone", "Mars"), "found 'Mars'"),
        (("inspect", "x.csv", "--map", "m"), "found --map"),
        (("inspect", "x.csv", "--dry-run"), "found --dry-run"),
        (("inspect",), "FILE"),
        (("look", "x.csv"), "'look'"),
    ],
)
def test_the_users_mistake_is_one_sentence_and_exit_code_2(
    words: tuple[str, ...],
    said: str,
    coolbound: Callable,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    ran = coolbound("log", *words)
    assert ran.code == 2
    assert said in ran.err
    assert is_one_sentence(ran.err)
    assert list(tmp_path.iterdir()) == []


def test_a_refused_log_leaves_no_folder(coolbound: Callable, tmp_path: Path) -> None:
    export = made_export()
    export.times.reverse()
    path = export.write(tmp_path)
    (tmp_path / "map.toml").write_text(made_map())
    out = tmp_path / "out"
    ran = coolbound("log", "import", path, "--map", tmp_path / "map.toml", "--out", out)
    assert ran.code == 2
    assert is_one_sentence(ran.err)
    assert not out.exists()


@pytest.mark.skipif(not DECEMBER.is_dir(), reason="the December log is not shipped")
def test_the_december_log_is_imported_by_its_shipped_map(
    coolbound: Callable, tmp_path: Path
) -> None:
    shadow = ROOT / "shadow" / "coolbound_shadow"
    files = [DECEMBER / "TableData23_12.csv", DECEMBER / "data23_12.csv"]
    ran = coolbound(
        "log",
        "import",
        *files,
        "--map",
        shadow / "intake" / "maps" / "december_plant.toml",
        "--site",
        shadow / "sites" / "december_plant.toml",
        "--out",
        tmp_path / "out",
        "--json",
    )
    data = json.loads(ran.out)
    assert data["rows"] == {
        "read": 8892,
        "accepted": 7153,
        "flagged": 1739,
        "rejected": 0,
    }
    kinds = {f["kind"] for f in data["findings"]}
    assert kinds >= {"gaps", "stuck", "sentinel", "zero_when_off", "impossible"}
    log = read_imported(tmp_path / "out")
    assert (log.rows, log.step_s, log.zone) == (4456, 600, "Asia/Singapore")

"""Shipped data: each file has its origin and licence, and nothing else is there."""

import csv
import re
from pathlib import Path

import coolbound_envs

DATA = Path(coolbound_envs.__file__).parent / "data"


def origins() -> set[str]:
    with (DATA / "PROVENANCE.csv").open(encoding="utf-8", newline="") as file:
        return {row["file"] for row in csv.DictReader(file)}


def test_every_data_file_has_its_origin_recorded() -> None:
    files = {path.relative_to(DATA).as_posix() for path in DATA.rglob("*.gz")}
    assert len(files) == 14
    assert files <= origins()


def test_every_recorded_origin_is_of_a_file_that_is_there() -> None:
    assert all((DATA / file).is_file() for file in origins())


def test_attribution_names_every_licence_text_and_only_those() -> None:
    text = (DATA / "ATTRIBUTION.md").read_text(encoding="utf-8")
    named = set(re.findall(r"LICENSES/([^`\s]+)`", text))
    assert named == {path.name for path in (DATA / "LICENSES").iterdir()}


def test_data_that_may_not_be_shipped_is_not_there() -> None:
    names = [path.name.lower() for path in DATA.rglob("*")]
    assert not [name for name in names if "tmyx" in name or "23_12" in name]

"""Every promise of the acceptance page names tests, and the tests are there."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "acceptance.md").read_text(encoding="utf-8")
ROW = re.compile(r"^\| (AC\d+) \| .+ \| (.+) \|$", re.M)
NAME = re.compile(r"`([\w/]+\.py)::(test_\w+)`( \(long\))?")
NOT_KEPT = re.compile(r"^- \*\*(AC\d+)\.\*\*", re.M)


def rows() -> dict[str, list[tuple[str, str, str]]]:
    return {number: NAME.findall(cell) for number, cell in ROW.findall(PAGE)}


def marks(path: Path) -> dict[str, bool]:
    """Return the tests of a file, each with whether it is a long one."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    return {
        node.name: any("long" in ast.unparse(mark) for mark in node.decorator_list)
        for node in tree.body
        if isinstance(node, ast.FunctionDef)
    }


def test_every_number_is_kept_or_said_not_to_be() -> None:
    wanted = {f"AC{number}" for number in range(1, 28)}
    assert set(rows()) | set(NOT_KEPT.findall(PAGE)) == wanted
    assert all(rows().values())


@pytest.mark.parametrize("number", rows())
def test_every_named_test_exists_and_is_as_long_as_it_says(number: str) -> None:
    for file, name, long in rows()[number]:
        found = marks(ROOT / "tests" / file)
        assert name in found, f"{number}: {file}::{name}"
        assert found[name] == bool(long), f"{number}: {file}::{name}"

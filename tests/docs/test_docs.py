"""What the documents say can be followed: links, commands, settings, words."""

import re
import shlex
import tomllib
from pathlib import Path

import pytest

from coolbound.arguments import VERBS, parse
from coolbound_envs.tables import Table
from coolbound_shadow.points import parse_point_map

ROOT = Path(__file__).parents[2]
PAGES = sorted(
    path
    for path in ROOT.rglob("*.md")
    if not any(part.startswith(".") or part == "runs" for part in path.parts)
)
LINK = re.compile(r"\]\((?!https?:|#)([^)#\s]+)")
FENCE = re.compile(r"^```sh\n(.*?)^```", re.M | re.S)
FENCE_OF_ANY = re.compile(r"^```.*?^```", re.M | re.S)
INLINE = re.compile(r"`(coolbound(?: [^`]+))`")

SPOKEN_OF = (
    "docs/glossary.md: | *saving* | a word for live, randomised trials only; no report "
    "of a shadow run uses it |",
    "docs/shadow.md: never speaks of savings: only a live, randomised trial could.",
)
"""The lines that say why the word is not used."""


def where(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


@pytest.mark.parametrize("path", PAGES, ids=where)
def test_every_relative_link_leads_somewhere(path: Path) -> None:
    for target in LINK.findall(path.read_text(encoding="utf-8")):
        assert (path.parent / target).exists(), f"{where(path)}: {target}"


def commands() -> list[tuple[str, str]]:
    """Return every command line of the documents with its page."""
    found = []
    for path in PAGES:
        text = path.read_text(encoding="utf-8")
        lines = [line for block in FENCE.findall(text) for line in block.splitlines()]
        lines += INLINE.findall(" ".join(FENCE_OF_ANY.sub("", text).split()))
        found += [(where(path), line) for line in lines]
    return [
        (page, line.removeprefix(".venv/bin/"))
        for page, line in found
        if re.match(r"(\.venv/bin/)?coolbound ", line)
    ]


def test_the_documents_show_every_verb() -> None:
    verbs = {shlex.split(line, comments=True)[1] for _, line in commands()}
    assert verbs == set(VERBS)


@pytest.mark.parametrize(("page", "line"), commands())
def test_every_command_of_the_documents_is_understood(page: str, line: str) -> None:
    words = shlex.split(line, comments=True)
    assert parse(words[1:]).verb == words[1], f"{page}: {line}"


def test_every_test_that_a_page_names_exists() -> None:
    tests = "\n".join(p.read_text("utf-8") for p in (ROOT / "tests").rglob("*.py"))
    for path in PAGES:
        for name in re.findall(r"::(test_\w+)", path.read_text(encoding="utf-8")):
            assert f"def {name}(" in tests, f"{where(path)}: {name}"


def test_the_point_map_of_the_guide_can_be_read() -> None:
    text = (ROOT / "docs" / "shadow.md").read_text(encoding="utf-8")
    blocks = re.findall(r"^```toml\n(.*?)^```", text, re.M | re.S)
    [block] = [block for block in blocks if "[points" in block]
    table = Table(tomllib.loads(block), "docs/shadow.md").table("points")
    parsed = parse_point_map(table, "Europe/Berlin")
    assert parsed.step_s == 300
    assert "chw_supply_setpoint" in {point.name for point in parsed.points}


def test_no_report_and_no_page_claims_a_saving() -> None:
    texts = [*PAGES, *(ROOT / "shadow").rglob("*.py"), *(ROOT / "shadow").rglob("*.j2")]
    texts += (ROOT / "notebooks").glob("*.ipynb")
    found = [
        f"{where(path)}: {line.strip()}"
        for path in sorted(texts)
        for line in path.read_text(encoding="utf-8").splitlines()
        if re.search(r"\bsavings?\b", line, re.I)
    ]
    assert set(found) <= set(SPOKEN_OF), sorted(set(found) - set(SPOKEN_OF))

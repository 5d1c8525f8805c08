"""Reports print to tagged PDF, with their own style and without any address."""

import re
import shutil
import subprocess
import sys
import zlib
from pathlib import Path

import pytest

from coolbound_envs.tables import InputError
from coolbound_shadow.pdf import styled_drawings, write_pdf

PAGE = """<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><title>Report of a day</title>
<style>:root { --red: #a3160f; } p { margin: 0; } .bar { fill: var(--red); }
svg .end { text-anchor: end; } @page { size: A4; } @media print { .bar { fill: #00f; } }
</style></head>
<body><h1>Report</h1><figure><svg viewBox="0 0 40 20" role="img" aria-label="A bar">
<title>A bar</title><rect width="30" height="10" class="bar"/></svg></figure>
<table><thead><tr><th>Limit</th></tr></thead><tbody><tr><td>CHWS_BOX</td></tr></tbody>
</table></body></html>"""


def printed(folder: Path, page: str = PAGE, name: str = "report.pdf") -> Path:
    source = folder / "report.html"
    source.write_text(page, encoding="utf-8")
    write_pdf(source, folder / name)
    return folder / name


def unpacked(path: Path) -> bytes:
    """Return a PDF with all of its streams unpacked behind it."""
    data = path.read_bytes()
    parts = [data]
    for found in re.finditer(rb"stream\r?\n", data):
        try:
            parts.append(zlib.decompressobj().decompress(data[found.end() :]))
        except zlib.error:
            continue
    return b"\n".join(parts)


@pytest.fixture(scope="module")
def content(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    return unpacked(printed(tmp_path_factory.mktemp("pdf")))


@pytest.mark.parametrize(
    "mark",
    [
        rb"/StructTreeRoot",
        rb"/MarkInfo\s*<<\s*/Marked true",
        rb"/Lang\s*\(en\)",
        rb"/DisplayDocTitle true",
        rb"pdfuaid",
        rb"/S\s*/H1",
        rb"/S\s*/TH",
        rb"/S\s*/TD",
        rb"/S\s*/Figure",
        rb"/Alt\s*\(A bar\)",
    ],
)
def test_the_pdf_is_tagged(content: bytes, mark: bytes) -> None:
    assert re.search(mark, content)


def test_drawings_have_the_colours_of_the_page(content: bytes) -> None:
    """#a3160f is 0.639, 0.086, 0.059 of red, green and blue."""
    assert re.search(rb"0\.639\d* 0\.086\d* 0\.058\d* rg", content)


def test_only_plain_rules_reach_the_drawings() -> None:
    style = styled_drawings(PAGE).partition("<svg")[2].partition("</style>")[0]
    assert ".bar { fill: #a3160f; }" in style
    assert "svg .end" in style
    assert "@" not in style
    assert "margin" not in style


def test_a_page_without_style_is_left_as_it_is() -> None:
    assert styled_drawings("<p>x</p>") == "<p>x</p>"


def test_the_same_page_gives_the_same_bytes(tmp_path: Path) -> None:
    first = printed(tmp_path, name="a.pdf").read_bytes()
    assert printed(tmp_path, name="b.pdf").read_bytes() == first


@pytest.mark.skipif(not shutil.which("pdfinfo"), reason="no poppler here")
def test_another_reader_finds_it_tagged(tmp_path: Path) -> None:
    command = ["pdfinfo", str(printed(tmp_path))]
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert re.search(r"Tagged:\s+yes", said)
    assert re.search(r"Title:\s+Report of a day", said)
    assert "A4" in said


def test_an_address_is_refused_and_leaves_no_file(tmp_path: Path) -> None:
    page = PAGE.replace("<h1>", '<img alt="x" src="file:///etc/hostname"><h1>')
    with pytest.raises(InputError, match="stands alone"):
        printed(tmp_path, page)
    assert not (tmp_path / "report.pdf").exists()


def test_a_folder_that_is_not_there_is_said_in_one_sentence(tmp_path: Path) -> None:
    source = tmp_path / "report.html"
    source.write_text(PAGE, encoding="utf-8")
    with pytest.raises(InputError, match="No such file"):
        write_pdf(source, tmp_path / "gone" / "report.pdf")
    with pytest.raises(InputError, match="make it first"):
        write_pdf(tmp_path / "none.html", tmp_path / "report.pdf")


def test_without_the_library_the_user_is_told_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "weasyprint", None)
    with pytest.raises(InputError, match=r"pip install 'coolbound\[pdf\]'"):
        printed(tmp_path)

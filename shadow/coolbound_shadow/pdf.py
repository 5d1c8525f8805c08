"""Reports as tagged PDF, from the HTML file that was written: ISO 14289-1 (PDF/UA-1).

WeasyPrint runs no script; what a page would fetch is refused, so that a report that
prints is one that stands alone.
"""

import re
from pathlib import Path
from typing import Any

from coolbound_envs.tables import InputError

VARIANT = "pdf/ua-1"
SVG_FONT = "text{font-family:Arial,sans-serif}"
STYLE = re.compile(r"<style>(.*?)</style>", re.DOTALL)
DRAWING = re.compile(r"<svg\b[^>]*>")
VARIABLE = re.compile(r"var\((--[\w-]+)\)")
INSTALL = "pip install 'coolbound[pdf]'"


def require_printer() -> Any:
    """Return the library that prints; loaded here, since few runs need it.

    Raises:
        InputError: It, or a system library that it needs, is missing.
    """
    try:
        import weasyprint
    except (ImportError, OSError) as error:
        missing = " ".join(str(error).split())
        raise InputError(
            f"--pdf: found no working WeasyPrint ({missing}), expected it and its "
            f"system library Pango; run `{INSTALL}`, or print the HTML from a browser"
        ) from error
    return weasyprint


def write_pdf(html_path: Path, pdf_path: Path) -> None:
    """Write a report as tagged A4 PDF; the same page gives the same bytes.

    Args:
        html_path: The report.
        pdf_path: The file to write; its folder exists.

    Raises:
        InputError: WeasyPrint is missing, the page is absent or asks for another
            file, or the PDF cannot be written.
    """
    printer = require_printer()
    try:
        source = html_path.read_text(encoding="utf-8")
    except OSError as error:
        raise InputError(
            f"{html_path}: found {error.strerror or error}, expected a report as HTML; "
            "make it first"
        ) from error
    data = _printed(printer, styled_drawings(source))
    aside = pdf_path.with_name(f".{pdf_path.name}.part")
    try:
        aside.write_bytes(data)
        aside.replace(pdf_path)
    except OSError as error:
        aside.unlink(missing_ok=True)
        raise InputError(
            f"{pdf_path}: found {error.strerror or error}, expected a file that may be "
            "written; choose another folder"
        ) from error


def _printed(printer: Any, page: str) -> bytes:
    """Return the page as PDF; an address in it is an error, not a blank."""
    from weasyprint.urls import FatalURLFetchingError, URLFetcher

    nothing = URLFetcher(allowed_protocols=(), fail_on_errors=True)
    try:
        document = printer.HTML(string=page, url_fetcher=nothing)
        return document.write_pdf(pdf_variant=VARIANT, pdf_identifier=b"coolbound")
    except FatalURLFetchingError as error:
        raise InputError(
            f"the report: found an address in it ({error}), expected a page that "
            "stands alone; remove the address"
        ) from error


def styled_drawings(html: str) -> str:
    """Return a page whose drawings carry the page's own style.

    WeasyPrint applies a page's style sheet to the page, but not within inline SVG,
    and knows no variables there.
    """
    sheet = STYLE.search(html)
    if sheet is None:
        return html
    style = f"<style>{_plain_rules(sheet.group(1))}{SVG_FONT}</style>"
    return DRAWING.sub(lambda found: found.group(0) + style, html)


def _plain_rules(css: str) -> str:
    """Return the rules outside of @media and @page, variables put in."""
    import tinycss2

    variables = dict(re.findall(r"(--[\w-]+):\s*([^;}]+)", css))
    rules = tinycss2.parse_stylesheet(css, skip_comments=True, skip_whitespace=True)
    plain = [rule.serialize() for rule in rules if rule.type == "qualified-rule"]
    drawn = [rule for rule in plain if rule.startswith((".", "svg"))]
    return VARIABLE.sub(lambda found: variables[found.group(1)], "".join(drawn))

"""The page in a real browser: by keyboard alone, on paper, and without a word."""

import dataclasses
import io
import re
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlsplit

import numpy as np
import pytest
from made_browser import CHROMIUM, Browser
from made_reviews import PASSWORD, make_setup
from matplotlib import image
from waitress.server import create_server

from coolbound_shadow.ledger.reader import LedgerReader
from coolbound_shadow.ledger.records import Kind
from coolbound_shadow.review.app import Setup, create_app
from coolbound_shadow.review.serving import bind

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="chromium is not installed")

SHIFT = "shift/2025-12-02/early"


class Page(NamedTuple):
    address: str
    setup: Setup
    browser: Browser


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    """Serve a day on a free port of loopback, and open a browser before it."""
    setup = make_setup(tmp_path_factory.mktemp("served"))
    listening = bind("127.0.0.1", 0)
    port = listening.getsockname()[1]
    app = create_app(dataclasses.replace(setup, port=port))
    server = create_server(app, sockets=[listening], threads=2)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    with Browser(tmp_path_factory.mktemp("profile")) as browser:
        yield Page(f"http://127.0.0.1:{port}/", setup, browser)
    server.close()
    server.task_dispatcher.shutdown()
    # The loop ends once its last socket is closed.
    thread.join(10)


@pytest.fixture
def inside(page: Page) -> Page:
    """Log in by the keyboard, once."""
    page.browser.size(1280, 800)
    page.browser.open(page.address)
    if page.browser.tell("!!document.querySelector('#password')"):
        page.browser.tell("document.querySelector('#name').focus()")
        page.browser.type("engineer")
        page.browser.tab_to("#password", 1)
        page.browser.type(PASSWORD)
        page.browser.press("Enter", loads=True)
    return page


def text(browser: Browser) -> str:
    return browser.tell("document.body.innerText")


def test_the_first_tab_leads_past_the_head(inside: Page) -> None:
    browser = inside.browser
    browser.open(inside.address)
    assert browser.tab_to(".skip", 1) == 1
    browser.press("Enter")
    assert browser.tell("location.hash") == "#main"
    browser.tab_to("#f-from", 1)


def test_an_event_is_accepted_by_keyboard_alone(inside: Page) -> None:
    browser = inside.browser
    browser.open(inside.address)
    browser.tab_to("a[href='/event/o-17']")
    browser.press("Enter", loads=True)
    browser.tab_to("#accept-text")
    browser.type("checked at the fan")
    browser.tab_to("form[action$='/accept'] button", 1)
    browser.press("Enter", loads=True)
    assert "accepted" in text(browser)
    assert "checked at the fan" in text(browser)
    with LedgerReader(inside.setup.ledger) as reader:
        (entry,) = reader.entries(kinds=[Kind.REVIEW])
    assert entry.data["user"] == "engineer"
    assert (entry.data["action"], entry.data["subject"]) == ("accept", "o-17")


@pytest.mark.long
def test_everything_that_takes_the_focus_shows_it(inside: Page) -> None:
    browser = inside.browser
    for path in ("", "event/o-17", SHIFT):
        browser.open(inside.address + path)
        many = browser.tell(
            "document.querySelectorAll('a, button, input:not([type=hidden]), select, "
            "textarea, summary').length"
        )
        seen = set()
        for _ in range(many + 12):
            browser.press("Tab")
            style = browser.tell(
                "(() => { const e = document.activeElement; "
                "if (e === document.body) return ''; const s = getComputedStyle(e); "
                "return [e.outerHTML.slice(0, 90), s.outlineStyle, s.outlineWidth]"
                ".join('|') })()"
            )
            if style:
                seen.add(style.rsplit("|", 2)[0])
                assert style.endswith("|solid|3px"), style
        assert len(seen) >= many - 1


@pytest.mark.long
@pytest.mark.parametrize("width", [1280, 390])
def test_no_page_is_blank_or_wider_than_the_screen(inside: Page, width: int) -> None:
    browser = inside.browser
    browser.size(width, 900)
    for path in ("", "event/o-17", "?kind=fallback", SHIFT):
        browser.open(inside.address + path)
        assert browser.tell("document.documentElement.scrollWidth") <= width
        pixels = image.imread(io.BytesIO(browser.picture()), format="png")
        assert pixels.shape[1] == width
        # A blank page has one colour and no edges.
        assert (
            np.mean(np.abs(np.diff(pixels[..., :3].mean(axis=2), axis=1)) > 0.2) > 2e-3
        )


def test_a_shift_prints_on_a4_without_its_forms(inside: Page) -> None:
    browser = inside.browser
    browser.open(inside.address + SHIFT)
    pdf = browser.pdf()
    assert pdf.startswith(b"%PDF-")
    box = re.search(rb"/MediaBox\s*\[\s*0 0 ([\d.]+) ([\d.]+)", pdf)
    assert box
    assert [float(x) for x in box.groups()] == pytest.approx([595, 842], abs=2)
    assert len(re.findall(rb"/Type\s*/Page\b", pdf)) == 1
    browser.ask("Emulation.setEmulatedMedia", media="print")
    shown = text(browser)
    assert "Signature" in shown
    assert "Sign this shift off" not in shown
    assert "Log out" not in shown
    browser.ask("Emulation.setEmulatedMedia", media="")


def test_contrast_is_enough_everywhere(inside: Page) -> None:
    """Every text against what is behind it: WCAG 2.2, 1.4.3, at least 4.5 to 1."""
    browser = inside.browser
    script = Path(__file__).with_name("contrast.js").read_text()
    for path in ("", "event/o-17", "?kind=limit", SHIFT, "?from=x"):
        browser.open(inside.address + path)
        assert browser.tell(script) == []


def test_controls_have_names_and_tables_have_heads(inside: Page) -> None:
    browser = inside.browser
    for path in ("", "event/o-17", SHIFT):
        browser.open(inside.address + path)
        nodes = browser.ask("Accessibility.getFullAXTree")["nodes"]
        roles = ("textbox", "combobox", "searchbox", "button", "link", "Date", "image")
        for node in nodes:
            role = node.get("role", {}).get("value")
            if role in roles and not node.get("ignored"):
                assert node.get("name", {}).get("value"), node
        found = [node.get("role", {}).get("value") for node in nodes]
        assert found.count("main") == 1
        assert found.count("banner") == 1
        assert "navigation" in found
        bare = "document.querySelectorAll('th:not([scope])').length"
        assert browser.tell(bare) == 0
        assert browser.tell("document.querySelectorAll('h1').length") == 1


def test_the_console_is_silent_and_nothing_leaves_loopback(inside: Page) -> None:
    browser = inside.browser
    asked = {urlsplit(a).hostname for a in browser.addresses() if a[:5] != "data:"}
    assert asked == {"127.0.0.1"}
    assert browser.complaints() == []


def test_a_log_out_is_a_log_out(inside: Page) -> None:
    browser = inside.browser
    browser.open(inside.address)
    browser.tab_to(".who button")
    browser.press("Enter", loads=True)
    browser.open(inside.address + "event/o-17")
    assert browser.tell("location.pathname") == "/log-in"

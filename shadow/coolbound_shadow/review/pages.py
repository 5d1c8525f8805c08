"""The pages: log-in, list, event, shift; and the forms on them."""

from collections.abc import Iterable
from datetime import date
from typing import Any, Final
from urllib.parse import urlsplit

from flask import (
    Blueprint,
    abort,
    current_app,
    flash,
    g,
    redirect,
    render_template,
    request,
    session,
    url_for,
)

from coolbound_envs.tables import InputError
from coolbound_shadow.ledger.records import Review
from coolbound_shadow.overrides.event_types import EventKind
from coolbound_shadow.review import shown
from coolbound_shadow.review.app import Desk, desk_of
from coolbound_shadow.review.book import Look
from coolbound_shadow.review.listing import (
    ORDERS,
    Row,
    State,
    found_rows,
    page_of,
    row_of,
    wanted,
)
from coolbound_shadow.review.posting import MOST_TEXT, append_once, clean
from coolbound_shadow.review.shifts import SHIFT_NAMES, Shift, shift_at, shift_of
from coolbound_shadow.review.trend import trend
from coolbound_shadow.review.users import Role, is_password, plain

FREE_BY_USER: Final = 5
"""Attempts to log in that cost no wait, for one name. [1]"""

FREE_BY_ADDRESS: Final = 20
"""The same from one address, behind which there may be many people. [1]"""

pages = Blueprint("pages", __name__)


def _desk() -> Desk:
    return desk_of(current_app)


@pages.app_context_processor
def _on_every_page() -> dict[str, Any]:
    """Return what stands on every page, for who is logged in."""
    common = {"site": _desk().setup.site, "shown": shown, "may_post": False}
    if not g.get("user"):
        return common | {"health": None}
    try:
        look = _desk().book.look()
    except InputError:
        # The page itself says so: this runs for the page that says it, too.
        return common | {"health": None}
    checked = _desk().watch.checked()
    head = _desk().book.reader.status().head
    return common | {
        "health": shown.health(look, checked, head),
        "may_post": g.role is Role.REVIEWER,
        "most_text": MOST_TEXT,
    }


@pages.route("/log-in", methods=["GET", "POST"])
def log_in() -> Any:
    """Show the form, or let in who knows the password."""
    there = _own_path(request.values.get("next", ""))
    if g.user:
        return redirect(there, 303)
    if request.method == "GET":
        return render_template("log_in.html", next=there, name="", problem="")
    name, password = (
        plain(request.form.get("name", ""))[:64],
        request.form.get("password", ""),
    )
    free = {f"user {name}": FREE_BY_USER, f"at {request.remote_addr}": FREE_BY_ADDRESS}
    wait = _desk().throttle.attempt(free)
    if wait > 0.0:
        return _no_entry(
            there, name, 429, f"Too many attempts: wait {wait:.0f} s.", wait
        )
    user = _desk().users().get(name)
    if not is_password(user, password) or user is None:
        return _no_entry(there, name, 401, "Name or password is wrong.")
    _desk().throttle.succeeded(f"user {name}")
    session.clear()
    session.permanent = True
    session["log_in"] = _desk().log_ins.begin(name, user.mark)
    return redirect(there, 303)


def _no_entry(there: str, name: str, code: int, problem: str, wait: float = 0.0) -> Any:
    page = render_template("log_in.html", next=there, name=name, problem=problem)
    return page, code, {"Retry-After": f"{wait:.0f}"} if wait else {}


def _own_path(given: str) -> str:
    """Return a path of this page, the list's for anything else."""
    parts = urlsplit(given) if given.isprintable() and "\\" not in given else None
    is_own = parts and not parts.scheme and not parts.netloc
    is_path = given.startswith("/") and not given.startswith("//")
    return given if is_own and is_path else "/"


@pages.post("/log-out")
def log_out() -> Any:
    """End the log-in, here and on the server."""
    _desk().log_ins.end(session.get("log_in", ""))
    session.clear()
    return redirect(url_for("pages.log_in"), 303)


@pages.get("/")
def events() -> Any:
    """Show the list of events."""
    look, wish = _desk().book.look(), wanted(request.args)
    rows = found_rows(look, wish)
    page, number, count = page_of(rows, wish.page)
    query = {k: v for k, v in request.args.items() if v and k != "page"}
    subjects = {
        e.subject: shown.subject_words(e.subject) for e in look.events if e.subject
    }
    return render_template(
        "events.html",
        wish=wish,
        lines=[shown.line(row, look) for row in page],
        total=len(rows),
        number=number,
        pages=count,
        query=query,
        summary=shown.summary([row_of(event, look) for event in look.events]),
        kind_options=_named(EventKind),
        state_options=_named(State),
        shift_options=_named(SHIFT_NAMES),
        run_options=_named(look.runs),
        subject_options=sorted(subjects.items(), key=lambda item: item[1]),
        orders=ORDERS,
    )


def _named(values: Iterable[str]) -> list[tuple[str, str]]:
    """Return the options of a choice."""
    return [(str(value), str(value)) for value in values]


@pages.get("/event/<path:key>")
def event(key: str) -> Any:
    """Show one event with its trend."""
    look, setup = _desk().book.look(), _desk().setup
    row = _row(look, key)
    return render_template(
        "event.html",
        row=row,
        it=shown.line(row, look),
        details=shown.details(row.event),
        trend=trend(setup.ledger, row.event, setup.bounds, look.runs),
        notes=shown.notes(row.notes, row.event.offset),
        shift=shift_at(row.event.start + row.event.offset),
        seen=look.tail.seq,
        is_accepted_by_me=any(
            n.user == g.user and n.action == "accept" for n in row.notes
        ),
    )


def _row(look: Look, key: str) -> Row:
    found = look.event(key)
    if found is None:
        abort(404, "There is no event of that key in this ledger.")
    return row_of(found, look)


@pages.post("/event/<path:key>/accept")
def accept(key: str) -> Any:
    """Put on record that the user accepts an event."""
    row = _row(_desk().book.look(), key)
    text = clean(request.form.get("text", ""))
    mine = (n for n in row.notes if n.user == g.user and n.action == "accept")
    if not any(mine):
        _append("accept", key, row.event.records, text)
    return redirect(url_for("pages.event", key=key), 303)


@pages.post("/event/<path:key>/comment")
def comment(key: str) -> Any:
    """Put a comment on record."""
    row = _row(_desk().book.look(), key)
    text = clean(request.form.get("text", ""))
    if not text:
        abort(
            400, "A comment needs words: nothing was recorded. Go back and write some."
        )
    _append("comment", key, row.event.records, text)
    return redirect(url_for("pages.event", key=key), 303)


def _append(action: str, about: str, records: tuple[int, ...], text: str) -> None:
    setup = _desk().setup
    review = Review(g.user, action, about, records, text)
    # One accepts once, whatever the form said; words may be said again later.
    seq = append_once(setup.ledger, setup.signer, review, _seen())
    flash(f"Recorded as {seq:,}." if seq else "It was recorded already.")


def _seen() -> int:
    text = request.form.get("seen", "")
    if not (text.isascii() and text.isdecimal() and len(text) < 16):
        abort(400)
    return int(text)


@pages.get("/shift")
def latest_shift() -> Any:
    """Go to the shift of the last tick, or of the last event."""
    look = _desk().book.look()
    last = look.events[-1].start if look.events else 0
    local = (last if look.last_tick is None else look.last_tick - 1) + look.offset
    found = shift_at(local)
    return redirect(
        url_for("pages.shift", day=found.day.isoformat(), name=found.name), 303
    )


def _shift(day: str, name: str) -> Shift:
    try:
        found = shift_of(date.fromisoformat(day), name)
    except (ValueError, OverflowError):
        found = None
    if found is None:
        abort(404, "There is no such shift.")
    return found


@pages.get("/shift/<day>/<name>")
def shift(day: str, name: str) -> Any:
    """Show a shift: its events, which are open, who signed."""
    look, found = _desk().book.look(), _shift(day, name)
    rows = [row_of(event, look) for event in look.events]
    own = [row for row in rows if found.holds(row.event)]
    signed = look.notes.get(found.subject, ())
    last = max((note.seq for note in signed), default=0)
    return render_template(
        "shift.html",
        it=found,
        lines=[shown.line(row, look) for row in own],
        earlier=[shown.line(row, look) for row in rows if found.meets(row.event)],
        open_count=sum(row.state is not State.ACCEPTED for row in own),
        signed=shown.notes(signed, look.offset),
        later=sum(min(row.event.records, default=0) > last for row in own)
        if signed
        else 0,
        before=shift_at(found.start - 1),
        after=shift_at(found.end),
        hours=shown.hours(found),
        seen=look.tail.seq,
    )


@pages.post("/shift/<day>/<name>/sign-off")
def sign_off(day: str, name: str) -> Any:
    """Put on record that the user signs a shift off, if the ledger holds."""
    found, text, seen = _shift(day, name), clean(request.form.get("text", "")), _seen()
    checked = _desk().watch.check()
    if not checked.passed:
        abort(409, "Nothing is signed off on a ledger that does not verify.")
    look = _desk().book.look()
    own = [row_of(e, look) for e in look.events if found.holds(e)]
    if any(min(row.event.records, default=0) > seen for row in own):
        abort(
            409, "Events came in since you opened the shift: go back and look at them."
        )
    if not text and any(row.state is not State.ACCEPTED for row in own):
        abort(400, "Events of this shift are not accepted yet: say why you sign off.")
    records = sorted({seq for row in own for seq in row.event.records})
    _append("sign_off", found.subject, tuple(records), text)
    return redirect(url_for("pages.shift", day=day, name=name), 303)

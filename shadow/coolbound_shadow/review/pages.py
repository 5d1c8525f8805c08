"""The pages: log-in, list, event, shift; and the forms on them."""

from collections.abc import Iterable
from datetime import date
from typing import Any

from flask import (
    Blueprint,
    abort,
    current_app,
    flash,
    g,
    redirect,
    render_template,
    request,
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
from coolbound_shadow.review.log_in_pages import add_log_in
from coolbound_shadow.review.posting import MOST_TEXT, append_once, clean
from coolbound_shadow.review.shifts import Shift, shift_at, shift_of
from coolbound_shadow.review.signing import (
    NotSignedError,
    sign_off_of,
    standing_of,
    standings,
)
from coolbound_shadow.review.trend import trend
from coolbound_shadow.review.users import Role

pages = Blueprint("pages", __name__)
add_log_in(pages)


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


@pages.get("/")
def events() -> Any:
    """Show the list of events."""
    look, plan = _desk().book.look(), _desk().setup.plan
    wish = wanted(request.args, plan)
    rows = found_rows(look, wish, plan)
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
        shift_options=_named(plan.names),
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
        shift=shift_at(row.event.start + row.event.offset, setup.plan),
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
    _record(Review(g.user, action, about, records, text))


def _record(review: Review) -> None:
    setup = _desk().setup
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
    found = shift_at(local, _desk().setup.plan)
    return redirect(
        url_for("pages.shift", day=found.day.isoformat(), name=found.name), 303
    )


def _shift(day: str, name: str) -> Shift:
    try:
        found = shift_of(date.fromisoformat(day), name, _desk().setup.plan)
    except (ValueError, OverflowError):
        found = None
    if found is None:
        abort(404, "There is no such shift.")
    return found


@pages.get("/shifts")
def shifts() -> Any:
    """Show which shifts are signed off, and which are not."""
    look, plan = _desk().book.look(), _desk().setup.plan
    found = standings(look, plan)
    is_open = request.args.get("only", "") == "open"
    kept = [s for s in found if s.is_over and not s.signed_by] if is_open else found
    page = request.args.get("page", "1")
    number = int(page) if page.isascii() and page.isdecimal() and len(page) < 7 else 1
    lines, number, count = page_of(kept, number)
    return render_template(
        "shifts.html",
        lines=[shown.standing(each, look) for each in lines],
        plan=plan.words(),
        only="open" if is_open else "",
        number=number,
        pages=count,
        total=len(kept),
        **shown.standing_counts(found),
    )


@pages.get("/shift/<day>/<name>")
def shift(day: str, name: str) -> Any:
    """Show a shift: its events, which are open, who signed."""
    look, found = _desk().book.look(), _shift(day, name)
    rows = [row_of(event, look) for event in look.events]
    own = [row for row in rows if found.holds(row.event)]
    signed, plan = look.notes.get(found.subject, ()), _desk().setup.plan
    standing = standing_of(look, found, own)
    return render_template(
        "shift.html",
        it=found,
        lines=[shown.line(row, look) for row in own],
        earlier=[shown.line(row, look) for row in rows if found.meets(row.event)],
        open_count=standing.unaccepted,
        signed=shown.notes(signed, look.offset),
        later=standing.later,
        before=shift_at(found.start - 1, plan),
        after=shift_at(found.end, plan),
        hours=shown.hours(found),
        seen=look.tail.seq,
    )


@pages.post("/shift/<day>/<name>/sign-off")
def sign_off(day: str, name: str) -> Any:
    """Put on record that the user signs a shift off, if the ledger holds."""
    found, text, seen = _shift(day, name), request.form.get("text", ""), _seen()
    checked = _desk().watch.check()
    if not checked.passed:
        abort(409, "Nothing is signed off on a ledger that does not verify.")
    try:
        review = sign_off_of(_desk().book.look(), found, g.user, text, seen)
    except NotSignedError as error:
        abort(error.code, str(error))
    _record(review)
    return redirect(url_for("pages.shift", day=day, name=name), 303)

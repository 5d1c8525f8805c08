"""The pages on which one logs in and out."""

from typing import Any, Final
from urllib.parse import urlsplit

from flask import (
    Blueprint,
    current_app,
    g,
    redirect,
    render_template,
    request,
    session,
    url_for,
)

from coolbound_shadow.review.app import desk_of
from coolbound_shadow.review.users import is_password, plain

FREE_BY_USER: Final = 5
"""Attempts to log in that cost no wait, for one name. [1]"""

FREE_BY_ADDRESS: Final = 20
"""The same from one address, behind which there may be many people. [1]"""


def add_log_in(pages: Blueprint) -> None:
    """Add the pages to a blueprint."""
    pages.add_url_rule("/log-in", "log_in", log_in, methods=["GET", "POST"])
    pages.add_url_rule("/log-out", "log_out", log_out, methods=["POST"])


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
    wait = desk_of(current_app).throttle.attempt(free)
    if wait > 0.0:
        return _no_entry(
            there, name, 429, f"Too many attempts: wait {wait:.0f} s.", wait
        )
    user = desk_of(current_app).users().get(name)
    if not is_password(user, password) or user is None:
        return _no_entry(there, name, 401, "Name or password is wrong.")
    desk_of(current_app).throttle.succeeded(f"user {name}")
    session.clear()
    session.permanent = True
    session["log_in"] = desk_of(current_app).log_ins.begin(name, user.mark)
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


def log_out() -> Any:
    """End the log-in, here and on the server."""
    desk_of(current_app).log_ins.end(session.get("log_in", ""))
    session.clear()
    return redirect(url_for("pages.log_in"), 303)

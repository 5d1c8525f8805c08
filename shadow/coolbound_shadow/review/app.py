"""The application: who may come in, and what every answer carries."""

import dataclasses
import ipaddress
import os
import secrets
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any, Final, final
from urllib.parse import urlsplit

from flask import (
    Flask,
    Response,
    abort,
    g,
    redirect,
    render_template,
    request,
    session,
    url_for,
)
from flask_wtf.csrf import CSRFError, CSRFProtect
from werkzeug.exceptions import HTTPException

from coolbound_envs.tables import InputError
from coolbound_shadow.ledger.keys import PublicKeys, Signer
from coolbound_shadow.overrides.outcomes import Bounds
from coolbound_shadow.review.book import Book, Watch
from coolbound_shadow.review.log_ins import LONGEST_S, LogIns, Throttle
from coolbound_shadow.review.users import Role, Users, read_users
from coolbound_shadow.shift_plan import USUAL, ShiftPlan

LOOPBACK: Final = ("127.0.0.1", "localhost", "::1")

OPEN_TO_ALL: Final = ("static", "pages.log_in")
"""What one sees without a log-in."""

MOST_BYTES: Final = 64 * 1024
"""Of a request. [bytes]"""

HEADERS: Final = {
    "Content-Security-Policy": "default-src 'none'; style-src 'self'; img-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=()",
    "Cache-Control": "no-store",
}
"""Every answer carries these."""

WORDS: Final = {
    400: "This cannot be understood. Go back, reload the page and send it again.",
    403: "Your role is reader: you see everything and change nothing.",
    404: "There is no such page.",
    405: "This page cannot be used that way.",
    413: "This is more than the page takes.",
}
"""What a visitor is told, by status."""


@final
@dataclasses.dataclass(frozen=True)
class Setup:
    """What the page is made of. Static.

    Attributes:
        ledger: The ledger's folder.
        users: The file of users.
        site: Name of the site.
        bounds: Between what measured quantities shall stay.
        signer: Signs heads after a review; None for nobody.
        trusted: Keys that may sign; None for those in the folder.
        names: Names under which browsers may ask, besides loopback.
        port: Port that is served. [1]
        is_tls: True where browsers come by TLS, through a reverse proxy.
        plan: The hours of the site's shifts.
        check_every_s: Least time between two checks of the ledger. [s]
    """

    ledger: Path
    users: Path
    site: str
    bounds: Bounds
    signer: Signer | None = None
    trusted: PublicKeys | None = None
    names: Sequence[str] = ()
    port: int = 0
    is_tls: bool = False
    plan: ShiftPlan = USUAL
    check_every_s: float = 60.0


@final
class Desk:
    """What all requests share."""

    def __init__(self, setup: Setup) -> None:
        """Open the ledger.

        Raises:
            InputError: There is no ledger, or the file of users cannot be used.
        """
        self.setup = setup
        self.book = Book(setup.ledger, setup.bounds)
        self.watch = Watch(setup.ledger, setup.trusted, setup.check_every_s)
        self.log_ins = LogIns()
        self.throttle = Throttle()
        self._users: tuple[tuple[int, ...], Users] = ((), {})
        self.users()

    def users(self) -> Users:
        """Return the users as the file has them now."""
        path = self.setup.users
        try:
            found = os.stat(path)
        except FileNotFoundError:
            return {}
        # The mode is part of it: a file that others may read is refused at once.
        state = (found.st_mtime_ns, found.st_size, found.st_ino, found.st_mode)
        if state != self._users[0]:
            self._users = state, read_users(path)
        return self._users[1]


def desk_of(app: Flask) -> Desk:
    """Return what the requests of an application share."""
    return app.extensions["coolbound_review"]


def create_app(setup: Setup) -> Flask:
    """Return the application.

    Raises:
        InputError: There is no ledger, or the file of users cannot be used.
    """
    from coolbound_shadow.review.pages import pages

    app = Flask(__name__)
    app.config.update(
        # Made anew at every start: all log-ins end with the server, no key is kept.
        SECRET_KEY=secrets.token_bytes(32),
        # Cookies know no ports: two servers on one host would log each other out.
        SESSION_COOKIE_NAME=f"coolbound-review-{setup.port}",
        SESSION_COOKIE_HTTPONLY=True,
        SESSION_COOKIE_SAMESITE="Strict",
        SESSION_COOKIE_SECURE=setup.is_tls,
        PERMANENT_SESSION_LIFETIME=timedelta(seconds=LONGEST_S),
        SESSION_REFRESH_EACH_REQUEST=False,
        MAX_CONTENT_LENGTH=MOST_BYTES,
        WTF_CSRF_TIME_LIMIT=None,
    )
    app.jinja_env.trim_blocks = app.jinja_env.lstrip_blocks = True
    app.extensions["coolbound_review"] = Desk(setup)
    app.before_request(lambda: _require_known_host(setup))
    CSRFProtect(app)
    app.before_request(_require_user)
    app.after_request(_with_headers)
    app.register_error_handler(HTTPException, _say_error)
    app.register_error_handler(InputError, _say_mistake)
    app.register_blueprint(pages)
    return app


def _require_known_host(setup: Setup) -> None:
    """Refuse a name that somebody else let point here (DNS rebinding)."""
    try:
        name = urlsplit(f"//{request.headers.get('Host', '')}").hostname or ""
    except ValueError:
        name = ""
    if name.lower() not in {*LOOPBACK, *(each.lower() for each in setup.names)}:
        abort(400, "This name is not one that the page is served under.")


def _require_user() -> Any:
    """Let in who is logged in; let post who may."""
    g.user, g.role = None, None
    if request.endpoint == "static":
        return None
    from flask import current_app

    desk = desk_of(current_app)
    users = desk.users()
    marks = {name: user.mark for name, user in users.items()}
    g.user = desk.log_ins.user(session.get("log_in", ""), marks)
    if g.user is None:
        if request.endpoint in OPEN_TO_ALL:
            return None
        there = request.full_path.rstrip("?") if request.method == "GET" else None
        there = None if there == "/" else there
        return redirect(url_for("pages.log_in", next=there), 303)
    g.role = users[g.user].role
    is_posting = request.method not in ("GET", "HEAD", "OPTIONS")
    is_own = request.endpoint in ("pages.log_out", "pages.log_in")
    if is_posting and not is_own and g.role is not Role.REVIEWER:
        abort(403)
    return None


def _with_headers(answer: Response) -> Response:
    for name, value in HEADERS.items():
        answer.headers[name] = value
    return answer


def _say_error(error: HTTPException) -> Any:
    if error.code is None or error.code < 400:
        return error
    words = WORDS.get(error.code, "Something went wrong.")
    is_own = error.description and error.description != type(error).description
    if isinstance(error, CSRFError):
        words = (
            "This form is not of your log-in, or the log-in has ended. " + WORDS[400]
        )
    elif is_own:
        words = str(error.description)
    page = render_template("error.html", code=error.code, words=words)
    return page, error.code, error.get_headers()[1:]


def _say_mistake(error: InputError) -> Any:
    """Say what the ledger refused; nothing of it is recorded."""
    return render_template("error.html", code=503, words=f"{error}."), 503


def is_loopback(host: str) -> bool:
    """Return whether an address is this computer's own, for itself alone."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False

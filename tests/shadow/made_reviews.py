"""A small plant day in a ledger for the tests of the review page."""

import re
from pathlib import Path

from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from coolbound_envs.spec import CHANNEL_NAMES, CHANNELS, POINTS
from coolbound_shadow.ledger.keys import Signer, load_signer, make_key
from coolbound_shadow.ledger.records import Override, Tick
from coolbound_shadow.ledger.writer import LedgerWriter
from coolbound_shadow.overrides.outcomes import HOTTEST, Bound
from coolbound_shadow.review.app import Setup
from coolbound_shadow.review.users import Role, add_user

START = 1_764_633_600
"""2025-12-02 01:00 +01:00, in a night shift. [s]"""

OFFSET, STEP = 3600, 300
PASSWORD = "four plain words here"
HELD = "tower_fan_speed"


def tick(step: int, kind: str = "", run: str = "december") -> Tick:
    """Return a decision; one of a kind has an intervention of it."""
    middle = {c.name: round((c.lower + c.upper) / 2, 3) for c in CHANNELS}
    asked = dict(middle)
    if kind:
        asked["chw_supply_setpoint"] += 2.0 + 0.01 * (step % 40)
    limit = {"limit": "CA_T_MAX", "ramp": "CHWS_SLEW"}.get(kind, "")
    active = {"CA_T_MAX": 0.25} if kind == "limit" else {}
    if kind == "ramp":
        active = {"ramp:chw_supply_setpoint": 0.0}
    observed = {p.name: round(0.4 * p.lower + 0.6 * p.upper, 2) for p in POINTS}
    observed |= {n: 24.0 + 0.1 * (step % 17) for n in observed if "inlet" in n}
    return Tick(
        run=run,
        time_utc=START + STEP * (step + 1),
        offset=OFFSET,
        observed=observed,
        quality={},
        applied={name: middle[name] for name in CHANNEL_NAMES},
        proposed=asked,
        certified=middle,
        status={"": "PASSED", "fallback": "FALLBACK"}.get(kind, "PROJECTED"),
        rung="hold" if kind == "fallback" else "",
        reason="the policy timed out" if kind == "fallback" else "",
        active=active,
        policy_digest="ab" * 32,
        latency_s=0.004,
        extra={"limit": limit, "kind": kind},
    )


def override(step: int, state: str = "started", event: str = "o-17") -> Override:
    """Return one record of a hold of the tower fans."""
    time_utc = START + STEP * step
    return Override(event, state, HELD, time_utc, OFFSET, 0.9, wanted=0.55)


def kind_at(step: int) -> str:
    """Return what the day's decisions were: some of every kind."""
    if 20 <= step < 26:
        return "limit"
    if step in (60, 61):
        return "fallback"
    return "ramp" if 70 <= step < 95 else ""


def write_day(folder: Path, signer: Signer | None, steps: int = 150) -> None:
    """Write a day with a limit, a fallback, a ramp and an override that stays."""
    with LedgerWriter(folder, signer) as writer:
        writer.append_many(tick(step, kind_at(step)) for step in range(steps))
        writer.append(override(40))


def make_setup(folder: Path) -> Setup:
    """Return a page over a day, with one user of each role."""
    signer = make_key(folder / "key.pem")
    write_day(folder / "ledger", signer)
    users = folder / "users.json"
    add_user(users, "engineer", Role.REVIEWER, PASSWORD)
    add_user(users, "visitor", Role.READER, PASSWORD)
    return Setup(
        ledger=folder / "ledger",
        users=users,
        site="Reference plant",
        bounds={HOTTEST: Bound(high=27.0)},
        signer=load_signer(signer.path),
        port=8410,
    )


def token(page: TestResponse) -> str:
    """Return the token of a page's forms."""
    found = re.search(r'name="csrf_token" value="([^"]+)"', page.text)
    assert found, page.text
    return found[1]


def seen(page: TestResponse) -> str:
    """Return the record that a page's forms were made after."""
    found = re.search(r'name="seen" value="(\d+)"', page.text)
    assert found, page.text
    return found[1]


def log_in(client: FlaskClient, name: str, password: str = PASSWORD) -> TestResponse:
    form = {"name": name, "password": password}
    form["csrf_token"] = token(client.get("/log-in"))
    return client.post("/log-in", data=form)

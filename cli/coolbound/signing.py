"""`coolbound review --list-shifts` and `--sign-off`: shifts without a browser."""

import getpass
import sys
from argparse import Namespace
from datetime import date
from pathlib import Path
from typing import Any

from coolbound.console import Answer, table
from coolbound_envs.tables import InputError
from coolbound_shadow.ledger.keys import PublicKeys, Signer
from coolbound_shadow.ledger.verify import verify
from coolbound_shadow.overrides.columns import epoch
from coolbound_shadow.overrides.words import moment
from coolbound_shadow.review.book import Book, Look
from coolbound_shadow.review.listing import row_of
from coolbound_shadow.review.posting import append_once
from coolbound_shadow.review.shifts import Shift, shift_of
from coolbound_shadow.review.signing import (
    Standing,
    sign_off_of,
    standing_of,
    standings,
)
from coolbound_shadow.review.users import Role, is_password, plain, read_users
from coolbound_shadow.shift_plan import ShiftPlan


def list_shifts(folder: Path, plan: ShiftPlan) -> Answer:
    """Return which shifts are signed off, and which are not.

    Raises:
        InputError: The ledger cannot be read.
    """
    look = Book(folder, {}).look()
    found = standings(look, plan)
    waiting = [each for each in found if each.is_over and not each.signed_by]
    rows = [_row(each, look) for each in found]
    data = {
        "schema": "coolbound.review-shifts/1",
        "plan": plan.words(),
        "waiting": len(waiting),
        "shifts": [_data(each) for each in found],
    }
    heads = ("shift", "events", "not accepted", "sign-off")
    lines = [table(heads, rows)] if rows else ["no shift is on record"]
    return Answer(
        data, "\n".join([*lines, "", f"{len(waiting):,} over and not signed off"])
    )


def _row(found: Standing, look: Look) -> tuple[str, ...]:
    name = found.shift.subject.removeprefix("shift ")
    word = "not signed off" if found.is_over else "not over yet"
    if found.signed_by:
        word = f"{found.signed_by}, {moment(epoch(found.signed), look.offset)}"
    later = f" ({found.later} events came in later)" if found.later else ""
    return name, f"{found.events:,}", f"{found.unaccepted:,}", word + later


def _data(found: Standing) -> dict[str, Any]:
    return {
        "shift": found.shift.subject.removeprefix("shift "),
        "events": found.events,
        "unaccepted": found.unaccepted,
        "signed_by": found.signed_by or None,
        "signed": found.signed or None,
        "later": found.later,
        "is_over": found.is_over,
    }


def sign_off(
    options: Namespace,
    users: Path,
    plan: ShiftPlan,
    signer: Signer | None,
    trusted: PublicKeys | None,
) -> Answer:
    """Sign a shift off by the rule of the page, or say that it is signed already.

    Args:
        options: What was asked for.
        users: The file of users.
        plan: The hours of the shifts.
        signer: Signs the ledger's head; None leaves that to another writer.
        trusted: Keys that may have signed; None for those in the folder.

    Raises:
        InputError: User, password or shift cannot be used, the ledger does not
            verify, or events are not accepted and nothing is said.
    """
    shift = _shift(options.sign_off, plan)
    user = _user(options.user, users)
    verdict = verify(options.folder, trusted)
    if not verdict.passed:
        raise InputError(
            f"{options.folder}: found a ledger that does not verify "
            f"({verdict.findings[0].sentence}), expected an unbroken one; nothing is "
            "signed off, run `coolbound ledger verify`"
        )
    look = Book(options.folder, {}).look()
    before = _standing(look, shift)
    if before.signed_by == user and not before.later:
        return _answer(before, None, "was signed off already by")
    if not before.is_over:
        raise InputError(
            f"{options.sign_off!r}: found a shift that is not over in the ledger, "
            "expected one that is; see `coolbound review --list-shifts`"
        )
    review = sign_off_of(look, shift, user, options.text, look.tail.seq)
    seq = append_once(options.folder, signer, review, look.tail.seq)
    after = _standing(Book(options.folder, {}).look(), shift)
    return _answer(after, seq, "is signed off by")


def _answer(found: Standing, seq: int | None, words: str) -> Answer:
    data = {"schema": "coolbound.review-sign-off/1", "record": seq, **_data(found)}
    record = "" if seq is None else f", record {seq:,}"
    return Answer(data, f"{found.shift.subject} {words} {found.signed_by}{record}")


def _standing(look: Look, shift: Shift) -> Standing:
    rows = [row_of(event, look) for event in look.events if shift.holds(event)]
    return standing_of(look, shift, rows)


def _shift(text: str, plan: ShiftPlan) -> Shift:
    """Return the shift of a text such as `2025-12-02 early`.

    Raises:
        InputError: The site has none of that name, or the day is none.
    """
    day, _, name = text.strip().partition(" ")
    try:
        found = shift_of(date.fromisoformat(day), name.strip(), plan)
    except (ValueError, OverflowError):
        found = None
    if found is None:
        raise InputError(
            f"--sign-off: found {text!r}, expected a day and one of "
            f"{', '.join(plan.names)}, as '2025-12-02 {plan.names[0]}'; correct it"
        )
    return found


def _user(given: str, users: Path) -> str:
    """Return the user who signs, once the password is given.

    Raises:
        InputError: Name or password is wrong, or the role only reads.
    """
    name = plain(given)
    user = read_users(users).get(name)
    if not is_password(user, _password(name)) or user is None:
        raise InputError(
            f"--as {name}: found a name or a password that is wrong, expected those of "
            "a user of the review page; try again, or see `coolbound review --add-user`"
        )
    if user.role is not Role.REVIEWER:
        raise InputError(
            f"--as {name}: found a reader, expected a reviewer; sign as one"
        )
    return name


def _password(name: str) -> str:
    """Return a password, typed at a terminal, else a line of standard input."""
    if sys.stdin.isatty():
        return getpass.getpass(f"Password of {name}: ")
    return sys.stdin.readline().rstrip("\r\n")

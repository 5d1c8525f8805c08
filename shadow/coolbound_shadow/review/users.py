"""Who may log in: a file for its owner alone, passwords only as scrypt digests."""

import hashlib
import json
import os
import re
import stat
import unicodedata
from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path
from typing import Final, NamedTuple

from werkzeug.security import check_password_hash, generate_password_hash

from coolbound_envs.tables import InputError
from coolbound_shadow.ledger.files import written_aside

SCHEMA: Final = "coolbound.review-users/1"

NAME: Final = re.compile(r"[\w.@-]{1,64}")

LEAST: Final = 12
"""Characters of a password, at least. [1]"""

MOST: Final = 256
"""Characters of a password, at most: scrypt reads them all. [1]"""


class Role(StrEnum):
    """What a user may do."""

    READER = "reader"
    REVIEWER = "reviewer"


class User(NamedTuple):
    """One line of the file."""

    role: Role
    password: str

    @property
    def mark(self) -> str:
        """Changes with the password and the role, and tells neither."""
        return hashlib.sha256(f"{self.role} {self.password}".encode()).hexdigest()


Users = Mapping[str, User]
"""Users by name."""


def plain(name: str) -> str:
    """Return a name in the one form that is kept and compared."""
    return unicodedata.normalize("NFC", name.strip())


def read_users(path: Path) -> Users:
    """Read the file of users; an absent one holds nobody.

    Raises:
        InputError: Others may read it, or it is no such file.
    """
    if not path.is_file():
        return {}
    mode = stat.S_IMODE(path.stat().st_mode)
    if os.name == "posix" and mode & 0o077:
        raise InputError(
            f"{path}: found mode {mode:03o}, expected 600, for its owner alone; run "
            f"`chmod 600 {path}`, and set new passwords if others may have read it"
        )
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        if found["schema"] != SCHEMA:
            raise ValueError(found["schema"])
        rows = found["users"].items()
        return {
            name: User(Role(row["role"]), str(row["password"])) for name, row in rows
        }
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise InputError(
            f"{path}: found {error!r}, expected users as `coolbound review --add-user` "
            "writes them; move the file away and add them again"
        ) from error


def add_user(path: Path, name: str, role: Role, password: str) -> bool:
    """Add a user or replace one; return whether it was there before.

    Raises:
        InputError: Name or password cannot be used, or the file cannot be written.
    """
    name = plain(name)
    if not NAME.fullmatch(name):
        raise InputError(
            f"user {name!r}: found a name that cannot be used, expected 1 to 64 "
            "letters, digits and . _ - @; choose another"
        )
    if not LEAST <= len(password) <= MOST:
        raise InputError(
            f"user {name!r}: found a password of {len(password)} characters, expected "
            f"{LEAST} to {MOST}; choose another, a few words will do"
        )
    users = dict(read_users(path))
    was_there = name in users
    users[name] = User(role, generate_password_hash(password, "scrypt"))
    _write(path, users)
    return was_there


def remove_user(path: Path, name: str) -> None:
    """Remove a user; an open log-in of that user ends at once.

    Raises:
        InputError: There is no such user.
    """
    users = dict(read_users(path))
    if users.pop(plain(name), None) is None:
        raise InputError(
            f"{path}: found no user {name!r}, expected one of "
            f"{', '.join(sorted(users)) or 'none: it is empty'}; check the name"
        )
    _write(path, users)


def _write(path: Path, users: Users) -> None:
    rows = {
        name: {"role": user.role.value, "password": user.password}
        for name, user in sorted(users.items())
    }
    text = json.dumps({"schema": SCHEMA, "users": rows}, indent=2, ensure_ascii=False)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with written_aside(path) as aside:
            aside.unlink(missing_ok=True)
            flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL
            with os.fdopen(os.open(aside, flags, 0o600), "w", encoding="utf-8") as file:
                file.write(text + "\n")
    except OSError as error:
        raise InputError(
            f"{path}: found {error.strerror}, expected a file that may be written; "
            "name another one with --users"
        ) from error


def is_password(user: User | None, given: str) -> bool:
    """Return whether a password is the user's; as slow where there is no such user."""
    digest = user.password if user else _nobody()
    is_right = check_password_hash(digest, given[: MOST + 1])
    return is_right and user is not None


_NOBODY: list[str] = []


def _nobody() -> str:
    """Return a digest that is compared for who is not there."""
    if not _NOBODY:
        _NOBODY.append(generate_password_hash(os.urandom(16).hex(), "scrypt"))
    return _NOBODY[0]

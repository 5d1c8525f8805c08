"""`coolbound review`: the page on which staff look at events and sign shifts off."""

import getpass
import importlib.util
import signal
import sys
from argparse import Namespace
from pathlib import Path

from coolbound.compose import chosen_site
from coolbound.console import Answer, complain
from coolbound.grammar.common import UsageError
from coolbound.verbs.ledger import key_path
from coolbound_envs.limit_numbers import parse_limits
from coolbound_envs.site import Site
from coolbound_envs.tables import InputError
from coolbound_shadow.ledger.keys import (
    PublicKeys,
    Signer,
    load_public,
    load_signer,
    public_path,
)
from coolbound_shadow.shift_plan import ShiftPlan, chosen_plan

NEEDED = ("flask", "flask_wtf", "waitress")
"""What the page is served with; an extra, which other verbs do without."""

USERS_FILE = "review-users.json"


def run(options: Namespace) -> Answer:
    """Add or remove a user, list or sign shifts, or serve the page until Ctrl-C.

    Raises:
        UsageError: The options do not go together.
        InputError: Ledger, users, key or address cannot be used.
    """
    _require_installed()
    _require_one(options)
    path = users_path(options.users)
    if options.add_user:
        return _add_user(options, path)
    if options.remove_user:
        return _remove_user(options, path)
    site = chosen_site(options.site)
    plan = chosen_plan(options.shifts, site.root)
    if options.list_shifts:
        from coolbound.signing import list_shifts

        return list_shifts(options.folder, plan)
    if options.sign_off:
        from coolbound.signing import sign_off

        return sign_off(options, path, plan, *_keys(options))
    return _serve(options, path, site, plan)


def _require_one(options: Namespace) -> None:
    """Refuse two wishes at once, and a sign-off by nobody.

    Raises:
        UsageError: The options do not go together.
    """
    wishes = ("add_user", "remove_user", "sign_off", "list_shifts")
    given = [f"--{w.replace('_', '-')}" for w in wishes if getattr(options, w)]
    if len(given) > 1:
        raise UsageError(f"review: found {' and '.join(given)}, expected one")
    is_signing = bool(options.sign_off)
    if bool(options.user) != is_signing or (options.text and not is_signing):
        raise UsageError(
            "review: found one of --sign-off, --as and --text without the others it "
            "goes with, expected --sign-off SHIFT --as NAME, and --text if need be"
        )


def _keys(options: Namespace) -> tuple[Signer | None, PublicKeys | None]:
    """Return what signs, and whom to trust; None for nobody and for anybody."""
    key = key_path(options.key)
    public = public_path(key)
    trusted = options.trust or ([public] if options.key or public.is_file() else [])
    return (
        load_signer(key) if options.key or key.is_file() else None,
        load_public(trusted) if trusted else None,
    )


def _require_installed() -> None:
    missing = [name for name in NEEDED if importlib.util.find_spec(name) is None]
    if missing:
        raise InputError(
            f"coolbound review: found no {', '.join(missing)}, expected the extra "
            "`review`; install it by `pip install 'coolbound[review]'`"
        )


def users_path(given: Path | None) -> Path:
    """Return where the file of users stands or shall stand."""
    import platformdirs

    folder = platformdirs.user_config_path("coolbound", appauthor=False)
    return given or folder / USERS_FILE


def _add_user(options: Namespace, path: Path) -> Answer:
    from coolbound_shadow.review.users import Role, add_user, plain

    name, role = plain(options.add_user), Role(options.role)
    was_there = add_user(path, name, role, _password(name))
    data = {
        "schema": "coolbound.review-user/1",
        "user": name,
        "role": role.value,
        "replaced": was_there,
        "users": str(path),
    }
    word = "replaced" if was_there else "added"
    return Answer(data, f"{word} {name} as {role.value}: {path}")


def _password(name: str) -> str:
    """Return a password, typed twice at a terminal, else a line of standard input.

    Raises:
        InputError: The two differ.
    """
    if not sys.stdin.isatty():
        return sys.stdin.readline().rstrip("\r\n")
    first = getpass.getpass(f"Password of {name}: ")
    if getpass.getpass("Once more: ") != first:
        raise InputError(
            f"user {name!r}: found two different passwords, expected the same twice; "
            "run the command again"
        )
    return first


def _remove_user(options: Namespace, path: Path) -> Answer:
    from coolbound_shadow.review.users import remove_user

    remove_user(path, options.remove_user)
    data = {
        "schema": "coolbound.review-user/1",
        "user": options.remove_user,
        "role": None,
        "users": str(path),
    }
    return Answer(data, f"removed {options.remove_user}: {path}")


def _serve(options: Namespace, path: Path, site: Site, plan: ShiftPlan) -> Answer:
    from coolbound_shadow.overrides.writing import limit_bounds
    from coolbound_shadow.review.app import Setup
    from coolbound_shadow.review.serving import bind, require_allowed, serve
    from coolbound_shadow.review.users import read_users

    names = tuple(options.name)
    require_allowed(options.host, options.allow_remote, names)
    if not read_users(path):
        raise InputError(
            f"{path}: found no user, expected at least one; add one by `coolbound "
            "review --add-user NAME`"
        )
    signer, trusted = _keys(options)
    setup = Setup(
        ledger=options.folder,
        users=path,
        site=site.title,
        bounds=limit_bounds(parse_limits(site.root, site.feeder_power)),
        signer=signer,
        trusted=trusted,
        names=names,
        is_tls=options.tls,
        plan=plan,
    )
    # A service manager ends it by SIGTERM; a shell may have SIGINT ignored.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.default_int_handler)
    address = serve(options.host, bind(options.host, options.port), setup, _tell)
    data = {"schema": "coolbound.review/1", "address": address}
    return Answer(data, "the review page is closed")


def _tell(address: str) -> None:
    complain(f"review page at {address} (Ctrl-C ends it)")

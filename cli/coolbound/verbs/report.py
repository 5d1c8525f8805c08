"""`coolbound report`: what staff read about overrides and interventions."""

import getpass
from argparse import Namespace
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from coolbound.compose import chosen_site
from coolbound.console import Answer, progress_bar
from coolbound.verbs.ledger import key_path
from coolbound_envs.limit_numbers import parse_limits
from coolbound_envs.site import Site
from coolbound_shadow.ledger.keys import (
    Signer,
    load_public,
    load_signer,
    public_path,
)
from coolbound_shadow.overrides.report import Heading
from coolbound_shadow.overrides.writing import Wish, limit_bounds, write_report
from coolbound_shadow.shift_plan import chosen_plan


def run(options: Namespace) -> Answer:
    """Write the override report of a ledger.

    Raises:
        InputError: Ledger, period, key, site or folder cannot be used.
    """
    site = chosen_site(options.site)
    path = key_path(options.key)
    keys = options.trust or _own_public(options, path)
    with progress_bar() as progress:
        found = write_report(
            _wish(options),
            _heading(site, options),
            limit_bounds(parse_limits(site.root, site.feeder_power)),
            load_public(keys) if keys else None,
            _signer(options, path),
            getpass.getuser(),
            progress,
        )
    return Answer(found, "\n".join(_lines(found, options.no_record)))


def _wish(options: Namespace) -> Wish:
    return Wish(
        ledger=options.folder,
        out=options.out,
        first=options.first,
        last=options.last,
        run=options.run,
        is_pdf=options.pdf,
    )


def _heading(site: Site, options: Namespace) -> Heading:
    plan = chosen_plan(options.shifts, site.root)
    return Heading(site.name, site.title, site.zone, site.digest, plan)


def _own_public(options: Namespace, path: Path) -> list[Path]:
    public = public_path(path)
    return [public] if options.key or public.is_file() else []


def _signer(options: Namespace, path: Path) -> Signer | None:
    """Return the key to record with; who has none only reads."""
    if options.no_record or not (options.key or path.is_file()):
        return None
    return load_signer(path)


def _lines(found: Mapping[str, Any], is_unwanted: bool) -> list[str]:
    events, overrides = found["events"], found["overrides"]
    recorded = found["recorded_as"]
    why = (
        "as you asked" if is_unwanted else "no key; make one by `coolbound ledger key`"
    )
    return [
        f"decisions: {found['decisions']:,}, records {found['first_seq']:,} to "
        f"{found['last_seq']:,} of a ledger that verifies",
        "events: " + ", ".join(f"{kind} {n:,}" for kind, n in events.items()),
        f"overrides: {overrides['active']:,} active, "
        f"{overrides['without_expiry']:,} without expiry, "
        f"{overrides['without_reason']:,} without reason",
        f"service factor {_percent(found['service_factor'])}, channels free "
        f"{_percent(found['utilisation'])}",
        f"on record as {recorded:,}" if recorded else f"not put on record: {why}",
        *(f"report: {found[key]}" for key in ("report", "pdf") if found[key]),
    ]


def _percent(share: float | None) -> str:
    return "not known" if share is None else f"{100.0 * share:.1f} %"

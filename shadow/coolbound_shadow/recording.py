"""A shadow run on record: its decisions as ticks, then the report made of them.

A run that was interrupted goes on after its last tick. Signed heads tell the ledger
apart from one that was cut or rewritten later, so that the report prints one.
"""

import dataclasses
import hashlib
import itertools
from pathlib import Path
from typing import Any

from coolbound_envs.tables import InputError
from coolbound_shadow.ledger.body import second_text
from coolbound_shadow.ledger.database import FILE
from coolbound_shadow.ledger.heads import Head
from coolbound_shadow.ledger.keys import Signer, load_signer
from coolbound_shadow.ledger.opening import open_ledger
from coolbound_shadow.ledger.reader import LedgerReader
from coolbound_shadow.ledger.records import Kind, Report
from coolbound_shadow.ledger.resume import last_change
from coolbound_shadow.ledger.ticks import ticks
from coolbound_shadow.ledger.upkeep import Change
from coolbound_shadow.log_types import Log
from coolbound_shadow.records import Decisions
from coolbound_shadow.refusal_limits import RefusalLimits
from coolbound_shadow.replay import Policy, Replay

ACTOR = "coolbound shadow"

LIMITS = "refusal limits"
"""What the change is called that says below what no potential is told."""

OF_RUN = (
    "FROM ledger WHERE json_extract(body, '$.kind') = 'tick' "
    "AND json_extract(body, '$.run') = ?"
)
DIGEST = f"SELECT json_extract(body, '$.policy_digest') {OF_RUN} LIMIT 1"
PLACES = f"SELECT min(seq), max(seq), count(*) {OF_RUN}"


@dataclasses.dataclass(frozen=True)
class LedgerChoice:
    """Where a run is put on record. Static.

    Attributes:
        folder: The ledger's folder.
        key: Private key that signs heads.
        run: Name of the run; empty for one made of policy and log.
    """

    folder: Path
    key: Path
    run: str = ""


@dataclasses.dataclass(frozen=True)
class Recorded:
    """What stands in the ledger of a run. Static.

    Attributes:
        run: Name of the run.
        appended: Ticks that this time appended. [1]
        ticks: Ticks of the run in all. [1]
        first_seq: Record of its first tick. [1]
        last_seq: Record of its last tick. [1]
        head: Last signed head.
    """

    run: str
    appended: int
    ticks: int
    first_seq: int
    last_seq: int
    head: Head

    def as_data(self, folder: Path) -> dict[str, Any]:
        """Return it ready for JSON."""
        return {"folder": str(folder), **dataclasses.asdict(self)}


def run_name(choice: LedgerChoice, policy: Policy, log: Log) -> str:
    """Return the run's name: the given one, or one of policy and log files."""
    if choice.run:
        return choice.run
    parts = [policy.digest, *(source.sha256 for source in log.sources)]
    return f"{policy.name}-{hashlib.sha256(' '.join(parts).encode()).hexdigest()[:12]}"


def require_recordable(choice: LedgerChoice, out: Path) -> Signer:
    """Return the key that signs, before any work is done.

    Raises:
        InputError: The key cannot be used, or the result would replace the ledger.
    """
    ledger, results = choice.folder.resolve(), out.resolve()
    if ledger == results or results in ledger.parents or ledger in results.parents:
        raise InputError(
            f"{choice.folder}: found a ledger inside the folder of the results {out}, "
            "or the other way round, expected two apart, since results are replaced; "
            "choose another --ledger or --out"
        )
    return load_signer(choice.key)


def require_same_policy(choice: LedgerChoice, policy: Policy, log: Log) -> None:
    """Refuse to go on with a run of another policy.

    Raises:
        InputError: The ledger holds ticks of this run by another policy.
    """
    if not (choice.folder / FILE).is_file():
        return
    run = run_name(choice, policy, log)
    with LedgerReader(choice.folder) as reader:
        row = reader.connection.execute(DIGEST, (run,)).fetchone()
    if row and row[0] != policy.digest:
        raise InputError(
            f"{choice.folder}: found run {run!r} of policy {row[0][:12]}, expected "
            f"{policy.digest[:12]}; choose another --run"
        )


def record_limits(
    choice: LedgerChoice,
    signer: Signer,
    policy: Policy,
    log: Log,
    limits: RefusalLimits,
) -> tuple[str, ...]:
    """Put the refusal limits of a run on record, before its decisions are made.

    Returns:
        What a reader must know: a change after decisions were on record.

    Raises:
        InputError: The folder is no ledger, its end does not hold, or it is full.
    """
    run = run_name(choice, policy, log)
    event, new = f"{LIMITS} of {run}", limits.as_data()
    old, has_ticks = _before(choice.folder, event, run)
    if old == new:
        return ()
    reason = "; ".join(entry.sentence() for entry in limits.changed) or "as published"
    with open_ledger(choice.folder, signer) as ledger:
        ledger.append(Change(Kind.CONFIG, ACTOR, event, old, new, reason))
        ledger.sign()
    if not has_ticks:
        return ()
    return (
        "The limits of refusal were put on record, or changed, after decisions of "
        f"this run stood in the ledger: before {old['sha256'] if old else 'none'}, now "
        f"{limits.sha256}.",
    )


def _before(folder: Path, event: str, run: str) -> tuple[Any, bool]:
    """Return what a setting was last, None for nothing, and whether a run has ticks."""
    if not (folder / FILE).is_file():
        return None, False
    with LedgerReader(folder) as reader:
        found = last_change(reader.connection, Kind.CONFIG, event)
        return found, reader.last_tick(run) is not None


def record_decisions(
    choice: LedgerChoice, signer: Signer, policy: Policy, log: Log, found: Replay
) -> Recorded:
    """Append the decisions that the ledger lacks, sign, and return where they stand.

    Raises:
        InputError: The folder is no ledger, its end does not hold, or it is full.
    """
    run = run_name(choice, policy, log)
    after = _last_tick(choice.folder, run)
    behind = _behind(found.decisions, after)
    missing = itertools.islice(ticks(found.decisions, run, found.latency), behind, None)
    with open_ledger(choice.folder, signer) as ledger:
        ledger.append_many(missing)
        ledger.sign()
    return _recorded(choice.folder, run, found.decisions.rows - behind)


def _last_tick(folder: Path, run: str) -> str | None:
    if not (folder / FILE).is_file():
        return None
    with LedgerReader(folder) as reader:
        return reader.last_tick(run)


def _behind(decisions: Decisions, after: str | None) -> int:
    """Return how many decisions are on record already [1]."""
    if after is None:
        return 0
    # Both are ISO 8601 in UTC, so that text sorts as time does.
    return sum(second_text(int(time)) <= after for time in decisions.time_utc)


def _recorded(folder: Path, run: str, appended: int) -> Recorded:
    with LedgerReader(folder) as reader:
        first, last, count = reader.connection.execute(PLACES, (run,)).fetchone()
        head = reader.status().head
    if head is None:
        raise InputError(
            f"{folder}: found no signed head after signing, expected one; run "
            "`coolbound ledger verify`"
        )
    return Recorded(run, appended, count, first, last, head)


def record_report(
    choice: LedgerChoice, signer: Signer, found: Recorded, file: str, page: bytes
) -> Recorded:
    """Put a report of the run on record and return it with the new head."""
    report = Report(
        actor=ACTOR,
        file=file,
        sha256=hashlib.sha256(page).hexdigest(),
        first_seq=found.first_seq,
        last_seq=found.last_seq,
        head=found.head.hash,
    )
    with open_ledger(choice.folder, signer) as ledger:
        ledger.append(report)
        head = ledger.sign()
    return dataclasses.replace(found, head=head or found.head)

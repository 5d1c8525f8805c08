"""Making the override report's files, and putting on record that it was made."""

import dataclasses
import hashlib
from collections.abc import Callable
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any, final

from coolbound_envs.limit_numbers import LimitValues
from coolbound_envs.tables import InputError
from coolbound_shadow.ledger.keys import PublicKeys, Signer
from coolbound_shadow.ledger.reader import LedgerReader
from coolbound_shadow.ledger.records import Report
from coolbound_shadow.ledger.verify import verify
from coolbound_shadow.ledger.writer import LedgerWriter
from coolbound_shadow.output import check_target, output_folder
from coolbound_shadow.overrides.columns import read_ticks, run_extent, run_names
from coolbound_shadow.overrides.event_types import EventKind
from coolbound_shadow.overrides.material import Material, read_material
from coolbound_shadow.overrides.outcomes import COLDEST, HOTTEST, Bound, Bounds
from coolbound_shadow.overrides.report import Heading, Made, make
from coolbound_shadow.pdf import require_printer, write_pdf

HTML, PDF = "override_report.html", "override_report.pdf"

ZONES_S = 14 * 3600
"""No clock is farther ahead of UTC. [s]"""

SCHEMA = "coolbound.override-report/1"

Progress = Callable[[str, int, int], None]


@final
@dataclasses.dataclass(frozen=True)
class Wish:
    """What is asked for. Static.

    Attributes:
        ledger: The ledger's folder.
        out: Folder for the report.
        first: First local day; None for all.
        last: Last local day; None for all.
        run: Name of the run; None for all.
        is_pdf: True where a PDF is wanted as well.
    """

    ledger: Path
    out: Path
    first: date | None
    last: date | None
    run: str | None
    is_pdf: bool


def limit_bounds(limits: LimitValues) -> Bounds:
    """Return between what the measured quantities shall stay at a site."""
    return {
        HOTTEST: Bound(high=float(limits.inlet_max)),
        COLDEST: Bound(low=float(limits.inlet_min)),
        "chilled-water pressure": Bound(low=float(limits.pressure_min)),
        "condenser water entering": Bound(high=float(limits.cw_entering_max)),
        "condenser water leaving": Bound(high=float(limits.cw_leaving_max)),
    }


def write_report(
    wish: Wish,
    heading: Heading,
    bounds: Bounds,
    trusted: PublicKeys | None,
    signer: Signer | None,
    actor: str,
    progress: Progress | None = None,
) -> dict[str, Any]:
    """Check the ledger, write the report, put it on record; return what it says.

    Args:
        wish: What is asked for.
        heading: What to say about the plant.
        bounds: Between what each measured quantity shall stay.
        trusted: Keys that may have signed; None for those in the folder.
        signer: Signs the ledger's head; None where nothing is to be recorded.
        actor: Who asked for it.
        progress: Told how many records have been checked.

    Raises:
        InputError: The ledger does not hold, has nothing in the period, or the
            folder cannot be written.
    """
    check_target(wish.out, HTML)
    if wish.is_pdf:
        require_printer()
    _require_whole(wish.ledger, trusted, progress)
    with LedgerReader(wish.ledger) as reader:
        made = make(reader, _material(reader, wish), bounds, heading)
    with output_folder(wish.out, HTML) as folder:
        (folder / HTML).write_text(made.html, encoding="utf-8")
        if wish.is_pdf:
            write_pdf(folder / HTML, folder / PDF)
        digest = hashlib.sha256((folder / HTML).read_bytes()).hexdigest()
        # Last: a record of a report that was never there would be worse than none.
        seq = _put_on_record(wish, made, digest, signer, actor) if signer else None
    return _summary(wish, made, digest, seq)


def _require_whole(
    folder: Path, trusted: PublicKeys | None, progress: Progress | None
) -> None:
    verdict = verify(folder, trusted, progress=progress)
    if not verdict.passed:
        raise InputError(
            f"{folder}: found a ledger that does not verify "
            f"({verdict.findings[0].sentence}), expected an unbroken one; run "
            f"`coolbound ledger verify {folder}`"
        )


def _material(reader: LedgerReader, wish: Wish) -> Material:
    _require_run(reader.folder, wish)
    start = _midnight(reader.folder, wish.first, 0)
    end = _midnight(reader.folder, wish.last, 1)
    if start is not None and end is not None and end <= start:
        raise InputError(
            f"--to {wish.last}: found a day before --from {wish.first}, expected the "
            "same or a later one; exchange them"
        )
    material = read_material(reader, start, end, wish.run)
    if material.is_empty():
        raise InputError(
            f"{wish.ledger}: found no decision and no override {_span(wish)}, expected "
            f"at least one; {_extent(reader.folder)}"
        )
    return material


def _require_run(folder: Path, wish: Wish) -> None:
    names = run_names(folder)
    if wish.run is not None and wish.run not in names:
        raise InputError(
            f"--run {wish.run!r}: found no such run in {wish.ledger}, expected one of "
            f"{', '.join(names) or 'none: it holds no decisions'}; name one of these"
        )


def _span(wish: Wish) -> str:
    if wish.first and wish.last:
        return f"from {wish.first} to {wish.last}"
    if wish.first or wish.last:
        return f"from {wish.first}" if wish.first else f"up to {wish.last}"
    return "in it"


def _extent(folder: Path) -> str:
    found = [run_extent(folder, run, None, None) for run in run_names(folder)]
    known = [each for each in found if each]
    if not known:
        return "append the ticks of a shadow run first"
    first, last = min(a for a, _ in known), max(b for _, b in known)
    days = (datetime.fromtimestamp(t, UTC).date().isoformat() for t in (first, last))
    return f"choose days from {' to '.join(days)}"


def _midnight(folder: Path, day: date | None, later: int) -> int | None:
    """Return the local midnight that begins a day, or the day after it [s]."""
    if day is None:
        return None
    base = datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp()
    utc = int(base) + later * 86400
    return utc - _offset_near(folder, utc - ZONES_S)


def _offset_near(folder: Path, time: int) -> int:
    """Return the ledger's own local time minus UTC from an instant on [s]."""
    for run in run_names(folder):
        later = run_extent(folder, run, time, None)
        extent = later or run_extent(folder, run, None, None)
        if extent:
            at = extent[0] if later else extent[1]
            ticks = read_ticks(folder, run, at, at)
            return int(ticks.offset[0]) if ticks else 0
    return 0


def _put_on_record(
    wish: Wish, made: Made, digest: str, signer: Signer | None, actor: str
) -> int:
    record = Report(actor, HTML, digest, made.first_seq, made.last_seq, made.head)
    try:
        with LedgerWriter(wish.ledger, signer) as writer:
            return writer.append(record).seq
    except OSError as error:
        raise InputError(
            f"{wish.ledger}: found {error.strerror or error}, expected a ledger that "
            "may be written; give --no-record to leave the report off the record"
        ) from error


def _summary(wish: Wish, made: Made, digest: str, seq: int | None) -> dict[str, Any]:
    holds = [e for e in made.events if e.kind is EventKind.OVERRIDE]
    due, serving = (
        sum(f.due for f in made.figures),
        sum(f.in_service for f in made.figures),
    )
    offered = sum(f.channel_steps for f in made.figures)
    return {
        "schema": SCHEMA,
        "report": str(wish.out / HTML),
        "pdf": str(wish.out / PDF) if wish.is_pdf else None,
        "sha256": digest,
        "start_utc": made.start,
        "end_utc": made.end,
        "decisions": made.decisions,
        "events": {k.value: sum(e.kind is k for e in made.events) for k in EventKind},
        "overrides": {
            "active": sum(e.end is None for e in holds),
            "without_expiry": sum(e.expiry is None for e in holds),
            "without_reason": sum(not (e.reason_code or e.why) for e in holds),
        },
        "service_factor": serving / due if due else None,
        "utilisation": sum(f.free for f in made.figures) / offered if offered else None,
        "first_seq": made.first_seq,
        "last_seq": made.last_seq,
        "head": made.head,
        "recorded_as": seq,
    }

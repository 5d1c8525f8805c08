"""Unknown exports in, a proposed point map out, with evidence and open questions.

The files are sketched one by one, files of one kind are put together, and every
column is then read whole, in the way an import would, to see what its numbers say.
"""

import dataclasses
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from coolbound_envs.tables import InputError
from coolbound_shadow.intake.claims import settle
from coolbound_shadow.intake.columns import Progress, read_columns
from coolbound_shadow.intake.exports import open_exports
from coolbound_shadow.intake.findings import Finding
from coolbound_shadow.intake.guess_points import PointGuess, guess_points
from coolbound_shadow.intake.guesses import Guess
from coolbound_shadow.intake.kinds import Kind, group, settle_time
from coolbound_shadow.intake.map_writer import map_text
from coolbound_shadow.intake.sketch import Sketch, seen_statuses, sketch

STEP_LEAST = 300
"""The regular log of a fast export has rows of so many seconds. [s]"""


@dataclasses.dataclass(frozen=True)
class Inspection:
    """What inspecting exports has found. Static.

    Attributes:
        kinds: Kinds of files.
        points: What each column may mean.
        findings: What looks wrong.
        doubts: What a person must settle, most general first.
        text: The proposed map.
    """

    kinds: tuple[Kind, ...]
    points: tuple[PointGuess, ...]
    findings: tuple[Finding, ...]
    doubts: tuple[str, ...]
    text: str


def inspect_logs(
    paths: Sequence[Path], zone: str = "", progress: Progress | None = None
) -> Inspection:
    """Return what unknown exports seem to be.

    Args:
        paths: Files, or folders of them.
        zone: IANA zone that the user declares; it is never guessed.
        progress: Told what is being done.

    Raises:
        InputError: A file cannot be read, or has no time stamps.
    """
    tell = progress or (lambda what, done, total: None)
    exports = open_exports(list(paths))
    with tempfile.TemporaryDirectory(prefix="coolbound-inspect-") as aside:
        folder = Path(aside)
        sketches = []
        for done, export in enumerate(exports):
            tell("files", done, len(exports))
            sketches += [settle_time(s, folder) for s in sketch(export, folder)]
        tell("files", len(exports), len(exports))
        _require_time(sketches)
        kinds = tuple(group(sketches, exports))
        columns, findings, refusals = read_columns(kinds, folder, tell)
    points = settle(guess_points(columns))
    doubts = _doubts(kinds, zone, refusals)
    statuses = sorted({t for k in kinds for s in k.sketches for t in seen_statuses(s)})
    text = map_text(
        site="my_site",
        zone=zone,
        files=[k.file for k in kinds],
        file_notes=[_notes(k) for k in kinds],
        points=points,
        statuses=statuses,
        step_s=_step(points),
        doubts=[_one_line(r) for r in refusals],
    )
    found = tuple(findings) + tuple(f for p in points for f in p.suspects)
    return Inspection(kinds, tuple(points), found, tuple(doubts), text)


def _one_line(text: str) -> str:
    return " ".join(text.split())


def _require_time(sketches: Sequence[Sketch]) -> None:
    lost = next((s for s in sketches if s.time is None), None)
    if lost is not None:
        shown = ", ".join(repr(name) for name in lost.names[:6])
        raise InputError(
            f"{lost.export.name}: found no column of time stamps among {shown}, "
            "expected one; the file may be cut off above its header, have another "
            "delimiter, or be no log"
        )


def _step(points: Sequence[PointGuess]) -> int:
    usual = [p.profile.interval_s for p in points if p.sampling == "poll" and p.feeds]
    usual = usual or [p.profile.interval_s for p in points]
    middle = float(np.median(usual)) if usual else STEP_LEAST
    return int(max(STEP_LEAST, round(middle / 60.0) * 60))


def _doubts(kinds: Sequence[Kind], zone: str, refusals: Sequence[str]) -> list[str]:
    doubts = [f"an import would refuse: {_one_line(text)}" for text in refusals]
    if not zone and any(k.file.stamps == "local" for k in kinds):
        said = sorted({z for k in kinds for s in k.sketches for z in s.zones})
        quoted = f"; the file mentions {', '.join(map(repr, said))}" if said else ""
        doubts.append(
            f"which time zone did the logger's clock keep? It is never guessed{quoted}"
        )
    for kind in kinds:
        for what, guess in _guesses(kind).items():
            if guess.doubt:
                doubts.append(f"{kind.file.match}, {what}: {guess.doubt}")
    return doubts


def _guesses(kind: Kind) -> dict[str, Guess]:
    return kind.sketches[0].guesses


def _notes(kind: Kind) -> list[str]:
    lines = [f"# {len(kind.sketches)} file(s) written alike"]
    for what, guess in _guesses(kind).items():
        lines.append(f"# {what}: {_one_line(guess.evidence)}")
        lines += [f"# UNSURE: {_one_line(guess.doubt)}"] if guess.doubt else []
    return lines


def inspection_data(found: Inspection) -> dict[str, Any]:
    """Return what was found, ready for JSON."""
    return {
        "schema": "coolbound.inspection/1",
        "files": [
            {
                "files": [s.export.name for s in kind.sketches],
                "match": kind.file.match,
                "shape": kind.file.shape,
                "guesses": {
                    what: dataclasses.asdict(guess)
                    for what, guess in _guesses(kind).items()
                },
            }
            for kind in found.kinds
        ],
        "points": [
            {
                "id": p.id,
                "name": p.name,
                "feeds": p.feeds,
                "role": p.role,
                "kind": p.kind,
                "sampling": p.sampling,
                "unit_in": p.unit_in,
                "low": p.profile.low,
                "median": p.profile.median,
                "high": p.profile.high,
                "interval_s": p.profile.interval_s,
                "evidence": list(p.evidence),
                "doubts": list(p.doubts),
            }
            for p in found.points
        ],
        "findings": [
            {"kind": f.kind, "subject": f.subject, "text": f.text, "count": f.count}
            for f in found.findings
        ],
        "unsure": [*found.doubts, *(d for p in found.points for d in p.doubts)],
    }

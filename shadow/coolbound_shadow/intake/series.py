"""All readings of one point, from every file, on one line of time.

Pieces are put together in the order of the files, turned into UTC, and brought into
order of time. Order is a claim of the export: what breaks it is refused, sorted or
flagged as the map says, and told either way.
"""

import dataclasses
from collections.abc import Mapping, Sequence

import numpy as np

from coolbound_shadow.intake.map_types import IntakeMap, StatusClass, Tap
from coolbound_shadow.intake.order import check_order
from coolbound_shadow.intake.readings import Rejected, Series
from coolbound_shadow.intake.reasons import (
    AMBIGUOUS,
    CLOCK_JUMP,
    GOOD,
    NOT_VALID,
    ROW_GOOD,
    UNKNOWN_STATUS,
    Reason,
    put,
)
from coolbound_shadow.intake.shredded import Shredded
from coolbound_shadow.intake.sources import Source
from coolbound_shadow.intake.spill import Piece
from coolbound_shadow.intake.stamps import NO_STAMP, Stamps
from coolbound_shadow.intake.statuses import flags_of
from coolbound_shadow.intake.tables import Sheet
from coolbound_shadow.intake.zones import Instants, Place, to_utc


@dataclasses.dataclass(frozen=True)
class Context:
    """What putting a series together needs. Static.

    Attributes:
        intake: The point map.
        sheets: The files.
        shredded: Their pieces.
        instants: Instants of each file that has one clock; None for the others.
        now_s: When the log is imported, UTC epoch. [s]
    """

    intake: IntakeMap
    sheets: Sequence[Sheet]
    shredded: Shredded
    instants: Sequence[Instants | None]
    now_s: int


def file_instants(context: Context) -> list[Instants | None]:
    """Return the instants of every file whose columns share a clock."""
    found: list[Instants | None] = []
    for number, clock in enumerate(context.shredded.clocks):
        if clock is None:
            found.append(None)
            continue
        rows = clock.row
        found.append(_instants(context, number, clock.stamps, rows))
    return found


def _instants(
    context: Context, number: int, stamps: Stamps, rows: np.ndarray
) -> Instants:
    sheet = context.sheets[number]
    is_backwards = sheet.file.order == "newest_first"
    turned = _turned(stamps) if is_backwards else stamps
    order = rows[::-1] if is_backwards else rows
    time = context.intake.time
    place = Place(sheet.name, order)
    found = to_utc(turned, sheet.file, time, context.now_s, place)
    found = check_order(found, turned.wall_ms, time.on_backwards, place)
    return found.take(np.arange(len(rows))[::-1]) if is_backwards else found


def _turned(stamps: Stamps) -> Stamps:
    return Stamps(
        stamps.wall_ms[::-1],
        None if stamps.offset_s is None else stamps.offset_s[::-1],
        None if stamps.zone is None else stamps.zone[::-1],
        stamps.is_utc,
    )


def gather(
    context: Context, sources: Sequence[Source]
) -> tuple[Series, list[Rejected]]:
    """Return the readings of one point in the order of its files.

    Args:
        context: Map, files and pieces.
        sources: The point's sources.
    """
    parts, rejected = [], []
    for source in sources:
        pieces = context.shredded.spill.pieces(source.key)
        for number in sorted({piece.sheet for piece in pieces}):
            mine = [piece for piece in pieces if piece.sheet == number]
            part, lost = _of_file(context, source, number, mine)
            parts.append(part)
            rejected += [lost] if lost is not None else []
    fields = [f.name for f in dataclasses.fields(Series)]
    whole = {f: np.concatenate([getattr(p, f) for p in parts]) for f in fields}
    return Series(**whole), rejected


def _of_file(
    context: Context, source: Source, number: int, pieces: Sequence[Piece]
) -> tuple[Series, Rejected | None]:
    spill = context.shredded.spill
    loaded = [spill.load(piece) for piece in pieces]
    arrays = _stack(loaded)
    clock, known = context.shredded.clocks[number], context.instants[number]
    if clock is not None and known is not None:
        place = np.concatenate(
            [
                p.first + np.arange(len(a["values"]))
                for p, a in zip(pieces, loaded, strict=True)
            ]
        )
        instants = known.take(place)
        row, lost = clock.row[place], None
    else:
        instants = _instants(context, number, _own(arrays, context), arrays["row"])
        row, place = arrays["row"], np.full(len(arrays["row"]), -1, dtype=np.int64)
        is_lost = instants.row_reason != ROW_GOOD
        lost = Rejected(number, instants.row_reason[is_lost], row[is_lost])
    series = _series(context, source.tap, number, arrays, instants, row, place)
    series = series.only(instants.row_reason == ROW_GOOD)
    if context.sheets[number].file.order == "newest_first":
        series = series.take(np.arange(len(series.utc_ms))[::-1])
    return series, lost


def _stack(loaded: Sequence[Mapping[str, np.ndarray]]) -> dict[str, np.ndarray]:
    """Return the pieces' arrays end to end; an array that a piece lacks is zeros."""
    absent = {"code": np.uint8, "status": np.int16}
    names = {name for arrays in loaded for name in arrays} | set(absent)
    found = {}
    for name in names:
        kind = absent.get(name, np.int64)
        fill = NO_STAMP if name == "offset" else 0
        found[name] = np.concatenate(
            [
                arrays.get(name, np.full(len(arrays["values"]), fill, dtype=kind))
                for arrays in loaded
            ]
        )
    return found


def _own(arrays: Mapping[str, np.ndarray], context: Context) -> Stamps:
    names = np.asarray(context.shredded.zones.names)
    zone = names[arrays["zone"]] if "zone" in arrays else None
    return Stamps(arrays["wall"], arrays.get("offset"), zone, "is_utc" in arrays)


def _series(
    context: Context,
    tap: Tap,
    number: int,
    arrays: Mapping[str, np.ndarray],
    instants: Instants,
    row: np.ndarray,
    place: np.ndarray,
) -> Series:
    raw, code = arrays["values"], arrays["code"].copy()
    status = arrays["status"]
    reason, is_override = _judged(context, tap, status)
    is_said = reason != GOOD
    code[is_said & (code == GOOD)] = reason[is_said & (code == GOOD)]
    put(code, instants.is_ambiguous, AMBIGUOUS)
    put(code, instants.is_jump, CLOCK_JUMP)
    utc_s = instants.utc_ms // 1000
    put(code, (utc_s < tap.start) | (utc_s >= tap.end), NOT_VALID)
    return Series(
        utc_ms=instants.utc_ms,
        raw=raw,
        values=tap.gain * raw + tap.bias,
        code=code,
        is_override=is_override,
        status=status,
        sheet=np.full(len(raw), number, dtype=np.int16),
        row=row,
        place=place,
    )


def _judged(
    context: Context, tap: Tap, status: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return the reason that each status stands for, and whether it is an override."""
    known = context.intake.statuses.get(tap.status_map, {})
    names = context.shredded.statuses.names
    classes = [status_class(text, known, context.intake.reasons) for text in names]
    reasons = np.asarray([c.reason for c in classes], dtype=np.uint8)
    overrides = np.asarray([c.is_override for c in classes], dtype=bool)
    if not tap.status_map:
        reasons, overrides = np.zeros_like(reasons), np.zeros_like(overrides)
    return reasons[status], overrides[status]


def status_class(
    text: str, known: Mapping[str, StatusClass], reasons: Sequence[Reason]
) -> StatusClass:
    """Return what a status says; of several flags in one text, the worst counts.

    Args:
        text: As the export has it, such as "overridden" or "{fault,stale}".
        known: Meanings by text; "*" is for all others.
        reasons: Reasons by code.
    """
    if text in known:
        return known[text]
    other = known.get("*", StatusClass(UNKNOWN_STATUS, False))
    flags = flags_of(text)
    if not flags:
        return StatusClass(GOOD, False)
    found = [known.get(flag, other) for flag in flags]
    worst = min((c.reason for c in found), key=lambda code: reasons[code].quality)
    return StatusClass(worst, any(c.is_override for c in found))

"""The safety layer's answer to each row, and what a reader is told of it.

The first rungs of the ladder of `coolbound_safety.ladder`: the certified projection,
and the same moved towards the backup where the nonlinear model disagrees.
"""

import dataclasses
import time
from typing import Final

import jax.numpy as jnp
import numpy as np

from coolbound_safety.candidates import check, safe_candidate
from coolbound_safety.conclusion import conclude, differs
from coolbound_safety.filter import SafetyFilter
from coolbound_safety.foresight import RECOVERY
from coolbound_safety.guard import NEUTRAL_AGE
from coolbound_safety.limits_notes import ROW_WORDS
from coolbound_safety.margins import SafetyModel
from coolbound_safety.rows import IS_RECOVERY, ROW_NAMES
from coolbound_safety.types import Envelope, FilterResult, FilterStatus, to_unit64
from coolbound_shadow.batch import Sample, decide_again, decide_batch, envelope_of
from coolbound_shadow.choice import back_check_rows
from coolbound_shadow.envelopes import WATER, Choices
from coolbound_shadow.estimates import Known, rows_of
from coolbound_shadow.replay_inputs import chunks

EMERGENCY_WORDS: Final = "emergency: all cooling is asked for"
HELD_WORDS: Final = "inlets or loads are too old: the action in force is held"
NEUTRAL_WORDS: Final = (
    "inlets or loads are too old: the action heads for cool air and full fans"
)


def decide_rows(
    choices: Choices,
    proposed: np.ndarray,
    known: Known,
    model: SafetyModel,
    safety: SafetyFilter,
    again: np.ndarray | None = None,
) -> tuple[list[FilterResult], Sample]:
    """Return the decision of each row, about the proposal that was made.

    Args:
        choices: What is projected, and onto what.
        proposed: Proposed actions, NaN for none, (T, 10). [each channel's unit]
        known: What the safety layer knew at each row.
        model: Plant, limits and margins.
        safety: The filter of control time.
        again: Rows whose projection that filter takes again; none by default.

    Returns:
        The decisions, and how those taken again compare.
    """
    rows = np.zeros(0, dtype=np.int64) if again is None else again
    results = decide_batch(choices.envelopes, choices.asked, safety)
    sample = decide_again(choices.envelopes, choices.asked, results, rows, safety)
    shares = _shares(choices, results, known, model)
    for row in np.flatnonzero(shares < 1.0):
        envelope = envelope_of(choices.envelopes, int(row))
        results[row] = _moved(envelope, results[row], float(shares[row]))
    stale = np.asarray(known.estimate.stale)
    explained = [
        _explained(result, proposed[i], choices, i, float(stale[i]))
        for i, result in enumerate(results)
    ]
    return explained, sample


def _shares(
    choices: Choices, results: list[FilterResult], known: Known, model: SafetyModel
) -> np.ndarray:
    """Return the share of the way from the backup that the model allows, (T,) [1]."""
    envelopes = choices.envelopes
    unit = to_unit64(np.stack([result.action for result in results]))
    backup = np.array(envelopes.backup)
    slack = np.stack([result.certificate.slack for result in results])
    slack = slack * np.asarray(envelopes.scale)
    is_empty = ~np.any(np.asarray(envelopes.G), axis=2) & (np.asarray(envelopes.h) > 0)
    slack[is_empty] = np.inf
    # Metered water without a set-point stays where it is, whatever was answered.
    for point in (unit, backup):
        held = np.asarray(envelopes.held)[choices.is_metered, WATER]
        point[choices.is_metered, WATER] = held
    arrays = (unit, backup, slack)
    found = []
    for rows, count in chunks(len(results)):
        share = back_check_rows(
            *(jnp.asarray(x[rows], jnp.float32) for x in arrays),
            jnp.asarray(choices.known[rows]),
            rows_of(known.estimate, rows),
            jnp.asarray(choices.machines[rows]),
            model,
        )
        found.append(np.asarray(share)[:count])
    is_solved = np.asarray([r.status != FilterStatus.FALLBACK for r in results])
    return np.where(is_solved, np.concatenate(found), 1.0)


def _moved(envelope: Envelope, result: FilterResult, share: float) -> FilterResult:
    """Return a decision moved towards the backup, certified again."""
    start, asked = time.perf_counter(), to_unit64(result.proposed)
    unit, backup = to_unit64(result.action), np.asarray(envelope.backup)
    point = backup + share * (unit - backup)
    point = np.clip(point, envelope.lower, envelope.upper)
    rung = "backup" if share <= 0.0 else "shrunk"
    note = f"the nonlinear model allows {share:.2f} of the way from the backup"
    offer = check(envelope, asked, rung, point, np.inf)
    found = conclude(envelope, asked, offer, [note], start)
    if not (found.certificate.is_certified or result.slack):
        offer = safe_candidate(envelope)
        return conclude(envelope, asked, offer, [note, found.reason], start)
    status = FilterStatus.RELAXED if found.slack else FilterStatus.PROJECTED
    return dataclasses.replace(found, status=status)


def _explained(
    result: FilterResult,
    proposed: np.ndarray,
    choices: Choices,
    row: int,
    stale: float,
) -> FilterResult:
    """Return the result about the proposal that was made, whatever was projected."""
    notes, status, rung = [], result.status, result.rung
    if choices.is_emergency[row]:
        notes.append(EMERGENCY_WORDS)
    elif choices.is_blind[row]:
        notes.append(NEUTRAL_WORDS if stale > NEUTRAL_AGE else HELD_WORDS)
    if choices.is_blind[row]:
        status, rung = FilterStatus.FALLBACK, "hold"
    if not np.all(np.isfinite(proposed)):
        status = FilterStatus.FALLBACK
    if status == FilterStatus.PASSED and np.any(differs(result.action, proposed)):
        status = FilterStatus.PROJECTED
    return dataclasses.replace(
        result,
        proposed=np.asarray(proposed, dtype=np.float64),
        status=status,
        reason="; ".join(x for x in (*notes, plain_reason(result)) if x),
        rung=rung,
    )


def plain_reason(result: FilterResult) -> str:
    """Return the reason, foresight that gave way told apart from a limit."""
    text = result.reason
    for name in filter(is_foresight, result.slack):
        place = name.removesuffix(f":{RECOVERY}")
        said = f"foresight of {place} ({ROW_WORDS[RECOVERY]}) gives way by"
        text = text.replace(f"{name} is exceeded by", said)
    return text


def is_foresight(name: str) -> bool:
    """Return whether a row of the envelope looks one step further."""
    return name in ROW_NAMES and IS_RECOVERY[ROW_NAMES.index(name)]


def is_foresight_only(result: FilterResult) -> bool:
    """Return whether all that gave way was a look one step further."""
    is_relaxed = result.status == FilterStatus.RELAXED
    return is_relaxed and all(map(is_foresight, result.slack))

"""A block of rows: envelopes, decisions, what each side did to the limits.

Envelopes of a year would not fit into memory; of a block they do.
"""

import dataclasses
from typing import Any, ClassVar

import jax
import numpy as np

from coolbound_safety.filter import SafetyFilter
from coolbound_safety.margins import SafetyModel
from coolbound_safety.types import FilterResult
from coolbound_shadow.batch import Sample
from coolbound_shadow.causes import causes, named_interlocks
from coolbound_shadow.decide import decide_rows, is_foresight_only
from coolbound_shadow.envelopes import build_envelopes, judge_actions
from coolbound_shadow.estimates import Known
from coolbound_shadow.replay_inputs import Inputs, rows_of_inputs


@dataclasses.dataclass(frozen=True)
class Asked:
    """What all rows of a log are decided from. Static.

    Attributes:
        inputs: What was known at each row.
        applied: The operator's set-points, (T, 10). [each channel's unit]
        proposed: Proposed actions, NaN for none, (T, 10). [each channel's unit]
        known: What the safety layer knew at each row.
        model: Plant, limits and margins.
        ramp_scale: Length of a step over 300 s. [1]
        safety: The filter of control time.
        again: Rows that it decides again, in order.
    """

    inputs: Inputs
    applied: np.ndarray
    proposed: np.ndarray
    known: Known
    model: SafetyModel
    ramp_scale: float
    safety: SafetyFilter
    again: np.ndarray


@dataclasses.dataclass(frozen=True)
class Block:
    """The decisions of a block of rows, by column. Static.

    Attributes:
        certified: What the safety layer returned, (n, 10). [each channel's unit]
        values: h of the limits under the applied, proposed and certified action, NaN
            where not observable, shape (n, 3, 21). [each limit's unit]
        status: `FilterStatus` by name.
        rung: Step of the fallback ladder.
        reason: Why a fallback was taken or a limit gave way.
        active: Active limits, as "name=margin; ...".
        limit: The limit that bound most.
        kind: Kind of intervention, empty for none.
        certificate_distance: Proven distance to the nearest safe action, (n,). [1]
        is_certified: True where every check passed, shape (n,).
        is_emergency: True where all cooling was asked for, shape (n,).
        is_foresight_only: True where nothing else gave way, shape (n,).
        sample: Decisions that were taken again.
    """

    certified: np.ndarray
    values: np.ndarray
    status: tuple[str, ...]
    rung: tuple[str, ...]
    reason: tuple[str, ...]
    active: tuple[str, ...]
    limit: tuple[str, ...]
    kind: tuple[str, ...]
    certificate_distance: np.ndarray
    is_certified: np.ndarray
    is_emergency: np.ndarray
    is_foresight_only: np.ndarray
    sample: Sample

    EXTRA: ClassVar = (
        "certificate_distance",
        "is_certified",
        "is_emergency",
        "is_foresight_only",
    )
    """Columns that go into the records as they are."""


def decide_block(asked: Asked, rows: slice) -> Block:
    """Return the decisions of some rows."""
    inputs = rows_of_inputs(asked.inputs, rows)
    proposed, applied = asked.proposed[rows], asked.applied[rows]
    known: Known = _rows_of(asked.known, rows)
    model, scale = asked.model, asked.ramp_scale
    choices = build_envelopes(inputs, proposed, known, model, scale)
    here = (asked.again >= rows.start) & (asked.again < rows.stop)
    again = asked.again[here] - rows.start
    results, sample = decide_rows(choices, proposed, known, model, asked.safety, again)
    certified = np.stack([result.action for result in results])
    actions = np.stack([applied, proposed, certified], axis=1)
    # A channel that the site does not log is not judged: nobody knows where it is.
    is_logged = np.any(np.isfinite(asked.applied), axis=0)
    actions = np.where(is_logged, actions, np.nan)
    values = judge_actions(inputs, actions, known, model, scale)
    found = named_interlocks(causes(results, certified, proposed, choices), values)
    certificates = [result.certificate for result in results]
    return Block(
        certified=certified,
        values=values,
        status=tuple(result.status.name for result in results),
        rung=tuple(result.rung for result in results),
        reason=tuple(result.reason for result in results),
        active=tuple(map(_active_text, results)),
        limit=tuple(limit for limit, _ in found),
        kind=tuple(kind for _, kind in found),
        certificate_distance=np.asarray([c.distance for c in certificates]),
        is_certified=np.asarray([c.is_certified for c in certificates]),
        is_emergency=choices.is_emergency,
        is_foresight_only=np.asarray(list(map(is_foresight_only, results))),
        sample=dataclasses.replace(sample, rows=sample.rows + rows.start),
    )


def _rows_of(known: Known, rows: slice) -> Known:
    def cut(tree: Any) -> Any:
        return jax.tree.map(lambda x: x[rows], tree)

    return Known(estimate=cut(known.estimate), timers=cut(known.timers))


def _active_text(result: FilterResult) -> str:
    return "; ".join(f"{name}={margin:.4g}" for name, margin in result.active)

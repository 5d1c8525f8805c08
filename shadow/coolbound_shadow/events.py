"""Interventions grouped into events that a person can read."""

import dataclasses
from collections import Counter
from collections.abc import Sequence

import numpy as np

from coolbound_envs.spec import ACTION_SIZE, channel_array
from coolbound_shadow.records import KINDS, Decisions, intervention_mask


@dataclasses.dataclass(frozen=True)
class InterventionEvent:
    """Consecutive steps of one kind at which certified differs from proposed. Static.

    Attributes:
        start: End of the first step, UTC epoch. [s]
        offset: Local time minus UTC at the start. [s]
        duration_s: From the start of the first step to the end of the last. [s]
        steps: Steps in the event. [1]
        limit: The limit that bound in most of its steps; empty for none.
        limits: All limits that bound, most frequent first.
        kind: One of `KINDS`, that of all its steps.
        reason: Why a fallback was taken; empty for none.
        changes: Certified minus proposed at its largest, by channel, shape
            (10,). [each channel's unit]
        size: Largest change as a share of its channel's range. [1]
    """

    start: int
    offset: int
    duration_s: int
    steps: int
    limit: str
    limits: tuple[str, ...]
    kind: str
    reason: str
    changes: tuple[float, ...]
    size: float


def intervention_events(decisions: Decisions, step_s: int) -> list[InterventionEvent]:
    """Return the events, most serious first.

    Steps of different kinds are different events: a policy that a ramp slows all
    day is not one with the limit that it met at noon. A gap in the log ends an
    event: nobody knows what happened meanwhile.

    Args:
        decisions: The run.
        step_s: Nominal length of a step. [s]
    """
    steps = np.flatnonzero(intervention_mask(decisions))
    if len(steps) == 0:
        return []
    kinds = np.asarray(decisions.kind)
    groups = event_steps(steps, decisions.time_utc, kinds, step_s)
    return rank([_event(decisions, group, step_s) for group in groups])


def event_steps(
    steps: np.ndarray, time_utc: np.ndarray, kinds: np.ndarray, step_s: int
) -> list[np.ndarray]:
    """Return the steps of each event: consecutive ones, of one kind, without a gap.

    Args:
        steps: Steps with an intervention, in order, at least one.
        time_utc: End of every step, UTC epoch, shape (T,). [s]
        kinds: Kind of every step, shape (T,).
        step_s: Nominal length of a step. [s]
    """
    gap = np.diff(time_utc[steps]) > 1.5 * step_s
    is_other = kinds[steps][1:] != kinds[steps][:-1]
    breaks = np.flatnonzero((np.diff(steps) > 1) | gap | is_other) + 1
    return np.split(steps, breaks)


def rank(events: Sequence[InterventionEvent]) -> list[InterventionEvent]:
    """Return events by kind, then by size times duration, then by time."""
    return sorted(
        events,
        key=lambda e: (-_seriousness(e.kind), -e.size * e.duration_s, e.start),
    )


def _seriousness(kind: str) -> int:
    return KINDS.index(kind) if kind in KINDS else -1


def _event(decisions: Decisions, group: np.ndarray, step_s: int) -> InterventionEvent:
    steps = [int(i) for i in group]
    first, last = steps[0], steps[-1]
    changes, size = _largest(decisions.certified[group] - decisions.proposed[group])
    limits = Counter(decisions.limit[i] for i in steps if decisions.limit[i])
    names = tuple(name for name, _ in limits.most_common())
    span = decisions.time_utc[last] - decisions.time_utc[first]
    return InterventionEvent(
        start=int(decisions.time_utc[first]),
        offset=int(decisions.offset[first]),
        duration_s=int(span) + step_s,
        steps=len(steps),
        limit=names[0] if names else "",
        limits=names,
        kind=decisions.kind[first],
        reason=next((decisions.reason[i] for i in steps if decisions.reason[i]), ""),
        changes=changes,
        size=size,
    )


def _largest(change: np.ndarray) -> tuple[tuple[float, ...], float]:
    """Return each channel's largest change with its sign, and the largest share."""
    change = np.nan_to_num(change)
    row = np.argmax(np.abs(change), axis=0)
    largest = change[row, np.arange(ACTION_SIZE)]
    span = channel_array("upper") - channel_array("lower")
    return tuple(map(float, largest)), float(np.max(np.abs(largest) / span))

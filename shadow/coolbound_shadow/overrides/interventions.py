"""Interventions of the safety layer as events.

One rule makes events of steps, here and in the shadow report:
`coolbound_shadow.events.event_steps`.
"""

import hashlib
from collections import Counter
from collections.abc import Mapping

import numpy as np

from coolbound_envs.spec import CHANNEL_NAMES, channel_array
from coolbound_shadow.events import event_steps
from coolbound_shadow.overrides.columns import Ticks
from coolbound_shadow.overrides.event_types import Event, EventKind, ReviewNote
from coolbound_shadow.overrides.outcomes import Measured, outcomes_after

KEY_DIGITS = 12
"""Hexadecimal digits of a key. [1]"""

Notes = Mapping[str, tuple[ReviewNote, ...]]
"""What people said, by key of the event."""


def event_key(run: str, kind: str, subject: str, start: int) -> str:
    """Return the stable name of an intervention.

    Args:
        run: Name of the run.
        kind: Its kind.
        subject: The limit that bound most.
        start: Start of its first step, UTC epoch. [s]
    """
    text = f"{run}|{kind}|{subject}|{start}"
    return hashlib.sha256(text.encode()).hexdigest()[:KEY_DIGITS]


def interventions(ticks: Ticks, measured: Measured, notes: Notes) -> list[Event]:
    """Return the interventions of one run, by start."""
    steps = np.flatnonzero(ticks.is_intervention)
    if len(steps) == 0:
        return []
    groups = event_steps(steps, ticks.time_utc, ticks.kind, ticks.step_s)
    return [_event(ticks, group, measured, notes) for group in groups]


def _event(ticks: Ticks, group: np.ndarray, measured: Measured, notes: Notes) -> Event:
    rows = group.tolist()
    worst, size = _largest(ticks, group)
    kind, subject = EventKind(ticks.kind[rows[0]]), _subject(ticks, rows)
    start = int(ticks.time_utc[rows[0]]) - ticks.step_s
    key = event_key(ticks.run, kind, subject, start)
    changed = _changed(ticks, worst)
    return Event(
        key=key,
        kind=kind,
        run=ticks.run,
        subject=subject,
        start=start,
        end=int(ticks.time_utc[rows[-1]]),
        offset=int(ticks.offset[rows[0]]),
        steps=len(rows),
        asked=_named(ticks.asked[worst], changed),
        given=_named(ticks.given[worst], changed),
        operator=_named(ticks.operator[worst], changed),
        margins=_margins(ticks, rows),
        why=next((ticks.reasons[i] for i in rows if i in ticks.reasons), ""),
        person=None,
        reason_code=None,
        expiry=None,
        outcome=outcomes_after(ticks, start, subject, measured),
        size=size,
        records=_ends(ticks.seq[group]),
        reviews=notes.get(key, ()),
        changed=changed,
    )


def _subject(ticks: Ticks, rows: list[int]) -> str:
    named = Counter(ticks.limit[i] for i in rows if ticks.limit[i])
    return named.most_common(1)[0][0] if named else ""


def _largest(ticks: Ticks, group: np.ndarray) -> tuple[int, float]:
    """Return the step of the largest change, and its share of the range."""
    share = np.nan_to_num(_shares(ticks, group))
    by_step = np.max(share, axis=1)
    place = int(np.argmax(by_step))
    return int(group[place]), float(by_step[place])


def _shares(ticks: Ticks, rows: np.ndarray) -> np.ndarray:
    span = channel_array("upper") - channel_array("lower")
    return np.abs(ticks.given[rows] - ticks.asked[rows]) / span[None, :]


def _changed(ticks: Ticks, row: int) -> tuple[str, ...]:
    """Return the channels that were changed, or all where nothing was asked."""
    share = np.nan_to_num(_shares(ticks, np.array([row]))[0])
    order = np.argsort(-share, kind="stable").tolist()
    beyond = tuple(CHANNEL_NAMES[i] for i in order if ticks.changed[row, i])
    is_silent = bool(np.all(np.isnan(ticks.asked[row])))
    return CHANNEL_NAMES if is_silent else beyond


def _named(action: np.ndarray, names: tuple[str, ...]) -> dict[str, float]:
    pairs = zip(CHANNEL_NAMES, action.tolist(), strict=True)
    known = {name: value for name, value in pairs if value == value}
    return {name: known[name] for name in names if name in known}


def _margins(ticks: Ticks, rows: list[int]) -> dict[str, float]:
    found: dict[str, float] = {}
    for i in rows:
        for name, margin in ticks.margins[i].items():
            if margin is not None:
                found[name] = min(margin, found.get(name, margin))
    return dict(sorted(found.items(), key=lambda item: (item[1], item[0])))


def _ends(seq: np.ndarray) -> tuple[int, ...]:
    first, last = int(seq[0]), int(seq[-1])
    return (first,) if len(seq) == 1 else (first, last)

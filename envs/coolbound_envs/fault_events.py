"""Faults as events, checked, and as the padded arrays that an episode carries."""

import difflib
import math
from collections.abc import Sequence

import jax
import jax.numpy as jnp
from flax import struct

from coolbound_envs.fault_kinds import AIM_NAMES, KINDS, SITE, FaultEvent, FaultKind
from coolbound_envs.tables import InputError


def check_event(event: FaultEvent, where: str = "fault") -> tuple[int, float]:
    """Return the target's code and the size [the kind's unit] of an event.

    Raises:
        InputError: The machine, hall or point does not exist, or a time or size
            is impossible.
    """
    if event.kind not in KINDS:
        known = ", ".join(kind.name for kind in KINDS)
        raise InputError(
            f"{where}: found kind {event.kind!r}, expected one of {known}; correct it"
        )
    where = f"{where} ({event.kind.name.lower()})"
    if not (math.isfinite(event.start_s) and event.start_s >= 0.0):
        raise InputError(
            f"{where}: found start {event.start_s:g} s, expected 0 s or later from the "
            "episode's beginning; correct the start"
        )
    if not event.duration_s > 0.0:
        raise InputError(
            f"{where}: found duration {event.duration_s:g} s, expected more than 0 s; "
            "correct the duration"
        )
    return _target_code(event, where), _checked_size(event, where)


def _target_code(event: FaultEvent, where: str) -> int:
    names = AIM_NAMES[KINDS[event.kind].aim]
    if isinstance(event.target, int) and event.target in names.values():
        return event.target
    if isinstance(event.target, str) and event.target in names:
        return names[event.target]
    near = difflib.get_close_matches(str(event.target), names, n=1, cutoff=0.0)[0]
    known = ", ".join(names) if len(names) < 8 else f"one of {len(names)} points"
    raise InputError(
        f"{where}: found target {event.target!r}, which does not exist, expected "
        f"{known}; did you mean {near!r}?"
    )


def _checked_size(event: FaultEvent, where: str) -> float:
    facts = KINDS[event.kind]
    size = facts.usual if event.size is None else float(event.size)
    if size is None:
        raise InputError(
            f"{where}: found no size, expected one in the unit of the point "
            f"{event.target}; add it"
        )
    if not facts.unit and event.size is not None:
        raise InputError(
            f"{where}: found size {size:g}, expected none for this kind; remove it"
        )
    is_whole = event.kind != FaultKind.SENSOR_LATE or size == round(size)
    inside = facts.lower <= size <= facts.upper and math.isfinite(size)
    if not (inside and is_whole):
        raise InputError(
            f"{where}: found size {size:g}, expected {facts.lower:g} to "
            f"{facts.upper:g} ({facts.meaning}); correct the size"
        )
    return size


@struct.dataclass
class FaultSchedule:
    """The faults of an episode, shape (E, ...), batch last. Dynamic.

    Attributes:
        kind: `FaultKind` of each event, int32; a code. [1]
        target: Code of what it strikes, int32: number of the chiller, hall or
            point, -1 for the site. [1]
        start: Since the episode began. [s]
        duration: How long it lasts. [s]
        size: How bad it is. [the kind's unit]
    """

    kind: jax.Array
    target: jax.Array
    start: jax.Array
    duration: jax.Array
    size: jax.Array


def make_schedule(
    events: Sequence[FaultEvent], slots: int | None = None
) -> FaultSchedule:
    """Return the schedule of some events, shape (E,).

    Args:
        events: In any order; they may overlap.
        slots: Rows of the arrays, empty ones at the end; None for as many as
            there are events. [1]

    Raises:
        InputError: A machine, hall or point does not exist, a time or size is
            impossible, or there are more events than rows.
    """
    checked = [check_event(event, f"fault {i + 1}") for i, event in enumerate(events)]
    rows = len(events) if slots is None else slots
    empty = rows - len(events)
    if empty < 0:
        raise InputError(
            f"faults: found {len(events)} events, expected {rows} at most; leave some "
            "out or ask for more rows"
        )

    def column(values: list[float], fill: float, dtype: type) -> jax.Array:
        return jnp.asarray([*values, *[fill] * empty], dtype)

    return FaultSchedule(
        kind=column([e.kind for e in events], FaultKind.NONE, jnp.int32),
        target=column([target for target, _ in checked], SITE, jnp.int32),
        start=column([e.start_s for e in events], 0.0, jnp.float32),
        duration=column([e.duration_s for e in events], 0.0, jnp.float32),
        size=column([size for _, size in checked], 0.0, jnp.float32),
    )


def empty_schedule(slots: int = 0, shape: tuple[int, ...] = ()) -> FaultSchedule:
    """Return a schedule without faults, shape (slots, *shape)."""
    whole, number = (jnp.zeros((slots, *shape), t) for t in (jnp.int32, jnp.float32))
    return FaultSchedule(
        kind=whole, target=whole + SITE, start=number, duration=number, size=number
    )

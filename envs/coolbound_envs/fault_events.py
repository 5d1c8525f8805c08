"""The faults of an episode as padded arrays: made from events, or empty."""

from collections.abc import Sequence

import jax
import jax.numpy as jnp
from flax import struct

from coolbound_envs.fault_kinds import SITE, FaultEvent, FaultKind, check_event
from coolbound_envs.tables import InputError


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

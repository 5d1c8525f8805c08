"""The safety layer's own clock of machines and modes, from what instruments show.

It trusts neither the proposal nor the plant's sequencer, and shares no code with it:
counts are watched, and a change that would come too early is not asked for.
"""

from typing import Final

import jax
import jax.numpy as jnp
from flax import struct

from coolbound_envs.limit_numbers import LimitValues
from coolbound_envs.types import Scalar
from coolbound_safety.estimate import Estimate

LONG_AGO: Final = 1.0e5
"""Nothing was seen to change: longer than any timer. [s]"""

MODE_GAP: Final = 300.0
"""One change of machines or mode at a time: the stroke of a valve. [s]"""

STEP: Final = 300.0
"""Control interval; a change seen now happened at its beginning. [s]"""


@struct.dataclass
class Timers:
    """What was running, and since when, one lane. Dynamic.

    Attributes:
        machines: Running and starting when last seen; NaN before. [1]
        economizer: 1 where it ran when last seen; NaN before. [1]
        stage_age: Since the number of machines changed. [s]
        start_age: Since a machine was started. [s]
        start_age_second: Since the start before that. [s]
        economizer_age: Since the economizer changed. [s]
    """

    machines: jax.Array
    economizer: jax.Array
    stage_age: jax.Array
    start_age: jax.Array
    start_age_second: jax.Array
    economizer_age: jax.Array


@struct.dataclass
class Permissions:
    """Which changes it is time for, one lane. Dynamic.

    Attributes:
        start: True where a machine may start.
        stop: True where a machine may stop.
        switch: True where the economizer may change.
    """

    start: jax.Array
    stop: jax.Array
    switch: jax.Array


def first_timers() -> Timers:
    """Return timers that have seen nothing yet."""
    unknown = jnp.full((), jnp.nan, jnp.float32)
    old = jnp.full((), LONG_AGO, jnp.float32)
    return Timers(unknown, unknown, old, old, old, old)


def watch(timers: Timers, now: Estimate, ramp_scale: Scalar | float = 1.0) -> Timers:
    """Return the timers after one observation, one lane.

    Args:
        timers: Before it.
        now: The estimate; counts that are not known change nothing.
        ramp_scale: Length of the step over 300 s. [1]
    """
    elapsed = STEP * ramp_scale
    change = now.chillers - timers.machines
    is_staged, is_started = jnp.abs(change) > 0.5, change > 0.5
    is_switched = jnp.abs(now.economizer - timers.economizer) > 0.5
    second = jnp.where(is_started, timers.start_age, timers.start_age_second)
    return Timers(
        machines=jnp.where(jnp.isfinite(now.chillers), now.chillers, timers.machines),
        economizer=jnp.where(
            jnp.isfinite(now.economizer), now.economizer, timers.economizer
        ),
        stage_age=_older(timers.stage_age, is_staged, elapsed),
        start_age=_older(timers.start_age, is_started, elapsed),
        start_age_second=jnp.minimum(second + elapsed, LONG_AGO),
        economizer_age=_older(timers.economizer_age, is_switched, elapsed),
    )


def _older(age: Scalar, is_changed: jax.Array, elapsed: Scalar | float) -> Scalar:
    return jnp.minimum(jnp.where(is_changed, 0.0, age) + elapsed, LONG_AGO)


def permissions(timers: Timers, limits: LimitValues) -> Permissions:
    """Return what SHORT_CYCLE_MODE lets one ask for, one lane."""
    gap = jnp.minimum(timers.stage_age, timers.economizer_age) >= MODE_GAP
    is_held = timers.stage_age >= limits.machine_timer
    few_starts = timers.start_age_second >= limits.start_window
    return Permissions(
        start=gap & is_held & few_starts,
        stop=gap & is_held,
        switch=gap & (timers.economizer_age >= limits.economizer_timer),
    )

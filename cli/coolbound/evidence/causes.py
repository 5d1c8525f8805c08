"""What was out of order in an interval, as one class for every step.

Classes part the steps: each has exactly one, the gravest that applies. A fault
counts from its start until it has gone, and an hour more as a time of recovery.
"""

from typing import Final

import jax
import jax.numpy as jnp

from coolbound_envs.fault_events import FaultSchedule
from coolbound_envs.fault_kinds import KINDS, FaultKind
from coolbound_envs.interval import CONTROL_INTERVAL

RECOVERY_S: Final = 3600.0
"""After a fault has gone, a violation within this time is still its. [s]"""

START_S: Final = 3600.0
"""The beginning of an episode: who settled the plant is not who runs it. [s]"""

GRAVITY: Final = (
    FaultKind.POWER_DIP,
    FaultKind.CHW_PUMP_LOSS,
    FaultKind.CHILLER_TRIP,
    FaultKind.CRAH_LOSS,
    FaultKind.CW_PUMP_LOSS,
    FaultKind.TOWER_CELL_LOSS,
    FaultKind.LOAD_STEP,
    FaultKind.STUCK_VALVE,
    FaultKind.HEAT_WAVE,
)
"""Faults of equipment, load and weather, the gravest first."""

MISREADINGS: Final = (
    FaultKind.SENSOR_BIAS,
    FaultKind.SENSOR_DRIFT,
    FaultKind.SENSOR_STUCK,
    FaultKind.SENSOR_LATE,
    FaultKind.SENSOR_DROPOUT,
)
"""Faults of instruments, the gravest first."""


def _class_names() -> tuple[str, ...]:
    names = []
    for kinds in (GRAVITY, MISREADINGS):
        names += [kind.name.lower() for kind in kinds]
        names += [f"after {kind.name.lower()}" for kind in kinds]
    return ("none", "start", *names)


CLASSES: Final = _class_names()
"""Names of the classes: nothing, the episode's start, faults and recoveries."""

CALM: Final = (CLASSES.index("none"), CLASSES.index("start"))
"""Classes in which nothing is or just was out of order. [1]"""


def _ramps() -> jax.Array:
    row = [0.0] * (max(FaultKind) + 1)
    for kind, facts in KINDS.items():
        row[kind] = facts.ramp
    return jnp.asarray(row, jnp.float32)


def gone_after(schedule: FaultSchedule) -> jax.Array:
    """Return when each fault has gone, its way back included, (E, n) [s]."""
    return schedule.start + schedule.duration + _ramps()[schedule.kind]


def cause(schedule: FaultSchedule, steps: jax.Array) -> jax.Array:
    """Return the class of the interval that begins, batch shape, int32.

    Args:
        schedule: Shape (E, n).
        steps: Intervals since the episode began, shape (n,). [1]
    """
    begin = (steps.astype(jnp.float32) * CONTROL_INTERVAL)[None]
    gone = gone_after(schedule)
    has_begun = schedule.start < begin + CONTROL_INTERVAL
    is_active = has_begun & (gone > begin)
    is_recovering = has_begun & ~is_active & (gone + RECOVERY_S > begin)
    found = jnp.zeros(steps.shape, jnp.int32)

    def note(now: jax.Array, name: str, where: jax.Array) -> jax.Array:
        return jnp.where(where, CLASSES.index(name), now)

    # From the least grave to the gravest: the last one to be noted stays.
    for kinds, is_instrument in ((MISREADINGS, True), (GRAVITY, False)):
        for state, mask in (("after ", is_recovering), ("", is_active)):
            for kind in reversed(kinds):
                is_kind = schedule.kind == int(kind)
                where = jnp.any(is_kind & mask, axis=0)
                found = note(found, state + kind.name.lower(), where)
        if is_instrument:
            is_early = begin[0] < START_S
            found = note(found, "start", is_early)
    return found

"""A violation of the hard limit: from where it is tried again, and what is then said.

A rescue begins when the newest fault showed, when the oldest of those that still
matter did, or some time before the violation. The earliest start that it takes is the
verdict.
"""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Final

import jax
import jax.numpy as jnp
import numpy as np

from coolbound.evidence.causes import GRAVITY, RECOVERY_S, gone_after
from coolbound_envs.episode import TaskState
from coolbound_envs.interval import CONTROL_INTERVAL

REACTION_MOST: Final = 48
"""A rescue from the beginning of a fault begins no earlier than this before. [1]"""

LEADS: Final = {"half an hour before": 6, "an hour before": 12}
"""Steps before the violation at which a rescue begins. [1]"""

REACTION: Final = "first decision after the newest fault"
"""Start of who reacts to what tipped the balance; an hour before without a fault."""

SINCE: Final = "first decision after the oldest fault"
"""Start of who has reacted to the first of the faults that still matter."""

STARTS: Final = (REACTION, SINCE, *LEADS)
"""From where rescues are tried."""

NOBODY: Final = "nobody avoids it"
FORESIGHT: Final = "only with foresight"
OLDER: Final = "only since an older fault"
AVOIDABLE: Final = "avoidable"
VERDICTS: Final = (NOBODY, FORESIGHT, OLDER, AVOIDABLE)
"""What is said of a violation: the earliest start that it takes to avoid it."""


@dataclasses.dataclass(frozen=True)
class Violation:
    """One violation of the hard thermal limit, and who avoids it. Static.

    Attributes:
        policy: Who had proposed.
        cause: Class of the step at which it began.
        step: That step. [1]
        avoided_by: Names of the rescuers that avoid it, by start.
        begun: Steps before it at which each start lies. [1]
    """

    policy: str
    cause: str
    step: int
    avoided_by: Mapping[str, tuple[str, ...]]
    begun: Mapping[str, int]

    @property
    def verdict(self) -> str:
        """One of `VERDICTS`."""
        if self._is_avoided_within(self.begun[REACTION]):
            return AVOIDABLE
        if self._is_avoided_within(self.begun[SINCE]):
            return OLDER
        return FORESIGHT if any(self.avoided_by.values()) else NOBODY

    def _is_avoided_within(self, steps: int) -> bool:
        """Return whether anybody avoids it who begins at most so long before."""
        return any(
            names and self.begun[start] <= steps
            for start, names in self.avoided_by.items()
        )


def avoiders(
    names: Sequence[str], avoids: np.ndarray, is_in_time: bool
) -> tuple[str, ...]:
    """Return who avoids a violation; nobody whose first decision came after it."""
    if not is_in_time:
        return ()
    return tuple(name for name, ok in zip(names, avoids, strict=True) if ok)


def reaction_steps(task: TaskState, step: jax.Array) -> tuple[jax.Array, jax.Array]:
    """Return the first decisions after the newest and the oldest fault showed [1].

    Of the faults of equipment, load or weather that still matter at a step; an hour
    before where there is none, and no earlier than `REACTION_MOST` steps before.
    After the step itself where the fault came in that very interval.

    Args:
        task: Simulations, for their schedules, lanes last.
        step: Shape (n,). [1]
    """
    schedule = task.faults
    begin = (step.astype(jnp.float32) * CONTROL_INTERVAL)[None]
    gone = gone_after(schedule) + RECOVERY_S
    matters = (schedule.start < begin + CONTROL_INTERVAL) & (gone > begin)
    is_physical = jnp.zeros(matters.shape, bool)
    for kind in GRAVITY:
        is_physical = is_physical | (schedule.kind == int(kind))
    starts = jnp.floor(schedule.start / CONTROL_INTERVAL).astype(jnp.int32) + 1
    is_reason, never = matters & is_physical, 2**30
    newest = jnp.max(jnp.where(is_reason, starts, -never), axis=0, initial=-never)
    oldest = jnp.min(jnp.where(is_reason, starts, never), axis=0, initial=never)
    has_reason = jnp.any(is_reason, axis=0)
    earliest, hour = step - REACTION_MOST, step - 12

    def since(start: jax.Array) -> jax.Array:
        return jnp.maximum(jnp.where(has_reason, start, hour), earliest)

    return since(newest), since(oldest)

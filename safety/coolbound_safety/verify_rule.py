"""The rule of the second check: when an action is vetoed.

Let e(a, i) be the sum over the three intervals of max(h_i, 0) under
action a. Where the plant is already outside a limit nobody can undo it at once, so
an action is never blamed for a violation as such, but for one that another action
at hand would have had less of. Limits are compared in three tiers: ranges and rates
of the actuators; the hottest inlet; all others. Action a is worse than action b if
in the first tier where they differ by more than the resolution (`RESOLUTION`, what the
model itself gets wrong) the scaled sum of a's excess is the greater. The action
is vetoed if it is worse than the backup or worse than the action in force. An
alternative that breaks an actuator's range or rate beyond the action is no
alternative, and is left out.
"""

import dataclasses
import enum
import time
from typing import Final

import numpy as np

from coolbound_envs.limit_table import IDLE, LIMIT_NAMES, LIMITS, TOLERANCE

LANES: Final = ("action", "backup", "hold")
"""What runs side by side."""

RESOLUTION: Final[dict[str, float]] = {
    "CA_T_MAX": 0.4,
    "CA_T_MIN": 0.4,
    "CA_ROC": 0.5,
    "DEWPOINT_MARGIN": 0.5,
    "AIRFLOW_RATIO": 0.03,
    "EVAP_FLOW_MIN": 3.0,
    "EVAP_FLOW_MAX": 3.0,
    "CHW_FLOW_ROC": 0.05,
    "CHW_DP_MIN": 5.0,
    "ECWT_MIN": 0.5,
    "ECWT_CWRT_MAX": 0.5,
    "LIFT_MIN": 0.5,
    "SURGE_LINE": 0.5,
    "CW_FLOW_MIN": 5.0,
    "CAPACITY_N1_POWER": 0.04,
    "SHORT_CYCLE_MODE": 1.0,
}
"""Excess that tells two actions apart: about what this model gets wrong in one case
of a hundred on the reference plant, with its instruments' noise; that of an actuator's
range or rate is the table's `TOLERANCE`. [each limit's unit]"""

EXACT: Final = ("CRAH_FAN", "SAT_BOX_RATE", "CHWS_BOX", "CHWS_SLEW", "CT_CWP_RATE")
"""Ranges and rates of actuators: no state has a part in them."""

HOTTEST: Final = "CA_T_MAX"


class VerifyStatus(enum.IntEnum):
    """What the second check found."""

    AGREED = 0
    VETOED = 1
    UNSEEN = 2


@dataclasses.dataclass(frozen=True)
class Verification:
    """The second check of one action.

    Attributes:
        status: AGREED, VETOED, or UNSEEN where the thermal limits could not be
            checked for want of readings.
        values: Worst h within 15 min, shape (21,); NaN where not checked, the
            table's `IDLE` where the limit has nothing to watch. [each limit's unit]
        backup_values: The same under the backup, shape (21,). [each limit's unit]
        hold_values: The same under the action in force, (21,). [each limit's unit]
        failed: Limits for which the action was vetoed.
        worst: The greatest h over its limit's scale of those checked. [1]
        best: Which of "action", "backup" and "hold" violates least.
        timing_s: Wall-clock time. [s]
    """

    status: VerifyStatus
    values: np.ndarray
    backup_values: np.ndarray
    hold_values: np.ndarray
    failed: tuple[str, ...]
    worst: float
    best: str
    timing_s: float

    @property
    def passed(self) -> bool:
        """True where nothing speaks against the action."""
        return self.status == VerifyStatus.AGREED

    @property
    def reason(self) -> str:
        """Say in one clause why it did not pass; empty where it did."""
        if self.status == VerifyStatus.UNSEEN:
            return "verify: the thermal limits cannot be checked; readings are missing"
        if not self.failed:
            return ""
        found = [f"{x} by {self.values[LIMIT_NAMES.index(x)]:.3g}" for x in self.failed]
        return "verify: within 15 min it exceeds " + ", ".join(found)


_SCALES = np.asarray([limit.scale for limit in LIMITS], np.float64)
_IS_EXACT = np.asarray([name in EXACT for name in LIMIT_NAMES])
_STEPS = np.asarray([RESOLUTION.get(name, TOLERANCE) for name in LIMIT_NAMES])
_TIERS = np.where(
    _IS_EXACT, 0, np.where(np.asarray([x == HOTTEST for x in LIMIT_NAMES]), 1, 2)
)


def conclude(values: np.ndarray, known: np.ndarray, start: float) -> Verification:
    """Return the finding from h of all intervals, limits and lanes.

    Args:
        values: Shape (3, 21, 3), lanes as in `LANES`. [each limit's unit]
        known: Limits that could be checked, shape (21,).
        start: When the check began, by `time.perf_counter`. [s]
    """
    seen = known & np.all(np.isfinite(values), axis=(0, 2))
    excess = np.where(seen, np.sum(np.maximum(values, 0.0), axis=0).T, 0.0)
    worst = np.where(seen, np.max(values, axis=0).T, np.nan)
    failed, best = _blamed(excess)
    status = VerifyStatus.VETOED if failed else VerifyStatus.AGREED
    is_blind = not (seen[LIMIT_NAMES.index(HOTTEST)])
    if is_blind and not failed:
        status = VerifyStatus.UNSEEN
    checked = worst[0][seen & (worst[0] > IDLE)] / _SCALES[seen & (worst[0] > IDLE)]
    return Verification(
        status=status,
        values=worst[0],
        backup_values=worst[1],
        hold_values=worst[2],
        failed=tuple(LIMIT_NAMES[i] for i in sorted(failed)),
        worst=float(np.max(checked, initial=-np.inf)),
        best=LANES[best],
        timing_s=time.perf_counter() - start,
    )


def _blamed(excess: np.ndarray) -> tuple[set[int], int]:
    """Return the limits for which the action is vetoed, and the lane that is best.

    Nothing is asked further of an action that is no worse than either alternative in
    any single limit: it is as good as both, and the first of equals.
    """
    if not np.any(excess[0] > excess[1:] + _STEPS):
        return set(), 0
    rivals = [excess[k] for k in (1, 2) if not np.any(worse(excess[k], excess[0], 0))]
    failed = {i for rival in rivals for i in why_worse(excess[0], rival)}
    return failed, _best(excess)


def worse(excess: np.ndarray, other: np.ndarray, tier: int) -> np.ndarray:
    """Return the limits of a tier that are exceeded further than by the other."""
    return np.flatnonzero((tier == _TIERS) & (excess > other + _STEPS))


def why_worse(excess: np.ndarray, other: np.ndarray) -> list[int]:
    """Return the limits that make an action worse than another; empty if it is not.

    Args:
        excess: Sum of max(h, 0) over the intervals, (21,). [each limit's unit]
        other: The same of the other action, (21,). [each limit's unit]
    """
    for tier in (0, 1, 2):
        against, in_favour = worse(excess, other, tier), worse(other, excess, tier)
        if against.size == in_favour.size == 0:
            continue
        balance = (excess - other) / _SCALES
        total = np.sum(balance[against]) + np.sum(balance[in_favour])
        return [int(i) for i in against] if total > 0.0 else []
    return []


def _best(excess: np.ndarray) -> int:
    """Return the lane that violates least, the first of equals."""
    best = 0
    for lane in range(1, len(LANES)):
        if why_worse(excess[best], excess[lane]):
            best = lane
    return best

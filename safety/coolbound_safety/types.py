"""What enters the projection and what leaves the safety layer.

    minimise    |u - proposed|^2 / 2 + price . s
    subject to  lower <= u <= upper                 bounds, never relaxed
                G u <= h + s,  s >= 0               one named row per limit

u is the action in the coordinates of `coolbound_safety.coordinates`: every channel
mapped affinely from 0 over its range, some longer than others. Rows have unit norm;
`scale` turns their slack back into the limit's own unit.
"""

import dataclasses
import enum
from typing import Final

import jax
import numpy as np
from flax import struct

from coolbound_envs.spec import ACTION_SIZE
from coolbound_safety.coordinates import lowest, spans

Array = jax.Array | np.ndarray

PRICE_MAX: Final = 1e3
"""Above this the certificate drowns in rounding. [1]"""

PRIORITIES: Final = (0, 1, 2)
"""Rows of priority 0 are never relaxed, of 1 last, of 2 first."""

NORM_TOLERANCE: Final = 1e-5
"""A row may be longer than 1 by this, as rounded in float32. [1]"""


class SolverFailureError(RuntimeError):
    """A solver gave no answer; the ladder goes one rung down."""


@struct.dataclass
class Envelope:
    """The safe actions of one control step, unit coordinates. Dynamic.

    n is 10 channels, m rows; every array may have leading batch axes. Unused
    rows have G = 0 and h = 1. Ramps and locks are folded into the bounds.

    Attributes:
        lower: Lowest action, shape (n,). [1]
        upper: Highest action, shape (n,). [1]
        G: Rows of unit norm (or zero), shape (m, n). [1]
        h: Right-hand sides of the rows, shape (m,). [1]
        price: Cost of one unit of slack, at most 1000, shape (m,). [1]
        scale: Norm of the row before it was normalised; slack times scale is in
            the limit's own unit, shape (m,). [1]
        priority: 0 is never relaxed, 1 is relaxed after 2, int32, shape (m,). [1]
        held: Previous applied action, shape (n,). [1]
        backup: A known safe action inside the bounds, shape (n,). [1]
        names: One name per row. Static.
    """

    lower: Array
    upper: Array
    G: Array
    h: Array
    price: Array
    scale: Array
    priority: Array
    held: Array
    backup: Array
    names: tuple[str, ...] = struct.field(pytree_node=False)


class FilterStatus(enum.IntEnum):
    """What the safety layer did with the proposed action."""

    PASSED = 0
    PROJECTED = 1
    RELAXED = 2
    FALLBACK = 3


ADVICE: Final = {
    FilterStatus.PASSED: "The proposed action keeps every limit.",
    FilterStatus.PROJECTED: "A limit was in the way; this is the nearest safe action.",
    FilterStatus.RELAXED: "No action keeps every limit; `slack` says what gave way.",
    FilterStatus.FALLBACK: "No certified action. Check the sensors, then the limits.",
}
"""One sentence for each status; reports print these and no others."""


@dataclasses.dataclass(frozen=True)
class SlackProof:
    """How far the rows of one priority gave way, and the least that they must.

    Attributes:
        priority: 1 or 2. [1]
        total: Sum of the slack of its unit rows. [1]
        least: Proven lower bound of that sum over all actions inside the bounds
            that relax the more important rows no further. [1]
    """

    priority: int
    total: float
    least: float


@dataclasses.dataclass(frozen=True)
class Certificate:
    """Independent float64 check of one action against one envelope.

    Attributes:
        is_certified: True where every check passed.
        finite: True where all data and the action are finite.
        bound_violation: Largest excess over a bound, at most 0 if met. [1]
        row_violation: Largest excess over a row that is not relaxed. [1]
        slack: Excess over each row, shape (m,). [1]
        gap: Cost of the action less a lower bound of the best cost. [1]
        distance: Proven largest distance to the nearest safe action; where rows
            gave way, to the nearest that relaxes each row no further. [1]
        reasons: Why it is not certified; empty where it is.
        proof: For each priority that gave way, and those above it, why no action
            does with less; empty where none gave way or nothing was proven.
    """

    is_certified: bool
    finite: bool
    bound_violation: float
    row_violation: float
    slack: np.ndarray
    gap: float
    distance: float
    reasons: tuple[str, ...]
    proof: tuple[SlackProof, ...] = ()


@dataclasses.dataclass(frozen=True)
class FilterResult:
    """The certified action and everything needed to explain it.

    Attributes:
        action: Certified action, shape (n,). [each channel's unit]
        proposed: What the controller asked for, shape (n,). [each channel's unit]
        status: What was done.
        reason: Why a rung of the ladder failed or a limit gave way; may be empty.
        active: Limits that stood in the way, with the margin left to each in the
            limit's own unit (negative where relaxed).
        slack: Excess over each relaxed row in the limit's own unit, by name.
        slack_by_priority: Sum of the slack of the unit rows of priority 0, 1 and 2;
            `certificate.proof` says how much of it was unavoidable. [1]
        certificate: The check that the action passed, or failed as a last resort.
        timing_s: Wall-clock time of the decision. [s]
        rung: Which candidate was taken.
        input_digest: SHA-256 of the envelope and the proposal that were given.
    """

    action: np.ndarray
    proposed: np.ndarray
    status: FilterStatus
    reason: str
    active: tuple[tuple[str, float], ...]
    slack: dict[str, float]
    certificate: Certificate
    timing_s: float
    rung: str
    slack_by_priority: tuple[float, float, float]
    input_digest: str


def to_unit64(action: np.ndarray) -> np.ndarray:
    """Map an action (..., 10) in physical units to coordinates, float64."""
    return (np.asarray(action, dtype=np.float64) - lowest()) / spans()


def from_unit64(unit: np.ndarray) -> np.ndarray:
    """Map coordinates (..., 10) to an action in physical units, float64."""
    return lowest() + np.asarray(unit, dtype=np.float64) * spans()


def as_float64(envelope: Envelope, proposed: np.ndarray) -> Envelope:
    """Return one envelope in numpy float64.

    Raises:
        ValueError: An array of it, or of the proposed action, has the wrong shape.
    """
    m, n = len(envelope.names), ACTION_SIZE
    shapes = {
        **dict.fromkeys(("lower", "upper", "held", "backup"), (n,)),
        **dict.fromkeys(("h", "price", "scale", "priority"), (m,)),
        "G": (m, n),
    }
    arrays = {k: np.asarray(getattr(envelope, k), dtype=np.float64) for k in shapes}
    for name, expected in {**shapes, "proposed": (n,)}.items():
        found = arrays[name].shape if name in arrays else proposed.shape
        if found != expected:
            raise ValueError(
                f"envelope.{name}: found shape {found}, expected {expected}; "
                "give one decision and one name per row"
            )
    return dataclasses.replace(envelope, **arrays)


def find_faults(envelope: Envelope, proposed: np.ndarray) -> list[str]:
    """Return what makes the data unusable for a solver; empty if nothing does."""
    data = {"proposed action": proposed}
    data |= {"lower bounds": envelope.lower, "upper bounds": envelope.upper}
    data |= {"rows": envelope.G, "row limits": envelope.h, "prices": envelope.price}
    data |= {"backup action": envelope.backup, "held action": envelope.held}
    data |= {"scales": envelope.scale, "priorities": envelope.priority}
    if not np.isfinite(np.concatenate([np.ravel(x) for x in data.values()])).all():
        return [
            f"{name}: a value is not finite"
            for name, x in data.items()
            if not np.all(np.isfinite(x))
        ]
    faults = []
    if np.any(envelope.lower > envelope.upper):
        faults.append("bounds: a lower bound is above its upper bound")
    if np.any((envelope.price < 0.0) | (envelope.price > PRICE_MAX * (1.0 + 1e-9))):
        faults.append(f"prices: one is outside 0 to {PRICE_MAX:g}")
    if not np.all(np.equal.outer(envelope.priority, PRIORITIES).any(axis=-1)):
        faults.append("priorities: one is not 0, 1 or 2")
    if np.any(np.linalg.norm(envelope.G, axis=-1) > 1.0 + NORM_TOLERANCE):
        faults.append("rows: one is longer than 1; normalise it")
    return faults

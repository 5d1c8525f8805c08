"""Recorded envelopes bent until they are degenerate, and what the kernel makes of them.

A recorded envelope's *near row* is the one that its proposal exceeds most, or comes
nearest to: bending that row makes the degeneracy matter.
"""

import dataclasses
from collections.abc import Callable
from typing import Any, Final

import numpy as np

from coolbound_safety.projection_judge import answers, exact_answers, figures, judge
from coolbound_safety.stacks import take
from coolbound_safety.types import Envelope

BENT: Final = 1024
"""Envelopes of each family. [1]"""

FIELDS: Final = (
    "lower",
    "upper",
    "G",
    "h",
    "price",
    "scale",
    "held",
    "backup",
    "proposed",
)
"""What a value that is not finite is put into, one entry of one envelope at a time."""

VALUES: Final = {"nan": np.nan, "inf": np.inf, "minus_inf": -np.inf}

Case = tuple[Envelope, np.ndarray]
Bend = Callable[[Envelope, np.ndarray, np.random.Generator], Case]


def degenerate_families(
    envelopes: Envelope, proposals: np.ndarray, seed: int = 0, bent: int = BENT
) -> dict[str, dict[str, Any]]:
    """Return `coolbound_safety.projection_judge.figures` of every family, by name.

    Args:
        envelopes: Recorded envelopes, float64 numpy, leading axis K.
        proposals: Unit coordinates, shape (K, n). [1]
        seed: Of what is drawn.
        bent: Envelopes of each family; at most K. [1]
    """
    given = _some(envelopes, proposals, bent)
    found = {}
    for name, bend in FAMILIES.items():
        case = bend(*given, np.random.default_rng(seed))
        found[name] = figures(judge(*case, answers(*case), exact_answers(*case)))
    return found


def not_finite(
    envelopes: Envelope, proposals: np.ndarray, seed: int = 0, bent: int = BENT
) -> dict[str, dict[str, dict[str, int]]]:
    """Return what NaN and infinity in each input do, by input and value.

    Every other envelope is broken in one entry.

    Args:
        envelopes: Recorded envelopes, float64 numpy, leading axis K.
        proposals: Unit coordinates, shape (K, n). [1]
        seed: Of the entries.
        bent: Envelopes of each case; at most K. [1]

    Returns:
        `broken` envelopes; of these `flagged`, and `known`, those answered by their
        own backup action, or by the held one where the backup is what is broken; and
        `others_changed`, envelopes beside them whose answer is another than without.
    """
    given = _some(envelopes, proposals, bent)
    clean = answers(*given)
    found: dict[str, dict[str, dict[str, int]]] = {}
    for field in FIELDS:
        found[field] = {}
        for name, value in VALUES.items():
            rng = np.random.default_rng(seed)
            is_broken, case = broken(*given, field, value, rng)
            answer = answers(*case)
            known = np.asarray(given[0].held if field == "backup" else given[0].backup)
            is_known = np.all(np.abs(answer.u - known) <= 1e-7, axis=1)
            is_same = np.all(answer.u == clean.u, axis=1) & (answer.ok == clean.ok)
            found[field][name] = {
                "broken": int(np.sum(is_broken)),
                "flagged": int(np.sum(~answer.ok & is_broken)),
                "known": int(np.sum(is_known & is_broken)),
                "others_changed": int(np.sum(~is_same & ~is_broken)),
                "steps_max": int(np.max(answer.iterations)),
            }
    return found


def broken(
    envelopes: Envelope,
    proposals: np.ndarray,
    field: str,
    value: float,
    rng: np.random.Generator,
) -> tuple[np.ndarray, Case]:
    """Return which envelopes are broken (K,), and all, every other one broken."""
    is_proposal = field == "proposed"
    data = np.array(proposals if is_proposal else getattr(envelopes, field))
    flat = data.reshape(len(data), -1)
    is_broken = np.arange(len(data)) % 2 == 1
    entries = rng.integers(flat.shape[1], size=len(data))
    flat[is_broken, entries[is_broken]] = value
    if is_proposal:
        return is_broken, (envelopes, data)
    return is_broken, (dataclasses.replace(envelopes, **{field: data}), proposals)


def near_rows(envelopes: Envelope, proposals: np.ndarray) -> np.ndarray:
    """Return each envelope's near row, shape (K,)."""
    clipped = np.clip(proposals, envelopes.lower, envelopes.upper)
    excess = np.einsum("kmn,kn->km", envelopes.G, clipped) - envelopes.h
    is_used = np.any(np.asarray(envelopes.G) != 0.0, axis=-1)
    return np.argmax(np.where(is_used, excess, -np.inf), axis=1)


def _some(envelopes: Envelope, proposals: np.ndarray, count: int) -> Case:
    """Return so many envelopes, evenly spread over those given."""
    count = min(count, len(proposals))
    index = np.linspace(0, len(proposals) - 1, count).astype(np.int64)
    return take(envelopes, index), proposals[index]


def _beside(envelopes: Envelope, proposals: np.ndarray, bend: Callable) -> Case:
    """Return the envelopes with the row after the near one put in its place.

    Args:
        envelopes: Leading axis K.
        proposals: Shape (K, n). [1]
        bend: From the near rows (K, n) and their sides (K,) to the other's.
    """
    lanes = np.arange(len(proposals))
    near = near_rows(envelopes, proposals)
    rows, sides = np.array(envelopes.G), np.array(envelopes.h)
    after = (near + 1) % rows.shape[1]
    rows[lanes, after], sides[lanes, after] = bend(
        rows[lanes, near], sides[lanes, near]
    )
    return dataclasses.replace(envelopes, G=rows, h=sides), proposals


def _duplicate(e: Envelope, c: np.ndarray, rng: np.random.Generator) -> Case:
    return _beside(e, c, lambda row, side: (row, side))


def _parallel(e: Envelope, c: np.ndarray, rng: np.random.Generator) -> Case:
    def bend(row: np.ndarray, side: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        turned = row + rng.normal(0.0, 1e-6, row.shape)
        return turned / np.linalg.norm(turned, axis=-1, keepdims=True), side

    return _beside(e, c, bend)


def _thin(e: Envelope, c: np.ndarray, rng: np.random.Generator) -> Case:
    return _beside(e, c, lambda row, side: (-row, 1e-4 - side))


def _contradiction(e: Envelope, c: np.ndarray, rng: np.random.Generator) -> Case:
    return _beside(e, c, lambda row, side: (-row, -0.1 - side))


def _moved_inward(e: Envelope, c: np.ndarray, rng: np.random.Generator) -> Case:
    is_used = np.any(np.asarray(e.G) != 0.0, axis=-1)
    return dataclasses.replace(e, h=np.where(is_used, e.h - 0.5, e.h)), c


def _through_held(e: Envelope, rows: np.ndarray) -> Envelope:
    held = np.clip(e.held, e.lower, e.upper)
    return dataclasses.replace(e, G=rows, h=np.einsum("kmn,kn->km", rows, held))


def _vertex(e: Envelope, c: np.ndarray, rng: np.random.Generator) -> Case:
    return _through_held(e, np.asarray(e.G)), c


def _dense_vertex(e: Envelope, c: np.ndarray, rng: np.random.Generator) -> Case:
    rows = rng.normal(size=np.shape(e.G))
    return _through_held(e, rows / np.linalg.norm(rows, axis=-1, keepdims=True)), c


def _no_authority(e: Envelope, c: np.ndarray, rng: np.random.Generator) -> Case:
    rows, sides = np.array(e.G), np.array(e.h)
    rows[:, :3], sides[:, :3] = 0.0, np.array([1.0, 0.0, -0.1])
    return dataclasses.replace(e, G=rows, h=sides), c


def _locked(e: Envelope, is_locked: np.ndarray) -> Envelope:
    held = np.clip(e.held, e.lower, e.upper)
    lower, upper = (np.where(is_locked, held, x) for x in (e.lower, e.upper))
    return dataclasses.replace(e, lower=lower, upper=upper)


def _half_locked(e: Envelope, c: np.ndarray, rng: np.random.Generator) -> Case:
    return _locked(e, rng.random(c.shape) < 0.5), c


def _all_locked(e: Envelope, c: np.ndarray, rng: np.random.Generator) -> Case:
    return _locked(e, np.full(c.shape, True)), c


def _one_ulp(e: Envelope, c: np.ndarray, rng: np.random.Generator) -> Case:
    return dataclasses.replace(e, upper=np.nextafter(np.asarray(e.lower), np.inf)), c


def _far(e: Envelope, c: np.ndarray, rng: np.random.Generator) -> Case:
    held = np.asarray(e.held)
    return e, held + 100.0 * (c - held)


def _double(e: Envelope, c: np.ndarray, rng: np.random.Generator) -> Case:
    def move(x: np.ndarray) -> np.ndarray:
        return x * (1.0 + rng.uniform(-1e-8, 1e-8, x.shape))

    names = ("G", "h", "lower", "upper", "held", "backup")
    moved = {name: move(np.asarray(getattr(e, name))) for name in names}
    moved["upper"] = np.maximum(moved["lower"], moved["upper"])
    return dataclasses.replace(e, **moved), move(c)


FAMILIES: Final[dict[str, Bend]] = {
    "duplicate_row": _duplicate,
    "parallel_row": _parallel,
    "thin_slab": _thin,
    "row_and_its_opposite": _contradiction,
    "rows_moved_inward": _moved_inward,
    "vertex": _vertex,
    "dense_vertex": _dense_vertex,
    "row_without_authority": _no_authority,
    "half_locked": _half_locked,
    "all_locked": _all_locked,
    "box_of_one_ulp": _one_ulp,
    "proposal_far_away": _far,
    "between_singles": _double,
}
"""Parallel to 1e-6; a slab of 1e-4; an empty envelope by two rows, and by all moved
inward by 0.5; all rows through the held action; locked actuators; 100 times away;
and float64 numbers that no float32 meets, so that rounding bounds inward matters."""

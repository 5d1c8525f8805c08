"""The evidence for the in-jit projection, along trajectories and where it is hardest.

Envelopes are recorded and judged block by block, so that memory does not grow with
their number; what is kept of each is a handful of numbers.
"""

import contextlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final

import numpy as np

from coolbound_envs.types import Controller
from coolbound_safety.kernel import DEFAULT_CONFIG
from coolbound_safety.projection_families import degenerate_families, not_finite
from coolbound_safety.projection_judge import (
    Pool,
    Verdicts,
    answers,
    exact_answers,
    figures,
    join,
    judge,
    process_pool,
)
from coolbound_safety.recording import LANES, Recorder
from coolbound_safety.shielded import ShieldedParams
from coolbound_safety.stacks import take
from coolbound_safety.types import Envelope

BLOCK: Final = 8192
"""Envelopes that are recorded and judged together: 16 h of 256 plants. [1]"""

NOISES: Final = (0.0, 0.1, 0.3)
"""Standard deviations added to every channel of a proposal. [1]"""

SIZES: Final = (1, 256, 4096, 65536)
"""Batches whose answers must be the same. [1]"""

SINGLE: Final = 512
"""Envelopes that are projected one at a time for it. [1]"""

ACTIVE: Final = 1e-9
"""A row whose multiplier is above this stood in the way. [1]"""

Block = tuple[str, Envelope, np.ndarray]
"""Where it comes from, envelopes, proposals."""


def projection_evidence(
    params: ShieldedParams,
    controllers: Mapping[str, Controller],
    envelopes: int,
    seed: int = 0,
    *,
    noises: Sequence[float] = NOISES,
    processes: int = 1,
    sizes: Sequence[int] = SIZES,
) -> dict[str, Any]:
    """Return what is known of the kernel on so many recorded envelopes.

    Every controller proposes at every noise level, in turns, each time at fresh
    places and hours of the scenario and on fresh plants.

    Args:
        params: Task and safety model; cities, plants and faults are the task's.
        controllers: Who proposes, by name.
        envelopes: How many at least; made up to whole blocks. [1]
        seed: Of the whole.
        noises: Standard deviations added to every channel. [1]
        processes: For the float64 solver; one is this process. [1]
        sizes: Batches whose answers must be the same. [1]

    Returns:
        `recorded`, see `coolbound_safety.projection_judge.figures`, with
        `by_course` the envelopes of each controller and noise, `active_share` by
        row, `rows`, `margin` and `cities`; `batch_invariance`, `degenerate` and
        `not_finite`, made of the first block of each course.
    """
    courses = len(controllers) * len(noises)
    block = int(np.clip(-(-envelopes // courses), LANES, BLOCK))
    blocks = recorded_blocks(params, controllers, noises, block, seed)
    wanted = max(courses, -(-envelopes // block))
    first: list[Block] = []
    with contextlib.ExitStack() as stack:
        pool = stack.enter_context(process_pool(processes)) if processes > 1 else None
        taken = _taking(blocks, wanted, first, courses)
        found = evidence_of(taken, pool, processes)
    sample = _sample(first)
    cities = int(params.task.scenario.hours.shape[0])
    return {
        "recorded": found | {"cities": cities, "margin": DEFAULT_CONFIG.margin},
        "batch_invariance": batch_invariance(*sample, sizes),
        "degenerate": degenerate_families(*sample, seed),
        "not_finite": not_finite(*sample, seed),
        "seed": seed,
    }


def recorded_blocks(
    params: ShieldedParams,
    controllers: Mapping[str, Controller],
    noises: Sequence[float],
    block: int,
    seed: int,
) -> Iterator[Block]:
    """Yield blocks of recorded envelopes without end, the courses in turns."""
    recorders = {name: Recorder(params, by) for name, by in controllers.items()}
    courses = [(name, noise) for name in controllers for noise in noises]
    number = 0
    while True:
        name, noise = courses[number % len(courses)]
        # Seeds of blocks must differ between runs of neighbouring seeds, too.
        found = recorders[name].envelopes(block, noise, seed * 1_000_003 + number)
        yield f"{name}, noise {noise:g}", *found
        number += 1


def evidence_of(
    blocks: Iterable[Block], pool: Pool = None, parts: int = 1
) -> dict[str, Any]:
    """Return the figures of recorded blocks.

    Args:
        blocks: Where from, envelopes, proposals.
        pool: Processes for the float64 solver; without it, this one.
        parts: Into which it shares out a block. [1]
    """
    verdicts: list[Verdicts] = []
    by_course: dict[str, int] = {}
    active: list[np.ndarray] = []
    names: tuple[str, ...] = ()
    for course, envelopes, proposals in blocks:
        exact = exact_answers(envelopes, proposals, pool, parts)
        found = answers(envelopes, proposals)
        verdicts.append(judge(envelopes, proposals, found, exact))
        by_course[course] = by_course.get(course, 0) + len(proposals)
        active.append(np.sum(exact.multipliers > ACTIVE, axis=0))
        names = envelopes.names
    count = sum(by_course.values())
    shares = (np.sum(active, axis=0) / count).tolist()
    return {
        **figures(join(verdicts)),
        "rows": len(names),
        "by_course": by_course,
        "active_share": dict(zip(names, shares, strict=True)),
    }


def batch_invariance(
    envelopes: Envelope, proposals: np.ndarray, sizes: Sequence[int] = SIZES
) -> dict[str, dict[str, Any]]:
    """Return how far answers at each batch size are from those of a whole stack.

    Every size projects the same envelopes: smaller ones in parts (one at a time, at
    most 512 of them), larger ones with the envelopes repeated.

    Args:
        envelopes: Recorded envelopes, float64 numpy, leading axis K.
        proposals: Unit coordinates, shape (K, n). [1]
        sizes: Batches. [1]

    Returns:
        By size `lanes` compared, `max_difference` of a channel [1] and `flags`,
        lanes whose flag differs.
    """
    whole, count = answers(envelopes, proposals), len(proposals)
    found = {}
    for size in sizes:
        lanes = size if size > count else min(count - count % size, SINGLE * size)
        index = np.arange(lanes) % count
        parts = [
            answers(take(envelopes, part), proposals[part])
            for part in index.reshape(-1, size)
        ]
        u, ok = (
            np.concatenate([np.asarray(getattr(x, name)) for x in parts])
            for name in ("u", "ok")
        )
        found[str(size)] = {
            "lanes": lanes,
            "max_difference": float(np.max(np.abs(u - whole.u[index]))),
            "flags": int(np.sum(ok != whole.ok[index])),
        }
    return found


def _taking(
    blocks: Iterator[Block], wanted: int, first: list[Block], courses: int
) -> Iterator[Block]:
    """Yield so many blocks and keep one of every course."""
    for _ in range(wanted):
        block = next(blocks)
        if len(first) < courses:
            first.append(block)
        yield block


def _sample(first: list[Block]) -> tuple[Envelope, np.ndarray]:
    """Return a block's worth of envelopes out of one block of every course."""
    share = -(-len(first[0][2]) // len(first))
    parts = [
        (take(envelopes, slice(0, share)), proposals[:share])
        for _, envelopes, proposals in first
    ]
    names = ("lower", "upper", "G", "h", "price", "scale", "priority", "held", "backup")
    joined = {
        name: np.concatenate([getattr(envelopes, name) for envelopes, _ in parts])
        for name in names
    }
    stacked = Envelope(**joined, names=parts[0][0].names)
    return stacked, np.concatenate([proposals for _, proposals in parts])

"""What is counted of episodes, and how counts of several runs are put together."""

import dataclasses
from typing import Any, Final

import jax
import jax.numpy as jnp
import numpy as np
from flax import struct

from coolbound.evidence.causes import CLASSES
from coolbound_envs.limit_table import LIMIT_NAMES, LIMITS

HOT: Final = LIMIT_NAMES.index("CA_T_MAX")
"""Place of the hard thermal limit. [1]"""

NEVER: Final = -1
"""Step of what has not happened. [1]"""

ONSETS: Final = 4
"""Beginnings of hard thermal violations that are remembered of a lane. [1]"""

APART: Final = 12
"""Steps without a violation after which the next one is another one. [1]"""

SCALES: Final = tuple(limit.scale for limit in LIMITS)
"""A violation of this size is one unit of badness. [each limit's unit]"""

EXTREMES: Final = frozenset({"worst", "worst_calm", "recovery_longest"})
"""Of these the greatest counts; the others add up."""

BY_LANE: Final = frozenset({"onsets", "onset_count", "hottest", "sharpest"})
"""These are told by lane, one run after the other."""


@struct.dataclass
class Tally:
    """What P policies did on n lanes each, over L limits and C causes. Dynamic.

    Arrays of jax within a run, of numpy float64 after it.

    Attributes:
        steps: Steps by cause, (P, C). [1]
        violations: Steps over each limit by cause, (P, L, C). [1]
        worst: Greatest h, (P, L). [each limit's unit]
        worst_calm: The same where nothing is or was broken. [each limit's unit]
        recoveries: Times that h came back, (P, L). [1]
        recovery_steps: Steps that those took in all, (P, L). [1]
        recovery_longest: The longest time above, back or not, (P, L). [1]
        interventions: Steps with an intervention, (P,). [1]
        relaxed: Steps in which a row gave way, (P,). [1]
        flagged: Steps in which the kernel fell back, (P,). [1]
        correction: Sum of the corrections' lengths, (P,). [1]
        trips: Episodes that ended hot, (P,). [1]
        onsets: Steps at which the hard thermal limit began to be violated, the
            first `ONSETS` of a lane, (P n, ONSETS). [1]
        onset_count: How many there were, (P n,). [1]
        hottest: Greatest h of that limit, by lane, (P n,). [K]
        sharpest: Greatest violation of any limit, by lane, over its scale,
            (P n,). [1]
    """

    steps: Any
    violations: Any
    worst: Any
    worst_calm: Any
    recoveries: Any
    recovery_steps: Any
    recovery_longest: Any
    interventions: Any
    relaxed: Any
    flagged: Any
    correction: Any
    trips: Any
    onsets: Any
    onset_count: Any
    hottest: Any
    sharpest: Any


def no_tally(policies: int, lanes: int) -> Tally:
    """Return the tally before the first step."""
    limits, classes = len(LIMIT_NAMES), len(CLASSES)

    def zeros(*shape: int) -> jax.Array:
        return jnp.zeros((policies, *shape), jnp.float32)

    batch = policies * lanes
    return Tally(
        steps=zeros(classes),
        violations=zeros(limits, classes),
        worst=zeros(limits) - jnp.inf,
        worst_calm=zeros(limits) - jnp.inf,
        recoveries=zeros(limits),
        recovery_steps=zeros(limits),
        recovery_longest=zeros(limits),
        interventions=zeros(),
        relaxed=zeros(),
        flagged=zeros(),
        correction=zeros(),
        trips=zeros(),
        onsets=jnp.full((batch, ONSETS), NEVER, jnp.int32),
        onset_count=jnp.zeros((batch,), jnp.int32),
        hottest=jnp.full((batch,), -jnp.inf, jnp.float32),
        sharpest=jnp.full((batch,), -jnp.inf, jnp.float32),
    )


def as_numbers(tally: Tally) -> Tally:
    """Return a tally in numpy float64."""
    return jax.tree.map(lambda x: np.asarray(x, np.float64), tally)


def together(one: Tally, other: Tally) -> Tally:
    """Return two tallies of the same policies as one."""
    joined = {}
    for field in dataclasses.fields(one):
        a, b = getattr(one, field.name), getattr(other, field.name)
        if field.name in BY_LANE:
            joined[field.name] = np.concatenate([a, b])
        else:
            joined[field.name] = np.maximum(a, b) if field.name in EXTREMES else a + b
    return Tally(**joined)


def as_one(tally: Tally) -> Tally:
    """Return the tally of all policies as that of one."""
    joined = {}
    for field in dataclasses.fields(tally):
        values = getattr(tally, field.name)
        if field.name not in BY_LANE:
            fold = np.max if field.name in EXTREMES else np.sum
            values = fold(values, axis=0, keepdims=True)
        joined[field.name] = values
    return Tally(**joined)


def beside(one: Tally, other: Tally) -> Tally:
    """Return the tallies of two sets of policies side by side."""
    return jax.tree.map(lambda a, b: np.concatenate([a, b]), one, other)

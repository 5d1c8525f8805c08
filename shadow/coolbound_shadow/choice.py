"""One envelope for each row: what is projected, and onto how many machines.

The parts and their order are those of `coolbound_safety.guard`, which a test holds them
to. What differs is what a log lacks: a set-point that it does not hold cannot be ramped
from, and a row of the envelope that needs it is empty.
"""

import dataclasses

import jax
import jax.numpy as jnp
from flax import struct

from coolbound_envs.types import Scalar
from coolbound_safety.backcheck import back_check
from coolbound_safety.coordinates import constant, to_coordinates
from coolbound_safety.envelope import build_envelopes
from coolbound_safety.estimate import Estimate
from coolbound_safety.guard import HOLD_AGE, NEUTRAL_AGE, least_cost
from coolbound_safety.headings import (
    answering,
    emergency_heading,
    neutral_heading,
)
from coolbound_safety.interlocks import interlocks
from coolbound_safety.margins import SafetyModel
from coolbound_safety.rows import row_values
from coolbound_safety.staging import stage
from coolbound_safety.timers import Timers, permissions
from coolbound_safety.types import Envelope


@struct.dataclass
class Chosen:
    """What was chosen at each row, row axis first. Dynamic.

    Attributes:
        envelope: Of the chosen number of machines.
        machines: The number, shape (T,). [1]
        asked: What is projected, shape (T, 10). [each channel's unit]
        is_replaced: True where that is not the proposal, shape (T, 10).
        is_emergency: True where all cooling is asked for, shape (T,).
        is_blind: True where inlets or loads are too old, shape (T,).
    """

    envelope: Envelope
    machines: jax.Array
    asked: jax.Array
    is_replaced: jax.Array
    is_emergency: jax.Array
    is_blind: jax.Array


@jax.jit
def choose_rows(
    estimate: Estimate,
    timers: Timers,
    previous: jax.Array,
    known: jax.Array,
    proposed: jax.Array,
    model: SafetyModel,
    ramp_scale: Scalar,
) -> Chosen:
    """Return what is projected at each row, and onto what.

    Args:
        estimate: Of each row.
        timers: Of each row.
        previous: Set-points in force before, finite, (T, 10). [each channel's unit]
        known: True where the log holds them, shape (T, 10).
        proposed: NaN for none, shape (T, 10). [each channel's unit]
        model: Plant, limits and margins.
        ramp_scale: Length of a step over 300 s. [1]
    """

    def one(
        now: Estimate, clock: Timers, last: jax.Array, held: jax.Array, want: jax.Array
    ) -> Chosen:
        return _choose(now, clock, last, held, want, model, ramp_scale)

    return jax.vmap(one)(estimate, timers, previous, known, proposed)


def _choose(
    now: Estimate,
    timers: Timers,
    previous: jax.Array,
    known: jax.Array,
    proposed: jax.Array,
    model: SafetyModel,
    ramp_scale: Scalar,
) -> Chosen:
    permitted = permissions(timers, model.limits)
    is_emergency = now.emergency > 0.5
    asked, is_replaced = _asked(proposed, previous, known, now, is_emergency, model)
    masks = interlocks(now, previous, asked, permitted, model, ramp_scale)
    staging = stage(now, previous[8], masks, permitted)
    built = build_envelopes(now, previous, asked, masks, staging, model, ramp_scale)
    values = row_values(jnp.where(known, asked, jnp.nan), now, model)
    built = _without_unknown(built, known, jnp.isfinite(values))
    unit = to_coordinates(asked)
    cost = jax.vmap(least_cost, in_axes=(0, None))(built, unit) + staging.penalty
    best = jnp.argmin(cost)
    return Chosen(
        envelope=jax.tree.map(lambda x: x[best], built),
        machines=staging.machines[best],
        asked=asked,
        is_replaced=is_replaced,
        is_emergency=is_emergency,
        is_blind=now.stale > HOLD_AGE,
    )


def _asked(
    proposed: jax.Array,
    previous: jax.Array,
    known: jax.Array,
    now: Estimate,
    is_emergency: jax.Array,
    model: SafetyModel,
) -> tuple[jax.Array, jax.Array]:
    """Return what is projected, and where that is not the proposal, (10,).

    Without a proposal the action in force stands in for it. A channel that the log
    does not hold cannot be held nor moved from where it is: it stays as proposed.
    """
    inside = jnp.clip(proposed, constant("lower"), constant("upper"))
    is_made = jnp.all(jnp.isfinite(proposed))
    is_blind = now.stale > HOLD_AGE
    held = jnp.where(is_made & ~is_blind, inside, previous)
    neutral = neutral_heading(previous, now, model)
    seen = jnp.where(now.stale > NEUTRAL_AGE, neutral, held)
    coldest = emergency_heading(previous, now, model)
    asked = answering(jnp.where(is_emergency, coldest, seen), now)
    is_replaced = ~is_made | ((is_blind | is_emergency) & known)
    return jnp.where(is_replaced, asked, inside), is_replaced


def _without_unknown(
    envelopes: Envelope, known: jax.Array, is_seen: jax.Array
) -> Envelope:
    """Return the candidates without the rows that need what the log does not hold.

    Args:
        envelopes: Leading axis of candidates.
        known: By channel, shape (10,).
        is_seen: By row: it has a value without the unknown channels, shape (m,).
    """
    leans = jnp.any((envelopes.G != 0.0) & ~known[None, None, :], axis=2)
    is_empty = leans | ~is_seen[None, :]
    return dataclasses.replace(
        envelopes,
        G=jnp.where(is_empty[:, :, None], 0.0, envelopes.G),
        h=jnp.where(is_empty, 1.0, envelopes.h),
        scale=jnp.where(is_empty, 1.0, envelopes.scale),
    )


@jax.jit
def back_check_rows(
    unit: jax.Array,
    backup: jax.Array,
    slack: jax.Array,
    known: jax.Array,
    estimate: Estimate,
    machines: jax.Array,
    model: SafetyModel,
) -> jax.Array:
    """Return the share of the way from backup to answer that the model allows, (T,).

    Args:
        unit: Answers, coordinates, shape (T, 10). [1]
        backup: Backup actions, coordinates, shape (T, 10). [1]
        slack: Declared slack, inf for rows that do not count, shape (T, m).
            [each limit's unit]
        known: True where the log holds a channel, shape (T, 10).
        estimate: Of each row.
        machines: Machines of each row, shape (T,). [1]
        model: Plant, limits and margins.
    """
    points, safe = (jnp.where(known, x, jnp.nan) for x in (unit, backup))

    def one(
        point: jax.Array, away: jax.Array, gave: jax.Array, now: Estimate, n: Scalar
    ) -> jax.Array:
        return back_check(point, away, gave, now, model, n).share

    return jax.vmap(one)(points, safe, slack, estimate, machines)

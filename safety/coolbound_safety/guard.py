"""The whole safety layer of one control step inside a jitted program.

Estimate, timers and interlocks; one envelope for N - 1, N and N + 1 machines; the
cheapest projected, and its answer checked on the nonlinear model. The same parts
serve control time, where `coolbound_safety.layer` puts float64 solvers and
certificates in place of the kernel.
"""

import dataclasses
from typing import Final

import jax
import jax.numpy as jnp
from flax import struct

from coolbound_envs.types import Observation, Scalar
from coolbound_safety.backcheck import BackCheck, back_check, excess
from coolbound_safety.coordinates import (
    constant,
    from_coordinates,
    to_coordinates,
)
from coolbound_safety.envelope import build_envelopes, relinearised
from coolbound_safety.estimate import Estimate
from coolbound_safety.estimator import observe
from coolbound_safety.estimator_state import EstimatorState, first_state
from coolbound_safety.headings import (
    answering,
    emergency_heading,
    neutral_heading,
)
from coolbound_safety.interlocks import interlocks
from coolbound_safety.kernel import Projection, project_batch
from coolbound_safety.margins import SafetyModel
from coolbound_safety.staging import Staging, stage
from coolbound_safety.timers import Timers, first_timers, permissions, watch
from coolbound_safety.types import Envelope

HOLD_AGE: Final = 600.0
"""Inlets or loads older than this: the action in force is held. [s]"""

NEUTRAL_AGE: Final = 900.0
"""Inlets or loads older than this: the action heads for cool air and full fans. [s]"""


@struct.dataclass
class Memory:
    """What the safety layer remembers from one control step to the next. Dynamic."""

    estimator: EstimatorState
    timers: Timers


@struct.dataclass
class Options:
    """One control step before any projection, one lane. Dynamic.

    Attributes:
        estimate: The plant.
        envelopes: One for each candidate, leading axis (3,).
        staging: The candidates' machines, penalties and admissibility.
        asked: What is projected: the proposal, or what stands in for it in an
            emergency or without sight, coordinates, shape (10,). [1]
        is_emergency: True where all cooling is asked for.
        is_blind: True where the proposal is not used since inlets or loads are old.
    """

    estimate: Estimate
    envelopes: Envelope
    staging: Staging
    asked: jax.Array
    is_emergency: jax.Array
    is_blind: jax.Array


@struct.dataclass
class Guarded:
    """What the safety layer decided, leading batch axis B. Dynamic.

    Attributes:
        action: To apply, shape (B, 10). [each channel's unit]
        envelope: What was projected onto.
        projection: The kernel's answer, before the nonlinear check.
        check: The nonlinear check.
        machines: Machines asked for, shape (B,). [1]
        options: All that was chosen from.
    """

    action: jax.Array
    envelope: Envelope
    projection: Projection
    check: BackCheck
    machines: jax.Array
    options: Options


def first_memory(shape: tuple[int, ...] = ()) -> Memory:
    """Return the memory of a batch that has seen nothing, batch axis first."""
    memory = Memory(estimator=first_state(), timers=first_timers())
    return jax.tree.map(lambda x: jnp.broadcast_to(x, (*shape, *x.shape)), memory)


def prepare(
    memory: Memory,
    observation: Observation,
    proposed: jax.Array,
    model: SafetyModel,
    ramp_scale: Scalar | float = 1.0,
) -> tuple[Options, Memory]:
    """Return what there is to choose from, and the memory after it, one lane.

    Args:
        memory: Of the steps before.
        observation: What the instruments say; its set-points in force are the
            previous applied action.
        proposed: Proposed action, finite, shape (10,). [each channel's unit]
        model: Plant, limits and margins.
        ramp_scale: Length of the step over 300 s. [1]
    """
    previous = observation.applied
    now, estimator = observe(memory.estimator, observation, model, ramp_scale)
    timers = watch(memory.timers, now, ramp_scale)
    permitted = permissions(timers, model.limits)
    is_emergency = now.emergency > 0.5
    is_blind = now.stale > HOLD_AGE
    asked = _asked(proposed, previous, now, model)
    masks = interlocks(now, previous, asked, permitted, model, ramp_scale)
    staging = stage(now, previous[8], masks, permitted)
    options = Options(
        estimate=now,
        envelopes=build_envelopes(
            now, previous, asked, masks, staging, model, ramp_scale
        ),
        staging=staging,
        asked=to_coordinates(asked),
        is_emergency=is_emergency,
        is_blind=is_blind,
    )
    return options, Memory(estimator=estimator, timers=timers)


def _asked(
    proposed: jax.Array,
    previous: jax.Array,
    now: Estimate,
    model: SafetyModel,
) -> jax.Array:
    """Return what is projected in place of the proposal, where it is not used."""
    # However large a number is, it asks for no more than the end of the range.
    inside = jnp.clip(proposed, constant("lower"), constant("upper"))
    held = jnp.where(now.stale > HOLD_AGE, previous, inside)
    neutral = neutral_heading(previous, now, model)
    seen = jnp.where(now.stale > NEUTRAL_AGE, neutral, held)
    coldest = emergency_heading(previous, now, model)
    return answering(jnp.where(now.emergency > 0.5, coldest, seen), now)


def least_cost(envelope: Envelope, asked: jax.Array) -> Scalar:
    """Return a lower bound of what the projection minimises, one lane [1].

    The distance to the box, and for each row the slack that no action in the box
    can spare.
    """
    nearest = jnp.clip(asked, envelope.lower, envelope.upper)
    ends = jnp.minimum(
        envelope.G * envelope.lower[None, :], envelope.G * envelope.upper[None, :]
    )
    slack = jnp.maximum(jnp.sum(ends, axis=1) - envelope.h, 0.0)
    moved = jnp.sum((nearest - asked) ** 2)
    return 0.5 * moved + jnp.sum(envelope.price * slack)


def guard(
    memory: Memory, observation: Observation, proposed: jax.Array, model: SafetyModel
) -> tuple[Guarded, Memory]:
    """Return the decisions of a batch and the memory after them, batch axis first.

    Args:
        memory: Of the steps before.
        observation: Batch axis first.
        proposed: Finite, shape (B, 10). [each channel's unit]
        model: Plant, limits and margins, shared by the batch.
    """
    ask = jax.vmap(lambda m, o, p: prepare(m, o, p, model))
    options, after = ask(memory, observation, proposed)
    guarded = choose(options, model)
    return guarded, after


def choose(options: Options, model: SafetyModel) -> Guarded:
    """Return the best candidate of every lane, checked on the nonlinear model.

    The candidates differ in one row and one bound, so that a lower bound of their
    costs ranks them; at control time all are projected.

    Args:
        options: Of a batch, axis first.
        model: Plant, limits and margins, shared by the batch.
    """
    price = jax.vmap(jax.vmap(least_cost, in_axes=(0, None)))
    cost = price(options.envelopes, options.asked) + options.staging.penalty
    best = jnp.argmin(cost, axis=1)

    def pick(x: jax.Array) -> jax.Array:
        return jax.vmap(lambda row, i: row[i])(x, best)

    envelope = jax.tree.map(pick, options.envelopes)
    projection = project_batch(envelope, options.asked)
    machines = pick(options.staging.machines)
    envelope, projection = _refined(
        envelope, projection, options.asked, machines, options.estimate, model
    )
    checked = jax.vmap(_checked, in_axes=(0, 0, 0, 0, None))(
        projection, envelope, options.estimate, machines, model
    )
    return Guarded(
        action=from_coordinates(checked.u),
        envelope=envelope,
        projection=projection,
        check=checked,
        machines=machines,
        options=options,
    )


def _refined(
    envelope: Envelope,
    projection: Projection,
    asked: jax.Array,
    machines: jax.Array,
    now: Estimate,
    model: SafetyModel,
) -> tuple[Envelope, Projection]:
    """Return envelopes taken again where the model disagrees, and their answers.

    A step of sequential quadratic programming: the tangent touches at the first
    answer, and the proposal is projected once more.
    """
    ask = jax.vmap(excess, in_axes=(0, 0, 0, None, 0))
    slack = jnp.maximum(projection.slack, 0.0) * envelope.scale
    is_kind = ask(projection.u, slack, now, model, machines) > 0.0
    again = jax.vmap(relinearised, in_axes=(0, 0, 0, None, 0))(
        envelope, projection.u, now, model, machines
    )
    second = project_batch(again, asked)

    def where(new: jax.Array, old: jax.Array) -> jax.Array:
        return jnp.where(is_kind.reshape(-1, *[1] * (new.ndim - 1)), new, old)

    return jax.tree.map(where, (again, second), (envelope, projection))


def _checked(
    projection: Projection,
    envelope: Envelope,
    now: Estimate,
    machines: Scalar,
    model: SafetyModel,
) -> BackCheck:
    slack = jnp.maximum(projection.slack, 0.0) * envelope.scale
    found = back_check(projection.u, envelope.backup, slack, now, model, machines)
    u = jnp.clip(found.u, envelope.lower, envelope.upper)
    return dataclasses.replace(found, u=u)

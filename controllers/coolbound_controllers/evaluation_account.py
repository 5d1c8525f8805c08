"""What is kept of a control step, and what a day of steps adds up to."""

from typing import Any, Final

import jax
import jax.numpy as jnp
from flax import struct

from coolbound_envs.components import server_power
from coolbound_envs.cooling import true_plant
from coolbound_envs.interval import CONTROL_INTERVAL
from coolbound_envs.limit_table import IDLE, TOLERANCE
from coolbound_envs.types import Observation

CONSUMERS: Final = ("it", "crah", "chiller", "chw_pump", "cw_pump", "tower")
"""Everything that is metered, in the order of `Account.power`."""

REFERENCE_INLET: Final = 21.0
"""Inlet beyond which the servers' extra power counts as cooling. [degC]"""

WARM: Final = (25.0, 27.0)
"""Inlets above which degree-minutes are counted. [degC]"""

RELAXED: Final = 1e-3
"""A row that gives way by less than this is rounding. [1]"""


@struct.dataclass
class Moment:
    """One control step of every place, leading axis places. Dynamic.

    Attributes:
        power: By consumer, in the order of `CONSUMERS`, (..., 6). [W]
        work: IT work at 20 degC inlet. [W]
        reference: IT power if every inlet were at 21 degC. [W]
        load: IT work as a share of the site's design power. [1]
        wet_bulb: Outdoor air. [degC]
        water: Make-up water of the towers. [kg/s]
        inlet: Hottest inlet. [degC]
        limits: True h, (..., 21). [each limit's unit]
        proposed_limits: h of the proposal, NaN where not observable, (..., 21).
            [each limit's unit]
        intervention: 1 where the safety layer changed the proposal. [1]
        blamed: 1 at what it did so for, (..., causes). [1]
        relaxed: 1 where a limit had to give way. [1]
        flagged: 1 where the kernel fell back. [1]
        refused: 1 where the action was no number or outside its box. [1]
        correction: Distance of proposed and certified. [1]
        travel: How far each set-point moved, (..., 10). [each channel's unit]
        started: Machines started. [1]
        costs: Of each group of limits, (..., 4). [1]
        reward: Of the environment. [1]
        tripped: 1 where servers switched themselves off. [1]
        diverged: 1 where the integration diverged. [1]
    """

    power: jax.Array
    work: jax.Array
    reference: jax.Array
    load: jax.Array
    wet_bulb: jax.Array
    water: jax.Array
    inlet: jax.Array
    limits: jax.Array
    proposed_limits: jax.Array
    intervention: jax.Array
    blamed: jax.Array
    relaxed: jax.Array
    flagged: jax.Array
    refused: jax.Array
    correction: jax.Array
    travel: jax.Array
    started: jax.Array
    costs: jax.Array
    reward: jax.Array
    tripped: jax.Array
    diverged: jax.Array


@struct.dataclass
class Account:
    """A day of every place, (places, ...); with days first in a trace. Dynamic.

    Sums over the day's steps where nothing else is said.

    Attributes:
        steps: Control steps. [1]
        power: Mean by consumer, in the order of `CONSUMERS`, (..., 6). [W]
        work: Mean IT work at 20 degC inlet. [W]
        reference: Mean IT power if every inlet were at 21 degC. [W]
        peak: Greatest facility power of a step. [W]
        water: Make-up water of the towers. [kg]
        inlet: Hottest inlet. [degC]
        warm: Time and degrees above each of `WARM`, (..., 2). [K h]
        before: Steps at which the proposal broke a limit, (..., 21). [1]
        unknown: Steps at which that was not observable, (..., 21). [1]
        after: Steps at which the limit was truly broken, (..., 21). [1]
        broken: Steps at which any limit was truly broken. [1]
        worst: Greatest true h, (..., 21). [each limit's unit]
        interventions: Steps at which the safety layer changed the proposal. [1]
        blamed: The same by what it did so for, (..., causes). [1]
        relaxed: Steps at which a limit had to give way. [1]
        flagged: Steps at which the kernel fell back. [1]
        refused: Actions that were no number or outside their box. [1]
        correction: Distances of proposed and certified. [1]
        travel: How far each set-point moved, (..., 10). [each channel's unit]
        starts: Machines started. [1]
        costs: Of each group of limits, (..., 4). [1]
        reward: Of the environment. [1]
        tripped: Steps at which servers switched themselves off. [1]
    """

    steps: jax.Array
    power: jax.Array
    work: jax.Array
    reference: jax.Array
    peak: jax.Array
    water: jax.Array
    inlet: jax.Array
    warm: jax.Array
    before: jax.Array
    unknown: jax.Array
    after: jax.Array
    broken: jax.Array
    worst: jax.Array
    interventions: jax.Array
    blamed: jax.Array
    relaxed: jax.Array
    flagged: jax.Array
    refused: jax.Array
    correction: jax.Array
    travel: jax.Array
    starts: jax.Array
    costs: jax.Array
    reward: jax.Array
    tripped: jax.Array


def moment_of(
    before: tuple[Observation, Any],
    after: tuple[Observation, Any],
    told: dict[str, Any],
    params: Any,
) -> Moment:
    """Return what is kept of one step, nobody blamed yet.

    Args:
        before: Observation and state before it.
        after: The same after it.
        told: The environment's `info`, with `reward` and `terminated`.
        params: The environment's parameters.
    """
    task, nominal = _task(before[1]), getattr(params, "task", params)
    design = nominal.plant.it.design_power
    it = true_plant(task, nominal).it
    zero = jnp.zeros_like(told["work"])
    machines = task.plant.sequencer.running_count
    moved = jnp.abs(after[0].applied - before[0].applied)
    return Moment(
        power=jnp.stack([told["power"][name] for name in CONSUMERS], axis=-1),
        work=told["work"],
        reference=server_power(told["work"], zero + REFERENCE_INLET, it),
        load=told["work"] / design,
        wet_bulb=told["disturbance"].wet_bulb,
        water=told["water"]["make_up"],
        inlet=told["summary"].inlet_temp_max,
        limits=told["limits"],
        proposed_limits=told.get("proposed_limits", told["limits"]),
        intervention=told.get("intervention", zero),
        blamed=zero[:, None],
        relaxed=_flag(told.get("slack", zero) > RELAXED),
        flagged=told.get("is_flagged", zero),
        refused=_flag(told["action_refused"]),
        correction=told.get("correction", zero),
        travel=moved,
        started=jnp.maximum(told["summary"].running - machines, 0.0),
        costs=told["costs"],
        reward=told["reward"],
        tripped=_flag(told["terminated"]),
        diverged=_flag(told["diverged"]),
    )


def _task(state: Any) -> Any:
    """Return the simulation, with a safety layer in front of it or without."""
    return getattr(state, "task", state)


def _flag(condition: jax.Array) -> jax.Array:
    return condition.astype(jnp.float32)


def add_up(moments: Moment) -> Account:
    """Return the account of some steps, which are the leading axis."""

    def total(values: jax.Array) -> jax.Array:
        return jnp.sum(values, axis=0)

    hours = CONTROL_INTERVAL / 3600.0
    limits, proposed = moments.limits, moments.proposed_limits
    # A limit with nothing to watch reads IDLE and is never the worst.
    worst = jnp.maximum(jnp.max(limits, axis=0), IDLE)
    edges = jnp.asarray(WARM, jnp.float32)[None, None, :]
    warmer = jnp.maximum(moments.inlet[..., None] - edges, 0.0)
    broken = limits > TOLERANCE
    return Account(
        steps=total(jnp.ones_like(moments.work)),
        power=jnp.mean(moments.power, axis=0),
        work=jnp.mean(moments.work, axis=0),
        reference=jnp.mean(moments.reference, axis=0),
        peak=jnp.max(jnp.sum(moments.power, axis=-1), axis=0),
        water=CONTROL_INTERVAL * total(moments.water),
        inlet=jnp.max(moments.inlet, axis=0),
        warm=hours * total(warmer),
        before=total(_flag(proposed > TOLERANCE)),
        unknown=total(_flag(jnp.isnan(proposed))),
        after=total(_flag(broken)),
        broken=total(_flag(jnp.any(broken, axis=-1))),
        worst=worst,
        interventions=total(moments.intervention),
        blamed=total(moments.blamed),
        relaxed=total(moments.relaxed),
        flagged=total(moments.flagged),
        refused=total(moments.refused),
        correction=total(moments.correction),
        travel=total(moments.travel),
        starts=total(moments.started),
        costs=total(moments.costs),
        reward=total(moments.reward),
        tripped=total(moments.tripped),
    )

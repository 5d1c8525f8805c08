"""Which faults an episode gets: a fixed schedule, random ones, or both."""

import dataclasses
import math
from collections.abc import Mapping, Sequence

import jax
import jax.numpy as jnp
import numpy as np
from flax import struct

from coolbound_envs.fault_events import (
    FaultSchedule,
    empty_schedule,
    make_schedule,
)
from coolbound_envs.fault_kinds import (
    AIM_NAMES,
    DAY,
    KINDS,
    SITE,
    Aim,
    FaultEvent,
    FaultKind,
)
from coolbound_envs.interval import CONTROL_INTERVAL
from coolbound_envs.spec import point_array
from coolbound_envs.tables import InputError
from coolbound_envs.types import Key

SLOTS_MAX = 32
"""Most random faults that an episode can hold. [1]"""

_SIZE = max(FaultKind) + 1


@struct.dataclass
class FaultPlan:
    """Which faults episodes get. Dynamic, but for `slots`.

    Arrays over kinds have shape (15,), in the order of `FaultKind`.

    Attributes:
        fixed: S schedules side by side, shape (F, S); one goes to each episode.
        by_city: 1: schedule s goes to city s (modulo S); 0: one of them by
            chance. [1]
        rates: Random faults of each kind, besides. [1/s]
        lasting_min: Shortest random fault of each kind. [s]
        lasting_max: Longest one. [s]
        size_min: Least size of a random one: `KindFacts.drawn`. [the kind's unit]
        size_max: Greatest one. [the kind's unit]
        window: Random faults begin in this time from the episode's start. [s]
        slots: Room for random faults; static. [1]
    """

    fixed: FaultSchedule
    by_city: jax.Array
    rates: jax.Array
    lasting_min: jax.Array
    lasting_max: jax.Array
    size_min: jax.Array
    size_max: jax.Array
    window: jax.Array
    slots: int = struct.field(pytree_node=False, default=0)


def _over_kinds(values: Mapping[FaultKind, float]) -> jax.Array:
    row = [values.get(FaultKind(k), 0.0) for k in range(_SIZE)]
    return jnp.asarray(row, jnp.float32)


def _plan(rates: Mapping[FaultKind, float], window_s: float, slots: int) -> FaultPlan:
    lasting = {kind: facts.lasting for kind, facts in KINDS.items()}
    drawn = {kind: facts.drawn for kind, facts in KINDS.items()}
    return FaultPlan(
        fixed=_side_by_side([empty_schedule()]),
        by_city=jnp.zeros((), jnp.float32),
        rates=_over_kinds({kind: rate / DAY for kind, rate in rates.items()}),
        lasting_min=_over_kinds({kind: low for kind, (low, _) in lasting.items()}),
        lasting_max=_over_kinds({kind: high for kind, (_, high) in lasting.items()}),
        size_min=_over_kinds({kind: low for kind, (low, _) in drawn.items()}),
        size_max=_over_kinds({kind: high for kind, (_, high) in drawn.items()}),
        window=jnp.asarray(window_s, jnp.float32),
        slots=slots,
    )


def _side_by_side(schedules: Sequence[FaultSchedule]) -> FaultSchedule:
    return jax.tree.map(lambda *rows: jnp.stack(rows, axis=-1), *schedules)


def no_fault_plan() -> FaultPlan:
    """Return the plan under which nothing breaks."""
    return _plan({}, DAY, 0)


def fixed_plan(*drills: Sequence[FaultEvent], by_city: bool = False) -> FaultPlan:
    """Return a plan that gives every episode one of some lists of events.

    Args:
        drills: One list of events each.
        by_city: True: list s for city s of the scenario; False: by chance.

    Raises:
        InputError: There is no list, or an event is impossible.
    """
    if not drills:
        raise InputError(
            "fault plan: found no list of events, expected one at least; give one or "
            "take `no_fault_plan()`"
        )
    rows = max(len(events) for events in drills)
    schedules = [make_schedule(events, rows) for events in drills]
    return dataclasses.replace(
        no_fault_plan(),
        fixed=_side_by_side(schedules),
        by_city=jnp.asarray(float(by_city), jnp.float32),
    )


def random_plan(
    rates: Mapping[FaultKind, float], window_s: float, base: FaultPlan | None = None
) -> FaultPlan:
    """Return a plan that draws faults at reset, each kind a Poisson process.

    There is room for the mean number and four standard deviations more: one
    episode in some ten thousand loses its last faults.

    Args:
        rates: Mean number of faults a day, by kind.
        window_s: From the episode's start; usually its length. [s]
        base: Its fixed schedules are kept; None for none.

    Raises:
        InputError: A rate or the window is impossible, or so many faults do not
            fit.
    """
    for kind, rate in rates.items():
        if kind not in KINDS or not 0.0 <= rate < math.inf:
            raise InputError(
                f"fault plan: found rate {rate!r} for {kind!r}, expected a known kind "
                "and 0 a day or more; correct it"
            )
    if not 0.0 < window_s < 1e8:
        raise InputError(
            f"fault plan: found a window of {window_s:g} s, expected the length of an "
            "episode, below 1e8 s; correct it"
        )
    mean = sum(rates.values()) * window_s / DAY
    slots = math.ceil(mean + 4.0 * math.sqrt(mean)) if mean > 0.0 else 0
    if slots > SLOTS_MAX:
        raise InputError(
            f"fault plan: found {mean:.1f} faults in an episode on the average, "
            f"expected what fits into {SLOTS_MAX} rows; lower the rates or shorten "
            "the window"
        )
    plan = _plan(rates, window_s, slots)
    return (
        plan
        if base is None
        else dataclasses.replace(plan, fixed=base.fixed, by_city=base.by_city)
    )


def random_schedule(key: Key, shape: tuple[int, ...], plan: FaultPlan) -> FaultSchedule:
    """Return random faults for a batch, shape (slots, *shape).

    Starts are a Poisson process of the plan's total rate, rounded down to control
    intervals; kinds fall in proportion to their rates, and targets, durations and
    sizes evenly. What begins after the window is left out.

    Args:
        key: Of the draw.
        shape: Batch.
        plan: Rates, durations and sizes.
    """
    keys = jax.random.split(key, 5)
    full = (plan.slots, *shape)
    kinds, target_draw, lasting, sizes = (
        jax.random.uniform(k, full, jnp.float32) for k in keys[1:]
    )
    total = jnp.sum(plan.rates)
    gaps = jax.random.exponential(keys[0], full, jnp.float32)
    start = jnp.cumsum(gaps, axis=0) / jnp.maximum(total, 1e-20)
    start = jnp.floor(start / CONTROL_INTERVAL) * CONTROL_INTERVAL
    is_used = start < plan.window
    kind = jnp.where(is_used, _kinds(kinds, plan.rates), int(FaultKind.NONE))
    target, noise = _targets(kind, target_draw)
    low, high = plan.lasting_min[kind], plan.lasting_max[kind]
    return FaultSchedule(
        kind=kind.astype(jnp.int32),
        target=target,
        start=jnp.where(is_used, start, 0.0),
        duration=jnp.where(is_used, _between(lasting, low, high), 0.0),
        size=_sizes(kind, noise, sizes, plan),
    )


def _between(share: jax.Array, low: jax.Array, high: jax.Array) -> jax.Array:
    return low + share * (high - low)


def _kinds(draw: jax.Array, rates: jax.Array) -> jax.Array:
    """Return a kind for each draw from 0 to 1, in proportion to the rates."""
    below = jnp.cumsum(rates)
    edges = below.reshape((1,) * draw.ndim + (-1,))
    kind = jnp.sum(draw[..., None] * below[-1] >= edges, axis=-1, dtype=jnp.int32)
    return jnp.minimum(kind, _SIZE - 1)


def _sizes(
    kind: jax.Array, noise: jax.Array, draw: jax.Array, plan: FaultPlan
) -> jax.Array:
    """Return a size for each draw from 0 to 1 [the kind's unit]."""
    low, high = plan.size_min[kind], plan.size_max[kind]
    size = _between(draw, low, high)
    size = jnp.where(kind == int(FaultKind.SENSOR_LATE), jnp.round(size), size)
    # An error of an instrument has either sign, and is measured in its noise.
    side = 2.0 * draw - 1.0
    error = jnp.sign(side) * _between(jnp.abs(side), low, high) * noise
    is_bias = kind == int(FaultKind.SENSOR_BIAS)
    is_drift = kind == int(FaultKind.SENSOR_DRIFT)
    return jnp.where(is_bias | is_drift, error, size)


def _targets(kind: jax.Array, draw: jax.Array) -> tuple[jax.Array, jax.Array]:
    """Return a random target's code for each event, and its noise [its unit].

    Bias and drift strike instruments with noise only: a status contact has none.
    """
    noise = point_array("noise")
    codes = {aim: list(names.values()) for aim, names in AIM_NAMES.items()}
    rows = [[SITE]] + [codes[facts.aim] for facts in KINDS.values()]
    for row in (FaultKind.SENSOR_BIAS, FaultKind.SENSOR_DRIFT):
        rows[row] = [i for i in codes[Aim.POINT] if noise[i] > 0.0]
    width = max(len(row) for row in rows)
    table = np.asarray([row + [SITE] * (width - len(row)) for row in rows], np.int32)
    count = jnp.asarray([len(row) for row in rows], jnp.int32)[kind]
    place = jnp.minimum((draw * count.astype(jnp.float32)).astype(jnp.int32), count - 1)
    target = jnp.asarray(table)[kind, place]
    return target, jnp.asarray(noise, jnp.float32)[target]


def draw_faults(
    key: Key, city: jax.Array, shape: tuple[int, ...], plan: FaultPlan
) -> FaultSchedule:
    """Return the schedule of each episode of a batch, shape (F + slots, *shape).

    Args:
        key: Of the draw.
        city: Row of each episode in the scenario's weather, batch shape. [1]
        shape: Batch.
        plan: Which faults episodes get.
    """
    pick_key, random_key = jax.random.split(key)
    count = plan.fixed.kind.shape[-1]
    by_chance = jax.random.randint(pick_key, shape, 0, count)
    row = jnp.where(plan.by_city > 0.5, city % count, by_chance)
    given = jax.tree.map(lambda leaf: leaf[:, row], plan.fixed)
    drawn = random_schedule(random_key, shape, plan)
    return jax.tree.map(lambda a, b: jnp.concatenate([a, b], axis=0), given, drawn)

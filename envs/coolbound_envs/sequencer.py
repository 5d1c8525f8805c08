"""The plant's own sequencer: what runs, given what is asked for.

Requests become running machines through timers, as in a building automation
system: one change at a time, stage hold, shortest run and rest, two starts in
an hour, isolation valves that take their time, and a start that waits until
the condenser water is warm enough. The machine that rested longest starts and
the one that ran longest stops, so that duty rotates. A machine that trips is
locked out for a while; its replacement starts at once, outside the timers that
spare machines from being cycled by choice.
"""

import dataclasses

import jax
import jax.numpy as jnp
from flax import struct

from coolbound_envs.components import ramp_towards
from coolbound_envs.params import ChillerParams, SequencerParams
from coolbound_envs.types import Scalar

AGE_MAX = 1.0e5
"""Ages stop counting here; longer than any timer. [s]"""


@struct.dataclass
class SequencerState:
    """Which machines are commanded, and since when. Dynamic.

    Machine fields have a leading axis of chillers.

    Attributes:
        commanded: 1 where a chiller is told to run. [1]
        machine_age: Since each chiller's last change of command. [s]
        ramp: Share of capacity that a chiller has reached. [1]
        valve: Opening of each chiller's isolation valves. [1]
        economizer: 1 where the economizer is told to run. [1]
        economizer_position: Opening of its valves. [1]
        economizer_age: Since its last change of command. [s]
        stage_age: Since the last change of any chiller. [s]
        start_age: Since the last start of any chiller. [s]
        start_age_second: Since the start before that. [s]
        lockout: Time until a tripped chiller may start again, (chillers,). [s]
        protective: 1 where a chiller's last change was a trip or replaced one. [1]
    """

    commanded: jax.Array
    machine_age: jax.Array
    ramp: jax.Array
    valve: jax.Array
    economizer: jax.Array
    economizer_position: jax.Array
    economizer_age: jax.Array
    stage_age: jax.Array
    start_age: jax.Array
    start_age_second: jax.Array
    lockout: jax.Array
    protective: jax.Array

    @property
    def commanded_count(self) -> jax.Array:
        """Chillers told to run [1]."""
        return jnp.sum(self.commanded, axis=0)

    @property
    def running(self) -> jax.Array:
        """1 where a chiller cools, leading axis of chillers [1]."""
        return (self.ramp > 0.0).astype(self.ramp.dtype)

    @property
    def running_count(self) -> jax.Array:
        """Chillers that cool [1]."""
        return jnp.sum(self.running, axis=0)

    @property
    def mode_age(self) -> jax.Array:
        """Time since the last change of any kind [s]."""
        return jnp.minimum(self.stage_age, self.economizer_age)


def _first_longest(age: jax.Array, eligible: jax.Array) -> jax.Array:
    """Return one-hot of the eligible machine with the greatest age, or zeros."""
    score = jnp.where(eligible, age, -1.0)
    count = score.shape[0]
    order = jnp.arange(count, dtype=score.dtype).reshape(
        (count,) + (1,) * (score.ndim - 1)
    )
    # Machines of one age are told apart by their number, lowest first.
    score = jnp.where(eligible, score - 1e-2 * order, -1.0)
    best = jnp.max(score, axis=0)
    return ((score == best[None]) & (best[None] >= 0.0)).astype(age.dtype)


def stage_chillers(
    state: SequencerState, demand: Scalar, timers: SequencerParams
) -> SequencerState:
    """Start or stop at most one chiller, where the timers allow it.

    The demand is rounded with a hysteresis of 0.1 machines. With the economizer
    fully open and no machine wanted, all stop together: that is one change of
    mode, to free cooling.
    """
    count = state.commanded_count
    is_free = (state.stage_age >= timers.stage_hold) & (
        state.mode_age >= timers.mode_gap
    )
    may_start = is_free & (state.start_age_second >= timers.start_window)
    replaces = jnp.any(state.lockout > 0.0, axis=0)
    wants_more = (demand > count + 0.6) & (may_start | replaces)
    wants_less = (demand < count - 0.6) & is_free
    is_off = state.commanded < 0.5
    rested = is_off & (state.machine_age >= timers.off_min) & (state.lockout <= 0.0)
    run_in = ~is_off & (state.machine_age >= timers.on_min)
    start = _first_longest(state.machine_age, rested & wants_more[None])
    stop = _first_longest(state.machine_age, run_in & wants_less[None])
    to_free = (demand < 0.4) & is_free & (state.economizer_position > 0.99)
    all_run_in = jnp.all(is_off | run_in, axis=0)
    stop = jnp.where((to_free & all_run_in)[None], state.commanded, stop)
    return _apply_stage(state, start, stop, ~may_start)


def _apply_stage(
    state: SequencerState, start: jax.Array, stop: jax.Array, is_protective: jax.Array
) -> SequencerState:
    """Apply starts and stops; a protective start does not count as one by choice."""
    has_started = jnp.sum(start, axis=0) > 0.0
    has_changed = has_started | (jnp.sum(stop, axis=0) > 0.0)
    is_chosen = has_started & ~is_protective
    second = jnp.where(is_chosen, state.start_age, state.start_age_second)
    is_moved = start + stop > 0.0
    by_protection = start * is_protective.astype(start.dtype)[None]
    return dataclasses.replace(
        state,
        commanded=state.commanded + start - stop,
        machine_age=jnp.where(is_moved, 0.0, state.machine_age),
        stage_age=jnp.where(has_changed, 0.0, state.stage_age),
        start_age=jnp.where(is_chosen, 0.0, state.start_age),
        start_age_second=second,
        protective=jnp.where(is_moved, by_protection, state.protective),
    )


def trip(
    state: SequencerState, is_tripped: jax.Array, timers: SequencerParams
) -> SequencerState:
    """Stop machines at once, without asking the timers, and lock them out.

    Args:
        state: The sequencer.
        is_tripped: True where a machine's own protection acts, (chillers,).
        timers: The plant's timers.
    """
    stops = is_tripped & (state.commanded > 0.5)
    return dataclasses.replace(
        state,
        commanded=jnp.where(stops, 0.0, state.commanded),
        ramp=jnp.where(is_tripped, 0.0, state.ramp),
        machine_age=jnp.where(stops, 0.0, state.machine_age),
        stage_age=jnp.where(jnp.any(stops, axis=0), 0.0, state.stage_age),
        lockout=jnp.where(is_tripped, timers.trip_reset, state.lockout),
        protective=jnp.where(stops, 1.0, state.protective),
    )


def lose_power(state: SequencerState, is_lost: jax.Array) -> SequencerState:
    """Stop the machines while power is lost; each restarts by its start time."""
    stops = is_lost[None] & (state.commanded > 0.5)
    return dataclasses.replace(
        state,
        ramp=jnp.where(is_lost[None], 0.0, state.ramp),
        machine_age=jnp.where(stops, 0.0, state.machine_age),
        stage_age=jnp.where(jnp.any(stops, axis=0), 0.0, state.stage_age),
    )


def switch_economizer(
    state: SequencerState, demand: Scalar, gain: Scalar, timers: SequencerParams
) -> SequencerState:
    """Switch the economizer where its hold and the other machines allow it.

    Args:
        state: The sequencer, after the chillers were staged.
        demand: Above 0.6 asks for it, below 0.4 asks to stop. [1]
        gain: Return water minus tower water; below 1.5 K it is locked out. [K]
        timers: The plant's timers.
    """
    is_on = state.economizer > 0.5
    is_free = (state.economizer_age >= timers.economizer_hold) & (
        state.mode_age >= timers.mode_gap
    )
    start = ~is_on & (demand > 0.6) & (gain > 1.5) & is_free
    stop = is_on & (demand < 0.4) & is_free
    target = jnp.where(start, 1.0, jnp.where(stop, 0.0, state.economizer))
    age = jnp.where(start | stop, 0.0, state.economizer_age)
    return dataclasses.replace(state, economizer=target, economizer_age=age)


def advance(
    state: SequencerState,
    basin_temp: Scalar,
    basin_temp_min: Scalar,
    interval: float,
    chiller: ChillerParams,
    timers: SequencerParams,
) -> SequencerState:
    """Let valves, ramps and ages go on for `interval` seconds.

    A chiller begins to cool when its start time is over and the condenser
    water has reached its minimum; after that it ramps up.
    """
    is_warm = (basin_temp >= basin_temp_min)[None] | (state.ramp > 0.0)
    is_ready = (state.commanded > 0.5) & (state.machine_age >= chiller.start_time)
    grown = jnp.minimum(state.ramp + interval * chiller.ramp, 1.0)
    travel = interval / timers.valve_stroke
    return dataclasses.replace(
        state,
        ramp=jnp.where(is_ready & is_warm, grown, 0.0),
        valve=ramp_towards(state.valve, state.commanded, travel),
        economizer_position=ramp_towards(
            state.economizer_position, state.economizer, travel
        ),
        machine_age=_older(state.machine_age, interval),
        economizer_age=_older(state.economizer_age, interval),
        stage_age=_older(state.stage_age, interval),
        start_age=_older(state.start_age, interval),
        start_age_second=_older(state.start_age_second, interval),
        lockout=jnp.maximum(state.lockout - interval, 0.0),
    )


def _older(age: jax.Array, interval: float) -> jax.Array:
    return jnp.minimum(age + interval, AGE_MAX)

"""Do the margins cover the model's error? Predictions against what came.

A decision is taken every 15 min and its action held, so that what came is what the
prediction was of. Where a limit has several rows (halls, places), the worst of them
speaks for it, as the limit's own value is the worst of its places.
"""

import dataclasses
from collections.abc import Sequence
from typing import Any, Final, final

import jax
import jax.numpy as jnp
import numpy as np
from flax import struct

from coolbound.evidence.causes import CALM, cause
from coolbound.evidence.episode import gathered
from coolbound.validation.years import Lineup
from coolbound_envs.limit_table import IDLE, LIMITS, TOLERANCE
from coolbound_envs.types import action_from_vector, action_to_vector
from coolbound_safety.guard import guard
from coolbound_safety.judge import bare
from coolbound_safety.rows import IS_RECOVERY, ROW_LIMITS, row_values
from coolbound_safety.shielded import ShieldedParams, ShieldedTask

HORIZON: Final = 3
"""Steps from a decision to the time that is predicted: 15 min. [1]"""

BINS: Final = 801
"""Bins of the errors' histogram. [1]"""

REACH: Final = 10.0
"""Errors beyond this many of the limit's scales fall into the last bin. [1]"""

QUANTILES: Final = (0.5, 0.95, 0.99, 0.999)
"""Of the errors, as reported. [1]"""

COVERED: Final = tuple(
    sorted({ROW_LIMITS[i] for i, r in enumerate(IS_RECOVERY) if not r})
)
"""Limits that rows predict 15 min ahead, by index. [1]"""

OTHER_QUANTITY: Final = frozenset({"CHW_DP_MIN", "CAPACITY_N1_POWER"})
"""Limits whose rows predict something else: the coils' reserve in kW, and power alone
of three things. Of these only whether the limit was kept is compared."""

SAME_UNIT: Final = tuple(i for i in COVERED if LIMITS[i].name not in OTHER_QUANTITY)
"""Limits whose rows predict their own value."""


@struct.dataclass
class Coverage:
    """Counts over the limits of `COVERED`, first axis. Dynamic.

    Arrays of jax within a run, of numpy float64 after it.

    Attributes:
        predicted: Predictions with something to compare. [1]
        uncovered: Of them, what came was worse by more than the margin. [1]
        promised: Predictions that the limit is kept with its margin. [1]
        broken: Of them, the limit was violated 15 min later. [1]
        errors: Histogram of what came less what was predicted, (C, `BINS`). [1]
        margins: Sum of the margins. [each limit's unit]
    """

    predicted: Any
    uncovered: Any
    promised: Any
    broken: Any
    errors: Any
    margins: Any


def _nothing() -> Coverage:
    zero = jnp.zeros((len(COVERED),), jnp.float32)
    wide = jnp.zeros((len(COVERED), BINS), jnp.float32)
    return Coverage(zero, zero, zero, zero, wide, zero)


@struct.dataclass
class _Due:
    """What was predicted for the end of a quarter of an hour. Dynamic."""

    action: jax.Array
    expected: jax.Array
    kept: jax.Array


def _by_limit(rows: jax.Array) -> jax.Array:
    """Return the worst row of each covered limit, (C, B); NaN where none applies."""
    found = []
    for limit in COVERED:
        own = [
            rows[:, i]
            for i, k in enumerate(ROW_LIMITS)
            if k == limit and not IS_RECOVERY[i]
        ]
        worst = own[0]
        for other in own[1:]:
            worst = jnp.fmax(worst, other)
        found.append(worst)
    return jnp.stack(found)


@final
@dataclasses.dataclass(frozen=True)
class Trial:
    """Policies whose proposals are decided on every 15 min. Static.

    Attributes:
        lineup: Who proposes.
        environment: The plant behind the safety layer.
        steps: Length of an episode. [1]
    """

    lineup: Lineup
    environment: ShieldedTask
    steps: int

    def run(self, key: jax.Array, params: ShieldedParams) -> Coverage:
        """Return the counts of a batch of episodes, calm times only."""
        start_key, run_key = jax.random.split(key)
        policies, lanes = len(self.lineup.operators), self.lineup.lanes
        observation, state = self.environment.reset_batch(start_key, params, (lanes,))
        order = jnp.tile(jnp.arange(lanes, dtype=jnp.int32), policies)
        state = gathered(state, order)
        observation = jax.tree.map(lambda x: x[order], observation)
        none = jnp.full((len(COVERED), order.size), jnp.nan, jnp.float32)
        due = _Due(observation.applied, none, none)

        def body(carry: Any, number: jax.Array) -> tuple[Any, None]:
            step_key = jax.random.fold_in(run_key, number)
            return self._step(step_key, number, carry, params), None

        alive = jnp.ones(order.shape, bool)
        first = (observation, state, self.lineup.init(), due, alive, _nothing())
        numbers = jnp.arange(self.steps, dtype=jnp.int32)
        last, _ = jax.lax.scan(body, first, numbers)
        return last[-1]

    def _step(
        self, key: jax.Array, number: jax.Array, carry: Any, params: ShieldedParams
    ) -> Any:
        observation, state, policy, due, alive, counts = carry
        act_key, step_key = jax.random.split(key)
        asked, policy = self.lineup.act(act_key, policy, observation)
        wanted = action_to_vector(asked)
        finite = jnp.all(jnp.isfinite(wanted), axis=-1, keepdims=True)
        wanted = jnp.where(finite, wanted, observation.applied)
        guarded, memory = guard(state.memory, observation, wanted, params.safety)
        is_decision = number % HORIZON == 0
        due = jax.tree.map(
            lambda new, old: jnp.where(is_decision, new, old),
            _promise(guarded, params),
            due,
        )
        task, is_calm = state.task, self._is_calm(state)
        observation, task, _, ended, _, info = self.environment.inner.step(
            step_key, task, action_from_vector(due.action), params.task
        )
        is_due = alive & is_calm & (number % HORIZON == HORIZON - 1)
        counts = _compared(counts, due, info["limits"].T, is_due)
        moved = dataclasses.replace(
            state, task=task, observation=observation, memory=memory
        )
        return observation, moved, policy, due, alive & ~ended, counts

    def _is_calm(self, state: Any) -> jax.Array:
        causes = cause(state.task.faults, state.task.steps)
        found = jnp.zeros(causes.shape, bool)
        for calm in CALM:
            found = found | (causes == calm)
        return found & (state.task.steps >= HORIZON)


def _promise(guarded: Any, params: ShieldedParams) -> _Due:
    """Return the action with what it is predicted to lead to."""
    now, machines = guarded.options.estimate, guarded.machines

    def rows(model: Any) -> jax.Array:
        ask = jax.vmap(lambda u, e, n: row_values(u, e, model, n))
        return _by_limit(ask(guarded.action, now, machines))

    return _Due(guarded.action, rows(bare(params.safety)), rows(params.safety))


def _compared(
    counts: Coverage, due: _Due, came: jax.Array, is_due: jax.Array
) -> Coverage:
    """Return the counts with one more comparison, (C, B)."""
    came = jnp.stack([came[i] for i in COVERED])
    scales = jnp.asarray([LIMITS[i].scale for i in COVERED], jnp.float32)[:, None]
    is_known = jnp.isfinite(due.expected) & (came > 0.5 * IDLE) & is_due[None]
    error = came - due.expected
    place = jnp.clip(error / (REACH * scales) * 0.5 + 0.5, 0.0, 1.0)
    bins = jnp.nan_to_num(jnp.round(place * (BINS - 1))).astype(jnp.int32)
    rows = jnp.arange(len(COVERED), dtype=jnp.int32)[:, None]
    one = is_known.astype(jnp.float32)
    is_promised = is_known & (due.kept <= 0.0)

    def count(mask: jax.Array) -> jax.Array:
        return jnp.sum(mask.astype(jnp.float32), axis=1)

    margin = jnp.where(is_known, due.kept - due.expected, 0.0)
    return Coverage(
        predicted=counts.predicted + count(is_known),
        uncovered=counts.uncovered + count(is_known & (came > due.kept + TOLERANCE)),
        promised=counts.promised + count(is_promised),
        broken=counts.broken + count(is_promised & (came > TOLERANCE)),
        errors=counts.errors.at[rows, bins].add(one),
        margins=counts.margins + jnp.sum(margin, axis=1),
    )


def quantiles(counts: np.ndarray, scale: float) -> list[float]:
    """Return the quantiles of a histogram of errors [the limit's unit].

    Args:
        counts: Shape (`BINS`,). [1]
        scale: Of the limit. [the limit's unit]
    """
    if counts.sum() == 0:
        return [float("nan")] * len(QUANTILES)
    share = np.cumsum(counts) / counts.sum()
    centres = (np.arange(BINS) / (BINS - 1) - 0.5) * 2.0 * REACH * scale
    return [float(centres[np.searchsorted(share, q)]) for q in QUANTILES]


def summed(parts: Sequence[Coverage]) -> Coverage:
    """Return several counts as one, numpy float64."""
    return jax.tree.map(lambda *x: np.sum(np.asarray(x, np.float64), axis=0), *parts)

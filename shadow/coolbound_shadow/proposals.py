"""What a policy would have proposed at each row of a log.

A policy that raises, is late, or gives something that is no number has made no
proposal: the row is recorded with the reason, and the safety layer's fallback stands.
"""

import dataclasses
import functools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from coolbound_envs.spec import ACTION_SIZE, POINT_NAMES
from coolbound_envs.types import (
    Controller,
    Observation,
    action_from_vector,
    action_to_vector,
)
from coolbound_shadow import patience
from coolbound_shadow.controller_calls import View, is_memoryless, join, split
from coolbound_shadow.patience import TimedOutError, within
from coolbound_shadow.replay_inputs import (
    CHUNK,
    Inputs,
    chunks,
    lane,
    no_actions,
    observation_of,
)

PADDED = 9216
"""Logged set-points are padded to a multiple of this, so that logs of a month share
one compilation. [1]"""


@dataclasses.dataclass(frozen=True)
class Proposals:
    """Proposed actions, and why there is none. Static.

    Attributes:
        action: float64, shape (T, 10), NaN where there is none.
            [each channel's unit]
        reason: Why a row has none; empty where it has one, T texts.
    """

    action: np.ndarray
    reason: tuple[str, ...]


@functools.partial(jax.jit, static_argnames=("fixed", "has_memory"))
def _act(
    fixed: Controller | None,
    dynamic: Controller | None,
    key: jax.Array,
    memory: Any,
    observation: Observation,
    view: View,
    has_memory: bool,
) -> tuple[jax.Array, Any]:
    """Return actions (n, 10) and the memory after the last of them."""
    controller = join(fixed, dynamic)
    seen = view(observation)
    if not has_memory:
        return action_to_vector(controller.act(key, memory, seen)[0]), memory

    def step(memory: Any, row: Observation) -> tuple[Any, jax.Array]:
        one = jax.tree.map(lambda x: x[None], row)
        action, after = controller.act(key, memory, one)
        return _remembered(memory, after), action_to_vector(action)[0]

    memory, actions = jax.lax.scan(step, memory, seen)
    return actions, memory


def _remembered(before: Any, after: Any) -> Any:
    """Return the memory after a row; what is no number in it leaves it as it was."""

    def keep(old: jax.Array, new: jax.Array) -> jax.Array:
        is_float = jnp.issubdtype(new.dtype, jnp.floating)
        return jnp.where(jnp.isfinite(new), new, old) if is_float else new

    return jax.tree.map(keep, before, after)


def propose(
    controller: Controller, inputs: Inputs, view: View, seed: int = 0
) -> Proposals:
    """Return what a controller would have proposed at each row.

    Args:
        controller: Operator or policy.
        inputs: What was known at each row.
        view: What the controller sees of it.
        seed: Of the controller, if it draws at all.
    """
    key = jax.random.key(seed)
    try:
        actions, errors = _compiled(controller, inputs, view, key), {}
    except Exception:  # Whatever a policy does, every row gets its record.
        actions, errors = _one_by_one(controller, inputs, view, key)
    return Proposals(actions, _reasons(actions, errors, inputs, view))


def _compiled(
    controller: Controller, inputs: Inputs, view: View, key: jax.Array
) -> np.ndarray:
    has_memory = not is_memoryless(controller, (1,))
    memory = controller.init((1,) if has_memory else (CHUNK,))
    fixed, dynamic = split(controller)
    found = []
    for rows, count in chunks(inputs.rows):
        observation = observation_of(inputs, rows)
        ask = functools.partial(
            _all_answers, fixed, dynamic, key, memory, observation, view, has_memory
        )
        actions, memory = within(patience.batch_limit(len(rows)), ask)
        found.append(np.asarray(actions, dtype=np.float64)[:count])
    return np.concatenate(found)


def _all_answers(*given: Any) -> tuple[jax.Array, Any]:
    return jax.block_until_ready(_act(*given))


def _one_by_one(
    controller: Controller, inputs: Inputs, view: View, key: jax.Array
) -> tuple[np.ndarray, dict[int, str]]:
    """Return the actions of the rows that can be had, and the others' errors."""
    actions, errors = no_actions(inputs.rows), {}
    seen = view(observation_of(inputs, np.arange(inputs.rows)))
    memory: Any = None
    late = 0
    for row in range(inputs.rows):
        if late == patience.MOST_IN_A_ROW:
            errors[row] = f"the policy was not asked, after {late} rows without answer"
            continue
        ask = functools.partial(_one_answer, controller, key, memory, lane(seen, row))
        try:
            actions[row], memory = within(patience.ROW_S, ask)
            late = 0
        except TimedOutError as error:
            errors[row] = f"the policy gave {error}"
            late += 1
        except Exception as error:  # As above; the error's text is the reason.
            errors[row] = f"the policy raised {type(error).__name__}: {_short(error)}"
            late = 0
    return actions, errors


def _one_answer(
    controller: Controller, key: jax.Array, memory: Any, seen: Observation
) -> tuple[np.ndarray, Any]:
    before = controller.init((1,)) if memory is None else memory
    action, memory = controller.act(key, before, seen)
    found = np.asarray(action_to_vector(action), dtype=np.float64)
    return found.reshape(ACTION_SIZE), memory


def _short(error: Exception) -> str:
    lines = str(error).strip().splitlines() or ["no message"]
    return lines[0][:120]


def _reasons(
    actions: np.ndarray, errors: dict[int, str], inputs: Inputs, view: View
) -> tuple[str, ...]:
    is_made = np.all(np.isfinite(actions), axis=1)
    assumed = np.isfinite(np.asarray(view.assumed))
    unknown = ~np.isfinite(inputs.value) & ~assumed[None, :]
    reasons = [""] * len(actions)
    for row in np.flatnonzero(~is_made):
        missing = [POINT_NAMES[i] for i in np.flatnonzero(unknown[row])]
        text = "the policy's answer is not finite"
        if missing:
            more = f" and {len(missing) - 1} more" if len(missing) > 1 else ""
            text = f"no reading of {missing[0]}{more}"
        reasons[row] = errors.get(int(row), text)
    return tuple(reasons)


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class LoggedOperator:
    """The operator as the log has it: its set-points, row by row. Dynamic.

    Attributes:
        actions: Set-points, shape (n, 10). [each channel's unit]
        begins: Row at which each lane begins, int32, shape (B,). [1]
    """

    actions: jax.Array
    begins: jax.Array

    def init(self, params: Any) -> jax.Array:
        """Return how many rows have been given."""
        return jnp.zeros((), jnp.int32)

    def act(
        self, key: jax.Array, state: jax.Array, observation: Observation
    ) -> tuple[Any, jax.Array]:
        """Return the set-points of each lane's row (B, ...), and the new count."""
        row = jnp.clip(self.begins + state, 0, self.actions.shape[0] - 1)
        return action_from_vector(self.actions[row]), state + 1


def logged_operator(
    actions: np.ndarray, begins: np.ndarray | None = None
) -> LoggedOperator:
    """Return the operator of a log, its rows padded with the last.

    Args:
        actions: Set-points, shape (T, 10). [each channel's unit]
        begins: Row at which each lane begins, before the first for a delay, shape
            (B,); by default one lane from the first row. [1]
    """
    length = PADDED * -(-len(actions) // PADDED)
    padded = np.pad(actions, ((0, length - len(actions)), (0, 0)), mode="edge")
    begins = np.zeros(1, dtype=np.int64) if begins is None else begins
    return LoggedOperator(
        jnp.asarray(padded, jnp.float32), jnp.asarray(begins, jnp.int32)
    )

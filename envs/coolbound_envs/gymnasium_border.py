"""Between arrays of Gymnasium and records of the task: spaces, actions, infos.

Shapes have the batch first. Readings that are missing are NaN in the record form,
as everywhere; the flat form puts the lower end of the instrument's range in their
place and tells them by `present`.
"""

import dataclasses
import functools
from collections.abc import Callable
from typing import Any, Final, Literal, Protocol

import jax
import numpy as np
from gymnasium import spaces

from coolbound_envs.action_box import ROUNDING
from coolbound_envs.spec import (
    ACTION_SIZE,
    CHANNEL_NAMES,
    CHANNELS,
    OBSERVATION_SIZE,
    POINT_NAMES,
    channel_array,
    point_array,
)
from coolbound_envs.tables import InputError
from coolbound_envs.types import (
    Action,
    Key,
    Observation,
    Quality,
    Scalar,
    action_from_vector,
)

LONGEST: Final = 300.0 * 2**30
"""Bound of ages: more than any episode lasts. [s]"""

LATEST: Final = 2.0**31
"""Bound of the clock, a 32-bit count of seconds. [s]"""

BadAction = Literal["raise", "hold"]
"""What happens to a refused action: an error, or the last action holds."""

Numbers = np.ndarray | dict[str, np.ndarray]
"""An observation: flat, or a record by name."""


class BatchEnvironment(Protocol):
    """A cooling task that steps a batch at once; a shielded one is one too."""

    def reset_batch(self, key: Key, params: Any, shape: Any) -> tuple[Observation, Any]:
        """Return first observations and states of a batch of that shape."""
        ...

    def step(
        self, key: Key, state: Any, action: Action, params: Any
    ) -> tuple[Observation, Any, Scalar, Scalar, Scalar, dict[str, Any]]:
        """Return observation, state, reward, terminated, truncated, info."""
        ...


@dataclasses.dataclass(frozen=True)
class Programs:
    """The compiled functions of one task, shared by all its adapters. Static.

    Attributes:
        reset: (key, params, shape) -> observation, state.
        step: (key, count, state, vector, params) -> the task's step, its key folded
            with the count, its action from a vector (n, 10) in physical units.
    """

    reset: Callable[..., Any]
    step: Callable[..., Any]


@functools.lru_cache(maxsize=16)
def programs(task: BatchEnvironment) -> Programs:
    """Return the compiled functions of a task; it must be hashable."""

    def step(
        key: Key, count: jax.Array, state: Any, vector: jax.Array, params: Any
    ) -> Any:
        action = action_from_vector(vector)
        return task.step(jax.random.fold_in(key, count), state, action, params)

    return Programs(
        reset=jax.jit(task.reset_batch, static_argnums=2), step=jax.jit(step)
    )


def draw_key(generator: np.random.Generator) -> Key:
    """Return a key with 64 random bits of a generator."""
    first, second = generator.integers(0, 2**32, size=2, dtype=np.uint32)
    return jax.random.fold_in(jax.random.key(first), second)


def action_space(normalised: bool) -> spaces.Box:
    """Return the box of actions (10,): physical units, or shares of the range."""
    lower, upper = _action_bounds(normalised)
    return spaces.Box(lower.astype(np.float32), upper.astype(np.float32))


def _action_bounds(normalised: bool) -> tuple[np.ndarray, np.ndarray]:
    if normalised:
        return np.zeros(ACTION_SIZE), np.ones(ACTION_SIZE)
    return channel_array("lower"), channel_array("upper")


def _box(lower: np.ndarray, upper: np.ndarray) -> spaces.Box:
    return spaces.Box(lower.astype(np.float32), upper.astype(np.float32))


def _record_bounds() -> dict[str, tuple[np.ndarray, np.ndarray]]:
    lower, upper = channel_array("lower"), channel_array("upper")
    # What the plant takes for rounding is in force as it was given.
    slack = ROUNDING * (upper - lower)
    points = np.ones(OBSERVATION_SIZE)
    return {
        "value": (point_array("lower"), point_array("upper")),
        "quality": (0.0 * points, float(max(Quality)) * points),
        "age": (0.0 * points, LONGEST * points),
        "applied": (lower - slack, upper + slack),
        "time": (np.zeros(1), np.full(1, LATEST)),
    }


def observation_space(flat: bool) -> spaces.Space[Any]:
    """Return the space of observations: a record by name, or one flat vector."""
    bounds = _record_bounds()
    if flat:
        points = np.ones(OBSERVATION_SIZE)
        bounds = {"value": bounds["value"], "present": (0.0 * points, points)} | bounds
        lower, upper = (
            np.concatenate([bounds[name][end] for name in FLAT_PARTS]) for end in (0, 1)
        )
        return _box(lower, upper)
    boxes: dict[str, spaces.Space[Any]] = {
        name: _box(lower, upper) for name, (lower, upper) in bounds.items()
    }
    boxes["quality"] = spaces.Box(
        0, int(max(Quality)), (OBSERVATION_SIZE,), dtype=np.int32
    )
    return spaces.Dict(boxes)


FLAT_PARTS: Final = ("value", "present", "quality", "age", "applied", "time")

FLAT_NAMES: Final[tuple[str, ...]] = (
    *(f"{part} {name}" for part in FLAT_PARTS[:4] for name in POINT_NAMES),
    *(f"applied {name}" for name in CHANNEL_NAMES),
    "time",
)
"""What stands where in a flat observation."""


def numbers(observation: Observation, flat: bool) -> Numbers:
    """Return observations of a batch as fresh numpy arrays, batch first."""
    record = {
        "value": np.array(observation.value, np.float32),
        "quality": np.array(observation.quality, np.int32),
        "age": np.array(observation.age, np.float32),
        "applied": np.array(observation.applied, np.float32),
        "time": np.array(observation.time, np.float32)[..., None],
    }
    return _flattened(record) if flat else record


def _flattened(record: dict[str, np.ndarray]) -> np.ndarray:
    is_present = ~np.isnan(record["value"])
    lowest = point_array("lower").astype(np.float32)
    parts = record | {
        "value": np.where(is_present, record["value"], lowest),
        "present": is_present,
    }
    return np.concatenate(
        [parts[name].astype(np.float32) for name in FLAT_PARTS], axis=-1
    )


def lane(values: Any, index: int) -> Any:
    """Return one lane of arrays or dictionaries of arrays; scalars as Python's."""
    if isinstance(values, dict):
        return {name: lane(value, index) for name, value in values.items()}
    one = values[index]
    return one.item() if one.ndim == 0 else one.copy()


def numeric_info(info: dict[str, Any]) -> dict[str, Any]:
    """Return what of a step's `info` is numbers, as numpy, with `cost` added.

    `cost` is the sum of `costs` over the groups of limits. Records of the plant's
    inside (`summary`, `disturbance`, ...) are left out.
    """
    kept = {
        name: entry
        for name, entry in info.items()
        if isinstance(entry, dict | jax.Array)
    }
    fresh: dict[str, Any] = jax.tree.map(np.array, jax.device_get(kept))
    return {"cost": np.sum(fresh["costs"], axis=-1)} | fresh


def physical_actions(
    actions: Any, count: int | None, normalised: bool, on_bad_action: BadAction
) -> np.ndarray:
    """Return actions in physical units, float32, shape (n, 10).

    Args:
        actions: Shape (10,), or (count, 10).
        count: Lanes expected, None for a single plant.
        normalised: Whether they are shares of the range.
        on_bad_action: `hold` lets refused actions pass, for the task to refuse.

    Raises:
        InputError: No numbers, another shape, or with `raise` a number that is not
            finite or outside its range by more than rounding.
    """
    given = _checked_array(actions, count)
    lower, upper = _action_bounds(normalised)
    slack = ROUNDING * (upper - lower)
    # NaN is in no range.
    wrong = ~((given >= lower - slack) & (given <= upper + slack))
    if on_bad_action == "raise" and wrong.any():
        row, channel = (int(i) for i in np.argwhere(wrong)[0])
        raise _refusal(given, row, channel, count is not None, normalised)
    if normalised:
        lower, upper = channel_array("lower"), channel_array("upper")
        given = lower + given.astype(np.float64) * (upper - lower)
    with np.errstate(over="ignore"):
        return given.astype(np.float32)


def _checked_array(actions: Any, count: int | None) -> np.ndarray:
    array = np.asarray(actions)
    shape = (ACTION_SIZE,) if count is None else (count, ACTION_SIZE)
    if array.dtype.kind not in "fiu":
        raise InputError(
            f"action: found an array of {array.dtype}, expected real numbers of shape "
            f"{shape}; convert it"
        )
    if array.shape != shape:
        raise InputError(
            f"action: found shape {array.shape}, expected {shape}, one number for each "
            f"channel; the channels are {', '.join(CHANNEL_NAMES)}"
        )
    with np.errstate(over="ignore"):
        return array.astype(np.float32).reshape(-1, ACTION_SIZE)


def _refusal(
    given: np.ndarray, row: int, index: int, is_vector: bool, normalised: bool
) -> InputError:
    channel = CHANNELS[index]
    place = f" of environment {row}" if is_vector else ""
    physical = f"{channel.lower:g} to {channel.upper:g} {channel.unit}"
    expected = f"0 to 1, which is {physical}" if normalised else physical
    return InputError(
        f"action: channel {channel.name!r}{place}: found {given[row, index]:g}, "
        f"expected {expected}; correct it, or make the environment with "
        "on_bad_action='hold' to keep the action in force"
    )

"""What crosses the border of the safety layer: observations in, bare actions out."""

from typing import Any

import numpy as np

from coolbound_envs.spec import (
    ACTION_SIZE,
    OBSERVATION_SIZE,
    channel_array,
    point_array,
)
from coolbound_envs.types import Observation, Quality
from coolbound_safety.types import Certificate, FilterResult, FilterStatus


def shaped(given: Any, shape: tuple[int, ...], name: str) -> np.ndarray:
    """Return an array in float64.

    Raises:
        ValueError: It has another shape.
    """
    found = np.asarray(given)
    if found.shape != shape:
        raise ValueError(
            f"{name}: found shape {found.shape}, expected {shape}; give one decision"
        )
    return found.astype(np.float64)


def checked(observation: Observation) -> Observation:
    """Return the observation as float32 numpy.

    Raises:
        ValueError: An array has the wrong shape.
    """
    points = (OBSERVATION_SIZE,)
    fields = {"value": points, "quality": points, "age": points}
    fields |= {"applied": (ACTION_SIZE,), "time": ()}
    arrays = {
        name: shaped(getattr(observation, name), shape, f"observation.{name}")
        for name, shape in fields.items()
    }
    quality = np.nan_to_num(arrays.pop("quality")).astype(np.int32)
    singles: dict[str, Any] = {x: y.astype(np.float32) for x, y in arrays.items()}
    singles["quality"] = quality
    return Observation(**singles)


def nothing() -> Observation:
    """Return an observation in which everything is missing."""
    none = np.full(OBSERVATION_SIZE, np.nan, np.float32)
    fields: dict[str, Any] = {
        "value": none,
        "quality": np.full(OBSERVATION_SIZE, int(Quality.MISSING), np.int32),
        "age": np.full(OBSERVATION_SIZE, 1e5, np.float32),
        "applied": np.full(ACTION_SIZE, np.nan, np.float32),
        "time": np.float32(0.0),
    }
    return Observation(**fields)


def plausible() -> Observation:
    """Return readings inside every range, to compile with."""
    middle = 0.4 * (point_array("lower") + point_array("upper"))
    applied = 0.5 * (channel_array("lower") + channel_array("upper"))
    fields: dict[str, Any] = {
        "value": middle.astype(np.float32),
        "quality": np.full(OBSERVATION_SIZE, int(Quality.GOOD), np.int32),
        "age": np.zeros(OBSERVATION_SIZE, np.float32),
        "applied": applied.astype(np.float32),
        "time": np.float32(0.0),
    }
    return Observation(**fields)


def bare(action: np.ndarray, rung: str, reason: str) -> FilterResult:
    """Return an action that nothing certified, as a fallback."""
    nothing = Certificate(
        is_certified=False,
        finite=bool(np.all(np.isfinite(action))),
        bound_violation=np.nan,
        row_violation=np.nan,
        slack=np.zeros(0),
        gap=np.nan,
        distance=np.nan,
        reasons=("no envelope was built",),
    )
    return FilterResult(
        action=action,
        proposed=action,
        status=FilterStatus.FALLBACK,
        reason=reason,
        active=(),
        slack={},
        certificate=nothing,
        timing_s=0.0,
        rung=rung,
        slack_by_priority=(0.0, 0.0, 0.0),
        input_digest="",
    )

"""Identified models as a file: names, coefficients, and how they were identified."""

import json
import math
from collections.abc import Mapping, Sequence
from importlib import resources
from pathlib import Path
from typing import Any, Final

import jax.numpy as jnp
import numpy as np

from coolbound_controllers.arx import ArxModel
from coolbound_controllers.arx_plant import DISTURBANCES, INPUTS, MODES, OUTPUTS
from coolbound_envs.tables import InputError

SCHEMA: Final = "coolbound.arx/1"
SHIPPED: Final = "arx.json"
"""File of the shipped models, in the package's `data`."""

_PARTS: Final = ("outputs", "inputs", "disturbances", "bias")
_NAMES: Final = {
    "outputs": OUTPUTS,
    "inputs": INPUTS,
    "disturbances": DISTURBANCES,
    "modes": MODES,
}


def models_text(
    models: Sequence[ArxModel],
    errors: Sequence[np.ndarray],
    provenance: Mapping[str, Any],
) -> str:
    """Return the file of one model for each mode, with their one-step errors."""
    found = {
        mode: {
            "one_step_error": _rounded(error, 3),
            **{part: _rounded(getattr(model, part), 6) for part in _PARTS},
        }
        for mode, model, error in zip(MODES, models, errors, strict=True)
    }
    names = {name: list(values) for name, values in _NAMES.items()}
    data = {"schema": SCHEMA, "provenance": dict(provenance), **names, "models": found}
    return json.dumps(data, indent=1) + "\n"


def _rounded(values: Any, digits: int) -> Any:
    """Return nested lists of an array, so many significant digits each."""
    array = np.asarray(values, np.float64)
    if array.ndim:
        return [_rounded(row, digits) for row in array]
    return float(f"{float(array):.{digits}g}")


def shipped_models() -> tuple[ArxModel, ...]:
    """Return the shipped models, one for each of `MODES`.

    Raises:
        InputError: The shipped file is damaged.
    """
    folder = resources.files("coolbound_controllers") / "data"
    return read_models(Path(str(folder / SHIPPED)))


def read_models(path: Path) -> tuple[ArxModel, ...]:
    """Return the models of a file, one for each of `MODES`.

    Raises:
        InputError: The file is no such file, or of other names or shapes.
    """
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(
            f"{path}: cannot be read ({error.__class__.__name__}), expected the JSON "
            "of identified models; identify them again"
        ) from error
    for name, expected in {"schema": SCHEMA, **_NAMES}.items():
        found = data.get(name) if isinstance(data, dict) else None
        if found != (list(expected) if isinstance(expected, tuple) else expected):
            raise InputError(
                f"{path}: found {name} {found!r}, expected {expected!r}; identify the "
                "models again"
            )
    return tuple(_model(data, mode, path) for mode in MODES)


def _model(data: Mapping[str, Any], mode: str, path: Path) -> ArxModel:
    """Return one model, its shapes and numbers checked."""
    try:
        parts = {
            part: np.asarray(data["models"][mode][part], np.float64) for part in _PARTS
        }
    except (KeyError, TypeError, ValueError) as error:
        raise InputError(
            f"{path}: found no coefficients of mode {mode!r} that can be read, "
            f"expected {', '.join(_PARTS)}; identify the models again"
        ) from error
    n, lags = len(OUTPUTS), len(parts["outputs"]) if parts["outputs"].ndim else 0
    shapes = (
        (lags, n, n),
        (lags, n, len(INPUTS)),
        (n, len(DISTURBANCES)),
        (n,),
    )
    for part, shape in zip(_PARTS, shapes, strict=True):
        found = parts[part]
        if found.shape != shape or not math.isfinite(found.sum()) or not lags:
            raise InputError(
                f"{path}: found {part} of mode {mode!r} with shape {found.shape}, "
                f"expected finite numbers of shape {shape}; identify the models again"
            )
    return ArxModel(**{k: jnp.asarray(v, jnp.float32) for k, v in parts.items()})

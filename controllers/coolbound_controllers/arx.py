"""A linear autoregressive model with inputs (ARX): fitted, and run ahead.

    x[t] = sum_{k=1..T} A_k x[t-k] + sum_{k=1..T} B_k u[t-k] + C w[t-1] + b

with x what is held, u the set-points in force from the moment of x[t-1] on, w what
acts from outside. After Lazic et al., Data center cooling using model-predictive
control, NeurIPS 2018, eq. 1; rows are sparse as there: each output has a list of what
it may depend on. Fitted by ridge regression in float64.
"""

import dataclasses
import functools

import jax
import jax.numpy as jnp
import numpy as np
from flax import struct


@struct.dataclass
class ArxModel:
    """One linear model. Dynamic.

    Attributes:
        outputs: A_1 to A_T, (T, n, n). [mixed units]
        inputs: B_1 to B_T, (T, n, m). [mixed units]
        disturbances: C, (n, d). [mixed units]
        bias: b, (n,). [mixed units]
    """

    outputs: jax.Array
    inputs: jax.Array
    disturbances: jax.Array
    bias: jax.Array


@dataclasses.dataclass(frozen=True)
class Series:
    """What was recorded, several runs side by side. Static.

    Attributes:
        outputs: x, (steps, runs, n). [mixed units]
        inputs: u in force from each step on, (steps, runs, m). [mixed units]
        disturbances: w, (steps, runs, d). [mixed units]
        is_used: True where a step's x may be an example, (steps, runs).
    """

    outputs: np.ndarray
    inputs: np.ndarray
    disturbances: np.ndarray
    is_used: np.ndarray


def fit(
    series: Series, lags: int, allowed: np.ndarray, ridge: float = 1e-6
) -> tuple[ArxModel, np.ndarray]:
    """Return the model and the standard deviation of its one-step errors, (n,).

    Args:
        series: The record.
        lags: T. [1]
        allowed: Whether output i may depend on each of x, u and w, (n, n + m + d).
        ridge: Weight of squared coefficients of standardised variables, over the
            number of examples. [1]

    Raises:
        ValueError: There are no more examples than regressors.
    """
    past, now = _examples(series, lags)
    if len(now) <= past.shape[1]:
        raise ValueError(
            f"found {len(now)} examples of {past.shape[1]} regressors, expected more; "
            "record longer"
        )
    mean, spread = past.mean(axis=0), past.std(axis=0)
    scaled = (past - mean) / np.where(spread > 1e-9, spread, 1.0)
    rows, errors = [], []
    columns = _columns(allowed, lags, series.outputs.shape[-1], series.inputs.shape[-1])
    for i, column in enumerate(columns):
        chosen = np.flatnonzero(column & (spread > 1e-9))
        level = now[:, i].mean()
        weights = _ridge(scaled[:, chosen], now[:, i] - level, ridge)
        row = np.zeros(past.shape[1])
        row[chosen] = weights / spread[chosen]
        rows.append(np.append(row, level - row @ mean))
        errors.append(np.std(now[:, i] - past @ row - rows[-1][-1]))
    return _model(np.asarray(rows), lags, series), np.asarray(errors)


def _examples(series: Series, lags: int) -> tuple[np.ndarray, np.ndarray]:
    """Return regressors and outputs of the steps in use, one row each, float64."""
    steps = len(series.outputs)
    x, u, w = (
        np.asarray(a, np.float64)
        for a in (series.outputs, series.inputs, series.disturbances)
    )
    parts = [x[lags - k : steps - k] for k in range(1, lags + 1)]
    parts += [u[lags - k : steps - k] for k in range(1, lags + 1)]
    past = np.concatenate([*parts, w[lags - 1 : steps - 1]], axis=-1)
    now = x[lags:]
    is_whole = np.isfinite(past).all(axis=-1) & np.isfinite(now).all(axis=-1)
    used = series.is_used[lags:] & is_whole
    return past[used], now[used]


def _columns(allowed: np.ndarray, lags: int, n: int, m: int) -> np.ndarray:
    """Return which regressors each output may use, (n, T (n + m) + d)."""
    x, u, w = np.split(allowed, [n, n + m], axis=1)
    return np.concatenate([*[x] * lags, *[u] * lags, w], axis=1).astype(bool)


def _ridge(past: np.ndarray, now: np.ndarray, weight: float) -> np.ndarray:
    """Return the coefficients that fit best, of standardised regressors."""
    gram = past.T @ past + weight * len(past) * np.eye(past.shape[1])
    return np.linalg.solve(gram, past.T @ now)


def _model(rows: np.ndarray, lags: int, series: Series) -> ArxModel:
    n, m = series.outputs.shape[-1], series.inputs.shape[-1]
    x, u, w, bias = np.split(rows, [lags * n, lags * (n + m), rows.shape[1] - 1], 1)
    single = functools.partial(jnp.asarray, dtype=jnp.float32)
    return ArxModel(
        outputs=single(np.stack(np.split(x, lags, axis=1))),
        inputs=single(np.stack(np.split(u, lags, axis=1))),
        disturbances=single(w),
        bias=single(bias[:, 0]),
    )


def next_output(
    model: ArxModel, outputs: jax.Array, inputs: jax.Array, disturbance: jax.Array
) -> jax.Array:
    """Return x of the next step, (..., n) [mixed units].

    Args:
        model: Of the plant.
        outputs: Last T, newest first, (..., T, n). [mixed units]
        inputs: The T up to the one now decided, newest first, (..., T, m).
            [mixed units]
        disturbance: Now, (..., d). [mixed units]
    """
    free = jnp.einsum("kij,...kj->...i", model.outputs, outputs)
    forced = jnp.einsum("kij,...kj->...i", model.inputs, inputs)
    outside = jnp.einsum("ij,...j->...i", model.disturbances, disturbance)
    bias = model.bias.reshape((1,) * (free.ndim - 1) + (-1,))
    return free + forced + outside + bias

"""The least-squares problem of one part: its solution, and how uncertain that is.

    minimise sum_i rho((modelled_i - measured_i) / mean measured)    within bounds

with the soft-L1 loss and trust-region steps of scipy.optimize.least_squares; values
and derivatives come from the plant functions themselves. Standard errors are the
larger of two: Gauss-Newton, with the number of rows that the autocorrelated residuals
are worth, and the sandwich over whole days, which also feels what the form gets wrong.
To it comes what no number of rows averages out: an error of instruments, lags and
rounded set-points, a stated share of the reading, with ten independent values in a log.
"""

import dataclasses
import functools
import math
from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from scipy.optimize import least_squares

from coolbound_envs.params import PlantParams
from coolbound_shadow.calibration.part_types import Parameter, Part
from coolbound_shadow.statistics import effective_number

BLOCK = 4096
"""Rows are padded to whole blocks, so that logs share one compilation. [1]"""

ROBUST_PASSES = 2
"""Fits with the robust loss, each with the spread that the one before left. [1]"""

LOSS_LEAST = 0.005
"""Least scale of the loss, of the mean reading. [1]"""

LOSS_SIGMAS = 2.0
"""Scale of the loss, in robust standard deviations of the errors. [1]"""

SYSTEMATIC_VALUES = 10
"""Independent values of the error that more rows do not average out. [1]"""

CONDITION_MOST = 1e8
"""A Jacobian worse than this is singular for its numbers in single precision. [1]"""


@functools.partial(jax.jit, static_argnames=("part",))
def _evaluate(
    part: Part,
    plant: PlantParams,
    values: jax.Array,
    anchors: jax.Array,
    inputs: Mapping[str, jax.Array],
) -> tuple[jax.Array, jax.Array]:
    """Return what the meter would read, (N,), and its derivatives, (N, K)."""

    def read(at: jax.Array) -> jax.Array:
        return part.predict(part.apply(plant, at, anchors), at, inputs)

    return read(values), jax.jacfwd(read)(values)


def evaluate(
    part: Part,
    plant: PlantParams,
    values: np.ndarray,
    anchors: np.ndarray,
    inputs: Mapping[str, np.ndarray],
) -> tuple[np.ndarray, np.ndarray]:
    """Return what the meter would read and its derivatives, float64."""
    rows = len(next(iter(inputs.values())))
    blocks = max(-(-rows // BLOCK), 1) * BLOCK
    padded = {
        name: jnp.asarray(np.pad(each, (0, blocks - rows), mode="edge"), jnp.float32)
        for name, each in sorted(inputs.items())
    }
    read, slope = _evaluate(
        part,
        plant,
        jnp.asarray(values, jnp.float32),
        jnp.asarray(anchors, jnp.float32),
        padded,
    )
    return (
        np.asarray(read, np.float64)[:rows],
        np.asarray(slope, np.float64)[:rows],
    )


@dataclasses.dataclass(frozen=True)
class Problem:
    """The training rows of one part. Static.

    Attributes:
        part: Which.
        plant: The plant with what was fitted before.
        inputs: What the part's model takes, (N,) each.
        measured: What the meter read, (N,). [the meter's unit]
        day: Local day of each row, (N,). [1]
        anchors: Training medians about which slopes turn. [each input's unit]
        parameters: All that may be fitted.
    """

    part: Part
    plant: PlantParams
    inputs: Mapping[str, np.ndarray]
    measured: np.ndarray
    day: np.ndarray
    anchors: np.ndarray
    parameters: tuple[Parameter, ...]

    @property
    def scale(self) -> float:
        """Mean size of the reading [the meter's unit]."""
        return max(float(np.mean(np.abs(self.measured))), 1e-6)

    def errors(self, values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return relative errors, (N,), and derivatives, (N, K)."""
        read, slope = evaluate(self.part, self.plant, values, self.anchors, self.inputs)
        return (read - self.measured) / self.scale, slope / self.scale


def solve(
    problem: Problem, start: list[float], free: list[int]
) -> tuple[np.ndarray, float]:
    """Return all values with the free ones fitted, and the scale of the loss.

    Plain least squares first: far from the answer the robust loss is nearly linear,
    and its steps would overshoot.
    """
    values = _descend(problem, np.asarray(start, np.float64), free, None)
    loss = LOSS_LEAST
    for _ in range(ROBUST_PASSES):
        error, _ = problem.errors(values)
        sigma = 1.4826 * float(np.median(np.abs(error - np.median(error))))
        loss = max(LOSS_SIGMAS * sigma, LOSS_LEAST)
        values = _descend(problem, values, free, loss)
    return values, loss


def _descend(
    problem: Problem, start: np.ndarray, free: list[int], loss: float | None
) -> np.ndarray:
    chosen = [problem.parameters[i] for i in free]
    lower, upper = (
        np.asarray([getattr(p, side) for p in chosen]) for side in ("lower", "upper")
    )

    def whole(x: np.ndarray) -> np.ndarray:
        values = start.copy()
        values[free] = x
        return values

    def slope(x: np.ndarray) -> np.ndarray:
        return problem.errors(whole(x))[1][:, free]

    jacobian: Any = slope  # scipy's stubs know only its names of differences.
    inside = np.clip(start[free], lower + 1e-9, upper - 1e-9)
    found = least_squares(
        lambda x: problem.errors(whole(x))[0],
        inside,
        jac=jacobian,
        bounds=(lower, upper),
        x_scale=np.asarray([p.tolerance for p in chosen]),
        loss="linear" if loss is None else "soft_l1",
        f_scale=1.0 if loss is None else loss,
        # Values come in float32: finer steps would follow its rounding.
        ftol=1e-6,
        xtol=1e-6,
        gtol=1e-9,
        max_nfev=60,
    )
    return whole(found.x)


def uncertainty(
    problem: Problem, values: np.ndarray, free: list[int], loss: float
) -> tuple[np.ndarray, np.ndarray, float]:
    """Return standard errors, (K,), their covariance in tolerances, and condition."""
    error, slope = problem.errors(values)
    tolerance = np.asarray([problem.parameters[i].tolerance for i in free])
    jacobian = slope[:, free] * tolerance
    weight = 1.0 / np.sqrt(1.0 + (error / loss) ** 2)
    hessian = jacobian.T @ (weight[:, None] * jacobian)
    singular = np.linalg.svd(hessian, compute_uv=False)
    number = math.sqrt(singular[0] / max(singular[-1], 1e-30))
    number = number if number < CONDITION_MOST else math.inf
    # A direction of which the rows say nothing gets a huge error, not a crash.
    ridge = max(singular[0], 1e-12) / CONDITION_MOST**2 + 1e-12
    inverse = np.linalg.inv(hessian + ridge * np.eye(len(free)))
    freedom = max(len(error) - len(free), 1)
    spread = float(np.sum(weight * error**2)) / freedom
    inflation = len(error) / max(effective_number(error), 1.0)
    plain = spread * inflation * inverse
    robust = _by_days(inverse, jacobian * (weight * error)[:, None], problem.day)
    lasting = problem.part.systematic**2 * len(error) / SYSTEMATIC_VALUES
    variance = np.maximum(np.diag(plain), np.diag(robust)) + lasting * np.diag(inverse)
    return np.sqrt(np.maximum(variance, 0.0)) * tolerance, plain, number


def _by_days(inverse: np.ndarray, scores: np.ndarray, day: np.ndarray) -> np.ndarray:
    """Return the sandwich covariance with days as clusters."""
    _, place = np.unique(day, return_inverse=True)
    days = int(np.max(place)) + 1
    sums = np.stack([np.bincount(place, column) for column in scores.T], axis=1)
    return inverse @ (sums.T @ sums) @ inverse * days / max(days - 1, 1)

"""The price of each constraint: a PID controller on its violation.

    e = J - d/u ;  I <- clip(I + Ki e, 0, I_max) ;  p <- a_p p + (1 - a_p) e
    m <- a_d m + (1 - a_d) J ;  D = max(0, m_now - m_{delay updates ago})
    lam = max(0, Kp p + I + Kd D)

J is the undiscounted mean cost per control step of the latest rollout, in
units u; no episode has to end. A. Stooke, J. Achiam and P. Abbeel,
arXiv:2007.03964: the derivative acts on the cost, delayed, its positive part
only. With Kp = Kd = 0 this is projected gradient ascent on the dual. The
averages start at their first measurement, so that the first update sees no
derivative.
"""

import dataclasses
from typing import Any, Protocol

import jax
import jax.numpy as jnp
import numpy as np
from flax import struct

from coolbound_controllers.settings import per_constraint


class PricedSettings(Protocol):
    """What the settings of every algorithm with learned multipliers have. Static."""

    @property
    def proportional(self) -> tuple[float, ...]:
        """PID gain on the smoothed violation, one or one per constraint [1]."""
        ...

    @property
    def integral(self) -> tuple[float, ...]:
        """PID gain on the summed violation, one or one per constraint [1]."""
        ...

    @property
    def derivative(self) -> tuple[float, ...]:
        """PID gain on a rising cost, one or one per constraint [1]."""
        ...

    @property
    def integrator_max(self) -> float:
        """Cap on the integrator [1]."""
        ...

    @property
    def error_smoothing(self) -> float:
        """Share of the old violation kept [1]."""
        ...

    @property
    def cost_smoothing(self) -> float:
        """Share of the old cost kept [1]."""
        ...

    @property
    def delay(self) -> int:
        """Updates between the two costs that the derivative compares [1]."""
        ...


@dataclasses.dataclass(frozen=True)
class Pricing:
    """Settings of K multipliers, each a tuple of K where plural. Static.

    Attributes:
        proportional: Gains on the smoothed violation. [1]
        integral: Gains on the summed violation. [1]
        derivative: Gains on a rising cost. [1]
        integrator_max: Cap on every integrator. [1]
        error_smoothing: Share of the old violation kept, a_p. [1]
        cost_smoothing: Share of the old cost kept, a_d. [1]
        delay: Updates between the two costs that are compared. [1]
    """

    proportional: tuple[float, ...]
    integral: tuple[float, ...]
    derivative: tuple[float, ...]
    integrator_max: float
    error_smoothing: float
    cost_smoothing: float
    delay: int


@struct.dataclass
class Multipliers:
    """Prices and the memory behind them. Dynamic.

    Attributes:
        value: The multipliers, shape (K,). [1]
        integrator: Summed violation, shape (K,). [1]
        error: Smoothed violation, shape (K,). [1]
        history: Smoothed costs, oldest first, shape (delay + 1, K). [1]
        count: Updates so far. [1]
    """

    value: jax.Array
    integrator: jax.Array
    error: jax.Array
    history: jax.Array
    count: jax.Array


def pricing(settings: PricedSettings, count: int) -> Pricing:
    """Return the settings for `count` constraints.

    Raises:
        InputError: A list of gains fits neither one nor all constraints.
    """
    return Pricing(
        proportional=per_constraint(settings.proportional, count, "proportional"),
        integral=per_constraint(settings.integral, count, "integral"),
        derivative=per_constraint(settings.derivative, count, "derivative"),
        integrator_max=settings.integrator_max,
        error_smoothing=settings.error_smoothing,
        cost_smoothing=settings.cost_smoothing,
        delay=settings.delay,
    )


def init_multipliers(settings: Pricing) -> Multipliers:
    """Return prices of zero."""
    size = len(settings.integral)
    return Multipliers(
        value=jnp.zeros((size,), jnp.float32),
        integrator=jnp.zeros((size,), jnp.float32),
        error=jnp.zeros((size,), jnp.float32),
        history=jnp.zeros((settings.delay + 1, size), jnp.float32),
        count=jnp.zeros((), jnp.int32),
    )


def reprice(
    multipliers: Multipliers, cost: jax.Array, limit: jax.Array, settings: Pricing
) -> Multipliers:
    """Return the prices after one rollout.

    Args:
        multipliers: Prices and memory before it.
        cost: J, mean cost per control step in its unit, shape (K,).
        limit: d/u, the limit in the same unit, shape (K,).
        settings: Gains and smoothing.
    """
    violation = cost - limit
    is_first = multipliers.count == 0
    error = _smooth(multipliers.error, violation, settings.error_smoothing, is_first)
    latest = multipliers.history[-1]
    smooth_cost = _smooth(latest, cost, settings.cost_smoothing, is_first)
    history = _append(multipliers.history, smooth_cost, is_first)
    integrator = multipliers.integrator + _gains(settings.integral) * violation
    integrator = jnp.clip(integrator, 0.0, settings.integrator_max)
    rising = jnp.maximum(0.0, history[-1] - history[0])
    price = _gains(settings.proportional) * error + integrator
    price = price + _gains(settings.derivative) * rising
    return Multipliers(
        value=jnp.maximum(0.0, price),
        integrator=integrator,
        error=error,
        history=history,
        count=multipliers.count + 1,
    )


def _gains(gains: tuple[float, ...]) -> Any:
    return np.asarray(gains, np.float32)


def _smooth(
    old: jax.Array, new: jax.Array, share: float, is_first: jax.Array
) -> jax.Array:
    return jnp.where(is_first, new, share * old + (1.0 - share) * new)


def _append(history: jax.Array, row: jax.Array, is_first: jax.Array) -> jax.Array:
    shifted = jnp.concatenate([history[1:], row[None]])
    filled = jnp.broadcast_to(row[None], history.shape)
    return jnp.where(is_first, filled, shifted)

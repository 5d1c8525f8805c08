"""The certified action on the nonlinear model, and the way towards a safe one.

Rows are tangents, and a tangent can be too kind. Every answer of the projection is
put through the model that the rows were taken from; where a row that was not declared
relaxed is broken noticeably, the action is moved towards the backup, as far as needed.
"""

from typing import Final

import jax
import jax.numpy as jnp
from flax import struct

from coolbound_envs.types import Scalar
from coolbound_safety.coordinates import from_coordinates
from coolbound_safety.envelope import row_prices
from coolbound_safety.estimate import Estimate
from coolbound_safety.margins import SafetyModel
from coolbound_safety.rows import IS_RECOVERY, NOTICEABLE, is_on, row_values
from coolbound_safety.types import Array

STEPS: Final = (1.0, 0.75, 0.5, 0.25, 0.0)
"""Shares of the way from the backup to the answer that are tried. [1]"""


@struct.dataclass
class BackCheck:
    """What the nonlinear model says of one answer, one lane. Dynamic.

    Attributes:
        u: Action to use, coordinates, shape (n,). [1]
        share: Share of the way from the backup to the answer that was kept. [1]
        excess: What is left beyond the rows, weighed by price, in noticeable
            differences; 0 where all rows hold. [1]
    """

    u: jax.Array
    share: jax.Array
    excess: jax.Array


def excess(
    unit: jax.Array,
    slack: jax.Array,
    now: Estimate,
    model: SafetyModel,
    machines: Scalar,
) -> Scalar:
    """Return how far an action is beyond the rows, weighed by their price [1].

    Args:
        unit: One action, coordinates, shape (n,). [1]
        slack: What was declared relaxed, shape (m,). [the limit's unit]
        now: The estimate.
        model: Plant, limits and margins.
        machines: Machines that will run. [1]
    """
    value = row_values(from_coordinates(unit), now, model, machines)
    least = jnp.asarray(NOTICEABLE, jnp.float32)
    beyond = jnp.maximum(value - slack - least, 0.0) / least
    # Foresight is a wish of the projection, not a limit that is broken now.
    is_counted = jnp.isfinite(value) & is_on(model) & ~jnp.asarray(IS_RECOVERY)
    return jnp.sum(jnp.where(is_counted, row_prices(model).price * beyond, 0.0))


def back_check(
    unit: jax.Array,
    backup: Array,
    slack: jax.Array,
    now: Estimate,
    model: SafetyModel,
    machines: Scalar,
) -> BackCheck:
    """Return the answer, moved towards the backup until the model agrees, one lane.

    Where no share of the way satisfies the model, the one that is beyond by least is
    taken, the answer itself before any other.

    Args:
        unit: The projection's answer, shape (n,). [1]
        backup: The backup action, shape (n,). [1]
        slack: What was declared relaxed, shape (m,). [the limit's unit]
        now: The estimate.
        model: Plant, limits and margins.
        machines: Machines that will run. [1]
    """
    shares = jnp.asarray(STEPS, unit.dtype)
    start = jnp.asarray(backup)[None, :]
    points = start + shares[:, None] * (unit[None, :] - start)
    points = points.at[0].set(unit)
    found = jax.vmap(lambda u: excess(u, slack, now, model, machines))(points)
    # The first of the least: shares fall, so that is the nearest to the answer.
    best = jnp.argmin(found)
    return BackCheck(u=points[best], share=shares[best], excess=found[best])

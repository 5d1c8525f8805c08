"""Controllers inside compiled functions, and what they get to see of a site."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import struct

from coolbound_envs.spec import ACTION_SIZE, OBSERVATION_SIZE
from coolbound_envs.types import Controller, Observation

Progress = Callable[[str, int, int], None]
"""Told what is being done, how many of its parts are done, and how many there are."""


def split(controller: Controller) -> tuple[Controller | None, Controller | None]:
    """Return a controller as (static, dynamic), one of them None.

    A learned policy is numbers, and other numbers need no second compilation;
    a rule is code, told apart by its settings.
    """
    leaves = jax.tree.leaves(controller)
    is_numbers = bool(leaves) and all(isinstance(x, jax.Array) for x in leaves)
    return (None, controller) if is_numbers else (controller, None)


def join(fixed: Controller | None, dynamic: Controller | None) -> Controller:
    """Return the controller that `split` took apart."""
    controller = dynamic if fixed is None else fixed
    if controller is None:
        raise ValueError("both parts of a controller are absent")
    return controller


@struct.dataclass
class View:
    """How a site's readings look to a policy made for another size. Dynamic.

    Attributes:
        factor: Training site over this site, shape (P,). [1]
        assumed: Stands in for a point that the log does not hold; NaN for a
            point that it holds, shape (P,). [each point's unit]
        assumed_applied: The same for set-points, (10,). [each channel's unit]
    """

    factor: jax.Array
    assumed: jax.Array
    assumed_applied: jax.Array

    def __call__(self, observation: Observation) -> Observation:
        """Return the observation (n, ...) as the policy sees it."""
        value = _filled(observation.value, self.assumed) * self.factor[None, :]
        applied = _filled(observation.applied, self.assumed_applied)
        return observation.replace(  # pyright: ignore[reportAttributeAccessIssue]
            value=value, applied=applied
        )


def _filled(readings: jax.Array, assumed: jax.Array) -> jax.Array:
    return jnp.where(jnp.isfinite(assumed)[None, :], assumed[None, :], readings)


def make_view(
    factor: np.ndarray, assumed: np.ndarray, assumed_applied: np.ndarray
) -> View:
    """Return a view from arrays of any float type."""
    arrays = (factor, assumed, assumed_applied)
    return View(*(jnp.asarray(x, jnp.float32) for x in arrays))


def plain_view() -> View:
    """Return the view that changes nothing."""
    missing = np.full(OBSERVATION_SIZE, np.nan)
    return make_view(np.ones(OBSERVATION_SIZE), missing, np.full(ACTION_SIZE, np.nan))


def is_memoryless(controller: Controller, shape: tuple[int, ...]) -> bool:
    """Return whether a controller decides on the present observation alone."""
    memory: Any = controller.init(shape)
    return not jax.tree.leaves(memory)

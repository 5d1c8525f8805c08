"""Three Adam optimisers side by side: actor, reward critic, cost critic.

Their gradients are clipped apart, so that a large cost error cannot shorten the
policy's step.
"""

from typing import Any, Protocol

import jax
import jax.numpy as jnp
import optax
from flax import struct

from coolbound_controllers.hyperparameters import Hyperparameters
from coolbound_controllers.networks import Actor, Critics

ADAM_EPSILON = 1e-5
"""Adam's denominator offset, as in every PPO that reproduces. [1]"""


@struct.dataclass
class Weights:
    """All that gradients move. Dynamic.

    Attributes:
        actor: The policy.
        critics: The value functions.
    """

    actor: Actor
    critics: Critics


def _parts(weights: Weights) -> tuple[Any, Any, Any]:
    return weights.actor, weights.critics.reward, weights.critics.costs


def _transform(hyper: Hyperparameters) -> optax.GradientTransformation:
    return optax.chain(
        optax.clip_by_global_norm(hyper.gradient_norm),
        optax.scale_by_adam(eps=ADAM_EPSILON),
    )


def init_optimiser(weights: Weights, hyper: Hyperparameters) -> tuple[Any, ...]:
    """Return Adam's moments of actor, reward critic and cost critic."""
    transform = _transform(hyper)
    return tuple(transform.init(part) for part in _parts(weights))


def apply_gradients(
    weights: Weights,
    grads: Weights,
    optimiser: tuple[Any, ...],
    rate: jax.Array,
    hyper: Hyperparameters,
) -> tuple[Weights, tuple[Any, ...]]:
    """Return weights and moments after one step, each part clipped alone.

    Args:
        weights: Before the step.
        grads: Of the loss, in the same structure.
        optimiser: Moments of actor, reward critic and cost critic.
        rate: Share of the first learning rates that is left, scalar.
        hyper: Learning rates and gradient norm.
    """
    transform = _transform(hyper)
    critic = hyper.critic_learning_rate
    moved, states = [], []
    for part, grad, state, speed in zip(
        _parts(weights),
        _parts(grads),
        optimiser,
        (hyper.learning_rate, critic, critic),
        strict=True,
    ):
        # optax raises a float to an int32 count, which strict promotion refuses
        with jax.numpy_dtype_promotion("standard"):
            direction, state = transform.update(grad, state)
        step = jax.tree.map(lambda d, s=speed: -s * rate * d, direction)
        moved.append(optax.apply_updates(part, step))
        states.append(state)
    actor, reward, costs = moved
    return Weights(actor=actor, critics=Critics(reward, costs)), tuple(states)


class FadingSettings(Protocol):
    """What the settings of every algorithm whose rates fall have. Static."""

    @property
    def updates(self) -> int:
        """Updates of the whole run [1]."""
        ...

    @property
    def final_rate(self) -> float:
        """Share of the first learning rates left at the end [1]."""
        ...


def rate_share(updates: jax.Array, settings: FadingSettings) -> jax.Array:
    """Return the share of the first learning rates left after `updates` [1]."""
    done = updates.astype(jnp.float32) / settings.updates
    return 1.0 - (1.0 - settings.final_rate) * jnp.minimum(done, 1.0)

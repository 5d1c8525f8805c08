"""Fitting the critics alone: the policy step of CPO needs no optimiser."""

from typing import Any

import jax
import jax.numpy as jnp
import optax

from coolbound_controllers.cpo_settings import CpoSettings
from coolbound_controllers.networks import Critics, heads
from coolbound_controllers.on_policy import minibatch_rows
from coolbound_controllers.optimiser import ADAM_EPSILON
from coolbound_envs.types import Key


def _transform(settings: CpoSettings) -> optax.GradientTransformation:
    return optax.chain(
        optax.clip_by_global_norm(settings.gradient_norm),
        optax.scale_by_adam(eps=ADAM_EPSILON),
    )


def _parts(critics: Critics) -> tuple[Any, Any]:
    return critics.reward, critics.costs


def init_critic_optimiser(critics: Critics, settings: CpoSettings) -> tuple[Any, ...]:
    """Return Adam's moments of the reward critic and the cost critic."""
    transform = _transform(settings)
    return tuple(transform.init(part) for part in _parts(critics))


def fit_critics(
    key: Key,
    critics: Critics,
    optimiser: tuple[Any, ...],
    inputs: jax.Array,
    targets: jax.Array,
    rate: jax.Array,
    settings: CpoSettings,
) -> tuple[Critics, tuple[Any, ...], jax.Array]:
    """Return critics, moments, and the last pass's squared errors (1 + K,).

    Args:
        key: Orders the samples.
        critics: Before the fit.
        optimiser: Moments of reward critic and cost critic.
        inputs: Normalised features, shape (N, F).
        targets: What the heads should say, shape (N, 1 + K).
        rate: Share of the first learning rate that is left, scalar.
        settings: Epochs, minibatches, learning rate and gradient norm.
    """
    transform = _transform(settings)
    speed = settings.critic_learning_rate * rate

    def loss(critics: Critics, rows: jax.Array) -> tuple[jax.Array, jax.Array]:
        error = jnp.mean((heads(critics, inputs[rows]) - targets[rows]) ** 2, 0)
        return 0.5 * jnp.sum(error), error

    def step(carry: tuple[Critics, tuple[Any, ...]], rows: jax.Array):
        critics, states = carry
        grads, error = jax.grad(loss, has_aux=True)(critics, rows)
        moved = [
            _descend(transform, *parts, speed)
            for parts in zip(_parts(critics), _parts(grads), states, strict=True)
        ]
        (reward, costs), states = zip(*moved, strict=True)
        return (Critics(reward=reward, costs=costs), states), error

    passes = settings.critic_minibatches
    rows = minibatch_rows(key, inputs.shape[0], settings.critic_epochs, passes)
    (critics, optimiser), errors = jax.lax.scan(step, (critics, optimiser), rows)
    return critics, optimiser, jnp.mean(errors[-passes:], axis=0)


def _descend(
    transform: optax.GradientTransformation,
    part: Any,
    grad: Any,
    state: Any,
    speed: jax.Array,
) -> tuple[Any, Any]:
    # optax raises a float to an int32 count, which strict promotion refuses
    with jax.numpy_dtype_promotion("standard"):
        direction, state = transform.update(grad, state)
    step = jax.tree.map(lambda d: -speed * d, direction)
    return optax.apply_updates(part, step), state

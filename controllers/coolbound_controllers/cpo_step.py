"""One policy step of CPO: surrogates, the planned step, and the line search.

    L_0(w) = mean (rho - 1) Ar,   L_k(w) = mean (rho - 1) Ac_k,   rho = pi_w / pi_old
    x = the plan of `cpo_dual` for g, b = dL/dw, c = J - d/u and the curvature H

Mean costs per control step and their advantages have one unit, so L_k foretells
the change of J_k, and c_k + b_k . x is a violation whatever an episode's length:
J_k(new) - J_k(old) = E[A_k(s, a)] over states and actions of the new policy
(S. Kakade and J. Langford, ICML 2002, lemma 6.1; L_k takes the old states).

Steps x, share x, share^2 x, ... are tried. The first is taken that keeps

    mean KL <= delta
    L_k <= max(c_k, level_k, 0) - c_k       level: 0, in recovery what is planned
    L_0 >= 0                                not while returning or recovering

with every number finite; without one the old policy stays, bit for bit. With one
constraint the second line is the published L_1 <= max(-c_1, 0).
"""

from collections.abc import Callable

import jax
import jax.numpy as jnp
from flax import struct
from jax.flatten_util import ravel_pytree

from coolbound_controllers.cpo_curvature import (
    Product,
    conjugate_gradient,
    divergence,
    fisher_product,
)
from coolbound_controllers.cpo_dual import BOUNDED, Plan, plan_step
from coolbound_controllers.cpo_settings import CpoSettings
from coolbound_controllers.distribution import entropy, log_prob
from coolbound_controllers.networks import Actor, action_mean
from coolbound_controllers.on_policy import is_finite


@struct.dataclass
class Samples:
    """What the policy step sees, N samples of the old policy. Dynamic.

    Attributes:
        inputs: Normalised features, shape (N, F). [1]
        start: Action before training, shape (N, A). [1]
        u: The proposed action before squashing, shape (N, A). [1]
        reward: Standardised advantage of the reward, shape (N,). [1]
        costs: Centred advantages of the costs in their units, shape (N, K). [1]
    """

    inputs: jax.Array
    start: jax.Array
    u: jax.Array
    reward: jax.Array
    costs: jax.Array


@struct.dataclass
class Effect:
    """What a policy near the old one would do, by the surrogates. Dynamic.

    Attributes:
        divergence: Mean KL divergence from the old policy, in nats. [1]
        gain: Change of the reward in its advantage's spread. [1]
        rise: Change of each mean cost in its unit, shape (K,). [1]
    """

    divergence: jax.Array
    gain: jax.Array
    rise: jax.Array


@struct.dataclass
class PolicyStep:
    """What one step did. Dynamic.

    Attributes:
        actor: The new policy; the old one where `share` is 0.
        plan: The step that was asked for.
        residuals: Of the natural gradients, reward first, shape (1 + K,). [1]
        share: Of the planned step, taken; 0 where every length failed. [1]
        effect: Of what was taken.
    """

    actor: Actor
    plan: Plan
    residuals: jax.Array
    share: jax.Array
    effect: Effect


def improve_policy(
    actor: Actor, samples: Samples, violation: jax.Array, settings: CpoSettings
) -> PolicyStep:
    """Return the policy after one step.

    Args:
        actor: The policy that drew the samples.
        samples: Of its rollout.
        violation: c = J - d/u, mean cost per control step above its limit, in
            the cost's unit, shape (K,).
        settings: Trust region and effort.
    """
    flat, unravel = ravel_pytree(actor)
    look = _looker(unravel, flat, samples)
    slopes = jax.jacrev(lambda w: _objectives(look(w)))(flat)
    stride = settings.curvature_stride
    product = fisher_product(
        unravel,
        flat,
        samples.inputs[::stride],
        samples.start[::stride],
        settings.damping,
    )
    step, plan, residuals = planned_step(
        slopes, product, violation, settings.trust_region, settings.conjugate_steps
    )
    weights, share, effect = search(flat, step, look, plan, violation, settings)
    return PolicyStep(
        actor=unravel(weights),
        plan=plan,
        residuals=residuals,
        share=share,
        effect=effect,
    )


def planned_step(
    gradients: jax.Array,
    product: Product,
    violation: jax.Array,
    trust_region: float,
    conjugate_steps: int,
) -> tuple[jax.Array, Plan, jax.Array]:
    """Return x, how it came about, and the residuals of its natural gradients.

    Args:
        gradients: g, then b_1..b_K, shape (1 + K, P).
        product: v -> H v.
        violation: c, shape (K,).
        trust_region: delta, in nats.
        conjugate_steps: Effort for each natural gradient. [1]
    """
    directions, residuals = conjugate_gradient(product, gradients, conjugate_steps)
    curved = jax.vmap(product)(directions)
    metric = directions @ curved.T
    plan = plan_step(
        gradients @ directions.T, 0.5 * (metric + metric.T), violation, trust_region
    )
    return plan.weights @ directions, plan, residuals


def search(
    flat: jax.Array,
    step: jax.Array,
    look: Callable[[jax.Array], Effect],
    plan: Plan,
    violation: jax.Array,
    settings: CpoSettings,
) -> tuple[jax.Array, jax.Array, Effect]:
    """Return the weights taken, the share of the step taken, and its effect.

    Args:
        flat: The old policy's weights, shape (P,).
        step: x, shape (P,).
        look: Weights to their effect.
        plan: Case and level behind the step.
        violation: c, shape (K,).
        settings: Trust region, backtracks and their share.
    """
    zero = jnp.zeros((), flat.dtype)
    allowed = jnp.maximum(jnp.maximum(violation, plan.level), 0.0) - violation

    def is_good(effect: Effect) -> jax.Array:
        # a comparison with NaN is False: what is not a number is not taken
        is_near = effect.divergence <= settings.trust_region
        is_kept = jnp.all(effect.rise <= allowed)
        is_gain = (effect.gain >= 0.0) | (plan.case < BOUNDED)
        return is_near & is_kept & is_gain & is_finite(effect)

    def shorten(state: tuple[jax.Array, ...]) -> tuple[jax.Array, ...]:
        count, share, _ = state
        share = jnp.where(count == 0, 1.0, share * settings.backtrack_share)
        return count + 1, share, is_good(look(flat + share * step))

    def is_open(state: tuple[jax.Array, ...]) -> jax.Array:
        return ~state[2] & (state[0] < settings.backtracks)

    first = (jnp.zeros((), jnp.int32), zero, jnp.zeros((), jnp.bool_))
    _, share, is_found = jax.lax.while_loop(is_open, shorten, first)
    share = jnp.where(is_found, share, 0.0)
    weights = jnp.where(is_found, flat + share * step, flat)
    return weights, share, look(weights)


def mean_entropy(actor: Actor, samples: Samples) -> jax.Array:
    """Return the entropy of the actor's actions, a sample's mean, in nats."""
    mean = action_mean(actor.network, samples.inputs, samples.start)
    return jnp.mean(entropy(samples.u, mean, actor.log_std))


def _looker(
    unravel: Callable[[jax.Array], Actor], flat: jax.Array, samples: Samples
) -> Callable[[jax.Array], Effect]:
    old = unravel(flat)
    old_mean = action_mean(old.network, samples.inputs, samples.start)
    old_log_prob = log_prob(samples.u, old_mean, old.log_std)

    def look(weights: jax.Array) -> Effect:
        new = unravel(weights)
        mean = action_mean(new.network, samples.inputs, samples.start)
        shift = jnp.expm1(log_prob(samples.u, mean, new.log_std) - old_log_prob)
        kl = divergence(old_mean, old.log_std, mean, new.log_std)
        return Effect(
            divergence=jnp.mean(kl),
            gain=jnp.mean(shift * samples.reward),
            rise=jnp.mean(shift[:, None] * samples.costs, axis=0),
        )

    return look


def _objectives(effect: Effect) -> jax.Array:
    return jnp.concatenate([effect.gain[None], effect.rise])

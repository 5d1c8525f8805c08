"""How far an observation lies from what a policy was trained on.

The score is the root mean square of the policy's features after its own normaliser,

    d = sqrt(mean_i ((x_i - mean_i) / deviation_i)^2)

the Mahalanobis distance with the stored variances, over the square root of the number
of features: 1 on average in training. The limit is the 99 % quantile of the least
favourable case: of all Gaussian features with any correlation whatever, the tail of
d^2 is longest where all move as one, and is then that of chi-square with one degree of
freedom (G. J. Szekely and N. K. Bakirov, Probab. Theory Relat. Fields 126 (2003) 184,
for d^2 above 1.54). In training, d exceeds it in 1 % of observations at most; without
the Gaussian, by Markov's inequality, in 15 %. A feature that the policy cuts off is
out of its sight, whatever the score.
"""

import functools
from typing import Final

import jax
import jax.numpy as jnp
import numpy as np

from coolbound_controllers.normaliser import (
    NORMALISED_MAX,
    VARIANCE_MIN,
    Normaliser,
)
from coolbound_controllers.policy import Features, LearnedPolicy
from coolbound_envs.features import FEATURE_NAMES
from coolbound_envs.types import Controller, Observation, Quality
from coolbound_shadow.controller_calls import View
from coolbound_shadow.replay_inputs import Inputs, chunks, observation_of

NOVELTY_LIMIT: Final = 2.5758
"""Scores above this are out of distribution. [1]"""

FARTHEST: Final = 3
"""Features that a report names. [1]"""

CUT_FEATURES: Final = 3
"""Features cut off at once that count as out of distribution. [1]"""


def _scaled(raw: jax.Array, normaliser: Normaliser) -> jax.Array:
    deviation = jnp.sqrt(jnp.maximum(normaliser.variance, VARIANCE_MIN))
    return (raw - normaliser.mean[None, :]) / deviation[None, :]


@functools.partial(jax.jit, static_argnames=("features",))
def _score(
    features: Features, normaliser: Normaliser, view: View, observation: Observation
) -> tuple[jax.Array, jax.Array]:
    scaled = _scaled(features(view(observation)), normaliser)
    cut = jnp.sum(jnp.abs(scaled) > NORMALISED_MAX, axis=1)
    return jnp.sqrt(jnp.mean(scaled**2, axis=1)), cut


def novelty(
    controller: Controller, view: View, inputs: Inputs
) -> tuple[np.ndarray, np.ndarray]:
    """Return the score of each row, and how many features were cut off, (T,) [1].

    NaN where the policy stores no statistics, or where a reading is unknown.

    Args:
        controller: The policy.
        view: What it sees of the site.
        inputs: What was known at each row.
    """
    if not isinstance(controller, LearnedPolicy):
        return np.full(inputs.rows, np.nan), np.zeros(inputs.rows, dtype=np.int64)
    normaliser, scores, cuts = controller.present_normaliser, [], []
    for rows, count in chunks(inputs.rows):
        observation = observation_of(inputs, rows)
        found = _score(controller.features, normaliser, view, observation)
        score, cut = (np.asarray(x)[:count] for x in found)
        scores.append(score.astype(np.float64))
        cuts.append(cut.astype(np.int64))
    return np.concatenate(scores), np.concatenate(cuts)


def farthest_features(
    controller: Controller, view: View, inputs: Inputs
) -> tuple[tuple[str, float], ...]:
    """Return the features that lie farthest from training, with their distance [1].

    That is the root mean square over all rows of one feature after the normaliser.
    """
    if not isinstance(controller, LearnedPolicy):
        return ()
    normaliser, total, seen = controller.present_normaliser, 0.0, 0.0
    for rows, count in chunks(inputs.rows):
        raw = controller.features(view(observation_of(inputs, rows)))
        scaled = np.asarray(_scaled(raw, normaliser), dtype=np.float64)[:count]
        known = np.isfinite(scaled)
        total = total + np.sum(np.where(known, scaled, 0.0) ** 2, axis=0)
        seen = seen + np.sum(known, axis=0)
    distance = np.sqrt(np.asarray(total) / np.maximum(seen, 1.0))
    order = np.argsort(-distance, kind="stable")[:FARTHEST]
    names = FEATURE_NAMES if len(distance) == len(FEATURE_NAMES) else None
    return tuple(
        (names[i] if names else f"feature {i}", float(distance[i])) for i in order
    )


def rolled_inputs(values: np.ndarray, applied: np.ndarray, clock: int) -> Inputs:
    """Return the observations of a rollout, a step after each other.

    Args:
        values: Readings after each step, shape (T, P). [each point's unit]
        applied: Set-points of each step, shape (T, 10). [each channel's unit]
        clock: Local standard time at which it began. [s]
    """
    steps, nothing = len(values), np.zeros(values.shape)
    return Inputs(
        value=values.astype(np.float32),
        quality=np.full(values.shape, Quality.GOOD, dtype=np.int32),
        age=nothing.astype(np.float32),
        previous=applied.astype(np.float64),
        time=(clock + 300.0 * np.arange(1, steps + 1)).astype(np.float32),
        is_held=nothing.astype(bool),
        is_own=np.zeros(steps, dtype=bool),
    )


def is_novel(score: np.ndarray, cut: np.ndarray) -> np.ndarray:
    """Return where an observation is out of distribution, bool, shape (T,).

    An observation without a score is not called so; it is counted apart.
    """
    known = np.isfinite(score)
    return known & ((score > NOVELTY_LIMIT) | (cut >= CUT_FEATURES))

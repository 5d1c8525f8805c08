"""A learned policy as a controller: its numbers, its memory, what it proposes."""

import json
from collections.abc import Callable
from typing import Any, final

import jax
import jax.numpy as jnp
from flax import struct

from coolbound_controllers.distribution import squash
from coolbound_controllers.frames import pushed, repeated
from coolbound_controllers.networks import (
    Parameters,
    action_mean,
    sizes,
    starting_action,
)
from coolbound_controllers.normaliser import Normaliser, normalise
from coolbound_envs.types import (
    Action,
    Key,
    Observation,
    action_from_vector,
    from_unit,
)

Features = Callable[[Observation], jax.Array]


@struct.dataclass
class PolicyWeights:
    """All numbers that a decision needs. Dynamic.

    Attributes:
        network: The actor's perceptron.
        log_std: Log standard deviation before squashing, shape (A,). [1]
        bias: Mean action before training, shape (A,), 0 to 1; empty where the
            last A features are that action. [1]
        normaliser: Statistics of the features, frozen.
    """

    network: Parameters
    log_std: jax.Array
    bias: jax.Array
    normaliser: Normaliser


@struct.dataclass
class FrameMemory:
    """What a policy of several frames remembers. Dynamic.

    Attributes:
        frames: Raw features of the last k steps, shape (..., k F). [mixed units]
        is_begun: True where a decision was made before, shape (...,).
    """

    frames: jax.Array
    is_begun: jax.Array


@final
@struct.dataclass
class LearnedPolicy:
    """A trained actor behind the `Controller` contract. Weights are dynamic.

    It proposes the mode of its distribution. It has no memory, unless it was trained
    on several frames (`coolbound_controllers.frames`).

    Attributes:
        weights: All numbers that a decision needs.
        features: Maps an observation to features (..., F).
        name: What reports call the policy.
        digest: SHA-256 over manifest and weights, hexadecimal.
        manifest_text: The manifest as canonical JSON.
        feature_size: F, features of one observation. [1]
    """

    weights: PolicyWeights
    features: Features = struct.field(pytree_node=False)
    name: str = struct.field(pytree_node=False)
    digest: str = struct.field(pytree_node=False)
    manifest_text: str = struct.field(pytree_node=False)
    feature_size: int = struct.field(pytree_node=False)

    @property
    def present_normaliser(self) -> Normaliser:
        """Statistics of the features of the present observation, shape (F,)."""
        whole = self.weights.normaliser
        return Normaliser(
            count=whole.count,
            mean=whole.mean[-self.feature_size :],
            variance=whole.variance[-self.feature_size :],
        )

    @property
    def _frames(self) -> int:
        return self.weights.normaliser.mean.shape[-1] // self.feature_size

    @property
    def manifest(self) -> dict[str, Any]:
        """What the policy is and how it was made."""
        return json.loads(self.manifest_text)

    def init(self, params: Any) -> tuple[()] | FrameMemory:
        """Return the memory before the first decision of a batch of shape `params`."""
        if self._frames == 1:
            return ()
        size = self._frames * self.feature_size
        return FrameMemory(
            frames=jnp.zeros((*params, size), jnp.float32),
            is_begun=jnp.zeros(params, bool),
        )

    def act(
        self, key: Key, state: tuple[()] | FrameMemory, observation: Observation
    ) -> tuple[Action, tuple[()] | FrameMemory]:
        """Return the proposed action, with the observation's leading axes."""
        features = self.features(observation)
        if isinstance(state, FrameMemory):
            features, state = self._remember(state, features)
        unit = propose(self.weights, features)
        physical = from_unit(unit)
        return action_from_vector(physical), state

    def _remember(
        self, state: FrameMemory, features: jax.Array
    ) -> tuple[jax.Array, FrameMemory]:
        """Return all frames, and the memory; a reading that is none is not kept."""
        begun = state.is_begun[..., None]
        seen = jnp.where(
            begun, pushed(state.frames, features), repeated(features, self._frames)
        )
        last = state.frames[..., -self.feature_size :]
        kept = jnp.where(jnp.isfinite(features), features, last)
        frames = jnp.where(
            begun, pushed(state.frames, kept), repeated(kept, self._frames)
        )
        return seen, FrameMemory(frames=frames, is_begun=jnp.ones_like(state.is_begun))


def propose(weights: PolicyWeights, features: jax.Array) -> jax.Array:
    """Return the most likely action (..., A), 0 to 1, for raw features (..., F)."""
    inputs = normalise(weights.normaliser, features)
    _, size = sizes(weights.network)
    start = starting_action(weights.bias, features, size)
    return squash(action_mean(weights.network, inputs, start))

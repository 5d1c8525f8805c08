"""The rule that learning starts from, as a policy for the tests."""

import dataclasses
from typing import Any

import jax

from coolbound_envs.features import FeatureMap
from coolbound_envs.types import Action, Observation, action_from_vector, from_unit


@dataclasses.dataclass(frozen=True)
class StartRule:
    """The rule that learning starts from, as a policy."""

    features: FeatureMap

    def init(self, params: Any) -> tuple[()]:
        return ()

    def act(
        self, key: jax.Array, state: Any, observation: Observation
    ) -> tuple[Action, Any]:
        return action_from_vector(from_unit(self.features.start(observation))), state

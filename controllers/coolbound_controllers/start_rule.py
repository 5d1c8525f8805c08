"""The start rule as a controller: what a policy proposes before it has learned."""

import dataclasses
from typing import Any, final

from coolbound_envs.features import FeatureMap
from coolbound_envs.types import (
    Action,
    Key,
    Observation,
    action_from_vector,
    from_unit,
)


@final
@dataclasses.dataclass(frozen=True)
class StartRule:
    """Proposes the start rule's action; it has no memory. Static.

    Attributes:
        features: Holds the rule and the plant's sizes.
    """

    features: FeatureMap

    def init(self, params: Any = ()) -> tuple[()]:
        """Return the memory before the first decision: none."""
        del params
        return ()

    def act(
        self, key: Key, state: tuple[()], observation: Observation
    ) -> tuple[Action, tuple[()]]:
        """Return the rule's action, with the observation's leading axes."""
        del key
        unit = self.features.start(observation)
        return action_from_vector(from_unit(unit)), state

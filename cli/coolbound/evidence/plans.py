"""How much is measured for the evidence page."""

import dataclasses
from typing import Final

from coolbound.evidence.campaign import STEPS
from coolbound.evidence.hunts import HUNTS, Effort


@dataclasses.dataclass(frozen=True)
class Plan:
    """How much is measured. Static.

    Attributes:
        filtered: Steps of all policies behind the safety layer, at least. [1]
        bare: The same without it. [1]
        steps: Length of an episode. [1]
        lanes: Episodes side by side of each policy. [1]
        looks: Batches of episodes whose violations are tried again. [1]
        effort: How hard is hunted.
        hunts: What is hunted, of `HUNTS`; empty for nothing.
        trials: Batches of episodes that try the margins; 0 for none. [1]
        envelopes: Recorded envelopes for the projection; 0 for none. [1]
        variation: Half-width of the plant's constants. [1]
        is_whole: False for a quick run, whose figures are no evidence.
    """

    filtered: int
    bare: int
    steps: int
    lanes: int
    looks: int
    effort: Effort
    hunts: tuple[str, ...]
    trials: int
    envelopes: int
    variation: float
    is_whole: bool


WHOLE: Final = Plan(
    filtered=10_000_000,
    bare=1_000_000,
    steps=STEPS,
    lanes=64,
    looks=1,
    effort=Effort(plans=16, episodes=4, steps=48, generations=4, rounds=2),
    hunts=HUNTS,
    trials=2,
    envelopes=1_000_000,
    variation=0.1,
    is_whole=True,
)
QUICK: Final = Plan(
    filtered=1,
    bare=1,
    steps=144,
    lanes=2,
    looks=1,
    effort=Effort(plans=8, episodes=2, steps=24, generations=2, rounds=1),
    hunts=HUNTS[:1],
    trials=1,
    envelopes=0,
    variation=0.1,
    is_whole=False,
)

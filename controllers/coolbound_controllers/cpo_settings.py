"""What a CPO run can be told, each with its meaning and its range."""

import dataclasses
from typing import Final

from coolbound_controllers.settings import refuse_outside, refuse_uneven_minibatches


@dataclasses.dataclass(frozen=True)
class CpoSettings:
    """Settings of one run of constrained policy optimisation. Static.

    Attributes:
        seed: Of every random number in the run. [1]
        total_steps: Environment steps to train for, all lanes together. [1]
        envs: Lanes stepped side by side. [1]
        steps: Control steps per lane and rollout. [1]
        trust_region: Largest mean KL divergence of one policy step, in nats. [1]
        damping: Added to every eigenvalue of the curvature. [1]
        conjugate_steps: Conjugate directions of each natural gradient. [1]
        curvature_stride: The curvature sees each so many-th sample. [1]
        backtracks: Step lengths that the line search tries. [1]
        backtrack_share: Each of them as a share of the one before. [1]
        critic_epochs: Passes of the critics over each rollout. [1]
        critic_minibatches: Gradient steps per pass. [1]
        critic_learning_rate: Adam's step size for both critics at the start. [1]
        final_rate: Share of that step size left at the end; linear. [1]
        gradient_norm: Each critic's gradient is clipped to it. [1]
        gamma: Discount per control step. [1]
        gae_lambda: Factor of generalised advantage estimation. [1]
        actor_hidden: Units of the actor's hidden layers. [1]
        critic_hidden: Units of each critic's hidden layers. [1]
        log_std: Log standard deviation before squashing, at the start. [1]
        checkpoint_every: Updates between two checkpoints. [1]
    """

    seed: int = 0
    total_steps: int = 40_000_000
    envs: int = 512
    steps: int = 32
    trust_region: float = 0.01
    damping: float = 0.1
    conjugate_steps: int = 10
    curvature_stride: int = 4
    backtracks: int = 12
    backtrack_share: float = 0.8
    critic_epochs: int = 4
    critic_minibatches: int = 8
    critic_learning_rate: float = 1e-3
    final_rate: float = 0.02
    gradient_norm: float = 0.5
    gamma: float = 0.9
    gae_lambda: float = 0.9
    actor_hidden: tuple[int, ...] = (64, 64)
    critic_hidden: tuple[int, ...] = (64, 64)
    log_std: float = -2.5
    checkpoint_every: int = 50

    def __post_init__(self) -> None:
        """Refuse settings that cannot train.

        Raises:
            InputError: A number lies outside its range.
        """
        refuse_outside(self, RANGES)
        refuse_uneven_minibatches(
            "critic_minibatches", self.steps_per_update, self.critic_minibatches
        )

    @property
    def steps_per_update(self) -> int:
        """Environment steps of one rollout, all lanes together [1]."""
        return self.envs * self.steps

    @property
    def rows_kept(self) -> int:
        """Environment steps kept from one update to the next [1]."""
        return 0

    @property
    def updates(self) -> int:
        """Updates of the whole run, at least one [1]."""
        return max(1, self.total_steps // self.steps_per_update)


RANGES: Final = {
    "seed": (0, 2**31 - 1),
    "total_steps": (1, 1e12),
    "envs": (1, 1e6),
    "steps": (1, 1e6),
    "trust_region": (1e-8, 1.0),
    "damping": (0.0, 1e3),
    "conjugate_steps": (1, 1000),
    "curvature_stride": (1, 10000),
    "backtracks": (1, 100),
    "backtrack_share": (0.01, 0.99),
    "critic_epochs": (1, 1000),
    "critic_minibatches": (1, 1e6),
    "critic_learning_rate": (0.0, 1.0),
    "final_rate": (0.0, 1.0),
    "gradient_norm": (1e-6, 1e6),
    "gamma": (0.0, 0.99999),
    "gae_lambda": (0.0, 1.0),
    "actor_hidden": (1, 65536),
    "critic_hidden": (1, 65536),
    "log_std": (-10.0, 2.0),
    "checkpoint_every": (1, 1e9),
}
"""Lowest and highest value of each setting, NaN excluded."""

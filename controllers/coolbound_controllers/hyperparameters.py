"""What a training run can be told, each with its meaning and its range."""

import dataclasses
from collections.abc import Sequence

from coolbound_controllers.settings import (
    override,
    refuse_outside,
    refuse_uneven_minibatches,
)


@dataclasses.dataclass(frozen=True)
class Hyperparameters:
    """Settings of one PPO-Lagrangian run. Static.

    Gains act on the violation in units of each cost (`Task.cost_units`); change
    the unit and the gains change with it. One number serves all constraints;
    otherwise give one per constraint.

    Attributes:
        seed: Of every random number in the run. [1]
        total_steps: Environment steps to train for, all lanes together. [1]
        envs: Lanes stepped side by side. [1]
        steps: Control steps per lane and rollout. [1]
        epochs: Passes over each rollout. [1]
        minibatches: Gradient steps per pass. [1]
        learning_rate: Adam's step size for the actor at the start. [1]
        critic_learning_rate: Adam's step size for both critics at the start. [1]
        final_rate: Share of both step sizes left at the end; linear. [1]
        gamma: Discount per control step. [1]
        gae_lambda: Factor of generalised advantage estimation. [1]
        clip: Largest change of the probability ratio that pays. [1]
        entropy: Weight of the entropy bonus. [1]
        gradient_norm: Actor and critics are clipped to it, each alone. [1]
        actor_hidden: Units of the actor's hidden layers. [1]
        critic_hidden: Units of each critic's hidden layers. [1]
        log_std: Log standard deviation before squashing, at the start. [1]
        proportional: PID gain on the smoothed violation, per constraint. [1]
        integral: PID gain on the summed violation, per constraint. [1]
        derivative: PID gain on a rising cost, per constraint. [1]
        integrator_max: Cap on the integrator, anti-windup. [1]
        error_smoothing: Share of the old violation kept for `proportional`. [1]
        cost_smoothing: Share of the old cost kept for `derivative`. [1]
        delay: Updates between the two costs that `derivative` compares. [1]
        checkpoint_every: Updates between two checkpoints. [1]
    """

    seed: int = 0
    total_steps: int = 40_000_000
    envs: int = 512
    steps: int = 32
    epochs: int = 4
    minibatches: int = 8
    learning_rate: float = 4e-4
    critic_learning_rate: float = 1e-3
    final_rate: float = 0.02
    gamma: float = 0.9
    gae_lambda: float = 0.9
    clip: float = 0.2
    entropy: float = 0.0
    gradient_norm: float = 0.5
    actor_hidden: tuple[int, ...] = (64, 64)
    critic_hidden: tuple[int, ...] = (64, 64)
    log_std: float = -2.5
    proportional: tuple[float, ...] = (0.05,)
    integral: tuple[float, ...] = (0.03,)
    derivative: tuple[float, ...] = (0.0,)
    integrator_max: float = 10.0
    error_smoothing: float = 0.8
    cost_smoothing: float = 0.8
    delay: int = 1
    checkpoint_every: int = 50

    def __post_init__(self) -> None:
        """Refuse settings that cannot train.

        Raises:
            InputError: A number lies outside its range.
        """
        refuse_outside(self, RANGES)
        refuse_uneven_minibatches(
            "minibatches", self.steps_per_update, self.minibatches
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


RANGES = {
    "seed": (0, 2**31 - 1),
    "total_steps": (1, 1e12),
    "envs": (1, 1e6),
    "steps": (1, 1e6),
    "epochs": (1, 1000),
    "minibatches": (1, 1e6),
    "learning_rate": (0.0, 1.0),
    "critic_learning_rate": (0.0, 1.0),
    "final_rate": (0.0, 1.0),
    "gamma": (0.0, 0.99999),
    "gae_lambda": (0.0, 1.0),
    "clip": (1e-6, 10.0),
    "entropy": (0.0, 10.0),
    "gradient_norm": (1e-6, 1e6),
    "actor_hidden": (1, 65536),
    "critic_hidden": (1, 65536),
    "log_std": (-10.0, 2.0),
    "proportional": (0.0, 1e6),
    "integral": (0.0, 1e6),
    "derivative": (0.0, 1e6),
    "integrator_max": (0.0, 1e6),
    "error_smoothing": (0.0, 0.99999),
    "cost_smoothing": (0.0, 0.99999),
    "delay": (1, 10000),
    "checkpoint_every": (1, 1e9),
}
"""Lowest and highest value of each setting, NaN excluded."""


def parse_overrides(
    texts: Sequence[str], base: Hyperparameters | None = None
) -> Hyperparameters:
    """Return settings with `name=value` texts applied; lists as `64,64`.

    Raises:
        InputError: A text is no pair, a name unknown, or a value out of range.
    """
    return override(texts, base or Hyperparameters())

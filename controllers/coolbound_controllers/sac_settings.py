"""What a SAC-Lagrangian run can be told, each with its meaning and its range."""

import dataclasses
import math
from typing import Final

from coolbound_controllers.settings import refuse_outside
from coolbound_envs.tables import InputError


@dataclasses.dataclass(frozen=True)
class SacSettings:
    """Settings of one SAC-Lagrangian run. Static.

    Reward is divided by `reward_unit` as each cost is by its own unit
    (`Task.cost_units`); a multiplier is a price in the first per one of the
    second. Change a unit and the gains change with it. One gain serves all
    constraints; otherwise give one per constraint.

    Attributes:
        seed: Of every random number in the run. [1]
        total_steps: Environment steps to train for, all lanes together, those of
            `first_steps` apart. [1]
        envs: Lanes stepped side by side. [1]
        steps: Control steps per lane and update. [1]
        first_steps: Control steps per lane of the first policy, before learning. [1]
        gradient_steps: Gradient steps per update. [1]
        batch: Transitions of one gradient step. [1]
        capacity: Transitions that the replay buffer holds. [1]
        learning_rate: Adam's step size for the actor at the start. [1]
        critic_learning_rate: Adam's step size for all critics at the start. [1]
        temperature_learning_rate: Adam's step size for the log temperature. [1]
        final_rate: Share of all step sizes left at the end; linear. [1]
        tracking: Share of the way that the target critics move per step. [1]
        gamma: Discount per control step. [1]
        reward_unit: One unit of reward. [the reward's unit]
        temperature: Price of one nat of entropy at the start. [1]
        target_entropy: Entropy to keep, per channel of an action that runs from -1
            to 1; -1 is the usual minus the number of channels in all. [1]
        cost_pessimism: Cost of two critics: 0 their mean, 1 the larger. [1]
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
        actor_after: Updates before the actor and the temperature first move, so that
            the critics know the first policy by then. [1]
        price_after: Updates before the multipliers first move. [1]
        cost_window: Latest rollouts whose mean cost the multipliers see. [1]
        checkpoint_every: Updates between two checkpoints. [1]
    """

    seed: int = 0
    total_steps: int = 2_000_000
    envs: int = 64
    steps: int = 8
    first_steps: int = 32
    gradient_steps: int = 16
    batch: int = 256
    capacity: int = 200_000
    learning_rate: float = 1e-4
    critic_learning_rate: float = 1e-3
    temperature_learning_rate: float = 1e-3
    final_rate: float = 0.1
    tracking: float = 0.01
    gamma: float = 0.9
    reward_unit: float = 1.0
    temperature: float = 0.01
    target_entropy: float = -1.0
    cost_pessimism: float = 1.0
    gradient_norm: float = 1.0
    actor_hidden: tuple[int, ...] = (64, 64)
    critic_hidden: tuple[int, ...] = (128, 128)
    log_std: float = -2.5
    proportional: tuple[float, ...] = (0.02,)
    integral: tuple[float, ...] = (0.002,)
    derivative: tuple[float, ...] = (0.0,)
    integrator_max: float = 10.0
    error_smoothing: float = 0.8
    cost_smoothing: float = 0.8
    delay: int = 1
    actor_after: int = 40
    price_after: int = 60
    cost_window: int = 8
    checkpoint_every: int = 200

    def __post_init__(self) -> None:
        """Refuse settings that cannot train.

        Raises:
            InputError: A number lies outside its range.
        """
        refuse_outside(self, RANGES)
        rollout = self.envs * max(self.steps, self.first_steps)
        if self.capacity < rollout:
            raise InputError(
                f"hyper-parameter capacity: found {self.capacity}, expected at least "
                f"one rollout of {rollout} transitions, envs x steps or envs x "
                "first_steps; raise it or lower one of those"
            )

    @property
    def steps_per_update(self) -> int:
        """Environment steps of one update, all lanes together [1]."""
        return self.envs * self.steps

    @property
    def rows_kept(self) -> int:
        """Environment steps kept from one update to the next [1]."""
        return self.capacity

    @property
    def updates(self) -> int:
        """Updates of the whole run, at least one [1]."""
        return max(1, self.total_steps // self.steps_per_update)


LOG_STD_RANGE: Final = (-6.0, 1.0)
"""What the actor's log standard deviation can become. [1]"""

RANGES: Final = {
    "seed": (0, 2**31 - 1),
    "total_steps": (1, 1e12),
    "envs": (1, 1e6),
    "steps": (1, 1e6),
    "first_steps": (1, 1e6),
    "gradient_steps": (1, 1e6),
    "batch": (1, 1e6),
    "capacity": (1, 1e8),
    "learning_rate": (0.0, 1.0),
    "critic_learning_rate": (0.0, 1.0),
    "temperature_learning_rate": (0.0, 1.0),
    "final_rate": (0.0, 1.0),
    "tracking": (1e-6, 1.0),
    "gamma": (0.0, 0.99999),
    "reward_unit": (1e-9, 1e9),
    "temperature": (1e-8, 1e6),
    "target_entropy": (-20.0, math.log(2.0)),
    "cost_pessimism": (0.0, 1.0),
    "gradient_norm": (1e-6, 1e6),
    "actor_hidden": (1, 65536),
    "critic_hidden": (1, 65536),
    "log_std": (-5.9, 0.9),
    "proportional": (0.0, 1e6),
    "integral": (0.0, 1e6),
    "derivative": (0.0, 1e6),
    "integrator_max": (0.0, 1e6),
    "error_smoothing": (0.0, 0.99999),
    "cost_smoothing": (0.0, 0.99999),
    "delay": (1, 10000),
    "actor_after": (0, 1e9),
    "price_after": (0, 1e9),
    "cost_window": (1, 10000),
    "checkpoint_every": (1, 1e9),
}
"""Lowest and highest value of each setting, NaN excluded."""

"""The contest of `bench train --against peers`: one task and settings for everyone.

Imported by the peers' own processes as well.
"""

import dataclasses

import jax.numpy as jnp

from coolbound.choices import TRAINING_LOADS, TRAINING_WEATHER
from coolbound.compose import plant_task, shielded_task
from coolbound_controllers.hyperparameters import Hyperparameters
from coolbound_envs.site import load_site
from coolbound_safety.shielded import ShieldedParams


@dataclasses.dataclass(frozen=True)
class Contest:
    """What everybody is given. Static.

    The settings are ours; a peer takes those that it has.

    Attributes:
        site: Shipped name or path of a site file.
        weather: Years that episodes are drawn from.
        loads: Load traces that they are drawn from.
        steps: Environment steps of one run, all lanes together. [1]
        seeds: Of the runs. [1]
        day_steps: Control steps of an episode. [1]
        lanes: Plants side by side, where the learner can. [1]
        rollout: Control steps of each between two updates. [1]
        epochs: Passes over each rollout. [1]
        minibatches: Gradient steps per pass. [1]
        learning_rate: Of the actor, at the start. [1]
        critic_learning_rate: Of the critics, at the start. [1]
        final_rate: Share of the rates left at the end. [1]
        gamma: Discount per control step. [1]
        gae_lambda: Factor of generalised advantage estimation. [1]
        clip: Largest change of the probability ratio that pays. [1]
        hidden: Units of the hidden layers. [1]
        log_std: Log standard deviation before squashing, at the start. [1]
    """

    site: str = "reference"
    weather: tuple[str, ...] = TRAINING_WEATHER
    loads: tuple[str, ...] = TRAINING_LOADS
    steps: int = 202_752
    seeds: tuple[int, ...] = (0, 1, 2)
    day_steps: int = 288
    lanes: int = 64
    rollout: int = 32
    epochs: int = 4
    minibatches: int = 8
    learning_rate: float = 6e-4
    critic_learning_rate: float = 1e-3
    final_rate: float = 0.02
    gamma: float = 0.9
    gae_lambda: float = 0.9
    clip: float = 0.2
    hidden: tuple[int, ...] = (64, 64)
    log_std: float = -2.5


def contest_params(contest: Contest) -> ShieldedParams:
    """Return the plant behind the safety layer, in episodes of a day.

    Raises:
        InputError: A name or a file is wrong.
    """
    site = load_site(contest.site)
    task = plant_task(site, contest.weather, contest.loads)
    horizon = jnp.asarray(contest.day_steps, jnp.int32)
    return shielded_task(site, dataclasses.replace(task, horizon=horizon))


def contest_settings(contest: Contest, seed: int) -> Hyperparameters:
    """Return our learner's settings."""
    return Hyperparameters(
        seed=seed,
        total_steps=contest.steps,
        envs=contest.lanes,
        steps=contest.rollout,
        epochs=contest.epochs,
        minibatches=contest.minibatches,
        learning_rate=contest.learning_rate,
        critic_learning_rate=contest.critic_learning_rate,
        final_rate=contest.final_rate,
        gamma=contest.gamma,
        gae_lambda=contest.gae_lambda,
        clip=contest.clip,
        actor_hidden=tuple(contest.hidden),
        critic_hidden=tuple(contest.hidden),
        log_std=contest.log_std,
    )

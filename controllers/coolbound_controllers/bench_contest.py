"""Learners at equal environment steps, each policy judged on the same held-out days.

A foreign policy takes our form without loss: tanh layers on normalised features, the
head's answer added to the start rule before squashing.
"""

import functools
import statistics
from collections.abc import Mapping, Sequence
from typing import Any, Final

import jax
import jax.numpy as jnp
import numpy as np

from coolbound_controllers.bench import cpu_seconds, peak_mb
from coolbound_controllers.hyperparameters import Hyperparameters
from coolbound_controllers.normaliser import Normaliser
from coolbound_controllers.on_policy import deploy
from coolbound_controllers.policy import PolicyWeights, propose
from coolbound_controllers.ppo import init_learner, make_update
from coolbound_controllers.task import Task
from coolbound_envs.tables import InputError

Arrays = Mapping[str, np.ndarray]
"""A policy by name: `layer0.kernel`, ..., `head.bias`, `mean`, `variance`."""

JUDGED: Final = ("intervention", "power")
"""Figures of a step that are averaged beside reward and costs, where told."""


def measure_learning(
    task: Task, settings: Sequence[Hyperparameters]
) -> tuple[dict[str, Any], list[Arrays]]:
    """Return speed and policies of our learner, one run for each settings.

    Call it in a process of its own. Settings may differ in their seed alone.
    """
    update: Any = make_update(task, settings[0])
    compiled = update.lower(_start(task, settings[0])).compile()
    before, runs, policies = cpu_seconds(), [], []
    for hyper in settings:
        begun = cpu_seconds()
        learner = _start(task, hyper)
        for _ in range(hyper.updates):
            learner, _ = compiled(learner)
        weights = jax.block_until_ready(deploy(learner, task))
        spent = cpu_seconds() - begun
        steps = hyper.updates * hyper.steps_per_update
        runs.append({"seed": hyper.seed, "steps": steps, "cpu_s": spent})
        policies.append(to_arrays(weights))
    return {
        "before_training_cpu_s": before,
        "runs": runs,
        "peak_mb": peak_mb(),
    }, policies


def _start(task: Task, hyper: Hyperparameters) -> Any:
    return init_learner(jax.random.key(hyper.seed), task, hyper)


def speed(found: Mapping[str, Any]) -> dict[str, Any]:
    """Return the speed of a contender's runs, after its preparation and with it.

    Args:
        found: `before_training_cpu_s` [s] and `runs`, each with `steps` and `cpu_s`.
    """
    runs, before = found["runs"], found["before_training_cpu_s"]
    rates = [run["steps"] / run["cpu_s"] for run in runs]
    whole = [run["steps"] / (before + run["cpu_s"]) for run in runs]
    return {
        "steps": runs[0]["steps"],
        "steps_per_cpu_second": statistics.median(rates),
        "steps_per_cpu_second_range": [min(rates), max(rates)],
        "steps_per_cpu_second_with_compilation": statistics.median(whole),
        "peak_mb": found["peak_mb"],
    }


def to_arrays(weights: PolicyWeights) -> Arrays:
    """Return a policy of ours by name."""
    layers = {
        f"{layer}.{part}": np.asarray(value)
        for layer, parts in weights.network.items()
        for part, value in parts.items()
    }
    normaliser = weights.normaliser
    return layers | {
        "mean": np.asarray(normaliser.mean),
        "variance": np.asarray(normaliser.variance),
    }


def from_arrays(arrays: Arrays, bias: Sequence[float] = ()) -> PolicyWeights:
    """Return the policy of some arrays.

    Args:
        arrays: By name.
        bias: The task's own; empty where the last features are the start rule's.

    Raises:
        InputError: A number is infinite or NaN: the learner diverged.
    """
    odd = [name for name, value in arrays.items() if not np.isfinite(value).all()]
    if odd:
        raise InputError(
            f"policy: found {odd[0]} infinite or NaN, expected numbers; the learner "
            "diverged, train it with other settings"
        )
    network: dict[str, dict[str, jax.Array]] = {}
    for name, value in arrays.items():
        layer, _, part = name.partition(".")
        if part:
            network.setdefault(layer, {})[part] = jnp.asarray(value, jnp.float32)
    size = network["head"]["bias"].shape[0]
    return PolicyWeights(
        network=network,
        log_std=jnp.zeros((size,), jnp.float32),
        bias=jnp.asarray(bias, jnp.float32),
        normaliser=Normaliser(
            count=jnp.zeros((), jnp.float32),
            mean=jnp.asarray(arrays["mean"], jnp.float32),
            variance=jnp.asarray(arrays["variance"], jnp.float32),
        ),
    )


def untrained(arrays: Arrays) -> Arrays:
    """Return the policy that asks for the start rule's action, whatever it sees."""
    return dict(arrays) | {
        name: np.zeros_like(value)
        for name, value in arrays.items()
        if name.startswith("head.")
    }


def judge(
    task: Task, policies: Sequence[Arrays], episodes: int, steps: int, seed: int
) -> dict[str, Any]:
    """Return what the policies of one learner score, a run each, no exploration.

    Args:
        task: The held-out one.
        policies: One for each seed.
        episodes: Side by side, the same for all policies. [1]
        steps: Control steps of each. [1]
        seed: Of draws and instruments, the same for all policies.

    Returns:
        `return`: mean reward of a step, with `return_range` over the seeds; `costs`:
        mean of a step by group, of all seeds; `worst_cost`: the largest of any group
        and seed; what `JUDGED` names.
    """
    key = jax.random.key(seed)
    scores = [
        jax.device_get(_score(from_arrays(each, task.bias), key, task, episodes, steps))
        for each in policies
    ]
    rewards = [float(score["reward"]) for score in scores]
    costs = np.stack([score["costs"] for score in scores])
    found = {
        "return": statistics.median(rewards),
        "return_range": [min(rewards), max(rewards)],
        "costs": dict(zip(task.cost_names, costs.mean(0).tolist(), strict=True)),
        "worst_cost": float(costs.max()),
    }
    for name in scores[0].keys() - {"reward", "costs"}:
        found[name] = statistics.median(float(score[name]) for score in scores)
    return found


@functools.partial(jax.jit, static_argnames=("task", "episodes", "steps"))
def _score(
    weights: PolicyWeights, key: jax.Array, task: Task, episodes: int, steps: int
) -> dict[str, jax.Array]:
    start_key, run_key = jax.random.split(key)

    def advance(carry: Any, key: jax.Array) -> tuple[Any, dict[str, jax.Array]]:
        features, state = carry
        step = task.step_batch(key, state, propose(weights, features))
        seen = {"reward": step.reward, "costs": step.costs}
        told = {name: step.info[name] for name in JUDGED if name in step.info}
        means = {name: jnp.mean(x, axis=0) for name, x in (seen | told).items()}
        return (step.features, step.state), means

    first = task.reset_batch(start_key, episodes)
    _, rows = jax.lax.scan(advance, first, jax.random.split(run_key, steps))
    return {name: jnp.mean(x, axis=0) for name, x in rows.items()}

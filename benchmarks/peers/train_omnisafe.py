"""Trains OmniSafe's PPOLag or CPO on our plant.

python train_omnisafe.py CONTEST FOLDER NAME LANES ALGORITHM

OmniSafe knows one cost: here the largest of the groups in each step, its limit
that of a group over a day. Settings are ours where the library has the same one, and
the first policy is the start rule's, with our first spread. OmniSafe's environment
class is told that the plant has several lanes, which its own custom ones do not have.
It begins all lanes anew in every epoch, so that an epoch is a day at least.
"""

import contextlib
import io
import math
import sys
import tempfile
import types
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
import plant
import torch

# omnisafe imports its own suite of environments, which does not import on this Python.
sys.modules["safety_gymnasium"] = types.ModuleType("safety_gymnasium")

import omnisafe  # noqa: E402
from omnisafe.envs.core import CMDP, env_register  # noqa: E402

ID = "coolbound-v0"
SHARED: dict[str, Any] = {}


@env_register
class Cooling(CMDP):
    """Our lanes as OmniSafe's own kind of environment."""

    _support_envs = [ID]  # noqa: RUF012
    need_auto_reset_wrapper = False
    need_time_limit_wrapper = False

    def __init__(self, env_id: str, num_envs: int = 1, **_: Any) -> None:
        super().__init__(env_id)
        box = gymnasium.spaces.Box
        self._num_envs = num_envs
        self._observation_space = box(-np.inf, np.inf, (plant.FEATURES,), np.float32)
        self._action_space = box(-1.0, 1.0, (plant.ACTIONS,), np.float32)
        self._metadata = {}
        self._seed = 0
        self.env_spec_log = {}

    @property
    def max_episode_steps(self) -> int:
        return SHARED["contest"].day_steps

    def set_seed(self, seed: int) -> None:
        self._seed = seed

    def reset(self, seed: int | None = None, options: Any = None) -> Any:
        first, self._seed = self._seed, None
        return self._form(SHARED["plant"].reset(first)), {}

    def step(self, action: torch.Tensor) -> Any:
        asked = action.detach().numpy().reshape(self._num_envs, -1)
        told = SHARED["plant"].step(asked)
        info: dict[str, Any] = {}
        if told.final_features is not None:
            info["final_observation"] = self._form(told.final_features)
            info["_final_observation"] = self._form(told.terminated | told.truncated)
        parts = (told.reward, told.cost, told.terminated, told.truncated)
        return self._form(told.features), *map(self._form, parts), info

    def _form(self, array: np.ndarray) -> torch.Tensor:
        whole = torch.as_tensor(array)
        return whole[0] if self._num_envs == 1 else whole

    def render(self) -> None: ...

    def close(self) -> None: ...


def main(contest_file: str, folder: str, name: str, lanes: str, algorithm: str) -> None:
    contest = plant.read_contest(contest_file)
    SHARED["contest"] = contest
    SHARED["plant"] = plant.Plant(contest, int(lanes))
    SHARED["plant"].warm()
    before, runs = plant.cpu_seconds(), []
    for seed in contest.seeds:
        with tempfile.TemporaryDirectory() as logs, _quiet():
            agent = learner(contest, algorithm, int(lanes), seed, logs)
            begun = plant.cpu_seconds()
            agent.learn()
            spent = plant.cpu_seconds() - begun
            runs.append({"seed": seed, "steps": steps(contest), "cpu_s": spent})
            plant.write(Path(folder), name, seed, arrays(agent.agent))
    plant.finish(Path(folder), name, before, runs)


def _quiet() -> Any:
    return contextlib.redirect_stdout(io.StringIO())


def epoch(contest: Any) -> int:
    return contest.lanes * contest.day_steps


def steps(contest: Any) -> int:
    return contest.steps // epoch(contest) * epoch(contest)


def learner(contest: Any, algorithm: str, lanes: int, seed: int, logs: str) -> Any:
    rows = contest.lanes * contest.rollout // contest.minibatches
    algo: dict[str, Any] = {
        "steps_per_epoch": epoch(contest),
        "gamma": contest.gamma,
        "cost_gamma": contest.gamma,
        "lam": contest.gae_lambda,
        "lam_c": contest.gae_lambda,
        "batch_size": rows,
    }
    model: dict[str, Any] = {
        "actor": {"hidden_sizes": list(contest.hidden)},
        "critic": {
            "hidden_sizes": list(contest.hidden),
            "lr": contest.critic_learning_rate,
        },
    }
    extra: dict[str, Any] = {}
    if algorithm == "CPO":
        algo["cost_limit"] = plant.cost_limit(contest)
    else:
        model["actor"]["lr"] = contest.learning_rate
        algo |= {"update_iters": contest.epochs, "clip": contest.clip}
        # Stopping early is less work, and not the same.
        algo["kl_early_stop"] = False
        extra["lagrange_cfgs"] = {"cost_limit": plant.cost_limit(contest)}
    agent = omnisafe.Agent(
        algorithm,
        ID,
        train_terminal_cfgs={
            "total_steps": steps(contest),
            "vector_env_nums": lanes,
            "torch_threads": 1,
        },
        custom_cfgs={
            "seed": seed,
            "algo_cfgs": algo,
            "model_cfgs": model,
            "logger_cfgs": {"log_dir": logs, "use_tensorboard": False},
            **extra,
        },
    )
    start_at_rule(agent.agent, contest)
    return agent


def start_at_rule(agent: Any, contest: Any) -> None:
    actor = agent._actor_critic.actor
    actor.std = math.exp(contest.log_std)
    with torch.no_grad():
        actor.mean[-2].weight.mul_(0.01)
        actor.mean[-2].bias.zero_()


def arrays(agent: Any) -> dict[str, np.ndarray]:
    linears = [m for m in agent._actor_critic.actor.mean if hasattr(m, "weight")]
    normaliser = agent._env.save()["obs_normalizer"]
    return plant.layers(linears) | {
        "mean": normaliser.mean.numpy(),
        "variance": normaliser.std.numpy() ** 2,
    }


if __name__ == "__main__":
    main(*sys.argv[1:])

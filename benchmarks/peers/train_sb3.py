"""Trains Stable-Baselines3's PPO on our plant.

python train_sb3.py CONTEST FOLDER NAME LANES

Settings are ours where the library has the same one: lanes, steps, epochs,
minibatches, rates and their decay, discount, clip, networks, first spread. It knows
no costs and learns from the reward alone.
"""

import sys
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
import plant
import torch
from stable_baselines3 import PPO
from stable_baselines3.common.vec_env import VecEnv, VecNormalize

BOUND = 20.0
"""Actions beyond are cut off: more than squashing can tell apart."""


class Lanes(VecEnv):
    """Our lanes as Stable-Baselines3's own kind of vector."""

    def __init__(self, inner: plant.Plant, seed: int) -> None:
        box = gymnasium.spaces.Box
        seen = box(-np.inf, np.inf, (plant.FEATURES,), np.float32)
        asked = box(-BOUND, BOUND, (plant.ACTIONS,), np.float32)
        super().__init__(inner.lanes, seen, asked)
        self.inner, self._first = inner, seed
        self._asked = np.zeros((inner.lanes, plant.ACTIONS), np.float32)

    def reset(self) -> np.ndarray:
        return self.inner.reset(self._first)

    def step_async(self, actions: np.ndarray) -> None:
        self._asked = actions

    def step_wait(self) -> Any:
        told = self.inner.step(self._asked)
        ended = told.terminated | told.truncated
        infos: list[dict[str, Any]] = [{} for _ in range(self.num_envs)]
        for i in np.flatnonzero(ended):
            infos[i]["terminal_observation"] = told.final_features[i]
            infos[i]["TimeLimit.truncated"] = not told.terminated[i]
        return told.features, told.reward, ended, infos

    def close(self) -> None: ...

    def get_attr(self, attr_name: str, indices: Any = None) -> list[Any]:
        return [None] * self.num_envs

    def set_attr(self, attr_name: str, value: Any, indices: Any = None) -> None: ...

    def env_method(
        self, method_name: str, *args: Any, indices: Any = None, **kwargs: Any
    ) -> list[Any]:
        return [None] * self.num_envs

    def env_is_wrapped(self, wrapper_class: Any, indices: Any = None) -> list[bool]:
        return [False] * self.num_envs


def main(contest_file: str, folder: str, name: str, lanes: str) -> None:
    torch.set_num_threads(1)
    contest = plant.read_contest(contest_file)
    inner = plant.Plant(contest, int(lanes))
    inner.warm()
    before, runs = plant.cpu_seconds(), []
    for seed in contest.seeds:
        vector = VecNormalize(
            Lanes(inner, seed), gamma=contest.gamma, clip_obs=5.0, norm_reward=True
        )
        model = learner(vector, contest, seed)
        begun = plant.cpu_seconds()
        model.learn(contest.steps)
        spent = plant.cpu_seconds() - begun
        runs.append({"seed": seed, "steps": model.num_timesteps, "cpu_s": spent})
        plant.write(Path(folder), name, seed, arrays(model, vector))
    plant.finish(Path(folder), name, before, runs)


def learner(vector: VecNormalize, contest: Any, seed: int) -> PPO:
    rollout = contest.lanes * contest.rollout

    def rate(left: float) -> float:
        share = contest.final_rate + (1.0 - contest.final_rate) * left
        return contest.learning_rate * share

    return PPO(
        "MlpPolicy",
        vector,
        learning_rate=rate,
        n_steps=rollout // vector.num_envs,
        batch_size=rollout // contest.minibatches,
        n_epochs=contest.epochs,
        gamma=contest.gamma,
        gae_lambda=contest.gae_lambda,
        clip_range=contest.clip,
        policy_kwargs={
            "net_arch": {"pi": list(contest.hidden), "vf": list(contest.hidden)},
            "log_std_init": contest.log_std,
        },
        seed=seed,
        device="cpu",
    )


def arrays(model: PPO, vector: VecNormalize) -> dict[str, np.ndarray]:
    body = [m for m in model.policy.mlp_extractor.policy_net if hasattr(m, "weight")]
    statistics = vector.obs_rms
    return plant.layers([*body, model.policy.action_net]) | {
        "mean": statistics.mean,
        "variance": statistics.var + vector.epsilon,
    }


if __name__ == "__main__":
    main(*sys.argv[1:])

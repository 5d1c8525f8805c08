"""Our plant as the peers' wrappers need it: arrays in, arrays out, one cost.

Lanes of the shielded plant behind `CoolingVectorEnv`. Beside Gymnasium's own words
the peers get what our learners get: the same features, actions that depart from the
start rule, and the reward less the price of what the safety layer had to correct.
"""

import dataclasses
import json
import resource
import time
from pathlib import Path
from typing import Any

import jax
import numpy as np
from gymnasium.vector import AutoresetMode

from coolbound.bench_contest import Contest, contest_params
from coolbound_controllers.cooling_task import COST_LIMIT, INTERVENTION_PRICE
from coolbound_controllers.distribution import squash, unsquash
from coolbound_envs.cooling import CoolingTask
from coolbound_envs.features import FEATURE_SIZE, feature_map
from coolbound_envs.gymnasium_adapters import CoolingVectorEnv
from coolbound_envs.site import load_site
from coolbound_envs.spec import ACTION_SIZE
from coolbound_envs.types import Observation
from coolbound_safety.shielded import ShieldedTask

FEATURES = FEATURE_SIZE
ACTIONS = ACTION_SIZE


@dataclasses.dataclass
class Told:
    """What one step of all lanes returned."""

    features: np.ndarray
    reward: np.ndarray
    cost: np.ndarray
    terminated: np.ndarray
    truncated: np.ndarray
    final_features: np.ndarray | None


class Plant:
    """Lanes that begin anew in the step in which their day ends."""

    def __init__(self, contest: Contest, lanes: int) -> None:
        params = contest_params(contest)
        self.lanes = lanes
        self.env = CoolingVectorEnv(
            ShieldedTask(CoolingTask()),
            params,
            lanes,
            normalised=True,
            on_bad_action="hold",
            autoreset_mode=AutoresetMode.SAME_STEP,
        )
        self._features = jax.jit(feature_map(load_site(contest.site)))
        self._depart = jax.jit(lambda start, u: squash(unsquash(start) + u))
        self._seen = np.zeros((lanes, FEATURES), np.float32)

    def warm(self) -> None:
        """Compile everything, so that no clock counts it."""
        self.reset(0)
        self.step(np.zeros((self.lanes, ACTIONS), np.float32))
        mask = np.arange(self.lanes) == 0
        self._map(self.env.reset(options={"reset_mask": mask})[0])

    def reset(self, seed: int | None = None) -> np.ndarray:
        self._seen = self._map(self.env.reset(seed=seed)[0])
        return self._seen

    def step(self, departure: np.ndarray) -> Told:
        """Ask for the start rule's action moved by `departure`, before squashing."""
        departure = np.asarray(departure, np.float32)
        action = self._depart(self._seen[:, -ACTIONS:], departure)
        seen, reward, terminated, truncated, info = self.env.step(np.asarray(action))
        self._seen = self._map(seen)
        charged = reward + info["heat_charge"] - INTERVENTION_PRICE * info["correction"]
        return Told(
            features=self._seen,
            reward=charged.astype(np.float32),
            cost=np.max(info["costs"], axis=-1).astype(np.float32),
            terminated=terminated,
            truncated=truncated,
            final_features=self._final(info),
        )

    def _final(self, info: dict[str, Any]) -> np.ndarray | None:
        if "final_obs" not in info:
            return None
        ended = np.flatnonzero(info["_final_obs"])
        records = [info["final_obs"][i] for i in ended]
        # Always all lanes, so that one program serves.
        whole = {k: np.stack([records[0][k]] * self.lanes) for k in records[0]}
        for i, record in zip(ended, records, strict=True):
            for name, value in record.items():
                whole[name][i] = value
        return self._map(whole)

    def _map(self, seen: Any) -> np.ndarray:
        found = self._features(
            Observation(
                value=seen["value"],
                quality=seen["quality"],
                age=seen["age"],
                applied=seen["applied"],
                time=seen["time"][:, 0],
            )
        )
        return np.array(found, np.float32)


def cost_limit(contest: Contest) -> float:
    """Return the one cost's limit over a day."""
    return COST_LIMIT * contest.day_steps


def read_contest(path: str) -> Contest:
    return Contest(**json.loads(Path(path).read_text(encoding="utf-8")))


def cpu_seconds() -> float:
    """Return what this process has used, user and system, all threads."""
    return time.process_time()


def peak_mb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e6


def write(folder: Path, name: str, seed: int, arrays: dict[str, np.ndarray]) -> None:
    np.savez(folder / f"{name}-{seed}.npz", **arrays)


def layers(linears: list[Any]) -> dict[str, np.ndarray]:
    """Return torch's linear layers by our names."""
    names = [f"layer{i}" for i in range(len(linears) - 1)] + ["head"]
    found = {}
    for name, linear in zip(names, linears, strict=True):
        found[f"{name}.kernel"] = linear.weight.detach().numpy().T.copy()
        found[f"{name}.bias"] = linear.bias.detach().numpy().copy()
    return found


def finish(folder: Path, name: str, warm_s: float, runs: list[dict[str, Any]]) -> None:
    """Write what one peer's process found."""
    found = {"before_training_cpu_s": warm_s, "runs": runs, "peak_mb": peak_mb()}
    (folder / f"{name}.json").write_text(json.dumps(found), encoding="utf-8")

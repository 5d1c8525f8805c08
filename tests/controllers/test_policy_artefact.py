"""The policy folder: it comes back the same, or it is refused."""

import dataclasses
import json
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from coolbound_controllers.hyperparameters import Hyperparameters
from coolbound_controllers.networks import init_actor
from coolbound_controllers.normaliser import Normaliser
from coolbound_controllers.policy import LearnedPolicy, PolicyWeights, propose
from coolbound_controllers.policy_folder import (
    MANIFEST,
    WEIGHTS,
    canonical,
    load_policy,
    save_policy,
)
from coolbound_controllers.provenance import versions
from coolbound_controllers.training import TrainedPolicy, describe
from coolbound_envs import spec
from coolbound_envs.tables import InputError
from coolbound_envs.types import Observation, action_to_vector

NAMES = ("outdoor_temp", "chw_supply_temp", "facility_power")


def features(observation: Observation) -> jax.Array:
    return jnp.stack([observation.read(name) for name in NAMES], axis=-1)


def weights_of(seed: int = 0) -> PolicyWeights:
    actor = init_actor(jax.random.key(seed), 3, (8, 8), spec.ACTION_SIZE, -1.0)
    head = {**actor.network["head"], "kernel": actor.network["head"]["kernel"] * 50.0}
    return PolicyWeights(
        network={**actor.network, "head": head},
        log_std=actor.log_std,
        bias=jnp.linspace(0.0, 1.0, spec.ACTION_SIZE),
        normaliser=Normaliser(
            count=jnp.asarray(100.0),
            mean=jnp.asarray([20.0, 10.0, 5000.0]),
            variance=jnp.asarray([25.0, 4.0, 1e5]),
        ),
    )


def manifest() -> dict[str, object]:
    return {
        "name": "toy",
        "algorithm": "ppo-lagrangian",
        "site_digest": "0" * 64,
        "command": "coolbound train",
        "seed": 0,
        "revision": "unknown",
        "metrics": {"reward": -1.5},
        "hyperparameters": {"gamma": 0.99},
        "versions": versions(),
    }


def saved(folder: Path, seed: int = 0) -> str:
    return save_policy(folder, weights_of(seed), manifest(), NAMES)


def observation(lanes: tuple[int, ...], seed: int = 0) -> Observation:
    rng = np.random.default_rng(seed)
    value = rng.uniform(5.0, 30.0, (*lanes, spec.OBSERVATION_SIZE))
    return Observation(
        value=jnp.asarray(value, jnp.float32),
        quality=jnp.full(value.shape, 3, jnp.int32),
        age=jnp.zeros(value.shape, jnp.float32),
        applied=jnp.zeros((*lanes, spec.ACTION_SIZE), jnp.float32),
        time=jnp.zeros(lanes, jnp.float32),
    )


def act(policy: LearnedPolicy, seen: Observation) -> np.ndarray:
    action, state = policy.act(jax.random.key(0), policy.init(None), seen)
    assert state == ()
    return np.asarray(action_to_vector(action))


def test_a_policy_comes_back_with_every_number_and_its_digest(tmp_path: Path) -> None:
    digest = saved(tmp_path / "policy")
    policy = load_policy(tmp_path / "policy", features, NAMES)
    jax.tree.map(np.testing.assert_array_equal, policy.weights, weights_of())
    assert policy.digest == digest
    assert policy.name == "toy"
    assert policy.manifest["metrics"] == {"reward": -1.5}
    assert policy.manifest["spec_digest"] == spec.action_digest()
    assert {path.name for path in (tmp_path / "policy").iterdir()} == {
        WEIGHTS,
        MANIFEST,
    }


def test_the_digest_follows_the_weights_and_the_manifest(tmp_path: Path) -> None:
    digests = {saved(tmp_path / "a"), saved(tmp_path / "b"), saved(tmp_path / "c", 1)}
    renamed = save_policy(
        tmp_path / "d", weights_of(), {**manifest(), "name": "other"}, NAMES
    )
    assert len(digests) == 2
    assert renamed not in digests


def test_one_observation_and_a_batch_give_the_same_actions(tmp_path: Path) -> None:
    saved(tmp_path / "policy")
    policy = load_policy(tmp_path / "policy", features, NAMES)
    batch = observation((4, 5))
    together = act(policy, batch)
    assert together.shape == (4, 5, spec.ACTION_SIZE)
    one = jax.tree.map(lambda x: x[2, 3], batch)
    np.testing.assert_allclose(act(policy, one), together[2, 3], rtol=1e-5)
    assert np.ptp(together.reshape(20, -1), axis=0).min() > 0.0


def test_actions_follow_a_plain_float64_network_and_keep_their_range() -> None:
    weights, seen = weights_of(), observation((50,))
    x = np.asarray(features(seen), np.float64)
    n = weights.normaliser
    x = np.clip((x - np.asarray(n.mean)) / np.sqrt(np.asarray(n.variance)), -5, 5)
    for layer in ("layer0", "layer1"):
        part = weights.network[layer]
        x = np.tanh(x @ np.asarray(part["kernel"]) + np.asarray(part["bias"]))
    head = weights.network["head"]
    bias = np.clip(np.linspace(0.0, 1.0, spec.ACTION_SIZE), 0.01, 0.99)
    u = (
        x @ np.asarray(head["kernel"])
        + np.asarray(head["bias"])
        + np.arctanh(2.0 * bias - 1.0)
    )
    policy = LearnedPolicy(
        weights, features, "toy", "", "{}", weights.normaliser.mean.size
    )
    found = act(policy, seen)
    lower, upper = spec.channel_array("lower"), spec.channel_array("upper")
    expected = lower + (upper - lower) * (np.tanh(u) + 1.0) / 2.0
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-3)
    assert (found >= lower).all()
    assert (found <= upper).all()


def test_a_policy_can_be_an_argument_of_a_compiled_function(tmp_path: Path) -> None:
    saved(tmp_path / "policy")
    policy = load_policy(tmp_path / "policy", features, NAMES)
    seen = observation((3,))

    @jax.jit
    def ask(policy: LearnedPolicy, seen: Observation) -> jax.Array:
        return action_to_vector(policy.act(jax.random.key(0), (), seen)[0])

    np.testing.assert_allclose(ask(policy, seen), act(policy, seen), rtol=1e-5)


def spoil_weights(folder: Path) -> None:
    data = bytearray((folder / WEIGHTS).read_bytes())
    data[-1] ^= 1
    (folder / WEIGHTS).write_bytes(bytes(data))


def edit(folder: Path, **changes: object) -> None:
    manifest = json.loads((folder / MANIFEST).read_text())
    (folder / MANIFEST).write_text(canonical({**manifest, **changes}))


SPOILERS = {
    "found weights_sha256": spoil_weights,
    "weights.safetensors: cannot be read": lambda f: (f / WEIGHTS).unlink(),
    "manifest.json: cannot be read": lambda f: (f / MANIFEST).unlink(),
    "found text that is no JSON": lambda f: (f / MANIFEST).write_text("pickle"),
    "found schema 99, expected 1": lambda f: edit(f, schema=99),
    "found spec_digest 'beef'": lambda f: edit(f, spec_digest="beef"),
    "found feature_digest 'beef'": lambda f: edit(f, feature_digest="beef"),
    "key 'extra' is missing or unknown": lambda f: edit(f, extra=1),
}


@pytest.mark.parametrize("message", SPOILERS)
def test_a_folder_that_does_not_match_is_refused(tmp_path: Path, message: str) -> None:
    saved(tmp_path / "policy")
    SPOILERS[message](tmp_path / "policy")
    with pytest.raises(InputError, match=message):
        load_policy(tmp_path / "policy", features, NAMES)


def test_other_features_or_a_missing_folder_are_refused(tmp_path: Path) -> None:
    saved(tmp_path / "policy")
    with pytest.raises(InputError, match=r"today's features"):
        load_policy(tmp_path / "policy", features, NAMES[::-1])
    with pytest.raises(InputError, match=r"check the path or train a policy"):
        load_policy(tmp_path / "nowhere", features, NAMES)


def test_weights_that_are_nan_or_no_actor_are_refused(tmp_path: Path) -> None:
    bad = dataclasses.replace(weights_of(), log_std=jnp.full((10,), jnp.nan))
    save_policy(tmp_path / "nan", bad, manifest(), NAMES)
    with pytest.raises(InputError, match=r"all finite: False"):
        load_policy(tmp_path / "nan", features, NAMES)
    small = dataclasses.replace(weights_of(), network={})
    save_policy(tmp_path / "none", small, manifest(), NAMES)
    with pytest.raises(InputError, match=r"found tensors that make no actor"):
        load_policy(tmp_path / "none", features, NAMES)


def test_a_manifest_with_a_missing_key_is_never_written(tmp_path: Path) -> None:
    partial = {k: v for k, v in manifest().items() if k != "command"}
    with pytest.raises(ValueError, match="missing or unknown: command"):
        save_policy(tmp_path / "policy", weights_of(), partial, NAMES)
    assert not (tmp_path / "policy").exists()


def test_the_proposed_action_before_training_is_the_bias() -> None:
    fresh = init_actor(jax.random.key(0), 3, (8, 8), 2, -1.0)
    bias = jnp.asarray([0.2, 0.7])
    blank = Normaliser(jnp.zeros(()), jnp.zeros(3), jnp.ones(3))
    weights = PolicyWeights(fresh.network, fresh.log_std, bias, blank)
    found = propose(weights, jnp.ones((6, 3)))
    np.testing.assert_allclose(found, np.broadcast_to(bias, (6, 2)), atol=0.02)


def test_a_trained_policy_describes_itself_completely(tmp_path: Path) -> None:
    metrics = {"reward": -1.5, "kl": float("nan")}
    trained = TrainedPolicy(weights_of(), Hyperparameters(seed=7), metrics)
    text = describe(trained, "toy", "0" * 64, "coolbound train seed=7")
    save_policy(tmp_path / "policy", trained.weights, text, NAMES)
    found = load_policy(tmp_path / "policy", features, NAMES).manifest
    assert found["seed"] == 7
    assert found["command"] == "coolbound train seed=7"
    assert found["metrics"] == {"reward": -1.5}
    assert found["hyperparameters"]["actor_hidden"] == [64, 64]
    assert found["versions"]["jax"] == jax.__version__
    assert found["revision"]

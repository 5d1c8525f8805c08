"""A learned policy on disk: a folder of weights and a manifest.

A folder holds `weights.safetensors` and `manifest.json`. Nothing in it can
execute. Everything is verified before the first inference: the weights against
the manifest's SHA-256, the manifest against today's action channels and
features. What does not match is refused, never reinterpreted.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import jax
import jax.numpy as jnp
import numpy as np
import safetensors.numpy
from flax import traverse_util
from safetensors import SafetensorError

from coolbound_controllers.atomic import write_atomic
from coolbound_controllers.normaliser import Normaliser
from coolbound_controllers.policy import (
    Features,
    LearnedPolicy,
    PolicyWeights,
    propose,
)
from coolbound_envs.spec import ACTION_SIZE, action_digest
from coolbound_envs.tables import InputError

SCHEMA: Final = 1
WEIGHTS: Final = "weights.safetensors"
MANIFEST: Final = "manifest.json"
MANIFEST_KEYS: Final = (
    "schema",
    "name",
    "algorithm",
    "spec_digest",
    "feature_digest",
    "site_digest",
    "command",
    "seed",
    "revision",
    "metrics",
    "hyperparameters",
    "versions",
    "weights_sha256",
)
"""Every key of a manifest; one more or one less is refused."""

OPTIONAL_KEYS: Final = frozenset({"limits_off"})
"""Keys that a manifest may lack: the limits that its site switched off."""


def names_digest(names: Sequence[str]) -> str:
    """Return the SHA-256 of a list of names, in order, hexadecimal."""
    return hashlib.sha256(json.dumps(list(names)).encode()).hexdigest()


def save_policy(
    folder: Path,
    weights: PolicyWeights,
    manifest: Mapping[str, Any],
    feature_names: Sequence[str],
) -> str:
    """Write the policy folder and return the policy's digest.

    Both files are written aside and renamed. A reader in between finds a
    manifest that does not match and refuses; it never sees half a file.

    Args:
        folder: Where to; made where it is absent.
        weights: All numbers that a decision needs.
        manifest: name, algorithm, site_digest, command, seed, revision,
            metrics, hyperparameters and versions; the digests are added here.
        feature_names: Names of the features, in order.

    Raises:
        InputError: The folder cannot be written.
        ValueError: The manifest lacks a key or has an unknown one.
    """
    data = safetensors.numpy.save(_flatten(weights))
    text = canonical(_complete(manifest, feature_names, data))
    try:
        folder.mkdir(parents=True, exist_ok=True)
        write_atomic(folder / WEIGHTS, data)
        write_atomic(folder / MANIFEST, text.encode())
    except OSError as error:
        raise InputError(
            f"{folder}: cannot be written ({error.__class__.__name__}), expected a "
            "folder to write the policy to; choose another"
        ) from error
    return _digest(text, data)


def load_policy(
    folder: Path, features: Features, feature_names: Sequence[str]
) -> LearnedPolicy:
    """Return the verified policy of a folder.

    Args:
        folder: Holds `weights.safetensors` and `manifest.json`.
        features: Maps an observation to features (..., F).
        feature_names: Names of those features, in order.

    Raises:
        InputError: A file is missing or corrupt, or a digest does not match.
    """
    manifest = _read_manifest(folder)
    data = _read(folder / WEIGHTS)
    _verify(folder, manifest, data, feature_names)
    text = canonical(manifest)
    return LearnedPolicy(
        weights=_unflatten(folder / WEIGHTS, data, len(feature_names)),
        features=features,
        name=str(manifest["name"]),
        digest=_digest(text, data),
        manifest_text=text,
        feature_size=len(feature_names),
    )


def canonical(manifest: Mapping[str, Any]) -> str:
    """Return the one JSON text of a manifest: sorted, indented, no NaN."""
    return json.dumps(manifest, sort_keys=True, indent=1, allow_nan=False) + "\n"


def _complete(
    manifest: Mapping[str, Any], feature_names: Sequence[str], data: bytes
) -> dict[str, Any]:
    whole = {
        **manifest,
        "schema": SCHEMA,
        "spec_digest": action_digest(),
        "feature_digest": names_digest(feature_names),
        "weights_sha256": hashlib.sha256(data).hexdigest(),
    }
    odd = (set(whole) ^ set(MANIFEST_KEYS)) - OPTIONAL_KEYS
    if odd:
        found = ", ".join(sorted(odd))
        raise ValueError(f"manifest keys missing or unknown: {found}")
    return whole


def _digest(text: str, data: bytes) -> str:
    return hashlib.sha256(text.encode() + data).hexdigest()


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise InputError(
            f"{path}: cannot be read ({error.__class__.__name__}), expected a file of "
            "a policy folder; check the path or train a policy"
        ) from error


def _read_manifest(folder: Path) -> dict[str, Any]:
    path = folder / MANIFEST
    try:
        manifest = json.loads(_read(path))
    except (UnicodeDecodeError, json.JSONDecodeError) as error:
        raise InputError(
            f"{path}: found text that is no JSON, expected a policy manifest; restore "
            "the file or train again"
        ) from error
    if not isinstance(manifest, dict) or manifest.get("schema") != SCHEMA:
        found = manifest.get("schema") if isinstance(manifest, dict) else manifest
        raise InputError(
            f"{path}: found schema {found!r}, expected {SCHEMA}; train the policy "
            "again with this version"
        )
    odd = sorted((set(manifest) ^ set(MANIFEST_KEYS)) - OPTIONAL_KEYS)
    if odd:
        raise InputError(
            f"{path}: key {odd[0]!r} is missing or unknown, expected the keys "
            f"{', '.join(MANIFEST_KEYS)}; restore the file or train again"
        )
    return manifest


def _verify(
    folder: Path, manifest: Mapping[str, Any], data: bytes, names: Sequence[str]
) -> None:
    checks = (
        ("weights_sha256", hashlib.sha256(data).hexdigest(), "these weights"),
        ("spec_digest", action_digest(), "today's action channels"),
        ("feature_digest", names_digest(names), "today's features"),
    )
    for key, expected, what in checks:
        if manifest[key] != expected:
            raise InputError(
                f"{folder / MANIFEST}: found {key} {str(manifest[key])[:12]!r}, "
                f"expected {expected[:12]!r} of {what}; restore the folder or train "
                "again"
            )


def _flatten(weights: PolicyWeights) -> dict[str, np.ndarray]:
    tree = {
        "network": weights.network,
        "log_std": weights.log_std,
        "bias": weights.bias,
        "normaliser": {
            "count": weights.normaliser.count,
            "mean": weights.normaliser.mean,
            "variance": weights.normaliser.variance,
        },
    }
    flat = traverse_util.flatten_dict(tree, sep="/")
    return {name: np.array(leaf, np.float32, order="C") for name, leaf in flat.items()}


def _unflatten(path: Path, data: bytes, features: int) -> PolicyWeights:
    try:
        flat = safetensors.numpy.load(data)
        tree = traverse_util.unflatten_dict(flat, sep="/")
        arrays = jax.tree.map(jnp.asarray, tree)
        weights = PolicyWeights(
            network=arrays["network"],
            log_std=arrays["log_std"],
            bias=arrays["bias"],
            normaliser=Normaliser(**arrays["normaliser"]),
        )
        inputs = weights.normaliser.mean.shape[0]
        if inputs % features:
            raise ValueError(f"{inputs} inputs are no frames of {features} features")
        shape = jax.eval_shape(propose, weights, jnp.zeros((inputs,))).shape
    except (SafetensorError, KeyError, TypeError, ValueError) as error:
        raise InputError(
            f"{path}: found tensors that make no actor ({error.__class__.__name__}), "
            "expected those that training wrote; restore the file or train again"
        ) from error
    is_finite = all(bool(np.isfinite(leaf).all()) for leaf in flat.values())
    if shape != (ACTION_SIZE,) or not is_finite:
        raise InputError(
            f"{path}: found actions of shape {shape}, all finite: {is_finite}, "
            f"expected finite weights and shape ({ACTION_SIZE},); train again"
        )
    return weights

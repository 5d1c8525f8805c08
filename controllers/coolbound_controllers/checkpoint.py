"""A pytree on disk: complete, atomic, never a pickle.

One safetensors file holds every leaf under its path in the tree, random keys
as their raw words, and a JSON text in the header. It is written aside and
renamed, so that a reader finds the old file or the new one, whole.
"""

from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import safetensors
import safetensors.numpy
from safetensors import SafetensorError

from coolbound_controllers.atomic import write_atomic
from coolbound_envs.tables import InputError


def save_tree(path: Path, tree: Any, note: str) -> None:
    """Write a tree and a JSON note to one file, atomically."""
    data = safetensors.numpy.save(_flatten(tree), metadata={"note": note})
    write_atomic(path, data)


def load_note(path: Path) -> str:
    """Return the note of a file.

    Raises:
        InputError: The file is absent or no checkpoint.
    """
    return _load(path)[1]


def load_tree(path: Path, like: Any) -> Any:
    """Return the tree of a file.

    Args:
        path: The file.
        like: A tree of arrays or shapes with the same structure.

    Raises:
        InputError: The file is absent, no checkpoint, or of another structure.
    """
    flat, _ = _load(path)
    leaves, structure = jax.tree_util.tree_flatten_with_path(like)
    names = [jax.tree_util.keystr(where) for where, _ in leaves]
    if set(names) != set(flat):
        odd = sorted(set(names) ^ set(flat))[0]
        raise InputError(
            f"{path}: entry {odd!r} is missing or unknown, expected the state of this "
            "task and these settings; resume with those of the first run"
        )
    found = [
        _restore(path, name, flat[name], leaf)
        for name, (_, leaf) in zip(names, leaves, strict=True)
    ]
    return jax.tree_util.tree_unflatten(structure, found)


def _is_key(leaf: Any) -> bool:
    return jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key)


def _flatten(tree: Any) -> dict[str, np.ndarray]:
    leaves, _ = jax.tree_util.tree_flatten_with_path(tree)
    return {
        jax.tree_util.keystr(where): np.array(
            jax.random.key_data(leaf) if _is_key(leaf) else leaf, order="C"
        )
        for where, leaf in leaves
    }


def _load(path: Path) -> tuple[dict[str, np.ndarray], str]:
    try:
        with safetensors.safe_open(path, framework="numpy") as file:
            note = (file.metadata() or {})["note"]
            return {name: file.get_tensor(name) for name in file.keys()}, note  # noqa: SIM118
    except (OSError, SafetensorError, KeyError) as error:
        raise InputError(
            f"{path}: cannot be read ({error.__class__.__name__}), expected a "
            "checkpoint of a training run; check the folder or start a new run"
        ) from error


def _restore(path: Path, name: str, found: np.ndarray, like: Any) -> jax.Array:
    array = jnp.asarray(found)
    if _is_key(like) and found.dtype == np.uint32:
        array = jax.random.wrap_key_data(array)
    if array.shape != like.shape or array.dtype != like.dtype:
        raise InputError(
            f"{path}: found {name} of shape {array.shape} and {array.dtype}, expected "
            f"{like.shape} and {like.dtype}; resume with the first settings"
        )
    return array

"""A tree of small arrays brought from a compiled program as one array.

Each array that leaves a program costs a transfer and its bookkeeping, some ten
microseconds; a decision at control time reads a dozen.
"""

import math
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import struct


@struct.dataclass
class Packed:
    """A tree whose leaves stand one behind the other. Dynamic.

    Attributes:
        flat: All leaves, row by row, float32. [each leaf's unit]
        structure: How the tree is put together. Static.
        shapes: Of the leaves. Static.
        kinds: Names of their dtypes. Static.
    """

    flat: jax.Array
    structure: Any = struct.field(pytree_node=False)
    shapes: tuple[tuple[int, ...], ...] = struct.field(pytree_node=False)
    kinds: tuple[str, ...] = struct.field(pytree_node=False)


def pack(tree: Any) -> Packed:
    """Return the tree as one array; for use inside a program.

    Args:
        tree: Its leaves are float32, truth values, or whole numbers below 2^24,
            which float32 holds exactly.
    """
    leaves, structure = jax.tree.flatten(tree)
    return Packed(
        flat=jnp.concatenate([jnp.ravel(x).astype(jnp.float32) for x in leaves]),
        structure=structure,
        shapes=tuple(x.shape for x in leaves),
        kinds=tuple(str(x.dtype) for x in leaves),
    )


def unpack(packed: Packed) -> Any:
    """Return the tree in numpy, every leaf in its own dtype."""
    flat, leaves, start = np.asarray(packed.flat), [], 0
    for shape, kind in zip(packed.shapes, packed.kinds, strict=True):
        end = start + math.prod(shape)
        leaf = flat[start:end].reshape(shape)
        leaves.append(leaf if kind == "float32" else leaf.astype(kind))
        start = end
    return jax.tree.unflatten(packed.structure, leaves)

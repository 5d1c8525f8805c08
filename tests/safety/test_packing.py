"""What is packed inside a program comes out of it as it went in."""

import jax
import jax.numpy as jnp
import numpy as np

from coolbound_safety.packing import pack, unpack


def test_a_tree_comes_back_with_its_values_shapes_and_kinds() -> None:
    tree = {
        "matrix": jnp.asarray([[1.5, -2.0, jnp.pi], [0.0, 1e30, -1e-30]], jnp.float32),
        "flags": jnp.asarray([True, False]),
        "number": jnp.asarray(2**24 - 1, jnp.int32),
        "nested": (jnp.asarray(-7, jnp.int32), jnp.zeros((2, 0), jnp.float32)),
    }
    packed = jax.jit(pack)(tree)
    assert packed.flat.shape == (10,)
    found = unpack(packed)
    assert jax.tree.structure(found) == jax.tree.structure(tree)
    for x, y in zip(jax.tree.leaves(found), jax.tree.leaves(tree), strict=True):
        assert isinstance(x, np.ndarray)
        assert x.dtype == y.dtype
        np.testing.assert_array_equal(x, np.asarray(y))


def test_what_is_not_a_number_stays_so_and_keeps_its_place() -> None:
    tree = (jnp.asarray([jnp.inf, 1.0], jnp.float32), jnp.asarray([2.0], jnp.float32))
    first, second = unpack(jax.jit(pack)(tree))
    np.testing.assert_array_equal(first, np.asarray([np.inf, 1.0], np.float32))
    assert second[0] == 2.0

"""A self-test that refuses a linear algebra which is silently wrong.

jaxlib 0.10.2 returned wrong sums of products on CPU above some batch sizes
(jax issues 39103 and 39257), with errors of 60 to 90 where the values were of
order 1. Small batches were right, so the test runs at large ones, among them a
power of two plus one.
"""

from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np

BATCHES = (4096, 32769, 65536)
"""Sizes at which the known fault shows; 65536 is the largest trained at. [1]"""

Products = Callable[[jax.Array], jax.Array]


class NumericsError(RuntimeError):
    """The installed JAX returns wrong numbers on this machine."""


def outer_products(rows: jax.Array) -> jax.Array:
    """Return sum_m G_mi G_mj for each lane, (m, n, batch) to (n, n, batch)."""
    return jnp.sum(rows[:, :, None] * rows[:, None, :], axis=0)


def squared_norms(points: jax.Array) -> jax.Array:
    """Return |I3 x|^2 of each row x, (batch, 3) to (batch,)."""

    def squared_norm(point: jax.Array) -> jax.Array:
        return jnp.sum((jnp.eye(3, dtype=point.dtype) @ point) ** 2)

    return jax.vmap(squared_norm)(points)


def outer_products_error(batch: int, products: Products = outer_products) -> float:
    """Return the largest error of the compiled sums against numpy in float64.

    Lanes repeat with a period that is no power of two, so that the reference
    is small while every lane is checked. About 1e-5 is sound.
    """
    period = 1021
    rows = np.random.default_rng(0).standard_normal((25, 10, period))
    rows = rows.astype(np.float32)
    exact = np.einsum("mib,mjb->ijb", rows, rows, dtype=np.float64)
    lanes = np.arange(batch) % period
    found = np.asarray(jax.jit(products)(jnp.asarray(rows[:, :, lanes])))
    return max(
        float(np.max(np.abs(found[i] - exact[i][:, lanes]), initial=0.0))
        if np.all(np.isfinite(found[i]))
        else np.inf
        for i in range(found.shape[0])
    )


def squared_norms_error(batch: int, norms: Products = squared_norms) -> float:
    """Return the largest relative error of i^2 for x = (i, 0, 0), i < batch."""
    first = np.arange(batch, dtype=np.float32)
    points = np.stack([first, np.zeros_like(first), np.zeros_like(first)], axis=-1)
    found = np.asarray(jax.jit(norms)(jnp.asarray(points)), np.float64)
    exact = np.arange(batch, dtype=np.float64) ** 2
    error = np.abs(found - exact) / np.maximum(exact, 1.0)
    return float(np.max(np.where(np.isfinite(error), error, np.inf)))


def self_test() -> list[str]:
    """Return one sentence per failed check; an empty list is sound."""
    failures = []
    for batch in BATCHES:
        for name, error, bound in (
            ("sums of products", outer_products_error(batch), 1e-3),
            ("squared norms", squared_norms_error(batch), 1e-6),
        ):
            if not error <= bound:
                failures.append(
                    f"{name} at batch {batch} are off by {error:.3g}, expected at "
                    f"most {bound:g}"
                )
    return failures


def require_sound_numerics() -> None:
    """Refuse to go on where the self-test fails.

    Raises:
        NumericsError: At least one check failed; the text names the version.
    """
    failures = self_test()
    if failures:
        raise NumericsError(
            f"jax {jax.__version__} returns wrong numbers on "
            f"{jax.default_backend()}: {'; '.join(failures)}; install the version "
            "that requirements.lock names"
        )

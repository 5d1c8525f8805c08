"""A program of its own that computes in float64; writes what it found to a file.

Started by the tests with JAX_ENABLE_X64=1: python double_program.py OUT
"""

import dataclasses
import sys
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from families import make_family

from coolbound_safety.derivative import project_differentiable
from coolbound_safety.kernel_double import DOUBLE_CONFIG, as_double, project_double
from coolbound_safety.types import Envelope

FIELDS = ("c", "G", "h", "price", "lower", "upper")
COUNT = 64

# Seed, tightness, share of locked actuators, inward shift of every row.
FAMILIES = (
    (61, 1.0, 0.0, 0.0),
    (62, 0.4, 0.15, 0.0),
    (63, 1.0, 0.5, 0.2),
    (64, 1.0, 1.0, 0.0),
)


def perturbation(envelopes: Envelope, c: np.ndarray, seed: int) -> dict[str, Any]:
    """Return a random direction for every field; both bounds of a lock together."""
    rng = np.random.default_rng(seed)
    shapes = {k: np.shape(getattr(envelopes, k)) for k in FIELDS[1:]} | {"c": c.shape}
    way = {k: rng.normal(size=shapes[k]) for k in FIELDS}
    locked = np.asarray(envelopes.lower) == np.asarray(envelopes.upper)
    way["lower"] = np.where(locked, way["upper"], way["lower"])
    return way


def main(out: str) -> None:
    jax.config.update("jax_numpy_rank_promotion", "raise")
    jax.config.update("jax_numpy_dtype_promotion", "strict")
    families = [make_family(COUNT, *family) for family in FAMILIES]
    envelopes, c = jax.tree.map(lambda *x: np.concatenate(x), *families)
    answer = project_double(envelopes, c)
    found = {k: np.asarray(getattr(answer, k)) for k in ("u", "multipliers", "ok")}
    found = {
        f"{name}{k}": part
        for name, x in found.items()
        for k, part in enumerate(np.split(x, len(FAMILIES)))
    }
    for k, family in enumerate(families):
        found |= {f"{name}{k}": x for name, x in _derivatives(*family, k).items()}
    np.savez(out, allow_pickle=False, **found)


@jax.jit
def _both(point: Any, way: Any, y: jax.Array, envelope: Envelope) -> Any:
    def answer(at: Any) -> jax.Array:
        rows = {k: at[k] for k in FIELDS[1:]}
        given = dataclasses.replace(envelope, **rows)
        return project_differentiable(given, at["c"], DOUBLE_CONFIG).u

    u, forward = jax.jvp(answer, (point,), (way,))
    return u, forward, jax.vjp(answer, point)[1](y)[0]


def _derivatives(envelopes: Envelope, c: np.ndarray, seed: int) -> dict[str, Any]:
    """Return the forward derivative, and reverse times the same direction."""
    way = jax.tree.map(jnp.asarray, perturbation(envelopes, c, seed))
    y = jnp.asarray(np.random.default_rng(seed + 9).normal(size=c.shape))
    given = as_double(envelopes)
    point = {k: getattr(given, k) for k in FIELDS[1:]} | {"c": jnp.asarray(c)}
    u, forward, back = _both(point, way, y, given)
    reverse = sum(jnp.sum((back[k] * way[k]).reshape(len(c), -1), 1) for k in FIELDS)
    return {"value": u, "forward": forward, "reverse": reverse, "y": y}


if __name__ == "__main__":
    main(sys.argv[1])

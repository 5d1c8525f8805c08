"""Recorded envelopes in numpy, one behind the other on a leading axis."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np

from coolbound_safety.kernel import narrow
from coolbound_safety.types import Envelope


def take(envelopes: Envelope, index: int | np.ndarray | slice) -> Envelope:
    """Return one envelope of a stack, or several in the order of an index array."""
    names = [f.name for f in dataclasses.fields(envelopes) if f.name != "names"]
    fields = {name: np.asarray(getattr(envelopes, name))[index] for name in names}
    return dataclasses.replace(envelopes, **fields)


def tighten(envelope: Envelope, margin: float) -> Envelope:
    """Return the envelope with every row moved inward."""
    return dataclasses.replace(envelope, h=np.asarray(envelope.h) - margin)


def on_device(envelopes: Envelope, proposals: np.ndarray) -> tuple[Envelope, jax.Array]:
    """Return envelopes and proposals in float32, as the kernel takes them."""
    single = jax.tree.map(jnp.asarray, narrow(envelopes))
    return single, jnp.asarray(proposals, jnp.float32)


def row_excess(envelopes: Envelope, u: np.ndarray) -> np.ndarray:
    """Return G u - h of every row, float64, shape (K, m); u is (K, n) [1]."""
    rows = np.einsum("kmn,kn->km", np.asarray(envelopes.G), u)
    return rows - np.asarray(envelopes.h)


def bound_excess(envelopes: Envelope, u: np.ndarray) -> np.ndarray:
    """Return the largest excess over a bound, shape (K,); u is (K, n) [1]."""
    above = u - np.asarray(envelopes.upper)
    return np.max(np.maximum(above, np.asarray(envelopes.lower) - u), axis=-1)

"""The batched projection in float64, for evaluation.

The iteration is that of `coolbound_safety.kernel`; float64 arrays bring their own
tolerances. Needs a program of its own, started with `JAX_ENABLE_X64=1`: a float32
program that switches to float64 half way compiles some functions twice and mixes
the two.
"""

import dataclasses
from typing import Final

import jax
import jax.numpy as jnp
import numpy as np

from coolbound_safety.kernel import ARRAYS, ProjectConfig, project_batch
from coolbound_safety.kernel_chunk import Projection
from coolbound_safety.types import Envelope

DOUBLE_CONFIG: Final = ProjectConfig(margin=1e-9, step_limit=256)
"""Rows are tightened as at control time."""


def project_double(
    envelope: Envelope, c: np.ndarray, config: ProjectConfig = DOUBLE_CONFIG
) -> Projection:
    """Project B proposals in float64, each onto its own envelope.

    Args:
        envelope: Float64 envelopes, every array with a leading axis B.
        c: Proposed actions, unit coordinates, shape (B, n). [1]
        config: Settings.

    Raises:
        RuntimeError: This program computes in float32.
    """
    if not jax.config.read("jax_enable_x64"):
        raise RuntimeError(
            "project_double: found a program that computes in float32, expected one "
            "that computes in float64; start it with JAX_ENABLE_X64=1 in its "
            "environment"
        )
    return project_batch(as_double(envelope), jnp.asarray(c, jnp.float64), config)


def as_double(envelope: Envelope) -> Envelope:
    """Return the envelope as float64 arrays of jax, priorities as they are."""
    names = [name for name in ARRAYS if name != "priority"]
    arrays = {name: jnp.asarray(getattr(envelope, name), jnp.float64) for name in names}
    priority = jnp.asarray(envelope.priority, jnp.int32)
    return dataclasses.replace(envelope, **arrays, priority=priority)

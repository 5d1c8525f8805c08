"""The batched projection on several devices: the lanes are dealt out, none waits.

The devices of a host are set before jax starts, with
`XLA_FLAGS=--xla_force_host_platform_device_count=2` for two.
"""

import functools
from typing import Any, Final

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh, PartitionSpec

from coolbound_safety.kernel import (
    ARRAYS,
    DEFAULT_CONFIG,
    ProjectConfig,
    project_batch,
)
from coolbound_safety.kernel_chunk import Projection
from coolbound_safety.types import Envelope

AXIS: Final = "lanes"


def lane_mesh(devices: int | None = None) -> Mesh:
    """Return a mesh of the first so many devices, of all without a number.

    Raises:
        ValueError: There are not so many.
    """
    present = jax.devices()
    count = len(present) if devices is None else devices
    if not 1 <= count <= len(present):
        raise ValueError(
            f"lane_mesh: found {len(present)} device(s), expected at least {count}; "
            "set XLA_FLAGS=--xla_force_host_platform_device_count before jax starts"
        )
    return Mesh(np.asarray(present[:count]), (AXIS,))


def project_sharded(
    envelope: Envelope,
    c: jax.Array,
    config: ProjectConfig = DEFAULT_CONFIG,
    mesh: Mesh | None = None,
) -> Projection:
    """Project B proposals on all devices of a mesh; see `project_batch`.

    Args:
        envelope: Float32 envelopes, every array with a leading axis B.
        c: Proposed actions, unit coordinates, shape (B, n). [1]
        config: Settings.
        mesh: One axis called `lanes`; without it all devices.
    """
    mesh = lane_mesh() if mesh is None else mesh
    batch, devices = np.shape(c)[0], mesh.shape[AXIS]
    missing = -batch % devices
    arrays = {name: jnp.asarray(getattr(envelope, name)) for name in ARRAYS}
    padded = jax.tree.map(
        functools.partial(_pad, missing=missing), (arrays, jnp.asarray(c))
    )
    found = _solver(mesh, config, envelope.names)(*padded)
    return jax.tree.map(lambda x: x[:batch], found)


def _pad(x: jax.Array, missing: int) -> jax.Array:
    """Return the array with copies of its first lane at the end."""
    return jnp.concatenate([x, jnp.broadcast_to(x[:1], (missing, *x.shape[1:]))])


@functools.cache
def _solver(mesh: Mesh, config: ProjectConfig, names: tuple[str, ...]) -> Any:
    def solve(arrays: dict[str, jax.Array], c: jax.Array) -> Projection:
        return project_batch(Envelope(**arrays, names=names), c, config)

    lanes = PartitionSpec(AXIS)
    return jax.jit(
        jax.shard_map(
            solve, mesh=mesh, in_specs=lanes, out_specs=lanes, check_vma=False
        )
    )

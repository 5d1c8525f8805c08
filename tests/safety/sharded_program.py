"""A program on two host devices; writes what one and both of them found to a file.

Started by the tests with XLA_FLAGS set: python sharded_program.py OUT
"""

import sys

import jax
import jax.numpy as jnp
import numpy as np
from families import make_family

from coolbound_safety.kernel import narrow
from coolbound_safety.sharded import lane_mesh, project_sharded

COUNT = 101
"""Not a multiple of two: one device is given a filler."""

SEED = 71


def main(out: str) -> None:
    jax.config.update("jax_numpy_rank_promotion", "raise")
    jax.config.update("jax_numpy_dtype_promotion", "strict")
    envelopes, c = make_family(COUNT, SEED)
    single = jax.tree.map(jnp.asarray, narrow(envelopes))
    found = {"devices": np.asarray(len(jax.devices()))}
    for devices in (1, 2):
        answer = project_sharded(
            single, jnp.asarray(c, jnp.float32), mesh=lane_mesh(devices)
        )
        for name in ("u", "multipliers", "slack", "ok", "iterations"):
            found[f"{name}{devices}"] = np.asarray(getattr(answer, name))
    np.savez(out, allow_pickle=False, **found)


if __name__ == "__main__":
    main(sys.argv[1])

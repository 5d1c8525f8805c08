"""The projection inside a jitted program: float32, batched, exact, self-checked.

    minimise    |u - c|^2 / 2 + price . s
    subject to  lower <= u <= upper,  G u <= h - margin + s,  s >= 0

solved by the dual active-set method of `coolbound_safety.kernel_batch`. The rows
are tightened by a margin that covers what float32 can miss, so that an answer with
`ok` keeps every row that it does not declare relaxed, judged in float64. A lane that
does not finish, fails its own check or holds a value that is not finite is given the
backup action, or a point on the way to it, and `ok` is false: count those lanes.

Gradients do not pass: the filter is part of the environment. Elsewhere stand the
derivative (`derivative`), float64 (`kernel_double`) and several devices (`sharded`).
"""

import dataclasses
import functools
from typing import Any, Final

import jax
import jax.numpy as jnp
import numpy as np

from coolbound_safety.kernel_chunk import Data, Factors, Projection, solve_chunk
from coolbound_safety.types import Envelope

__all__ = [
    "ARRAYS",
    "DEFAULT_CONFIG",
    "ProjectConfig",
    "Projection",
    "narrow",
    "project_batch",
    "project_one",
    "project_with_factors",
]

ARRAYS: Final = (
    "lower",
    "upper",
    "G",
    "h",
    "price",
    "scale",
    "priority",
    "held",
    "backup",
)


@dataclasses.dataclass(frozen=True)
class ProjectConfig:
    """Settings of the kernel; the defaults serve. Static.

    Attributes:
        margin: Rows are tightened by this; below 3e-6 float32 may miss a row. [1]
        step_limit: Steps before a lane is given up; ordinary lanes need 60. [1]
        chunk: Lanes solved together; their memory, some 5 kB each, should fit the
            fastest cache but one. [1]
    """

    margin: float = 5e-6
    step_limit: int = 128
    chunk: int = 128


DEFAULT_CONFIG: Final = ProjectConfig()


def project_batch(
    envelope: Envelope, c: jax.Array, config: ProjectConfig = DEFAULT_CONFIG
) -> Projection:
    """Project B proposals, each onto its own envelope, every array with axis B.

    Args:
        envelope: Float32 envelopes; see `narrow` for float64 ones.
        c: Proposed actions, unit coordinates, shape (B, n). [1]
        config: Settings.
    """
    return _solver(config)(_data(envelope, c))[0]


def project_one(
    envelope: Envelope, c: jax.Array, config: ProjectConfig = DEFAULT_CONFIG
) -> Projection:
    """Project one proposal, shape (n,); under `vmap` it is one batched solve."""
    data = jax.tree.map(lambda x: x[None], _data(envelope, c))
    return jax.tree.map(lambda x: x[0], _solver(config)(data)[0])


def project_with_factors(
    envelope: Envelope, c: jax.Array, config: ProjectConfig = DEFAULT_CONFIG
) -> tuple[Projection, Factors]:
    """Project as `project_batch`, and return the working sets at the answers."""
    return _solver(config, with_factors=True)(_data(envelope, c))


def _data(envelope: Envelope, c: jax.Array) -> Data:
    """Return what the solver reads, cut off from any gradient."""
    data = {name: jnp.asarray(getattr(envelope, name)) for name in ARRAYS}
    return jax.lax.stop_gradient({**data, "c": jnp.asarray(c)})


def narrow(envelope: Envelope) -> Envelope:
    """Return a float64 numpy envelope in float32, bounds rounded inward."""
    lower = np.asarray(envelope.lower, dtype=np.float64)
    upper = np.asarray(envelope.upper, dtype=np.float64)
    low, high = lower.astype(np.float32), upper.astype(np.float32)
    low = np.where(low < lower, np.nextafter(low, np.float32(np.inf)), low)
    high = np.where(high > upper, np.nextafter(high, np.float32(-np.inf)), high)
    names = ("G", "h", "price", "scale", "held", "backup")
    single = {k: np.asarray(getattr(envelope, k), dtype=np.float32) for k in names}
    return dataclasses.replace(envelope, lower=low, upper=high, **single)


@functools.cache
def _solver(config: ProjectConfig, with_factors: bool = False) -> Any:
    """Return the solver; `vmap` around it merges its axis into the batch."""

    @jax.custom_batching.custom_vmap
    def solve(data: Data) -> Any:
        return _solve(data, config, with_factors)

    @solve.def_vmap
    def _(size: int, is_batched: Any, data: Data) -> Any:
        def merge(x: jax.Array, has_axis: bool) -> jax.Array:
            full = x if has_axis else jnp.broadcast_to(x[None], (size, *x.shape))
            return full.reshape(size * full.shape[1], *full.shape[2:])

        merged = jax.tree.map(merge, data, is_batched[0])
        found = solve(merged)
        apart = jax.tree.map(lambda x: x.reshape(size, -1, *x.shape[1:]), found)
        return apart, jax.tree.map(lambda _: True, apart)

    return solve


@functools.partial(jax.jit, static_argnums=(1, 2))
def _solve(
    data: Data, config: ProjectConfig, with_factors: bool
) -> tuple[Projection, Factors | None]:
    """Return the answers, in chunks where the batch is larger than one."""
    solve = functools.partial(_solve_rows, config=config, with_factors=with_factors)
    batch = data["c"].shape[0]
    if batch <= config.chunk:
        return solve(data)
    chunks = -(-batch // config.chunk)

    def split(x: jax.Array) -> jax.Array:
        copies = jnp.broadcast_to(x[:1], (chunks * config.chunk - batch, *x.shape[1:]))
        full = jnp.concatenate([x, copies])
        return full.reshape(chunks, config.chunk, *x.shape[1:])

    found = jax.lax.map(solve, jax.tree.map(split, data))
    return jax.tree.map(lambda x: x.reshape(-1, *x.shape[2:])[:batch], found)


def _solve_rows(
    data: Data, config: ProjectConfig, with_factors: bool
) -> tuple[Projection, Factors | None]:
    """Return the answers of one chunk, batch first."""
    last = {name: jnp.moveaxis(x, 0, -1) for name, x in data.items()}
    found, factors = solve_chunk(last, config.margin, config.step_limit)
    both = found, factors if with_factors else None
    return jax.tree.map(lambda x: jnp.moveaxis(x, -1, 0), both)

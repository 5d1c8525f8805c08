"""What the safety layer changed a proposal for, step by step in the program.

The same order as in a shadow report: a row of the envelope comes before a range or an
interlock, those before a ramp; among rows the one that moved the action most.
"""

from typing import Any, Final

import jax
import jax.numpy as jnp
import numpy as np

from coolbound_envs.limit_table import LIMIT_NAMES
from coolbound_envs.spec import CHANNEL_NAMES, CHANNELS, channel_array
from coolbound_safety.coordinates import to_coordinates
from coolbound_safety.rows import ROW_LIMITS
from coolbound_shadow.causes import HOTTEST, LIMIT_OF_BOUND

CLOSE: Final = 1e-4
"""A row is met exactly where less room than this is left. [1]"""

PUSHED: Final = 1e-5
"""A row that moved the action by less than this did not. [1]"""

_BOUNDS: Final = [LIMIT_OF_BOUND[name.partition("_hall")[0]] for name in CHANNEL_NAMES]

_NAMES: Final = (
    *(f"limit:{name}" for name in LIMIT_NAMES),
    *(f"limit:{name}" for name, _ in _BOUNDS),
    *(f"ramp:{name}" for _, name in _BOUNDS),
    "limit:nonlinear check",
    "fallback:old readings",
    "fallback:no certified answer",
)

CAUSES: Final = tuple(dict.fromkeys(_NAMES))
"""All causes, each as `kind:limit`."""


def _places(names: list[str]) -> jax.Array:
    return jnp.asarray([CAUSES.index(name) for name in names], jnp.int32)


def blame(info: dict[str, Any]) -> jax.Array:
    """Return the place in `CAUSES` of each lane's intervention, -1 for none, (B,).

    Args:
        info: Of a step of `coolbound_safety.shielded`, batch axis first.
    """
    code, is_found = _row(info)
    code = jnp.where(is_found, code, _bound(info))
    for condition, name in (
        (info["is_flagged"] > 0.5, "fallback:no certified answer"),
        (info["is_emergency"], f"limit:{HOTTEST}"),
        (info["is_blind"], "fallback:old readings"),
    ):
        code = jnp.where(condition, CAUSES.index(name), code)
    return jnp.where(info["intervention"] > 0.5, code, -1)


def _row(info: dict[str, Any]) -> tuple[jax.Array, jax.Array]:
    """Return the cause among the envelope's rows, and whether there is one."""
    envelope, asked = info["envelope"], info["asked"]
    answer = to_coordinates(info["certified"])

    def along(point: jax.Array) -> jax.Array:
        return jnp.einsum("bmn,bn->bm", envelope.G, point)

    push = along(asked - answer)
    is_met = envelope.h - along(answer) < CLOSE
    # The nonlinear check leads away from the rows: the one asked to give way most.
    searched = info["searched"][:, None]
    size = jnp.where(searched, along(asked) - envelope.h, jnp.where(is_met, push, 0.0))
    rows = _places([f"limit:{LIMIT_NAMES[i]}" for i in ROW_LIMITS])
    best = jnp.argmax(size, axis=1)
    is_found = jnp.max(size, axis=1) > PUSHED
    code = jnp.where(is_found, rows[best], CAUSES.index("limit:nonlinear check"))
    return code, is_found | info["searched"]


def _bound(info: dict[str, Any]) -> jax.Array:
    """Return the cause among ranges, interlocks and ramps."""
    low, high, band = (
        jnp.asarray(channel_array(name), jnp.float32)[None, :]
        for name in ("lower", "upper", "dead_band")
    )
    proposed, certified = info["proposed"], info["certified"]
    moved = jnp.abs(certified - proposed)
    share = moved / (high - low)
    # A request has no ramp: what bounds it inside its range is an interlock.
    is_request = np.asarray([channel.is_request for channel in CHANNELS])[None, :]
    outside = (proposed < low) | (proposed > high)
    is_range = (outside | is_request) & (moved > band)
    best_range = jnp.argmax(jnp.where(is_range, share, -1.0), axis=1)
    best_ramp = jnp.argmax(jnp.where(is_range, -1.0, share), axis=1)
    ranges = _places([f"limit:{name}" for name, _ in _BOUNDS])
    ramps = _places([f"ramp:{name}" for _, name in _BOUNDS])
    has_range = jnp.any(is_range, axis=1)
    return jnp.where(has_range, ranges[best_range], ramps[best_ramp])

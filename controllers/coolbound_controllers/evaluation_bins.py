"""Where the difference is made: sums by outdoor wet bulb and load.

Weather and load are the same for all contenders, so that a bin holds the same steps
of each of them.
"""

from typing import Any, Final

import jax
import jax.numpy as jnp
import numpy as np
from flax import struct

from coolbound_controllers.evaluation_account import CONSUMERS, Moment
from coolbound_envs.interval import CONTROL_INTERVAL
from coolbound_envs.limit_table import TOLERANCE

WET_BULBS: Final = (0.0, 5.0, 10.0, 15.0, 20.0, 25.0)
"""Edges between the rows of a table. [degC]"""

LOADS: Final = (0.5, 0.6, 0.7, 0.8, 0.9)
"""Edges between its columns, shares of the design power. [1]"""

_SHAPE: Final = (len(WET_BULBS) + 1, len(LOADS) + 1)


@struct.dataclass
class Bins:
    """Sums over all steps in a bin, (places, wet bulbs, loads). Dynamic.

    Attributes:
        steps: Control steps. [1]
        facility: Energy of everything that is metered. [kWh]
        cooling: Energy of all but the servers. [kWh]
        extra: Energy that the servers draw beyond an inlet of 21 degC. [kWh]
        it: Energy of the servers with their fans. [kWh]
        broken: Steps at which any limit was truly broken. [1]
        interventions: Steps at which the safety layer changed the proposal. [1]
    """

    steps: Any
    facility: Any
    cooling: Any
    extra: Any
    it: Any
    broken: Any
    interventions: Any


def fill_bins(moments: Moment) -> Bins:
    """Return the bins of some steps, which are the leading axis."""
    row, column = (
        jnp.searchsorted(jnp.asarray(edges, jnp.float32), values, "right")
        for edges, values in ((WET_BULBS, moments.wet_bulb), (LOADS, moments.load))
    )
    cell = row * _SHAPE[1] + column
    is_in = cell[..., None] == jnp.arange(_SHAPE[0] * _SHAPE[1])[None, None, :]
    weights = is_in.astype(jnp.float32)
    it = moments.power[..., CONSUMERS.index("it")]
    facility = jnp.sum(moments.power, axis=-1)
    kwh = CONTROL_INTERVAL / 3600.0 / 1e3
    broken = jnp.any(moments.limits > TOLERANCE, axis=-1).astype(jnp.float32)

    def total(values: jax.Array) -> jax.Array:
        sums = jnp.sum(weights * values[..., None], axis=0)
        return sums.reshape(*sums.shape[:-1], *_SHAPE)

    return Bins(
        steps=total(jnp.ones_like(it)),
        facility=total(kwh * facility),
        cooling=total(kwh * (facility - it)),
        extra=total(kwh * (it - moments.reference)),
        it=total(kwh * it),
        broken=total(broken),
        interventions=total(moments.intervention),
    )


def add_bins(before: Bins | None, more: Bins) -> Bins:
    """Return two tables as one."""
    if before is None:
        return more
    return jax.tree.map(lambda a, b: a + b, before, more)


def bin_table(bins: Bins, baseline: Bins) -> list[dict[str, Any]]:
    """Return the bins that hold anything, all places together.

    Each has `wet_bulb_c` and `load`, its edges (None for none), `hours` (of all
    places together), `cooling_21_kwh` of this controller and of the baseline,
    `percent`, how much less than the baseline's that is (None where the baseline
    uses none), and shares of steps with a broken limit or an intervention.

    Raises:
        ValueError: The two did not meet the same weather and load.
    """
    own, base = (_all_places(x) for x in (bins, baseline))
    if not np.array_equal(own.steps, base.steps):
        raise ValueError("bins: the two did not meet the same weather and load")
    return [
        _entry(own, base, int(row), int(column))
        for row, column in np.argwhere(own.steps > 0.0)
    ]


def _all_places(bins: Bins) -> Bins:
    return jax.tree.map(lambda x: np.sum(x, axis=0), bins)


def _entry(own: Bins, base: Bins, row: int, column: int) -> dict[str, Any]:
    at = (row, column)
    steps = float(own.steps[at])
    used, before = (float(x.cooling[at] + x.extra[at]) for x in (own, base))
    return {
        "wet_bulb_c": _edges(WET_BULBS, row),
        "load": _edges(LOADS, column),
        "hours": steps * CONTROL_INTERVAL / 3600.0,
        "cooling_21_kwh": used,
        "baseline_kwh": before,
        "percent": 100.0 * (before - used) / before if before > 0.0 else None,
        "broken_share": float(own.broken[at]) / steps,
        "intervention_share": float(own.interventions[at]) / steps,
    }


def _edges(edges: tuple[float, ...], place: int) -> list[float | None]:
    ends = (None, *edges, None)
    return [ends[place], ends[place + 1]]

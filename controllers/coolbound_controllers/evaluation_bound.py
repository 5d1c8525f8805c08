"""What the optimum at rest leaves of a comparison: the far end of the headroom.

The places of a comparison, hour by hour: weather and load of each hour are their mean
over its twelve intervals, on the true plant of the place. The optimum is that of
`coolbound_controllers.optimum`: it knows everything and waits for nothing, so that
nobody who has to run the plant can reach it.
"""

import dataclasses
import math
from collections.abc import Callable
from typing import Any, Final

import jax
import jax.numpy as jnp
import numpy as np

from coolbound_controllers.evaluation_account import REFERENCE_INLET
from coolbound_controllers.optimum import Freedom, Optimum, solve
from coolbound_envs.components import server_power
from coolbound_envs.cooling import acting_disturbance
from coolbound_envs.episode import TaskParams, TaskState
from coolbound_envs.faults import no_faults
from coolbound_envs.interval import CONTROL_INTERVAL
from coolbound_envs.params import PlantParams
from coolbound_envs.state import Disturbance
from coolbound_envs.variation import varied_plant

FREEDOM: Final = Freedom(20.0, 25.0)
"""Supply air that a policy may use, as far as it is worth looking at."""

MOST_HOURS: Final = 192
"""Hours of a place that are solved at most. [1]"""

_HOUR: Final = int(3600 / CONTROL_INTERVAL)


@dataclasses.dataclass(frozen=True)
class Bound:
    """The optimum at rest in every place. Static.

    Attributes:
        power: Mean cooling power of each place, as `cooling_power_21`, (places,). [W]
        hours: Hours that were solved in each place. [1]
        every: Hours from one of them to the next. [1]
        unsolved: Of them, those in which no set-points keep every limit, (places,). [1]
    """

    power: np.ndarray
    hours: int
    every: int
    unsolved: np.ndarray


def bound(
    state: TaskState,
    params: TaskParams,
    days: int,
    most: int = MOST_HOURS,
    progress: Callable[[int], None] | None = None,
) -> Bound:
    """Return the optimum at rest over the hours of a comparison.

    Args:
        state: Where everyone begins, places first.
        params: The task.
        days: How long. [1]
        most: Hours of a place that are solved at most. [1]
        progress: Called with the places done.
    """
    hours = spread_hours(24 * days, most)
    acting = hourly(state, params, hours)
    power, unsolved = [], []
    for i in range(state.steps.shape[0]):
        one = jax.tree.map(lambda x, i=i: x[..., i, :], acting)
        own = jax.tree.map(lambda x, i=i: x[i], state.variation)
        plant = varied_plant(params.plant, own)
        found = solve(one, plant, params.limits, FREEDOM)
        power.append(float(np.mean(cooling_21(found, one, plant))))
        unsolved.append(int(np.sum(np.asarray(found.violation) > 0.0)))
        if progress is not None:
            progress(i + 1)
    every = int(hours[1] - hours[0]) if len(hours) > 1 else 1
    return Bound(np.asarray(power), len(hours), every, np.asarray(unsolved))


def spread_hours(hours: int, most: int) -> np.ndarray:
    """Return evenly spaced hours, `most` at most, that meet all hours of the day.

    The spacing has no divisor in common with 24.
    """
    every = max(1, math.ceil(hours / most))
    while math.gcd(every, 24) > 1:
        every += 1
    return np.arange(0, hours, every)


def hourly(state: TaskState, params: TaskParams, hours: np.ndarray) -> Disturbance:
    """Return the mean weather and load of some hours, batch axes (places, hours).

    With the outdoor air and the load that faults and variation bring; the plant itself
    is taken as sound.
    """
    steps = (_HOUR * hours[:, None] + np.arange(_HOUR)[None, :]).ravel()

    def at(step: jax.Array) -> Disturbance:
        time = state.place.time + step * int(CONTROL_INTERVAL)
        place = dataclasses.replace(state.place, time=time)
        moved = dataclasses.replace(state, place=place, steps=state.steps + step)
        acting, _ = acting_disturbance(moved, params)
        return dataclasses.replace(acting, faults=no_faults(place.time.shape))

    each = jax.jit(jax.vmap(at, out_axes=-1))(jnp.asarray(steps, jnp.int32))
    return jax.tree.map(_hour_mean, each)


def _hour_mean(values: Any) -> jax.Array:
    return jnp.mean(values.reshape(*values.shape[:-1], -1, _HOUR), axis=-1)


def cooling_21(found: Optimum, acting: Disturbance, plant: PlantParams) -> np.ndarray:
    """Return cooling power with what warm inlets cost, (hours,) [W].

    Facility power less that of the same IT work with every inlet at 21 degC.
    """
    work = jnp.sum(acting.it_work, axis=0)
    inlet = jnp.full_like(work, REFERENCE_INLET)
    reference = server_power(work, inlet, plant.it)
    facility = np.asarray(found.state.facility_power, np.float64)
    return facility - np.asarray(reference, np.float64)

"""From what EnergyPlus did to the account that every evaluation keeps."""

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any, Final

import jax
import jax.numpy as jnp
import numpy as np

from coolbound.evaluation.blame import CAUSES
from coolbound.transfer.lanes import Lanes
from coolbound.transfer.runs import Watched
from coolbound_controllers.evaluation import DAY_STEPS, Trace
from coolbound_controllers.evaluation_account import (
    CONSUMERS,
    REFERENCE_INLET,
    Moment,
    add_up,
)
from coolbound_controllers.evaluation_bins import fill_bins
from coolbound_envs.accounts import REWARD_POWER
from coolbound_envs.components import server_power
from coolbound_envs.energyplus.observation import power_by_consumer, water_use
from coolbound_envs.energyplus.passage import Passage
from coolbound_envs.energyplus.site_sizes import sizes_of
from coolbound_envs.energyplus.sizes import Sizes
from coolbound_envs.energyplus.true_limits import true_limits
from coolbound_envs.limit_numbers import LimitValues
from coolbound_envs.limit_table import IDLE, LIMIT_NAMES
from coolbound_envs.limits import group_costs
from coolbound_envs.site import Site

OF_ACTUATORS: Final = (
    "CRAH_FAN",
    "SAT_BOX_RATE",
    "CHWS_BOX",
    "CHWS_SLEW",
    "CT_CWP_RATE",
)
"""Limits of our channels' ranges and ramps: EnergyPlus by itself has no channels."""


def trace_of(watched: Watched, lanes: Lanes, site: Site, limits: LimitValues) -> Trace:
    """Return the account of a run, by day and lane."""
    moment = moment_of(watched, lanes, site, limits)
    days = [
        add_up(jax.tree.map(lambda x, at=at: x[at], moment))
        for at in (
            slice(DAY_STEPS * day, DAY_STEPS * (day + 1)) for day in range(lanes.days)
        )
    ]
    joined = jax.tree.map(lambda *x: np.stack(x).astype(np.float64), *days)
    bins = jax.tree.map(lambda x: np.asarray(x, np.float64), fill_bins(moment))
    causes = () if watched.told is None else CAUSES
    return Trace(joined, bins, watched.seconds, causes)


def moment_of(
    watched: Watched, lanes: Lanes, site: Site, limits: LimitValues
) -> Moment:
    """Return every control step of a run, leading axes time and lanes."""
    sizes, work = sizes_of(site.plant), _number(lanes.column("it_work"))
    inlet = jnp.full_like(work, REFERENCE_INLET)
    power = _power(watched, sizes)
    values = _limits(watched, sizes, site, limits)
    reward = -(jnp.sum(power, axis=-1) - work) / REWARD_POWER
    return Moment(
        power=power,
        work=work,
        reference=server_power(work, inlet, site.plant.it),
        load=work / site.plant.it.design_power,
        wet_bulb=_number(lanes.column("wet_bulb")),
        water=_each(watched, lambda x: water_use(_readings(x))["make_up"]),
        inlet=_each(watched, lambda x: x.readings["inlet_max"]),
        limits=values,
        travel=_each(watched, lambda x: np.abs(np.diff(x.applied, axis=0))),
        started=_each(watched, _started),
        costs=jnp.moveaxis(group_costs(jnp.moveaxis(values, -1, 0)), 0, -1),
        reward=reward,
        tripped=_number(watched.tripped),
        diverged=jnp.zeros_like(work),
        **_decided(watched, values),
    )


def _number(values: Any) -> jax.Array:
    return jnp.asarray(np.asarray(values), jnp.float32)


def _each(watched: Watched, read: Callable[[Passage], Any]) -> jax.Array:
    """Return a quantity of every lane, lanes second."""
    return _number(np.stack([read(x) for x in watched.passages], axis=1))


def _readings(passage: Passage) -> Mapping[str, Any]:
    """Return the readings: what adds up a row adds up whole runs."""
    return passage.readings


def _power(watched: Watched, sizes: Sizes) -> jax.Array:
    def by_consumer(passage: Passage) -> np.ndarray:
        found = power_by_consumer(_readings(passage), sizes)
        return np.stack([np.asarray(found[name]) for name in CONSUMERS], axis=-1)

    return _each(watched, by_consumer)


def _limits(
    watched: Watched, sizes: Sizes, site: Site, limits: LimitValues
) -> jax.Array:
    """Return the true h, (T, lanes, 21); idle where no channel is commanded."""
    found = _each(watched, lambda x: true_limits(x, sizes, site.plant, limits))
    if watched.told is not None:
        return found
    is_ours = np.asarray([name in OF_ACTUATORS for name in LIMIT_NAMES])
    return jnp.where(is_ours[None, None, :], IDLE, found)


def _started(passage: Passage) -> np.ndarray:
    running = np.asarray(passage.machines.running_count)
    return np.maximum(np.diff(running), 0.0)


def _decided(watched: Watched, values: jax.Array) -> dict[str, jax.Array]:
    """Return what the safety layer did, nothing where there is none."""
    zero = jnp.zeros(values.shape[:2], jnp.float32)
    told = watched.told
    if told is None:
        names = ("intervention", "relaxed", "flagged", "refused", "correction")
        found = dict.fromkeys(names, zero)
        return found | {"proposed_limits": values, "blamed": zero[..., None][..., :0]}
    code = _number(told.blamed)[..., None]
    is_bare = bool(np.all(np.isnan(told.proposed_limits)))
    fields = {
        field.name: _number(getattr(told, field.name))
        for field in dataclasses.fields(told)
        if field.name not in ("action", "blamed", "proposed_limits")
    }
    numbers = jnp.arange(len(CAUSES), dtype=jnp.float32)[None, None, :]
    return fields | {
        "blamed": (code == numbers).astype(jnp.float32),
        "proposed_limits": values if is_bare else _number(told.proposed_limits),
    }

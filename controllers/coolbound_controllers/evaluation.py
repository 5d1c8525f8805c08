"""Paired evaluation: the same weather, load, noise and start for everyone.

Every controller meets the same places with the same keys, so that a difference
between two of them is the controllers' own.
"""

import dataclasses
import functools
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from coolbound_controllers.cooling_task import BatchedEnvironment
from coolbound_envs.interval import CONTROL_INTERVAL
from coolbound_envs.limit_table import LIMIT_NAMES, TOLERANCE
from coolbound_envs.soundness import require_sound
from coolbound_envs.types import Controller, Observation

CHUNK = 2016
"""Steps between two progress reports: a week. [1]"""


@dataclasses.dataclass(frozen=True)
class Contender:
    """One controller and the environment that it acts in. Static.

    Attributes:
        name: What tables call it.
        controller: The operator or policy.
        environment: The plant, or the plant behind the safety layer.
        params: The environment's parameters.
    """

    name: str
    controller: Controller
    environment: BatchedEnvironment
    params: Any


@dataclasses.dataclass(frozen=True)
class Trace:
    """What one controller did, step by step, in every place. Dynamic.

    Attributes:
        facility: Metered power, (steps, places). [W]
        cooling: Everything but servers, (steps, places). [W]
        it: Servers with their fans, (steps, places). [W]
        work: IT work at 20 degC inlet, (steps, places). [W]
        water: Make-up water of the towers, (steps, places). [kg/s]
        inlet: Hottest inlet, (steps, places). [degC]
        running: Chillers running, (steps, places). [1]
        after: True-state h of the limits, (steps, places, 21). [each limit's unit]
        before: h of the proposals, (steps, places, 21). [each limit's unit]
        intervention: 1 where the safety layer stepped in, (steps, places). [1]
        relaxed: 1 where a limit had to give way, (steps, places). [1]
    """

    facility: np.ndarray
    cooling: np.ndarray
    it: np.ndarray
    work: np.ndarray
    water: np.ndarray
    inlet: np.ndarray
    running: np.ndarray
    after: np.ndarray
    before: np.ndarray
    intervention: np.ndarray
    relaxed: np.ndarray


def run(
    contender: Contender,
    observation: Observation,
    state: Any,
    seed: int,
    steps: int,
    progress: Callable[[int], None] | None = None,
) -> Trace:
    """Return what a controller does from a given start.

    Args:
        contender: Controller and environment.
        observation: First observation, places first.
        state: The environment's state that belongs to it.
        seed: Of the instruments' noise; the same for all contenders.
        steps: Control steps. [1]
        progress: Called with the steps done.

    Raises:
        DivergenceError: The integration diverged.
    """
    memory = contender.controller.init(observation.time.shape)
    carry = (observation, state, memory)
    advance = jax.jit(functools.partial(_scan, contender))
    key, rows = jax.random.key(seed), []
    for begin in range(0, steps, CHUNK):
        count = min(CHUNK, steps - begin)
        numbers = jnp.arange(begin, begin + count)
        keys = jax.vmap(lambda n: jax.random.fold_in(key, n))(numbers)
        carry, row = advance(carry, keys)
        _require_sound(carry[1])
        rows.append(jax.tree.map(np.asarray, row))
        if progress is not None:
            progress(begin + count)
    joined = {k: np.concatenate([row[k] for row in rows]) for k in rows[0]}
    return Trace(**joined)


def _require_sound(state: Any) -> None:
    """Refuse to report on a plant that has left what is physical.

    Raises:
        DivergenceError: It has.
    """
    require_sound(getattr(state, "task", state))


def _scan(contender: Contender, carry: Any, keys: jax.Array) -> tuple[Any, Any]:
    def step(carry: Any, key: jax.Array) -> tuple[Any, dict[str, jax.Array]]:
        observation, state, memory = carry
        act_key, step_key = jax.random.split(key)
        action, memory = contender.controller.act(act_key, memory, observation)
        observation, state, _, _, _, info = contender.environment.step(
            step_key, state, action, contender.params
        )
        return (observation, state, memory), _row(info)

    return jax.lax.scan(step, carry, keys)


def _row(info: dict[str, Any]) -> dict[str, jax.Array]:
    mean = info["summary"].mean
    facility, servers = mean.facility_power, jnp.sum(mean.it_power, axis=0)
    zero = jnp.zeros_like(facility)
    return {
        "facility": facility,
        "cooling": mean.mechanical_power,
        "it": servers,
        "work": info["work"],
        "water": info["water"]["make_up"],
        "inlet": info["summary"].inlet_temp_max,
        "running": info["summary"].running,
        "after": info["limits"],
        "before": info.get("proposed_limits", info["limits"]),
        "intervention": info.get("intervention", zero),
        "relaxed": (info.get("slack", zero) > 1e-3).astype(jnp.float32),
    }


def figures(trace: Trace) -> dict[str, Any]:
    """Return the figures of one controller over all places and steps.

    Energies are totals over the places. `mlc` is mechanical energy over IT
    energy, `pue` facility over IT energy, `wue` litres of make-up water per kWh of
    IT.
    A violation is a step with h above the tolerance.
    """
    hours = CONTROL_INTERVAL / 3600.0
    it = trace.it.sum() * hours / 1e3
    facility = trace.facility.sum() * hours / 1e3
    cooling = trace.cooling.sum() * hours / 1e3
    water = trace.water.sum() * CONTROL_INTERVAL
    starts = np.maximum(np.diff(trace.running, axis=0), 0.0).sum()
    return {
        "total_energy_kwh": float(facility),
        "cooling_energy_kwh": float(cooling),
        "above_work_kw": float((trace.facility - trace.work).mean() / 1e3),
        "mlc": float(cooling / it),
        "pue": float(facility / it),
        "wue": float(water / it),
        "worst_inlet_c": float(trace.inlet.max()),
        "violations": violations(trace),
        "intervention_rate": float(trace.intervention.mean()),
        "relaxed_rate": float(trace.relaxed.mean()),
        "chiller_starts": round(float(starts)),
        "steps": int(trace.facility.size),
    }


def violations(trace: Trace) -> dict[str, dict[str, int]]:
    """Return the steps that violate each limit, before and after projection."""
    before, after = trace.before > TOLERANCE, trace.after > TOLERANCE
    return {
        name: {"before": int(before[..., i].sum()), "after": int(after[..., i].sum())}
        for i, name in enumerate(LIMIT_NAMES)
    }

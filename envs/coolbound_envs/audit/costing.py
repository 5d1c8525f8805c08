"""Do costs rise with every violation, without a step and without a ceiling?"""

import dataclasses
from typing import Any, Final

import jax.numpy as jnp
import numpy as np

from coolbound_envs.audit.lab import Lab, Step, normal_actions
from coolbound_envs.audit.records import Check, adjusted, judged, task_params
from coolbound_envs.limit_table import GROUPS, IDLE, LIMIT_NAMES, LIMITS
from coolbound_envs.spec import CHANNEL_NAMES

MACHINES: Final = CHANNEL_NAMES.index("chiller_demand")

COST_BOUND: Final = 1e-5
"""Relative: what float32 rounds in a sum of a few limits. [1]"""

REACH: Final = 1000.0
"""Largest violation that costs are probed at, over the limit's scale. [1]"""

# field of the limits' numbers: limit that it moves, change of h per unit of it
KNOBS: Final[dict[str, tuple[str, float]]] = {
    "inlet_max": ("CA_T_MAX", -1.0),
    "inlet_min": ("CA_T_MIN", 1.0),
    "inlet_change": ("CA_ROC", -1.0),
    "airflow_ratio": ("AIRFLOW_RATIO", 1.0),
    "flow_change": ("CHW_FLOW_ROC", -1.0),
    "pressure_min": ("CHW_DP_MIN", 1.0),
    "tower_water_min": ("ECWT_MIN", 1.0),
    "cw_entering_max": ("ECWT_CWRT_MAX", -1.0),
    "lift_min": ("LIFT_MIN", 1.0),
    "surge_base": ("SURGE_LINE", -1.0),
    "part_load_min": ("CAPACITY_N1_POWER", 1.0),
    "machine_timer": ("SHORT_CYCLE_MODE", 1.0 / 60.0),
}


def expected_costs(values: np.ndarray) -> np.ndarray:
    """Return the cost of each group, float64, (lanes, groups), from h (lanes, 21)."""
    columns = []
    for group in GROUPS:
        rows = [
            np.maximum(values[:, i].astype(np.float64) + limit.near, 0.0) / limit.scale
            for i, limit in enumerate(LIMITS)
            if limit.group == group
        ]
        columns.append(np.sum(rows, axis=0))
    return np.stack(columns, axis=-1)


def check_costs(lab: Lab) -> Check:
    """Move each limit through the plants' values and watch the cost of its group."""
    # A machine has started half an hour ago: one that stops now was not idle.
    states = {machines: _settled(lab, machines) for machines in (2.0, 3.0)}
    found = {}
    for field, (limit, _) in KNOBS.items():
        before = 3.0 if limit == "SHORT_CYCLE_MODE" else 2.0
        found[limit] = _probe(lab, states[before], field)
    unreached = [name for name, row in found.items() if row["reach"] <= 0.0]
    uneven = [n for n, row in found.items() if row["falls"] > 0 or row["jumps"] > 0]
    worst = max(row["error"] for row in found.values())
    sentence = (
        f"Costs of {len(found)} limits, driven to violations of about {REACH:,.0f} "
        f"times their scale, differ from their definition by at most {worst:.1e}; "
        + (
            f"not steadily rising: {', '.join(uneven)}"
            if uneven
            else "all rise steadily"
        )
        + (f"; could not be driven: {', '.join(unreached)}" if unreached else "")
        + "."
    )
    is_sound = not uneven and not unreached
    return judged("costs", worst, COST_BOUND, "1", sentence, found, is_sound)


def _settled(lab: Lab, machines: float) -> Any:
    """Return plants that have run for half an hour with so many machines asked for."""
    _, state = lab.reset(lab.quiet, 32)
    actions = normal_actions(lab.sizes.lanes)
    actions[:, MACHINES] = machines
    for number in range(6):
        state = lab.step(lab.quiet, state, actions, number).state
    return state


def _probe(lab: Lab, state: Any, field: str) -> dict[str, float]:
    """Return how the cost of one limit answers its number.

    `error` is relative to the definition, `falls` and `jumps` count pairs of
    neighbouring violations whose cost does not rise, or rises too far at once.
    """
    name, slope = KNOBS[field]
    row, spec = LIMIT_NAMES.index(name), LIMITS[LIMIT_NAMES.index(name)]
    actions = normal_actions(lab.sizes.lanes)
    first = lab.step(lab.quiet, state, actions, 50)
    h = np.asarray(first.info["limits"], np.float64)[:, row]
    if np.median(h) <= IDLE:
        return {"reach": 0.0, "error": 0.0, "falls": 0, "jumps": 0}
    base = float(getattr(task_params(lab.quiet).limits, field))
    swept = []
    for distance in _distances(lab.sizes.sweep, spec.near, spec.scale):
        number = base + (distance - float(np.median(h))) / slope
        params = _with_limit(lab.quiet, field, number)
        step = lab.step(params, state, actions, 50)
        swept.append(_costs_of(step, row, GROUPS.index(spec.group)))
    return _steadiness(np.asarray(swept), spec.near, spec.scale)


def _distances(count: int, near: float, scale: float) -> np.ndarray:
    """Return violations from well inside a limit to far beyond it."""
    inside = [-2.0 * near - scale, -near, -0.5 * near, 0.0]
    beyond = np.geomspace(1e-2, REACH, max(count - len(inside), 3)) * scale
    return np.concatenate([inside, beyond])


def _with_limit(params: Any, field: str, number: float) -> Any:
    limits = task_params(params).limits
    changed = dataclasses.replace(limits, **{field: jnp.asarray(number, jnp.float32)})
    return adjusted(params, limits=changed)


def _costs_of(step: Step, row: int, group: int) -> np.ndarray:
    """Return violation, cost and cost by definition of every lane, (3, lanes)."""
    values = np.asarray(step.info["limits"])
    cost = np.asarray(step.info["costs"], np.float64)[:, group]
    return np.stack([values[:, row], cost, expected_costs(values)[:, group]])


def _steadiness(swept: np.ndarray, near: float, scale: float) -> dict[str, float]:
    """Return error, falls, jumps and reach of a sweep (values, 3, lanes)."""
    h, cost, wanted = swept[:, 0], swept[:, 1], swept[:, 2]
    error = np.abs(cost - wanted) / np.maximum(np.abs(wanted), 1.0)
    error = np.where(np.isfinite(error), error, np.inf)
    apart = np.diff(h, axis=0)
    # What float32 cannot tell apart is no pair.
    is_pair = (apart > 1e-5 * np.maximum(np.abs(h[1:]), 1.0)) & (h[1:] > -near)
    rise = np.diff(cost, axis=0)
    enough = 0.01 * np.minimum(apart, h[1:] + near) / scale
    too_far = 2.0 * apart / scale + 1e-5 * np.maximum(np.abs(cost[1:]), 1.0)
    return {
        "error": float(error.max()),
        "falls": int(np.sum(is_pair & ~(rise > 0.5 * enough))),
        "jumps": int(np.sum(is_pair & ~(rise <= too_far))),
        "reach": float(np.median(h[-1])),
    }

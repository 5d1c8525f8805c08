"""An independent second check of a certified action, on the nonlinear plant.

The envelope's builder may be wrong: a sign, a missing row, a stale estimate. This
check knows nothing of envelope, estimator, rows or interlocks. It shares with them
the table and the numbers of the limits, and nothing else: from the instruments it
puts a plant together (`verify_plant`, `verify_record`), runs the simulator of
`coolbound_envs` 15 min ahead, and reads all 21 limits as the simulator does, without
any margin. Three lanes run side by side: the action, the backup that would replace
it, and the action in force.

The rule of the veto stands in `verify_rule`.
"""

import dataclasses
import time
from typing import Any, Final, final

import jax
import jax.numpy as jnp
import numpy as np

from coolbound_envs.interval import CONTROL_INTERVAL, SUBSTEPS, run_interval, substep
from coolbound_envs.limit_numbers import LimitValues
from coolbound_envs.limit_table import LIMIT_NAMES
from coolbound_envs.limits import Moment, limit_values
from coolbound_envs.params import PlantParams
from coolbound_envs.spec import ACTION_SIZE, HALLS, POINT_INDEX, ZONES
from coolbound_envs.state import Disturbance, PlantState
from coolbound_envs.towers import outdoor_air
from coolbound_envs.types import Action, Observation, action_from_vector
from coolbound_safety.verify_plant import rebuild
from coolbound_safety.verify_record import Record, empty_record, remember
from coolbound_safety.verify_rule import HOTTEST, Verification, conclude

AHEAD: Final = 3
"""Control intervals that are run: 15 min. [1]"""

SETTLING_STEPS: Final = 2
"""Steps of 30 s on the action in force, for what follows from the rest. [1]"""

STALE: Final = 600.0
"""A limit that needs a reading older than this is not checked. [s]"""


def _halls(*names: str) -> tuple[tuple[str, ...], ...]:
    return tuple((f"{name}_hall{h + 1}",) for name in names for h in range(HALLS))


def _zones(hall: int) -> tuple[str, ...]:
    return tuple(f"inlet_temp_hall{hall + 1}_zone{z + 1}" for z in range(ZONES))


_AIR = (
    *((f"it_power_hall{h + 1}", "chw_flow") for h in range(HALLS)),
    *((f"supply_air_temp_hall{h + 1}", *_zones(h)) for h in range(HALLS)),
    ("chw_supply_temp", "chw_return_temp"),
)
_MACHINES = (("chillers_running",), ("economizer_running",))
_WATER = (*_AIR, *_halls("crah_valve"), *_MACHINES)
_TOWER = (*_AIR, *_MACHINES, ("cw_supply_temp",), ("outdoor_wet_bulb",))
_INLETS = tuple((name,) for h in range(HALLS) for name in _zones(h))
NEEDED: Final[dict[str, tuple[tuple[str, ...], ...]]] = {
    "CA_T_MAX": _AIR,
    "CA_T_MIN": _AIR,
    "CA_ROC": (*_AIR, *_INLETS),
    "AIRFLOW_RATIO": _AIR,
    "DEWPOINT_MARGIN": (tuple(f"room_dew_point_hall{h + 1}" for h in range(HALLS)),),
    "EVAP_FLOW_MIN": _WATER,
    "EVAP_FLOW_MAX": _WATER,
    "CHW_FLOW_ROC": _WATER,
    "CHW_DP_MIN": _WATER,
    "ECWT_MIN": _TOWER,
    "ECWT_CWRT_MAX": _TOWER,
    "LIFT_MIN": _TOWER,
    "SURGE_LINE": _TOWER,
    "CW_FLOW_MIN": _MACHINES,
    "CAPACITY_N1_POWER": (*_AIR, *_MACHINES),
    "SHORT_CYCLE_MODE": _MACHINES,
}
"""Readings without which a limit is not checked, each with those that can stand in
for it; actuators need none."""


@final
class Verifier:
    """Runs the plant model ahead and judges; compiled once.

    Plant and limits are read when it is made: a later change needs a new one, so
    that nobody moves the limits of a running check.
    """

    def __init__(self, plant: PlantParams, limits: LimitValues) -> None:
        """Take over plant and limits.

        Args:
            plant: The nominal plant.
            limits: Numbers of the limits.
        """
        self._look = jax.jit(lambda record, seen: remember(record, seen, plant))
        self._ahead = jax.jit(
            lambda record, applied, lanes: _ahead(record, applied, lanes, plant, limits)
        )

    def remember(self, record: Record, observation: Observation) -> Record:
        """Return the record after one observation; call it once per decision."""
        return self._look(record, observation)

    def verify(
        self,
        record: Record,
        applied: np.ndarray,
        action: np.ndarray,
        backup: np.ndarray,
    ) -> Verification:
        """Return the check of one action.

        Args:
            record: With the observation of now.
            applied: The action in force, shape (10,). [each channel's unit]
            action: The certified action, shape (10,). [each channel's unit]
            backup: What would replace it, shape (10,). [each channel's unit]

        Raises:
            ValueError: An action has the wrong shape.
        """
        start = time.perf_counter()
        lanes = np.stack([_checked(x) for x in (action, backup, applied)])
        found = self._ahead(record, lanes[2], lanes)
        values, known = np.asarray(found[0], np.float64), np.asarray(found[1])
        return conclude(values, known, start)

    def warm_up(self) -> None:
        """Compile; one call of each function."""
        record = empty_record()
        middle = np.zeros(ACTION_SIZE, np.float32) + 1.0
        self.verify(record, middle, middle, middle)


def _checked(action: np.ndarray) -> np.ndarray:
    vector = np.asarray(action, np.float32)
    if vector.shape != (ACTION_SIZE,):
        raise ValueError(
            f"action: found shape {vector.shape}, expected ({ACTION_SIZE},); "
            "give one decision"
        )
    return vector


def _ahead(
    record: Record,
    applied: jax.Array,
    actions: jax.Array,
    plant: PlantParams,
    limits: LimitValues,
) -> tuple[jax.Array, jax.Array]:
    """Return h of every interval, limit and lane, (3, 21, lanes), and what is known.

    Args:
        record: With the observation of now.
        applied: The action in force, shape (10,). [each channel's unit]
        actions: What runs ahead, shape (lanes, 10). [each channel's unit]
        plant: The nominal plant.
        limits: Numbers of the limits.
    """
    last = action_from_vector(applied)
    state, disturbance = rebuild(record, last, plant)
    state, inlets = _settle(state, last, disturbance, plant)
    metered = record.inlets
    offset = metered[0] - inlets
    count = actions.shape[0]

    def wide(x: jax.Array) -> jax.Array:
        return jnp.broadcast_to(x[..., None], (*x.shape, count))

    values = _run(
        jax.tree.map(wide, state),
        jax.tree.map(wide, disturbance),
        action_from_vector(jnp.broadcast_to(applied[None], actions.shape)),
        action_from_vector(actions),
        # What was metered, as the model would have shown it.
        wide(metered - offset[None]),
        wide(metered[0]),
        plant,
        limits,
    )
    return _anchored(values, record, inlets), _known(record, limits)


def _settle(
    state: PlantState, last: Action, disturbance: Disturbance, plant: PlantParams
) -> tuple[PlantState, jax.Array]:
    """Return the state with its algebraic parts in agreement, and the inlets.

    Flows, lift, power and the towers' air follow from temperatures and positions
    within seconds; a short run on the action in force finds them, and everything
    that is metered stays as it was.
    """
    outdoor = outdoor_air(disturbance)
    moved, elapsed = state, jnp.zeros_like(state.basin_temp)
    interval = CONTROL_INTERVAL / SUBSTEPS
    inlets = state.server_temp
    for _ in range(SETTLING_STEPS):
        moved, flows = substep(
            moved, last, disturbance, outdoor, elapsed, interval, plant
        )
        inlets = flows.inlet_temp
    settled = dataclasses.replace(
        state,
        evaporator_flow=moved.evaporator_flow,
        chiller_power=moved.chiller_power,
        lift=moved.lift,
        air_capacity=moved.air_capacity,
    )
    return settled, inlets


def _run(
    state: PlantState,
    disturbance: Disturbance,
    last: Action,
    action: Action,
    inlets: jax.Array,
    metered: jax.Array,
    plant: PlantParams,
    limits: LimitValues,
) -> jax.Array:
    """Return h of three intervals with the action held, (3, 21, lanes)."""

    def interval(carry: Any, _: None) -> tuple[Any, jax.Array]:
        before, previous, history, newest = carry
        after, summary = run_interval(before, action, disturbance, plant)
        moment = Moment(
            summary=summary,
            before=before,
            after=after,
            inlet_before=history[-1],
            inlet_last=newest,
            action=action,
            previous=previous,
        )
        found = summary.mean.inlet_temp
        moved = jnp.concatenate([found[None], history[:-1]])
        return (after, action, moved, found), limit_values(moment, limits, plant)

    first = (state, last, inlets, metered)
    return jax.lax.scan(interval, first, None, length=AHEAD)[1]


def _anchored(values: jax.Array, record: Record, modelled: jax.Array) -> jax.Array:
    """Return h with inlets no better than metered: leaks are nobody's parameter.

    Inlets are metered as means of the interval; what the supply air has moved since
    it began is no leak.
    """
    metered = record.inlets[0]
    moved = jnp.max(jnp.abs(record.supply_change))
    hotter = jnp.max(metered) - jnp.max(modelled) - moved
    colder = jnp.min(modelled) - jnp.min(metered) - moved
    hot, cold = LIMIT_NAMES.index(HOTTEST), LIMIT_NAMES.index("CA_T_MIN")
    values = values.at[:, hot].add(jnp.maximum(jnp.nan_to_num(hotter), 0.0))
    return values.at[:, cold].add(jnp.maximum(jnp.nan_to_num(colder), 0.0))


def _known(record: Record, limits: LimitValues) -> jax.Array:
    """Return which limits the readings at hand can show, (21,)."""
    fresh = jnp.isfinite(record.value) & (record.age <= STALE)

    def is_seen(names: tuple[str, ...]) -> jax.Array:
        return jnp.any(jnp.stack([fresh[POINT_INDEX[name]] for name in names]))

    rows = [
        jnp.all(jnp.stack([jnp.asarray(True), *map(is_seen, NEEDED.get(name, ()))]))
        for name in LIMIT_NAMES
    ]
    timers = LIMIT_NAMES.index("SHORT_CYCLE_MODE")
    longest = jnp.maximum(limits.start_window, limits.economizer_timer)
    known = jnp.stack(rows)
    return known.at[timers].set(known[timers] & (record.watched >= longest))

"""What makes a task, and the whole state of a simulation."""

from typing import Any

import jax
import jax.numpy as jnp
from flax import struct

from coolbound_envs.fault_events import FaultSchedule
from coolbound_envs.fault_schedule import FaultPlan, no_fault_plan
from coolbound_envs.limit_numbers import LimitValues
from coolbound_envs.params import PlantParams
from coolbound_envs.scenario import Place, Scenario
from coolbound_envs.sensors import SensorParams, SensorState
from coolbound_envs.state import PlantState
from coolbound_envs.types import Action
from coolbound_envs.variation import Variation, VariationSpread


@struct.dataclass
class TaskParams:
    """Everything that makes one task. Dynamic.

    Attributes:
        plant: The nominal plant: what the site file says.
        limits: The limits' numbers.
        sensors: The instruments.
        scenario: Weather and load to draw from.
        horizon: Intervals in an episode. [1]
        faults: Which faults episodes get; none unless given.
        variation: How much the true plant differs from the nominal one from
            episode to episode; not at all unless given.
    """

    plant: PlantParams
    limits: LimitValues
    sensors: SensorParams
    scenario: Scenario
    horizon: jax.Array
    faults: FaultPlan = struct.field(default_factory=no_fault_plan)
    variation: VariationSpread = struct.field(default_factory=VariationSpread)


@struct.dataclass
class TaskState:
    """The whole simulation. Dynamic; no controller reads it.

    Attributes:
        plant: True state of the plant.
        readings: The last readings of the instruments.
        applied: The action of the interval before.
        inlet_history: Zone inlets, newest first, (3, halls, zones). [degC]
        place: Where in weather and load the episode stands.
        faults: Its faults.
        variation: What its plant has, over the nominal one.
        steps: Intervals since the episode began; negative before it. [1]
        refused: Actions refused since then. [1]
        stored: Heat in the plant when the episode began. [J]
    """

    plant: PlantState
    readings: SensorState
    applied: Action
    inlet_history: jax.Array
    place: Place
    faults: FaultSchedule
    variation: Variation
    steps: jax.Array
    refused: jax.Array
    stored: jax.Array


def select_lanes(ended: jax.Array, fresh: TaskState, kept: TaskState) -> TaskState:
    """Return a batch with the lanes that ended replaced by fresh ones.

    The state carries lanes on its last axis, but for the applied action, which
    stands in the border's layout, lanes first.

    Args:
        ended: True where a lane is replaced, shape (n,).
        fresh: States to take there.
        kept: States to keep elsewhere.
    """

    def lanes_last(new: jax.Array, old: jax.Array) -> jax.Array:
        return jnp.where(ended.reshape((1,) * (new.ndim - 1) + (-1,)), new, old)

    def lanes_first(new: jax.Array, old: jax.Array) -> jax.Array:
        return jnp.where(ended.reshape((-1,) + (1,) * (new.ndim - 1)), new, old)

    chosen: Any = jax.tree.map(
        lanes_last, _without_action(fresh), _without_action(kept)
    )
    applied = jax.tree.map(lanes_first, fresh.applied, kept.applied)
    return TaskState(**chosen, applied=applied)


def _without_action(state: TaskState) -> dict[str, Any]:
    return {
        name: getattr(state, name)
        for name in TaskState.__dataclass_fields__
        if name != "applied"
    }

"""`mpc`: a receding horizon on the differentiable plant, planned by its gradient.

Every decision reconstructs a state of the nominal plant from the observation
(`mpc_reconstruct`), improves the last plan by a few gradient steps through the plant
itself (`mpc_plan`) and asks for its first set-points. Which machines run, and every
set-point while they change, is left to a rule. The nominal plant learns nothing: what
the real one does differently is left to the guards, and to the safety layer behind.
"""

import dataclasses
from typing import Any, final

import jax
import jax.numpy as jnp
from flax import struct

from coolbound_controllers.g36 import G36, G36State, is_changing
from coolbound_controllers.mpc_plan import (
    PLANNED,
    Outlook,
    PlanSettings,
    feasible,
    improve,
    plan_cost,
    to_shares,
    to_vector,
)
from coolbound_controllers.mpc_reconstruct import (
    disturbance_now,
    inlets_of,
    reconstruct,
)
from coolbound_envs.limit_numbers import LimitValues
from coolbound_envs.params import PlantParams
from coolbound_envs.types import (
    Action,
    Key,
    Observation,
    action_from_vector,
    action_to_vector,
)


@struct.dataclass
class MpcState:
    """Memory of the controller. Dynamic.

    Attributes:
        plan: The last one, (H, ..., m); NaN before there is any. [1]
        sequences: Memory of the rule for the machines.
    """

    plan: jax.Array
    sequences: G36State


@final
@dataclasses.dataclass(frozen=True, eq=False)
class Mpc:
    """Gradient planning of set-points, a rule for machines. Static.

    Attributes:
        rule: Of machines and changes.
        plant: The nominal plant.
        limits: The limits' numbers.
        settings: How plans are made.
    """

    rule: G36
    plant: PlantParams
    limits: LimitValues
    settings: PlanSettings

    def init(self, params: Any = ()) -> MpcState:
        """Return the memory of a batch of shape `params`, () for one plant."""
        sequences = self.rule.init(params)
        shape = (self.settings.horizon, *sequences.reset.shape, PLANNED)
        return MpcState(jnp.full(shape, jnp.nan, jnp.float32), sequences)

    def act(
        self, key: Key, state: MpcState, observation: Observation
    ) -> tuple[Action, MpcState]:
        """Return the first set-points of the plan; the rule's while machines change."""
        action, sequences = self.rule.act(key, state.sequences, observation)
        ruled = action_to_vector(action)
        # Constants of the plant meet arrays of halls and zones, batch last.
        with jax.numpy_rank_promotion("allow"):
            outlook = self.outlook(observation, ruled[..., PLANNED:])
            plan, cost = self._plan(state.plan, outlook, ruled)
        planned = to_vector(plan[0], ruled[..., PLANNED:])
        is_ruled = is_changing(sequences, observation)
        # Where a reading has never arrived nothing can be planned.
        is_ruled = is_ruled | ~jnp.isfinite(cost)
        vector = jnp.where(is_ruled[..., None], ruled, planned)
        kept = jnp.where(is_ruled[None, ..., None], jnp.nan, plan)
        return action_from_vector(vector), MpcState(kept, sequences)

    def outlook(self, observation: Observation, requests: jax.Array) -> Outlook:
        """Return where a plan starts.

        Args:
            observation: What the instruments say.
            requests: Machines and economizer asked for, (..., 2). [mixed units]
        """
        acting = disturbance_now(observation, self.plant)
        return Outlook(
            state=reconstruct(observation, acting, self.plant),
            acting=acting,
            inlets=inlets_of(observation),
            requests=requests,
            in_force=to_shares(observation.applied),
        )

    def _plan(
        self, last: jax.Array, outlook: Outlook, ruled: jax.Array
    ) -> tuple[jax.Array, jax.Array]:
        """Return the plan improved from the cheapest of three, and what it costs.

        The three are the last plan, the rule's set-points, and holding.
        """
        repeat = (self.settings.horizon, *([1] * outlook.in_force.ndim))
        hold = jnp.tile(outlook.in_force[None], repeat)
        rule = jnp.tile(to_shares(ruled)[None], repeat)
        shifted = jnp.concatenate([last[1:], last[-1:]])
        shifted = jnp.where(jnp.isfinite(shifted), shifted, hold)
        plans = jnp.stack([hold, rule, shifted])
        plans = jax.lax.map(lambda plan: feasible(plan, outlook.in_force), plans)
        costs = jax.lax.map(lambda plan: self._cost(plan, outlook), plans)
        cheapest = jnp.argmin(costs, axis=0)[None, None, ..., None]
        begin = jnp.take_along_axis(plans, cheapest, axis=0)[0]
        return improve(begin, outlook, self.plant, self.limits, self.settings)

    def _cost(self, plan: jax.Array, outlook: Outlook) -> jax.Array:
        return plan_cost(plan, outlook, self.plant, self.limits, self.settings)


def plant_mpc(
    rule: G36,
    plant: PlantParams,
    limits: LimitValues,
    settings: PlanSettings | None = None,
) -> Mpc:
    """Return the controller of a nominal plant.

    Args:
        rule: Of machines and changes; it yields the water.
        plant: The nominal plant.
        limits: The limits' numbers.
        settings: How plans are made; the default's unless given.
    """
    chosen = PlanSettings() if settings is None else settings
    return Mpc(dataclasses.replace(rule, is_guest=True), plant, limits, chosen)

"""`mpc-arx`: a linear ARX model, a horizon, a quadratic cost, solved every step.

After Lazic et al., NeurIPS 2018 (plant reference 7.2): outputs are held at set-points,
effort is drawn to the cheap end of every input, box and rate limits bind the inputs
alone. What differs: a decision falls every 300 s (theirs: 30 s), the condenser side is
ours to move (theirs entered as a disturbance), the program is solved as the convex
one it is, and an offset that lasts is learned in place of the coefficients.

Two models, with chillers and in free cooling (`arx_plant`). Machines, economizer and
every set-point while either changes are those of a rule.
"""

import dataclasses
from typing import Any, Final, final

import jax
import jax.numpy as jnp
import numpy as np
from flax import struct

from coolbound_controllers.arx import ArxModel
from coolbound_controllers.arx_plant import (
    INPUTS,
    MODES,
    OUTPUTS,
    disturbances_of,
    mode_of,
    outputs_of,
)
from coolbound_controllers.g36 import G36, G36State, is_changing
from coolbound_controllers.g36_load import fan_speed
from coolbound_controllers.g36_plant import PUMP_LEAST
from coolbound_controllers.g36_reset import PRESSURE_MIN
from coolbound_controllers.mpc_condensed import (
    Aim,
    Condensed,
    Past,
    Weights,
    best_plan,
    condense,
    in_shares,
)
from coolbound_controllers.operator_settings import keep_ramps
from coolbound_envs.spec import CHANNELS, HALLS, channel_array
from coolbound_envs.types import (
    Action,
    Key,
    Observation,
    action_from_vector,
    action_to_vector,
)

LEARN: Final = 0.2
"""Share of each one-step error that the lasting offset takes up. [1]"""

_SIZE: Final = len(INPUTS)
_LOWER: Final = channel_array("lower")[:_SIZE]
_SPAN: Final = channel_array("upper")[:_SIZE] - _LOWER
_RAMP: Final = channel_array("ramp")[:_SIZE] / _SPAN


@dataclasses.dataclass(frozen=True)
class ArxMpcSettings:
    """What the plan pays, and for what. Static.

    Attributes:
        horizon: H, set-points ahead. [1]
        rounds: ADMM steps of every decision. [1]
        inlet: Set-point of each hall's hottest inlet. [degC]
        valve: Set-point of each hall's valve. [1]
        lift: Set-point of condenser return over chilled water, with chillers. [K]
        free_water: Set-point of the chilled water in free cooling. [degC]
        inlet_weight: q of inlets. [1/K]
        valve_weight: q of valves. [1]
        lift_weight: q of the lift. [1/K]
        water_weight: q of the chilled water in free cooling. [1/K]
        effort: c of air, fans, water, pressure, pump, tower. [1]
        change: w of every input. [1]
    """

    horizon: int = 9
    rounds: int = 100
    inlet: float = 24.7
    valve: float = 0.82
    lift: float = 13.0
    free_water: float = 14.5
    inlet_weight: float = 1.0
    valve_weight: float = 300.0
    lift_weight: float = 0.05
    water_weight: float = 0.1
    effort: tuple[float, ...] = (0.02, 8.0, 0.03, 0.4, 4.0, 0.3)
    change: float = 1.0


@struct.dataclass
class ArxMpcState:
    """Memory of the controller. Dynamic.

    Attributes:
        outputs: Last T, newest first, (..., T, n); NaN before there are any.
            [mixed units]
        inputs: In force before, newest first, (..., T, m). [1]
        disturbance: Last that were read, (..., d). [mixed units]
        predicted: What was expected of the outputs now, (..., n). [mixed units]
        bias: Of both models, measured over predicted, (..., n). [mixed units]
        sequences: Memory of the rule for the machines.
    """

    outputs: jax.Array
    inputs: jax.Array
    disturbance: jax.Array
    predicted: jax.Array
    bias: jax.Array
    sequences: G36State


@final
@dataclasses.dataclass(frozen=True, eq=False)
class ArxMpc:
    """Linear model-predictive control of set-points, a rule for machines. Static.

    Attributes:
        rule: Of machines and changes.
        plans: The condensed program of each mode.
        settings: What the plan pays.
    """

    rule: G36
    plans: tuple[Condensed, ...]
    settings: ArxMpcSettings

    def init(self, params: Any = ()) -> ArxMpcState:
        """Return the memory of a batch of shape `params`, () for one plant."""
        sequences = self.rule.init(params)
        shape, model = sequences.reset.shape, self.plans[0].model
        lags, n = model.outputs.shape[:2]
        size = model.disturbances.shape[1]

        def never(*tail: int) -> jax.Array:
            return jnp.full((*shape, *tail), jnp.nan, jnp.float32)

        return ArxMpcState(
            outputs=never(lags, n),
            inputs=never(lags, _SIZE),
            disturbance=never(size),
            predicted=never(n),
            bias=jnp.zeros((*shape, n), jnp.float32),
            sequences=sequences,
        )

    def act(
        self, key: Key, state: ArxMpcState, observation: Observation
    ) -> tuple[Action, ArxMpcState]:
        """Return the first set-points of the plan; the rule's while machines change."""
        action, sequences = self.rule.act(key, state.sequences, observation)
        state = dataclasses.replace(_remember(state, observation), sequences=sequences)
        mode = mode_of(observation)
        past = Past(state.outputs, state.inputs, state.disturbance, state.bias)
        first, predicted = self._plan(mode, past, state, observation)
        ruled = action_to_vector(action)
        planned = jnp.concatenate([first, ruled[..., _SIZE:]], axis=-1)
        is_ruled = is_changing(sequences, observation) | (mode < 0)
        is_ruled = is_ruled | ~jnp.all(jnp.isfinite(planned), axis=-1)
        # Nobody expects anything of a step that the rule has taken.
        expected = jnp.where(is_ruled[..., None], jnp.nan, predicted)
        moved = keep_ramps(planned, observation.applied)
        vector = jnp.where(is_ruled[..., None], ruled, moved)
        moved_state = dataclasses.replace(state, predicted=expected)
        return action_from_vector(vector), moved_state

    def _plan(
        self, mode: jax.Array, past: Past, state: ArxMpcState, observation: Observation
    ) -> tuple[jax.Array, jax.Array]:
        """Return the first set-points (..., m) and the outputs expected (..., n)."""
        answers = [
            best_plan(
                plan,
                past,
                self._aim(state, observation, number),
                self.settings.rounds,
            )
            for number, plan in enumerate(self.plans)
        ]
        is_free = (mode == MODES.index("free"))[..., None]
        shares = jnp.where(is_free, answers[1][0][..., 0, :], answers[0][0][..., 0, :])
        expected = jnp.where(is_free, answers[1][1], answers[0][1])
        lead = (1,) * (shares.ndim - 1) + (-1,)
        lower, span = (
            jnp.asarray(x, jnp.float32).reshape(lead) for x in (_LOWER, _SPAN)
        )
        return lower + shares * span, expected

    def _aim(self, state: ArxMpcState, observation: Observation, number: int) -> Aim:
        """Return set-points and ends; fans keep what the servers may draw next."""
        site, wanted = self.rule.settings, self.settings
        in_force = _shares(observation.applied)
        like = jnp.zeros_like(in_force[..., 0])
        lift = wanted.lift if number == 0 else wanted.free_water
        aims = (wanted.inlet,) * HALLS + (wanted.valve,) * HALLS + (lift,)
        target = jnp.stack([like + x for x in aims], axis=-1)
        air = fan_speed(state.sequences.load, site)
        pump = like + PUMP_LEAST
        coldest = like + site.chw_supply_min
        rest = [coldest, like + PRESSURE_MIN, pump, like + 0.2]
        supply = jnp.full_like(air, CHANNELS[0].lower)
        least = jnp.concatenate([supply, air, jnp.stack(rest, axis=-1)], axis=-1)
        low = jnp.clip(_shares(least), 0.0, 1.0)
        dear = jnp.asarray([1.0] * HALLS + [0.0] * HALLS + [1.0, 0.0, 0.0, 0.0])
        dear = dear.reshape((1,) * (low.ndim - 1) + (-1,))
        return Aim(
            target=target,
            cheap=jnp.maximum(dear, low),
            low=low,
            high=jnp.ones_like(low),
            ramp=jnp.asarray(_RAMP, jnp.float32),
            in_force=in_force,
        )


def _shares(vector: jax.Array) -> jax.Array:
    """Return set-points (..., m or more) as shares of their range, (..., m)."""
    lead = (1,) * (vector.ndim - 1) + (-1,)
    lower, span = (jnp.asarray(x, jnp.float32).reshape(lead) for x in (_LOWER, _SPAN))
    return (vector[..., :_SIZE] - lower) / span


def _remember(state: ArxMpcState, observation: Observation) -> ArxMpcState:
    """Return the memory with what was read; missing readings keep the last ones."""
    read = outputs_of(observation)
    now = jnp.where(jnp.isfinite(read), read, state.outputs[..., 0, :])
    outside = disturbances_of(observation)
    outside = jnp.where(jnp.isfinite(outside), outside, state.disturbance)
    error = now - state.predicted
    learned = state.bias + jnp.where(jnp.isfinite(error), LEARN * error, 0.0)
    in_force = _shares(observation.applied)
    return dataclasses.replace(
        state,
        outputs=_pushed(state.outputs, now),
        inputs=_pushed(state.inputs, in_force),
        disturbance=outside,
        bias=learned,
    )


def _pushed(history: jax.Array, now: jax.Array) -> jax.Array:
    """Return a history with its newest entry; at first it is all the same."""
    newest = now[..., None, :]
    moved = jnp.concatenate([newest, history[..., :-1, :]], axis=-2)
    return jnp.where(jnp.isfinite(moved), moved, newest)


def _weights(settings: ArxMpcSettings, number: int) -> Weights:
    """Return the weights of a mode: lift with chillers, chilled water without."""
    rows = np.zeros((2 * HALLS + 1, len(OUTPUTS)))
    rows[: 2 * HALLS, : 2 * HALLS] = np.eye(2 * HALLS)
    rows[-1, OUTPUTS.index("chw_supply")] = 1.0
    last = settings.water_weight
    if number == 0:
        rows[-1, OUTPUTS.index("cw_return")] = 1.0
        rows[-1, OUTPUTS.index("chw_supply")] = -1.0
        last = settings.lift_weight
    air, fans, *rest = settings.effort
    halls = (settings.inlet_weight,) * HALLS + (settings.valve_weight,) * HALLS
    return Weights(
        tracked=rows,
        tracking=np.asarray((*halls, last)),
        effort=np.asarray((air,) * HALLS + (fans,) * HALLS + tuple(rest)),
        change=np.full(_SIZE, settings.change),
    )


def arx_mpc(
    rule: G36,
    models: tuple[ArxModel, ...],
    settings: ArxMpcSettings | None = None,
) -> ArxMpc:
    """Return the controller of identified models, one for each of `MODES`.

    Args:
        rule: Of machines and changes; it yields the water.
        models: Inputs in physical units.
        settings: What plans pay; the default's unless given.
    """
    chosen = ArxMpcSettings() if settings is None else settings
    plans = tuple(
        condense(
            in_shares(model, _LOWER, _SPAN), _weights(chosen, number), chosen.horizon
        )
        for number, model in enumerate(models)
    )
    return ArxMpc(dataclasses.replace(rule, is_guest=True), plans, chosen)

"""From instruments to the estimate, robust to one wrong instrument per quantity.

Every quantity that matters is known in three ways that share no instrument, and the
middle one is believed: a reading that is stuck, biased or missing is outvoted. What
the nominal model gets wrong at the point where the plant runs is learned slowly as a
factor or an offset (the disturbance estimate of offset-free predictive control), so
that the rows of the envelope are right there whatever the true sizes are.
"""

import dataclasses
from typing import Final

import jax
import jax.numpy as jnp

from coolbound_envs.constants import AIR_HEAT
from coolbound_envs.spec import HALLS, ZONES
from coolbound_envs.types import Observation, Scalar, action_from_vector
from coolbound_safety.air_side import FOLLOW, AirSide, air_side
from coolbound_safety.alarm import Symptoms, raise_alarm
from coolbound_safety.estimate import Estimate
from coolbound_safety.estimator_state import EstimatorState
from coolbound_safety.learned import Learned, learn
from coolbound_safety.load_growth import possible_growth, remembered_rise
from coolbound_safety.margins import SafetyModel
from coolbound_safety.model import tower_predictions
from coolbound_safety.readings import (
    first_known,
    middle,
    oldest_of,
    usable,
    usable_halls,
)
from coolbound_safety.valves import watch_valves
from coolbound_safety.water_side import (
    carried_heat,
    chilled_water,
    given_off,
    tower_water,
)

INTERVAL: Final = 300.0
"""Control interval that rates here refer to. [s]"""

LEAST: Final = 0.75
"""A pull-up stores no more of the heat; what says so is an instrument. [1]"""

MOST: Final = 1.25
"""A pull-down adds no more to the heat. [1]"""

GROWTH: Final = {"inlet": 0.25, "load": 0.03, "dew_point": 0.25, "tower": 0.4}
"""What a missing quantity may change by in one interval. [mixed units]"""


def observe(
    state: EstimatorState,
    observation: Observation,
    model: SafetyModel,
    ramp_scale: Scalar | float = 1.0,
) -> tuple[Estimate, EstimatorState]:
    """Return the estimate of one observation and the memory after it, one lane.

    Args:
        state: What was remembered.
        observation: What the instruments say; its set-points in force are the
            previous applied action.
        model: Plant, limits and margins.
        ramp_scale: Length of the step over 300 s. [1]
    """
    power = _load(state, observation, model)
    air = air_side(
        observation,
        state.rise,
        state.rise_high,
        state.rise_low,
        state.hotter,
        state.colder,
        state.inlets[0],
    )
    water = chilled_water(observation, power, state.chw_supply, state.chw_return)
    counts = first_known(_counts(observation), state.counts)
    unseen = _unseen(state, observation, ramp_scale)
    now = _assemble(state, observation, power, air, water, counts, unseen)
    now = dataclasses.replace(now, cw_supply=_basin(state, now, observation, model))
    elapsed = INTERVAL * ramp_scale
    load_rise = remembered_rise(state.load_rise, power, state.it_power, elapsed)
    growth = possible_growth(load_rise, power, model.plant)
    now = dataclasses.replace(now, load_growth=growth)
    position = usable_halls(observation, "crah_valve")
    is_stuck, valves = watch_valves(state.valves, position, air.below, elapsed)
    now = dataclasses.replace(now, stuck_open=is_stuck.astype(jnp.float32))
    learned = learn(state.learned, now, observation, model)
    now = _with_learned(now, learned)
    symptoms = _symptoms(state, now, observation)
    is_emergency, alarm = raise_alarm(state.alarm, symptoms, model.limits, elapsed)
    now = dataclasses.replace(now, emergency=is_emergency.astype(jnp.float32))
    return now, EstimatorState(
        it_power=power,
        load_rise=load_rise,
        rise=air.rise,
        rise_high=air.rise_high,
        rise_low=air.rise_low,
        hotter=air.hotter,
        colder=air.colder,
        supply_excess=air.raw_excess,
        valves=valves,
        water_excess=water[2],
        inlets=jnp.stack([air.middle, state.inlets[0], state.inlets[1]]),
        room_dew_point=now.room_dew_point,
        chw_supply=now.chw_supply,
        chw_return=now.chw_return,
        cw_supply=now.cw_supply,
        wet_bulb=now.wet_bulb,
        heat=now.heat,
        chiller_power=now.chiller_power,
        mechanical_power=now.mechanical_power,
        counts=counts,
        unseen=unseen,
        learned=learned,
        alarm=alarm,
    )


def _load(
    state: EstimatorState, observation: Observation, model: SafetyModel
) -> jax.Array:
    """Return the servers' power per hall: own meter, site's meter, air's heat [kW]."""
    meter = usable_halls(observation, "it_power")
    total = usable(observation, "facility_power") - _mechanical(observation)
    others = total - jnp.sum(meter, axis=-1) + meter
    fans = usable_halls(observation, "crah_fan_power")
    difference = usable_halls(observation, "return_air_temp") - usable_halls(
        observation, "supply_air_temp"
    )
    speed = observation.applied[2 : 2 + HALLS]
    flow = model.plant.crah.air_flow / HALLS * speed * state.learned.air_factor
    by_air = flow * (AIR_HEAT / 1e3) * difference - fans
    return first_known(middle(meter, others, by_air), state.it_power)


def _mechanical(observation: Observation) -> Scalar:
    """Return the power of all but the servers, by their own meters [kW]."""
    names = ("chw_pump_power", "cw_pump_power", "tower_fan_power", "chiller_power")
    total = jnp.sum(usable_halls(observation, "crah_fan_power"), axis=-1)
    for name in names:
        total = total + usable(observation, name)
    return total


def _counts(observation: Observation) -> jax.Array:
    names = ("chillers_running", "chillers_starting", "economizer_running")
    return jnp.stack([usable(observation, name) for name in names])


def _unseen(
    state: EstimatorState, observation: Observation, ramp_scale: Scalar | float
) -> jax.Array:
    """Return how old the newest reading of each group is [s]."""
    halls = range(HALLS)
    zones = range(ZONES)
    groups = [
        *(
            oldest_of(
                observation,
                tuple(f"inlet_temp_hall{h + 1}_zone{z + 1}" for z in zones),
            )
            for h in halls
        ),
        *(
            oldest_of(observation, (f"it_power_hall{h + 1}", "facility_power"))
            for h in halls
        ),
        oldest_of(observation, tuple(f"room_dew_point_hall{h + 1}" for h in halls)),
        oldest_of(observation, ("cw_supply_temp", "cw_return_temp")),
        oldest_of(observation, ("outdoor_wet_bulb",)),
    ]
    found = jnp.stack(groups)
    older = jnp.minimum(found, state.unseen + INTERVAL * ramp_scale)
    # What no instrument has ever shown does not grow old: it is not observable.
    return jnp.where(_is_known(state) | jnp.isfinite(found), older, 0.0)


def _is_known(state: EstimatorState) -> jax.Array:
    """Return which groups have been seen before, in the order of `unseen`."""
    single = jnp.stack([state.room_dew_point, state.cw_supply, state.wet_bulb])
    return jnp.isfinite(jnp.concatenate([state.inlets[0], state.it_power, single]))


def _assemble(
    state: EstimatorState,
    observation: Observation,
    power: jax.Array,
    air: AirSide,
    water: tuple[Scalar, Scalar, Scalar],
    counts: jax.Array,
    unseen: jax.Array,
) -> Estimate:
    supply, returned, raw_excess = water
    carried = carried_heat(observation)
    heat = first_known(given_off(observation, power), carried, state.heat)
    mechanical = first_known(_mechanical(observation), state.mechanical_power)
    wet_bulb = first_known(usable(observation, "outdoor_wet_bulb"), state.wet_bulb)
    grown = unseen / INTERVAL
    learned = state.learned
    return Estimate(
        it_power=power,
        rise_max=air.hottest_rise,
        rise=air.rise,
        rise_min=air.coldest_rise,
        supply_air=air.supply,
        supply_excess=jnp.minimum(air.raw_excess, state.supply_excess),
        inlet_max=jnp.nanmax(air.middle + jnp.nanmax(air.hotter, axis=-1)),
        inlet_before=state.inlets[1],
        room_dew_point=_dew_point(state, observation),
        chw_supply=supply,
        chw_return=returned,
        chw_excess=jnp.minimum(raw_excess, state.water_excess),
        cw_supply=state.cw_supply,
        cw_before=state.cw_supply,
        wet_bulb=wet_bulb,
        chillers=counts[0] + counts[1],
        running=counts[0],
        economizer=counts[2],
        chiller_power=first_known(
            usable(observation, "chiller_power"), state.chiller_power
        ),
        mechanical_power=mechanical,
        heat=heat,
        carried=jnp.clip(first_known(carried, heat), LEAST * heat, MOST * heat),
        coil_factor=learned.coil_factor,
        air_factor=learned.air_factor,
        basin_offset=learned.basin_offset,
        rise_factor=learned.rise_factor,
        power_offset=learned.power_offset,
        inlet_spread=GROWTH["inlet"] * grown[:HALLS],
        load_spread=GROWTH["load"] * grown[HALLS : 2 * HALLS],
        load_growth=jnp.zeros((HALLS,), jnp.float32),
        dew_point_spread=GROWTH["dew_point"] * grown[2 * HALLS],
        tower_spread=GROWTH["tower"] * jnp.minimum(grown[2 * HALLS + 1], 5.0),
        stale=jnp.max(unseen[: 2 * HALLS]),
        stuck_open=jnp.zeros((HALLS,), jnp.float32),
        emergency=jnp.zeros((), jnp.float32),
    )


def _symptoms(
    state: EstimatorState, now: Estimate, observation: Observation
) -> Symptoms:
    return Symptoms(
        inlet_max=now.inlet_max,
        supply_air=now.supply_air,
        air_setpoint=observation.applied[:HALLS],
        chw_supply=now.chw_supply,
        water_setpoint=observation.applied[4],
        air_factor=now.air_factor,
        load=now.it_power,
        load_before=state.it_power,
        load_rise=state.load_rise,
        running=now.running,
        requested=observation.applied[8],
    )


def _basin(
    state: EstimatorState,
    now: Estimate,
    observation: Observation,
    model: SafetyModel,
) -> Scalar:
    """Return tower water; the model of what is in force has the third vote [degC]."""
    act = action_from_vector(observation.applied)
    tower = tower_predictions(
        act.tower_fan_speed, act.cw_pump_speed, now, model.plant, start=state.cw_supply
    )
    predicted = first_known(tower.soon, state.cw_supply)
    is_seen = jnp.isfinite(usable(observation, "cw_supply_temp")) | jnp.isfinite(
        usable(observation, "cw_return_temp")
    )
    found = tower_water(observation, now.carried, predicted)
    return jnp.where(is_seen, found, first_known(state.cw_supply, found))


def _dew_point(state: EstimatorState, observation: Observation) -> Scalar:
    halls = usable_halls(observation, "room_dew_point")
    highest = jnp.fmax(halls[0], halls[-1])
    last = state.room_dew_point
    followed = last + jnp.clip(highest - last, 0.0, FOLLOW)
    return first_known(middle(halls[0], halls[-1], followed), last)


def _with_learned(now: Estimate, learned: Learned) -> Estimate:
    return dataclasses.replace(
        now,
        coil_factor=learned.coil_factor,
        air_factor=learned.air_factor,
        basin_offset=learned.basin_offset,
        rise_factor=learned.rise_factor,
        power_offset=learned.power_offset,
    )

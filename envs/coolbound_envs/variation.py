"""Domain randomisation: every episode has a plant a little different.

The true plant is varied; whoever holds `TaskParams.plant` (the safety layer, a
model-based controller) keeps the nominal one, as on a real site. Each factor is
drawn once at reset, evenly within its half-width, and stays for the episode.
"""

import dataclasses
import math

import jax
import jax.numpy as jnp
from flax import struct

from coolbound_envs.params import (
    ChillerParams,
    ChwParams,
    CondenserParams,
    CrahParams,
    ItParams,
    PlantParams,
)
from coolbound_envs.tables import InputError
from coolbound_envs.types import Key

EFFECTIVENESS_MAX = 0.95
"""No exchanger is varied beyond this effectiveness. [1]"""


def _none() -> jax.Array:
    return jnp.zeros((), jnp.float32)


@struct.dataclass
class VariationSpread:
    """Half-widths of what episodes may have; 0 leaves a plant as it is. Dynamic.

    Relative to the nominal value, but for the last two.

    Attributes:
        chiller_efficiency: Carnot fraction of the machines. [1]
        chiller_capacity: Of each machine. [1]
        coil_conductance: CRAH coils. [1]
        tower_conductance: Merkel UA. [1]
        pump_efficiency: Chilled-water and condenser pumps. [1]
        fan_power: CRAH and tower fans. [1]
        server_airflow: Air that servers draw for their power. [1]
        recirculation: Hot air that leaks into the cold aisle. [1]
        leakage: Rise of server power with inlet temperature. [1]
        thermal_mass: Servers, air and structure. [1]
        economizer_effectiveness: Plate exchanger. [1]
        load: IT work; the site never exceeds its design power. [1]
        hall_split: Share of the IT work that moves between the halls. [1]
        outdoor_temp: Dry bulb at the same moisture. [K]
    """

    chiller_efficiency: jax.Array = struct.field(default_factory=_none)
    chiller_capacity: jax.Array = struct.field(default_factory=_none)
    coil_conductance: jax.Array = struct.field(default_factory=_none)
    tower_conductance: jax.Array = struct.field(default_factory=_none)
    pump_efficiency: jax.Array = struct.field(default_factory=_none)
    fan_power: jax.Array = struct.field(default_factory=_none)
    server_airflow: jax.Array = struct.field(default_factory=_none)
    recirculation: jax.Array = struct.field(default_factory=_none)
    leakage: jax.Array = struct.field(default_factory=_none)
    thermal_mass: jax.Array = struct.field(default_factory=_none)
    economizer_effectiveness: jax.Array = struct.field(default_factory=_none)
    load: jax.Array = struct.field(default_factory=_none)
    hall_split: jax.Array = struct.field(default_factory=_none)
    outdoor_temp: jax.Array = struct.field(default_factory=_none)


@struct.dataclass
class Variation:
    """What one episode's plant has, over the nominal one; (...,). Dynamic.

    Attributes:
        chiller_efficiency: Carnot fraction, factor. [1]
        chiller_capacity: Of each machine, factor. [1]
        coil_conductance: CRAH coils, factor. [1]
        tower_conductance: Merkel UA, factor. [1]
        pump_efficiency: Both pump groups, factor. [1]
        fan_power: CRAH and tower fans, factor. [1]
        server_airflow: Air that servers draw, factor. [1]
        recirculation: Hot air in the cold aisle, factor. [1]
        leakage: Rise of server power with inlet temperature, factor. [1]
        thermal_mass: Servers, air and structure, factor. [1]
        economizer_effectiveness: Plate exchanger, factor. [1]
        load: IT work, factor. [1]
        hall_split: Share of the IT work moved to the first hall. [1]
        outdoor_temp: Added to the dry bulb. [K]
    """

    chiller_efficiency: jax.Array
    chiller_capacity: jax.Array
    coil_conductance: jax.Array
    tower_conductance: jax.Array
    pump_efficiency: jax.Array
    fan_power: jax.Array
    server_airflow: jax.Array
    recirculation: jax.Array
    leakage: jax.Array
    thermal_mass: jax.Array
    economizer_effectiveness: jax.Array
    load: jax.Array
    hall_split: jax.Array
    outdoor_temp: jax.Array


NAMES = tuple(field.name for field in dataclasses.fields(Variation))
"""What can vary, in order."""

OFFSETS = {"hall_split", "outdoor_temp"}
"""Those that are added, not multiplied."""

WIDEST = {
    "pump_efficiency": 0.3,
    "economizer_effectiveness": 0.3,
    "hall_split": 0.3,
    "outdoor_temp": 10.0,
}
"""Widest half-widths that make sense; 0.5 for those not named. [mixed units]"""


def make_spread(**half_widths: float) -> VariationSpread:
    """Return the spread of some half-widths; what is not named does not vary.

    Args:
        **half_widths: By the names of `VariationSpread`, in their units.

    Raises:
        InputError: A name is unknown or a half-width impossible.
    """
    for name, width in half_widths.items():
        if name not in NAMES:
            raise InputError(
                f"variation: found {name!r}, expected one of {', '.join(NAMES)}; "
                "correct the name"
            )
        widest = WIDEST.get(name, 0.5)
        if not (math.isfinite(width) and 0.0 <= width <= widest):
            raise InputError(
                f"variation.{name}: found {width!r}, expected 0 to {widest:g}; "
                "correct it"
            )
    return VariationSpread(
        **{name: jnp.asarray(width, jnp.float32) for name, width in half_widths.items()}
    )


def draw_variation(
    key: Key, shape: tuple[int, ...], spread: VariationSpread
) -> Variation:
    """Return the variation of each episode of a batch: exactly none at spread 0.

    Args:
        key: Of the draw.
        shape: Batch.
        spread: Half-widths.
    """
    draws = jax.random.uniform(
        key, (len(NAMES), *shape), jnp.float32, minval=-1.0, maxval=1.0
    )
    return Variation(
        **{
            name: (0.0 if name in OFFSETS else 1.0) + getattr(spread, name) * draw
            for name, draw in zip(NAMES, draws, strict=True)
        }
    )


def no_variation(shape: tuple[int, ...] = ()) -> Variation:
    """Return the variation of nominal plants, for a batch of that shape."""
    return Variation(
        **{
            name: jnp.full(shape, 0.0 if name in OFFSETS else 1.0, jnp.float32)
            for name in NAMES
        }
    )


def varied_plant(params: PlantParams, variation: Variation) -> PlantParams:
    """Return the plant with its constants varied, leaves of the variation's shape."""
    return dataclasses.replace(
        params,
        it=_varied_it(params.it, variation),
        crah=_varied_crah(params.crah, variation),
        chw=_varied_chw(params.chw, variation),
        chiller=_varied_chiller(params.chiller, variation),
        condenser=_varied_condenser(params.condenser, variation),
    )


def _varied_it(it: ItParams, by: Variation) -> ItParams:
    return dataclasses.replace(
        it,
        # More air for the same power is a smaller rise.
        air_rise=it.air_rise / by.server_airflow,
        recirculation=it.recirculation * by.recirculation,
        leakage=it.leakage * by.leakage,
        server_capacity=it.server_capacity * by.thermal_mass,
        air_capacity=it.air_capacity * by.thermal_mass,
        structure_capacity=it.structure_capacity * by.thermal_mass,
    )


def _varied_crah(crah: CrahParams, by: Variation) -> CrahParams:
    return dataclasses.replace(
        crah,
        conductance=crah.conductance * by.coil_conductance,
        fan_power=crah.fan_power * by.fan_power,
    )


def _varied_chw(chw: ChwParams, by: Variation) -> ChwParams:
    return dataclasses.replace(
        chw, pump_efficiency=chw.pump_efficiency * by.pump_efficiency
    )


def _varied_chiller(chiller: ChillerParams, by: Variation) -> ChillerParams:
    return dataclasses.replace(
        chiller,
        capacity=chiller.capacity * by.chiller_capacity,
        efficiency=tuple(e * by.chiller_efficiency for e in chiller.efficiency),
    )


def _varied_condenser(condenser: CondenserParams, by: Variation) -> CondenserParams:
    nominal = condenser.economizer_effectiveness
    most = jnp.maximum(nominal, EFFECTIVENESS_MAX)
    return dataclasses.replace(
        condenser,
        pump_efficiency=condenser.pump_efficiency * by.pump_efficiency,
        fan_power=condenser.fan_power * by.fan_power,
        conductance=condenser.conductance * by.tower_conductance,
        economizer_effectiveness=jnp.minimum(
            nominal * by.economizer_effectiveness, most
        ),
    )

"""Moist air: saturation, humidity ratio, enthalpy, dew point and wet bulb.

Every function is pure, works elementwise on arrays of one shape (or scalars)
and keeps their dtype. Humidity is a share of saturation, 0 to 1. Saturation
stands over liquid water also below freezing, as in weather data, except in
`ashrae_saturation_pressure` and `wet_bulb`, which follow ASHRAE and
psychrolib: ice where it is frozen.
"""

import math
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax.typing import ArrayLike

from coolbound_envs.types import Scalar

STANDARD_PRESSURE = 101325.0
"""Standard atmosphere at sea level. [Pa]"""

MASS_RATIO = 0.622
"""Molar mass of water over that of dry air, rounded. [1]"""

ASHRAE_MASS_RATIO = 0.621945
"""The same as psychrolib has it, for the wet bulb. [1]"""

KELVIN = 273.15
"""Absolute temperature of 0 degC. [K]"""

TRIPLE_POINT = 0.01
"""Up to here saturation stands over ice. [degC]"""

BISECTIONS = 20
"""Halvings of dry bulb minus dew point: 60 K become 6e-5 K. [1]"""


class Phase(NamedTuple):
    """Constants of ASHRAE for water or for ice.

    Attributes:
        inverse: Of 1/T in the logarithm of saturation pressure. [K]
        powers: Of T, T^2, T^3 and T^4 in it, T in kelvin. [1/K]
        logarithm: Of ln T in it. [1]
        pressure: Saturation pressure at 0 degC. [Pa]
        latent: Heat of the phase change at 0 degC. [J/kg]
        slope: Its fall per degree of the bulb. [J/(kg K)]
        specific_heat: Heat capacity of the water or the ice. [J/(kg K)]
    """

    inverse: float
    powers: tuple[float, float, float, float]
    logarithm: float
    pressure: float
    latent: float
    slope: float
    specific_heat: float


def _pressure_at_zero(inverse: float, *others: float) -> float:
    constant, first, second, third, fourth, logarithm = others
    powers = first * KELVIN + second * KELVIN**2 + third * KELVIN**3
    powers += fourth * KELVIN**4
    return math.exp(inverse / KELVIN + constant + powers + logarithm * math.log(KELVIN))


_OVER_WATER = (
    -5.8002206e3,
    1.3914993,
    -4.8640239e-2,
    4.1764768e-5,
    -1.4452093e-8,
    0.0,
    6.5459673,
)
_OVER_ICE = (
    -5.6745359e3,
    6.3925247,
    -9.677843e-3,
    6.2215701e-7,
    2.0747825e-9,
    -9.484024e-13,
    4.1635019,
)


def _phase(over: tuple[float, ...], *balance: float) -> Phase:
    inverse, _, first, second, third, fourth, logarithm = over
    powers = (first, second, third, fourth)
    return Phase(inverse, powers, logarithm, _pressure_at_zero(*over), *balance)


WATER = _phase(_OVER_WATER, 2.501e6, 2326.0, 4186.0)
ICE = _phase(_OVER_ICE, 2.830e6, 240.0, 2100.0)
"""ASHRAE Fundamentals 2017, chapter 1, equations 5, 6, 33 and 35."""


def saturation_pressure(temperature: ArrayLike) -> Scalar:
    """Return the saturation pressure of vapour over liquid water [Pa].

    p_ws = 610.94 exp(17.625 T / (T + 243.04)), Alduchov and Eskridge (1996),
    within 0.4 % of psychrolib from 0 to 50 degC.

    Args:
        temperature: Surface of the water, also supercooled, -40 to 60. [degC]
    """
    temperature = jnp.asarray(temperature)
    return 610.94 * jnp.exp(17.625 * temperature / (temperature + 243.04))


def ashrae_saturation_pressure(temperature: ArrayLike) -> Scalar:
    """Return the saturation pressure, over ice up to 0.01 degC [Pa].

    ASHRAE Fundamentals 2017, chapter 1, equations 5 and 6 (Hyland and Wexler),
    as psychrolib has them.

    Args:
        temperature: Surface of the water or ice, -100 to 200. [degC]
    """
    temperature = jnp.asarray(temperature)
    return jnp.where(
        temperature <= TRIPLE_POINT,
        ICE.pressure * jnp.exp(_log_ratio(ICE, temperature)),
        WATER.pressure * jnp.exp(_log_ratio(WATER, temperature)),
    )


def _log_ratio(phase: Phase, temperature: Scalar) -> Scalar:
    """Return ln p(t) - ln p(0 degC) [1].

    Each term is taken as its difference from 0 degC: the sum then loses no
    digits in float32, and near freezing the wet bulb depends on the last ones.
    """
    kelvin, zero = temperature + KELVIN, KELVIN
    first, second, third, fourth = phase.powers
    powers = first + second * (kelvin + zero)
    powers += third * (kelvin * kelvin + kelvin * zero + zero * zero)
    powers += fourth * (kelvin + zero) * (kelvin * kelvin + zero * zero)
    return temperature * (
        powers - phase.inverse / (kelvin * zero)
    ) + phase.logarithm * jnp.log1p(temperature / zero)


def vapour_pressure(temperature: ArrayLike, relative_humidity: ArrayLike) -> Scalar:
    """Return the partial pressure of the vapour, humidity over water [Pa]."""
    return jnp.asarray(relative_humidity) * saturation_pressure(temperature)


def humidity_ratio(vapour: ArrayLike, pressure: ArrayLike) -> Scalar:
    """Return the water per dry air of a vapour pressure, both in [Pa] [kg/kg]."""
    vapour = jnp.asarray(vapour)
    return MASS_RATIO * vapour / (jnp.asarray(pressure) - vapour)


def enthalpy(temperature: ArrayLike, ratio: ArrayLike) -> Scalar:
    """Return the enthalpy of moist air per dry air, 0 at 0 degC dry [J/kg].

    h = 1006 T + w (2.501e6 + 1860 T), with w the humidity ratio.
    """
    temperature = jnp.asarray(temperature)
    return 1006.0 * temperature + ratio * (2.501e6 + 1860.0 * temperature)


def saturated_enthalpy(temperature: ArrayLike, pressure: ArrayLike) -> Scalar:
    """Return the enthalpy of air saturated over water [J/kg]."""
    ratio = humidity_ratio(saturation_pressure(temperature), pressure)
    return enthalpy(temperature, ratio)


def dew_point(temperature: ArrayLike, relative_humidity: ArrayLike) -> Scalar:
    """Return the dew point over water [degC].

    The exact inverse of `saturation_pressure`, humidity over water. Humidity
    below 0.1 % is read as 0.1 %: dry air has no dew point.
    """
    temperature = jnp.asarray(temperature)
    share = jnp.maximum(jnp.asarray(relative_humidity), 1e-3)
    gamma = jnp.log(share) + 17.625 * temperature / (temperature + 243.04)
    return 243.04 * gamma / (17.625 - gamma)


@jax.jit
def wet_bulb(
    temperature: ArrayLike, relative_humidity: ArrayLike, pressure: ArrayLike
) -> Scalar:
    """Return the thermodynamic wet bulb [degC].

    ASHRAE's balance of an adiabatically saturated bulb, water from 0 degC up and
    ice below, solved as psychrolib does: by halving the way from dew point to dry
    bulb. Within about 0.6 K of freezing both a wet and an icy bulb can balance;
    the halving then decides which, so it is the same here, step by step.

    Args:
        temperature: Dry bulb, -40 to 60. [degC]
        relative_humidity: Up to 0.01 degC over ice, as in psychrolib; below 0.1 %
            it is read as 0.1 %. [1]
        pressure: Of the air. [Pa]
    """
    temperature, share, pressure = jnp.broadcast_arrays(
        jnp.asarray(temperature), jnp.asarray(relative_humidity), jnp.asarray(pressure)
    )
    share = jnp.maximum(share, 1e-3)
    vapour = share * ashrae_saturation_pressure(temperature)
    ratio = ASHRAE_MASS_RATIO * vapour / (pressure - vapour)

    def halve(_: int, ends: tuple[Scalar, Scalar]) -> tuple[Scalar, Scalar]:
        low, high = ends
        middle = 0.5 * (low + high)
        is_above = _excess(middle, temperature, ratio, pressure) > 0.0
        return jnp.where(is_above, low, middle), jnp.where(is_above, middle, high)

    ends = (_frost_point(temperature, share), temperature)
    low, high = jax.lax.fori_loop(0, BISECTIONS, halve, ends)
    return jnp.minimum(
        _polished(0.5 * (low + high), temperature, ratio, pressure), temperature
    )


def _excess(
    bulb: Scalar, temperature: Scalar, ratio: Scalar, pressure: Scalar
) -> Scalar:
    """Return by how much a bulb's own humidity ratio exceeds the air's, scaled.

    (L - a t) w_s(t) - 1006 (T - t) - w (L + 1860 T - c t), in J/kg.
    """
    is_wet = bulb >= 0.0
    latent, slope, heat = (
        jnp.where(is_wet, of_water, of_ice)
        for of_water, of_ice in zip(WATER[4:], ICE[4:], strict=True)
    )
    saturation = ashrae_saturation_pressure(bulb)
    saturated = ASHRAE_MASS_RATIO * saturation / (pressure - saturation)
    taken_up = (latent - slope * bulb) * saturated - 1006.0 * (temperature - bulb)
    return taken_up - ratio * (latent + 1860.0 * temperature - heat * bulb)


def _polished(
    bulb: Scalar, temperature: Scalar, ratio: Scalar, pressure: Scalar
) -> Scalar:
    """Return the bulb after one Newton step, which also carries the gradient."""
    bulb = jax.lax.stop_gradient(bulb)

    def excess(at: Scalar) -> Scalar:
        return _excess(at, temperature, ratio, pressure)

    value, slope = jax.jvp(excess, (bulb,), (jnp.ones_like(bulb),))
    return bulb - value / slope


def _frost_point(temperature: Scalar, share: Scalar) -> Scalar:
    """Return the dew point of `ashrae_saturation_pressure` [degC]."""
    target = jnp.log(share * ashrae_saturation_pressure(temperature))

    def missing(point: Scalar) -> Scalar:
        return jnp.log(ashrae_saturation_pressure(point)) - target

    point = temperature
    for _ in range(6):
        value, slope = jax.jvp(missing, (point,), (jnp.ones_like(point),))
        point = point - value / slope
    return jax.lax.stop_gradient(jnp.minimum(point, temperature))


def humidity_as_psychrolib(
    temperature: ArrayLike, relative_humidity: ArrayLike
) -> Scalar:
    """Return the humidity that `wet_bulb` expects, from one over water [1].

    Weather data state humidity over water at any temperature; below freezing
    the same vapour is a larger share over ice, here at most saturation.
    """
    temperature, share = jnp.asarray(temperature), jnp.asarray(relative_humidity)
    vapour = share * saturation_pressure(temperature)
    over_ice = jnp.minimum(vapour / ashrae_saturation_pressure(temperature), 1.0)
    return jnp.where(temperature <= TRIPLE_POINT, over_ice, share)


def standard_pressure(elevation: ArrayLike) -> Scalar:
    """Return the pressure of the standard atmosphere [Pa].

    ASHRAE Fundamentals: 101325 (1 - 2.25577e-5 z)^5.2559.

    Args:
        elevation: Above sea level, -500 to 5000. [m]
    """
    return STANDARD_PRESSURE * (1.0 - 2.25577e-5 * jnp.asarray(elevation)) ** 5.2559

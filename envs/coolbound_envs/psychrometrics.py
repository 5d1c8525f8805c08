"""Moist air: saturation, humidity ratio, enthalpy, dew point and wet bulb.

Every function is pure, works elementwise on arrays of one shape (or scalars)
and keeps their dtype. Humidity is a share of saturation, 0 to 1. Saturation
stands over liquid water also below freezing, as in weather data, except in
`wet_bulb`, which follows ASHRAE and psychrolib: ice where it is frozen.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax.typing import ArrayLike

from coolbound_envs.types import Scalar

STANDARD_PRESSURE = 101325.0
"""Standard atmosphere at sea level. [Pa]"""

MASS_RATIO = 0.622
"""Molar mass of water over that of dry air. [1]"""

FREEZING = 0.01
"""Triple point of water. [degC]"""


class Phase(NamedTuple):
    """Constants of the psychrometric balance of a wet or an icy bulb.

    Attributes:
        magnus: Saturation pressure at 0 degC, factor and offset. [Pa, 1, degC]
        latent: Heat of the phase change at 0 degC. [J/kg]
        slope: Its fall per degree of the bulb. [J/(kg K)]
        specific_heat: Heat capacity of the water or the ice. [J/(kg K)]
    """

    magnus: tuple[float, float, float]
    latent: float
    slope: float
    specific_heat: float


WATER = Phase((610.94, 17.625, 243.04), 2.501e6, 2326.0, 4186.0)
ICE = Phase((611.21, 22.587, 273.86), 2.830e6, 240.0, 2100.0)
"""Magnus forms of Alduchov and Eskridge (1996); balance as in psychrolib."""


def saturation_pressure(temperature: ArrayLike, phase: Phase = WATER) -> Scalar:
    """Return the saturation pressure of water vapour [Pa].

    p_ws = 610.94 exp(17.625 T / (T + 243.04)) over water, within 0.4 % of
    psychrolib from 0 to 50 degC; over ice, within 0.5 % from -40 to 0 degC.

    Args:
        temperature: Surface of the water or ice, -40 to 60. [degC]
        phase: `WATER`, also for supercooled water, or `ICE`.
    """
    base, factor, offset = phase.magnus
    temperature = jnp.asarray(temperature)
    return base * jnp.exp(factor * temperature / (temperature + offset))


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
    _, factor, offset = WATER.magnus
    temperature = jnp.asarray(temperature)
    share = jnp.maximum(jnp.asarray(relative_humidity), 1e-3)
    gamma = jnp.log(share) + factor * temperature / (temperature + offset)
    return offset * gamma / (factor - gamma)


def wet_bulb(
    temperature: ArrayLike, relative_humidity: ArrayLike, pressure: ArrayLike
) -> Scalar:
    """Return the thermodynamic wet bulb [degC].

    Solves the ASHRAE balance of an adiabatically saturated bulb, within
    0.1 K of psychrolib from -20 to 45 degC, 5 to 100 % and 85 to 103 kPa. Below
    freezing the bulb is ice. Within 0.6 K of freezing both a wet and an icy bulb
    can balance: the wet one is returned, where psychrolib returns either.

    Args:
        temperature: Dry bulb, -40 to 50. [degC]
        relative_humidity: Below freezing over ice, as in psychrolib. [1]
        pressure: Of the air. [Pa]
    """
    temperature, share, pressure = jnp.broadcast_arrays(
        jnp.asarray(temperature), jnp.asarray(relative_humidity), jnp.asarray(pressure)
    )
    saturation = jnp.where(
        temperature < FREEZING,
        saturation_pressure(temperature, ICE),
        saturation_pressure(temperature),
    )
    ratio = humidity_ratio(share * saturation, pressure)
    guess = stull_wet_bulb(temperature, share)
    wet = _balance(WATER, temperature, ratio, pressure, guess)
    icy = _balance(ICE, temperature, ratio, pressure, guess)
    return jnp.minimum(jnp.where(wet >= 0.0, wet, jnp.minimum(icy, 0.0)), temperature)


def humidity_as_psychrolib(
    temperature: ArrayLike, relative_humidity: ArrayLike
) -> Scalar:
    """Return the humidity that `wet_bulb` expects, from one over water [1].

    Weather data state humidity over water at any temperature; below freezing
    the same vapour is a larger share over ice, here at most saturation.
    """
    temperature, share = jnp.asarray(temperature), jnp.asarray(relative_humidity)
    water, ice = (saturation_pressure(temperature, p) for p in (WATER, ICE))
    over_ice = jnp.minimum(share * water / ice, 1.0)
    return jnp.where(temperature < FREEZING, over_ice, share)


def stull_wet_bulb(temperature: ArrayLike, relative_humidity: ArrayLike) -> Scalar:
    """Return an estimate of the wet bulb at sea level [degC].

    Stull (2011), -1 to +0.65 K for 5 to 99 % and -20 to 50 degC; not for air
    that is both cold and dry.
    """
    temperature = jnp.asarray(temperature)
    percent = 100.0 * jnp.asarray(relative_humidity)
    return (
        temperature * jnp.arctan(0.151977 * jnp.sqrt(percent + 8.313659))
        + jnp.arctan(temperature + percent)
        - jnp.arctan(percent - 1.676331)
        + 0.00391838 * percent**1.5 * jnp.arctan(0.023101 * percent)
        - 4.686035
    )


def standard_pressure(elevation: ArrayLike) -> Scalar:
    """Return the pressure of the standard atmosphere [Pa].

    ASHRAE Fundamentals: 101325 (1 - 2.25577e-5 z)^5.2559.

    Args:
        elevation: Above sea level, -500 to 5000. [m]
    """
    return STANDARD_PRESSURE * (1.0 - 2.25577e-5 * jnp.asarray(elevation)) ** 5.2559


def _balance(
    phase: Phase, temperature: Scalar, ratio: Scalar, pressure: Scalar, guess: Scalar
) -> Scalar:
    """Return the bulb temperature at which heat and vapour balance [degC].

    (L - a t) w_s(t) - 1006 (T - t) = w (L + 1860 T - c t), by four Newton steps.
    """

    def residual(bulb: Scalar) -> Scalar:
        saturated = humidity_ratio(saturation_pressure(bulb, phase), pressure)
        taken_up = (phase.latent - phase.slope * bulb) * saturated
        held = phase.latent + 1860.0 * temperature - phase.specific_heat * bulb
        return taken_up - 1006.0 * (temperature - bulb) - ratio * held

    bulb = guess
    for _ in range(4):
        value, slope = jax.jvp(residual, (bulb,), (jnp.ones_like(bulb),))
        bulb = bulb - value / slope
    return bulb

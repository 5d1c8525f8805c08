"""Moist air agrees with psychrolib, the reference implementation of ASHRAE."""

import jax
import jax.numpy as jnp
import numpy as np
import psychrolib
import pytest

from coolbound_envs import psychrometrics

psychrolib.SetUnitSystem(psychrolib.SI)

TEMPERATURES = np.linspace(-20.0, 45.0, 27)
HUMIDITIES = np.array([0.05, 0.1, 0.2, 0.35, 0.5, 0.65, 0.8, 0.9, 1.0])
PRESSURES = np.array([85e3, 94e3, 101325.0, 103e3])
GRID = np.stack(
    [a.ravel() for a in np.meshgrid(TEMPERATURES, HUMIDITIES, PRESSURES)], axis=-1
)


def single(values: np.ndarray) -> jax.Array:
    return jnp.asarray(values, jnp.float32)


def wet_bulbs() -> np.ndarray:
    found = psychrometrics.wet_bulb(*(single(GRID[:, i]) for i in range(3)))
    assert found.dtype == jnp.float32
    return np.asarray(found, np.float64)


def test_wet_bulb_agrees_with_psychrolib_within_a_tenth_of_a_kelvin() -> None:
    expected = np.array([psychrolib.GetTWetBulbFromRelHum(*row) for row in GRID])
    two_roots = np.abs(expected) < 0.6
    difference = np.abs(wet_bulbs() - expected)
    assert np.max(difference[~two_roots]) < 0.1
    assert np.max(difference[two_roots]) < 1.0


def test_wet_bulb_balances_also_where_the_bulb_may_be_wet_or_icy() -> None:
    """psychrolib's own balance, with the answer put in, gives the humidity back."""
    pairs = zip(GRID, wet_bulbs(), strict=True)
    near = [(row, bulb) for row, bulb in pairs if abs(bulb) < 1.0 < row[0]]
    assert len(near) > 10
    for (temperature, share, pressure), bulb in near:
        ratio = psychrolib.GetHumRatioFromRelHum(temperature, share, pressure)
        at_bulb = psychrolib.GetHumRatioFromTWetBulb(temperature, bulb, pressure)
        assert at_bulb == pytest.approx(ratio, abs=5e-5)


def test_wet_bulb_never_exceeds_the_dry_bulb_and_meets_it_at_saturation() -> None:
    bulbs = wet_bulbs()
    assert np.all(bulbs <= GRID[:, 0] + 1e-5)
    saturated = GRID[:, 1] == 1.0
    np.testing.assert_allclose(bulbs[saturated], GRID[saturated, 0], atol=0.05)


def test_saturation_pressure_agrees_with_psychrolib_over_water_and_ice() -> None:
    warm, cold = np.linspace(0.5, 50.0, 100), np.linspace(-40.0, -0.5, 80)
    for temperatures, phase, bound in [
        (warm, psychrometrics.WATER, 4e-3),
        (cold, psychrometrics.ICE, 5e-3),
    ]:
        expected = [psychrolib.GetSatVapPres(t) for t in temperatures]
        found = psychrometrics.saturation_pressure(single(temperatures), phase)
        np.testing.assert_allclose(found, expected, rtol=bound)


def test_humidity_ratio_and_enthalpy_agree_with_psychrolib() -> None:
    warm = GRID[GRID[:, 0] > 0.5]
    temperature, share, pressure = (single(warm[:, i]) for i in range(3))
    vapour = psychrometrics.vapour_pressure(temperature, share)
    ratio = psychrometrics.humidity_ratio(vapour, pressure)
    heat = psychrometrics.enthalpy(temperature, ratio)
    expected = [psychrolib.GetHumRatioFromRelHum(*row) for row in warm]
    np.testing.assert_allclose(ratio, expected, rtol=5e-3)
    reference = [
        psychrolib.GetMoistAirEnthalpy(row[0], w)
        for row, w in zip(warm, expected, strict=True)
    ]
    np.testing.assert_allclose(heat, reference, rtol=5e-3, atol=50.0)


def test_saturated_enthalpy_agrees_with_psychrolib() -> None:
    temperatures = np.linspace(0.5, 40.0, 50)
    expected = [psychrolib.GetSatAirEnthalpy(t, 95e3) for t in temperatures]
    found = psychrometrics.saturated_enthalpy(single(temperatures), 95e3)
    np.testing.assert_allclose(found, expected, rtol=5e-3)


def test_dew_point_agrees_with_psychrolib_and_inverts_the_saturation() -> None:
    rows = [(t, h) for t in np.linspace(5.0, 45.0, 9) for h in (0.4, 0.6, 0.8, 1.0)]
    rows = [row for row in rows if psychrolib.GetTDewPointFromRelHum(*row) > 0.1]
    expected = [psychrolib.GetTDewPointFromRelHum(*row) for row in rows]
    temperature, share = single(np.array(rows)[:, 0]), single(np.array(rows)[:, 1])
    found = psychrometrics.dew_point(temperature, share)
    np.testing.assert_allclose(found, expected, atol=0.1)
    np.testing.assert_allclose(
        psychrometrics.saturation_pressure(found),
        psychrometrics.vapour_pressure(temperature, share),
        rtol=1e-5,
    )


def test_stull_gives_the_value_of_the_paper() -> None:
    np.testing.assert_allclose(
        psychrometrics.stull_wet_bulb(20.0, 0.5), 13.7, atol=0.05
    )


def test_standard_pressure_agrees_with_psychrolib() -> None:
    elevations = np.linspace(0.0, 3000.0, 7)
    expected = [psychrolib.GetStandardAtmPressure(z) for z in elevations]
    found = psychrometrics.standard_pressure(single(elevations))
    np.testing.assert_allclose(found, expected, rtol=1e-5)


def test_functions_keep_shape_and_batch_under_vmap_and_jit() -> None:
    temperature = jnp.linspace(-5.0, 35.0, 12).reshape(3, 4)
    share, pressure = jnp.full((3, 4), 0.5), jnp.full((3, 4), 101325.0)
    direct = psychrometrics.wet_bulb(temperature, share, pressure)
    mapped = jax.jit(jax.vmap(psychrometrics.wet_bulb))(temperature, share, pressure)
    assert direct.shape == (3, 4)
    np.testing.assert_allclose(direct, mapped, atol=1e-4)

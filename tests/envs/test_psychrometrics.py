"""Moist air agrees with psychrolib, the reference implementation of ASHRAE."""

import jax
import jax.numpy as jnp
import numpy as np
import psychrolib
import pytest

from coolbound_envs import psychrometrics

psychrolib.SetUnitSystem(psychrolib.SI)

TEMPERATURES = np.linspace(-20.0, 45.0, 66)
HUMIDITIES = np.array([0.02, 0.05, 0.1, 0.2, 0.35, 0.5, 0.65, 0.8, 0.9, 0.97, 1.0])
PRESSURES = np.array([85e3, 94e3, 101325.0, 103e3])
GRID = np.stack(
    [a.ravel() for a in np.meshgrid(TEMPERATURES, HUMIDITIES, PRESSURES)], axis=-1
)


def single(values: np.ndarray) -> jax.Array:
    return jnp.asarray(values, jnp.float32)


def wet_bulbs(rows: np.ndarray = GRID) -> np.ndarray:
    found = psychrometrics.wet_bulb(*(single(rows[:, i]) for i in range(3)))
    assert found.dtype == jnp.float32
    return np.asarray(found, np.float64)


def of_psychrolib(rows: np.ndarray) -> np.ndarray:
    return np.array([psychrolib.GetTWetBulbFromRelHum(*row) for row in rows])


def test_wet_bulb_agrees_with_psychrolib_within_a_hundredth_of_a_kelvin() -> None:
    """psychrolib itself stops at 0.001 K."""
    difference = np.abs(wet_bulbs() - of_psychrolib(GRID))
    assert np.max(difference) < 0.01


def near_freezing(count: int) -> np.ndarray:
    """Return air whose wet bulb stands within 0.9 K of freezing, as float32."""
    draw = np.random.default_rng(0)
    dry, pressure = draw.uniform(0.0, 20.0, count), draw.uniform(85e3, 103e3, count)
    bulb = np.minimum(draw.uniform(-0.9, 0.9, count), dry)
    pairs = zip(dry, bulb, pressure, strict=True)
    share = [psychrolib.GetRelHumFromTWetBulb(*pair) for pair in pairs]
    rows = np.stack([dry, np.clip(share, 0.002, 1.0), pressure], axis=-1)
    return rows.astype(np.float32).astype(np.float64)


def test_wet_bulb_takes_psychrolibs_choice_where_water_and_ice_both_balance() -> None:
    rows = near_freezing(20_000)
    expected = of_psychrolib(rows)
    assert np.max(np.abs(wet_bulbs(rows) - expected)) < 0.01
    # The sample means something: the other choice is often far away.
    dry, _, pressure = rows.T
    ratio = np.array([psychrolib.GetHumRatioFromRelHum(*row) for row in rows])
    frozen = np.minimum(-0.3, dry)
    at_ice = [
        psychrolib.GetHumRatioFromTWetBulb(*point)
        for point in zip(dry, frozen, pressure, strict=True)
    ]
    has_icy_root = np.array(at_ice) > ratio
    assert np.sum((expected > 0.05) & has_icy_root) > 100


def test_wet_bulb_has_the_slope_of_the_reference() -> None:
    def bulb(temperature: jax.Array) -> jax.Array:
        return psychrometrics.wet_bulb(temperature, jnp.float32(0.4), jnp.float32(1e5))

    for temperature in (-12.0, 18.0, 30.0):
        ends = np.array([temperature + 0.5, temperature - 0.5])
        rows = np.stack([ends, np.full(2, 0.4), np.full(2, 1e5)], axis=-1)
        warm, cold = of_psychrolib(rows)
        slope = jax.grad(bulb)(jnp.float32(temperature))
        assert float(slope) == pytest.approx(warm - cold, abs=0.005)


def test_wet_bulb_never_exceeds_the_dry_bulb_and_meets_it_at_saturation() -> None:
    bulbs = wet_bulbs()
    assert np.all(bulbs <= GRID[:, 0] + 1e-5)
    saturated = GRID[:, 1] == 1.0
    np.testing.assert_allclose(bulbs[saturated], GRID[saturated, 0], atol=0.05)


def test_saturation_pressure_agrees_with_psychrolib() -> None:
    warm = np.linspace(0.5, 50.0, 100)
    expected = [psychrolib.GetSatVapPres(t) for t in warm]
    found = psychrometrics.saturation_pressure(single(warm))
    np.testing.assert_allclose(found, expected, rtol=4e-3)


def test_ashrae_saturation_pressure_is_psychrolibs_over_water_and_ice() -> None:
    both = np.linspace(-60.0, 60.0, 481).astype(np.float32)
    expected = [psychrolib.GetSatVapPres(float(t)) for t in both]
    found = psychrometrics.ashrae_saturation_pressure(single(both))
    np.testing.assert_allclose(found, expected, rtol=3e-6)


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

"""Component equations agree with independent evaluations and published models."""

import dataclasses

import jax.numpy as jnp
import numpy as np
import pytest
from made_plants import scalar, site
from raw_chillers import cop_by_hand

from coolbound_envs import components
from coolbound_envs.constants import WATER_HEAT

# Trane CVHF 2317 kW VSD, EIR form: plant reference 1.5 (b).
CAPFT = (
    0.7277716, 0.01018101, -0.0006282438, 0.01337701, -0.0005050352, 0.001527259,
)  # fmt: skip
EIRFT = (
    0.350233, -0.0230151, 0.0005749596, 0.01902421, 0.0003109974, -0.0004714517,
)  # fmt: skip
EIRFPLR = (0.09861441, 0.5297727, 0.3707229)
COP_REFERENCE, CAPACITY, CONDENSER_FLOW = 6.33, 2317.0e3, 113.56

# YorkCalc, [LBL] yorkCalc.mo: wet bulb fastest, then range, then L/G.
YORK = np.array([
    -0.359741205, -0.055053608, 0.0023850432, 0.173926877, -0.0248473764,
    0.00048430224, -0.005589849456, 0.0005770079712, -0.00001342427256,
    2.84765801111111, -0.121765149, 0.0014599242, 1.680428651, -0.0166920786,
    -0.0007190532, -0.025485194448, 0.0000487491696, 0.00002719234152,
    -0.0653766255555556, -0.002278167, 0.0002500254, -0.0910565458, 0.00318176316,
    0.000038621772, -0.0034285382352, 0.00000856589904, -0.000001516821552,
]).reshape(3, 3, 3)  # fmt: skip


def f32(values: np.ndarray) -> jnp.ndarray:
    return jnp.asarray(values, jnp.float32)


def test_chiller_cop_agrees_with_an_evaluation_by_hand() -> None:
    e = (0.16426, 0.69328, -0.42972, 0.02897, -0.00062, -0.00047)
    generator = np.random.default_rng(1)
    cases = generator.uniform((0.0, 2.0, 5.0), (1.2, 30.0, 20.0), (500, 3))
    assert 50 < np.sum(cases[:, 0] < 0.25) < 250
    load, lift, leaving = (f32(column) for column in cases.T)
    found = components.chiller_cop(load, lift, leaving, site().plant.chiller)
    wanted = [cop_by_hand(e, 0.4, p, max(dt, 8.0), x) for p, dt, x in cases]
    np.testing.assert_allclose(found, wanted, rtol=2e-5)


def eir_oracle() -> tuple[np.ndarray, ...]:
    """Return part load, lift, leaving water and COP of the EIR form, in range."""
    x, y, load = (
        a.ravel()
        for a in np.meshgrid(
            np.linspace(4.44, 8.89, 10),
            np.linspace(12.78, 29.44, 12),
            np.linspace(0.1, 1.0, 19),
        )
    )
    terms = np.stack([np.ones_like(x), x, x * x, y, y * y, x * y])
    available = CAPACITY * (np.array(CAPFT) @ terms)
    ratio = EIRFPLR[0] + EIRFPLR[1] * load + EIRFPLR[2] * load**2
    power = available / COP_REFERENCE * (np.array(EIRFT) @ terms) * ratio
    heat = available * load
    lift = y + (heat + power) / (CONDENSER_FLOW * WATER_HEAT) - x
    is_used = lift >= 8.0
    return tuple(a[is_used] for a in (load, lift, x, heat / power))


def test_chiller_cop_stays_within_4_percent_of_the_eir_form_from_part_load_0_1() -> (
    None
):
    load, lift, leaving, wanted = eir_oracle()
    found = components.chiller_cop(
        f32(load), f32(lift), f32(leaving), site().plant.chiller
    )
    error = np.asarray(found, np.float64) / wanted - 1.0
    assert np.max(np.abs(error)) < 0.04
    for part_load in np.unique(load):
        assert np.sqrt(np.mean(error[load == part_load] ** 2)) < 0.025
    # The straight line of power below a quarter load neither flatters nor blames.
    assert np.min(load) == 0.1
    assert np.abs(np.mean(error[load < 0.25])) < 0.003
    assert np.max(np.abs(error[load < 0.25])) < 0.032


def york_approach(bulb: np.ndarray, rise: np.ndarray, ratio: np.ndarray) -> np.ndarray:
    powers = np.arange(3)
    return np.einsum(
        "kji,ni,nj,nk->n",
        YORK,
        bulb[:, None] ** powers,
        rise[:, None] ** powers,
        ratio[:, None] ** powers,
    )


def merkel_approach(
    bulb: np.ndarray, rise: np.ndarray, air: np.ndarray, water: np.ndarray
) -> np.ndarray:
    """Return the approach at which our tower rejects the heat of a range."""
    condenser = site().plant.condenser
    heat = f32(rise * water) * condenser.design_flow * WATER_HEAT
    capacity = f32(np.full_like(bulb, 3500.0))
    air_flow = condenser.air_flow * f32(air)
    for _ in range(8):
        out = f32(bulb) + heat / (air_flow * capacity)
        capacity = components.air_capacity_effective(
            out, f32(bulb), scalar(101325.0)[None]
        )
    per_degree = components.tower_heat(
        f32(bulb + 1.0), f32(water), f32(air), f32(bulb), capacity, condenser
    )
    return np.asarray(heat / per_degree, np.float64) - rise


def tower_cases(bulbs: np.ndarray) -> tuple[np.ndarray, ...]:
    grids = np.meshgrid(
        bulbs,
        np.linspace(3.0, 7.0, 5),
        np.linspace(0.6, 1.0, 5),
        np.linspace(0.75, 1.0, 3),
    )
    return tuple(g.ravel() for g in grids)


def test_tower_stays_within_half_a_degree_of_yorkcalc() -> None:
    bulb, rise, air, water = tower_cases(np.linspace(15.0, 26.0, 6))
    wanted = york_approach(bulb, rise, water / air)
    error = merkel_approach(bulb, rise, air, water) - wanted
    assert np.max(np.abs(error)) < 0.5


def test_yorkcalc_gives_its_published_design_approach() -> None:
    one = np.ones(1)
    np.testing.assert_allclose(
        york_approach(25.56 * one, 5.56 * one, one), 3.84, atol=0.02
    )


@pytest.mark.parametrize(
    ("units", "ratio", "wanted"),
    [(1e-4, 0.5, 1e-4), (30.0, 0.5, 1.0), (1.0, 1.0, 0.5), (3.0, 1.0, 0.75)],
)
def test_effectiveness_has_its_textbook_limits(
    units: float, ratio: float, wanted: float
) -> None:
    found = components.counterflow_effectiveness(
        scalar(units * ratio), scalar(ratio), scalar(1.0)
    )
    np.testing.assert_allclose(found, wanted, rtol=1e-3)


def test_coil_never_moves_more_than_the_smaller_stream_can_carry() -> None:
    air, water = (
        a.ravel() for a in np.meshgrid(np.linspace(0.3, 1, 8), np.linspace(0, 1.3, 14))
    )
    crah = site().plant.crah
    heat = components.coil_heat(
        scalar(33.0)[None], scalar(12.0)[None], f32(air), f32(water), 2, crah,
        crah.water_flow,
    )  # fmt: skip
    air_rate = air * float(crah.air_flow) / 2 * 1006.0
    water_rate = np.maximum(water, 1e-3) * float(crah.water_flow) / 2 * 4186.0
    most = np.minimum(air_rate, water_rate) * 21.0
    assert np.all(np.asarray(heat) <= most * 1.0001)
    assert np.all(np.asarray(heat) > 0.0)


def test_server_power_rises_as_measured_from_23_to_30_degrees() -> None:
    it = site().plant.it
    cold, warm = (
        float(components.server_power(scalar(1e6), scalar(t), it)) for t in (23.0, 30.0)
    )
    per_degree = (warm / cold - 1.0) / 7.0
    assert 0.0035 <= per_degree <= 0.005


def test_server_power_is_the_work_at_20_degrees() -> None:
    found = components.server_power(scalar(1e6), scalar(20.0), site().plant.it)
    np.testing.assert_allclose(found, 1e6, rtol=1e-6)


def test_pressure_falls_back_to_the_pump_curve_and_balances_it() -> None:
    crah, chw = site().plant.crah, site().plant.chw
    wide = float(components.remote_pressure(scalar(5e5), scalar(1.0), crah, chw))
    flow = float(crah.water_flow) * np.sqrt(wide / float(crah.open_pressure))
    share = (flow / float(chw.design_flow)) ** 2
    head = float(chw.shutoff_pressure) - float(chw.pump_drop) * share
    np.testing.assert_allclose(head, wide + float(chw.pipe_pressure) * share, rtol=1e-5)
    narrow = components.remote_pressure(scalar(8e4), scalar(0.1), crah, chw)
    np.testing.assert_allclose(narrow, 8e4)


def test_a_stronger_economizer_moves_more_and_none_moves_nothing_uphill() -> None:
    condenser = site().plant.condenser
    better = dataclasses.replace(condenser, economizer_effectiveness=scalar(0.9))
    flows = scalar(120.0), scalar(240.0)
    usual = components.economizer_heat(scalar(18.0), scalar(9.0), *flows, condenser)
    more = components.economizer_heat(scalar(18.0), scalar(9.0), *flows, better)
    uphill = components.economizer_heat(scalar(9.0), scalar(18.0), *flows, condenser)
    assert float(more) > float(usual) > 0.0
    assert float(uphill) == 0.0

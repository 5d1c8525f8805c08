"""A run on EnergyPlus as arrays: which machines ran, and the limits; without it."""

import dataclasses

import numpy as np
import pytest
from made_plants import site

from coolbound_envs.energyplus.passage import Passage, columns, seen_machines, stacked
from coolbound_envs.energyplus.site_sizes import sizes_of
from coolbound_envs.energyplus.true_limits import true_limits
from coolbound_envs.limit_numbers import parse_limits
from coolbound_envs.limit_table import IDLE, LIMIT_NAMES
from coolbound_envs.sequencer import AGE_MAX

SITE = site()
SIZES = sizes_of(SITE.plant)
LIMITS = parse_limits(SITE.root, SITE.feeder_power)
STEPS = 12
CALM = np.array([24.0, 24.0, 0.8, 0.8, 10.0, 80.0, 0.8, 0.6, 2.0, 0.0])


def calm_readings() -> dict[str, float]:
    """Two machines at half load, everything well inside its limits."""
    found = {
        "inlet_max": 24.5, "chw_supply": 10.0, "chw_return": 20.0, "chw_flow": 120.0,
        "chw_pump_power": 3e4, "cw_supply": 22.0, "cw_return": 27.0, "cw_flow": 200.0,
        "cw_pump_power": 4e4, "tower_power": 2e4, "tower_speed": 0.6,
        "economizer_heat": 0.0, "pressure": 101325.0,
    }  # fmt: skip
    for n in range(3):
        is_on = float(n < 2)
        found |= {
            f"chiller_power{n}": 2e5 * is_on,
            f"chiller_heat{n}": 1.2e6 * is_on,
            f"evaporator_flow{n}": 60.0 * is_on,
            f"condenser_leaving{n}": 27.0 if is_on else 0.0,
            f"evaporator_leaving{n}": 10.0 if is_on else 0.0,
        }
    for hall in range(2):
        found |= {
            f"crah_air{hall}": 150.0,
            f"crah_power{hall}": 4e4,
            f"coil_flow{hall}": 30.0,
            f"supply_air{hall}": 24.0,
            f"return_air{hall}": 34.0,
            f"humidity{hall}": 0.005,
        }
        for zone in range(3):
            found |= {
                f"it_power{hall}_{zone}": 4e5,
                f"inlet{hall}_{zone}": 24.3,
                f"server_air{hall}_{zone}": 40.0,
            }
    return found


def passage(**changes: float) -> Passage:
    """A calm run in whose last interval some readings differ."""
    rows = [calm_readings() for _ in range(STEPS)]
    rows[-1] |= changes
    readings = columns(rows)
    heat = np.stack([readings[f"chiller_heat{n}"] for n in range(3)], axis=1)
    machines = seen_machines(heat, readings["economizer_heat"])
    return Passage(readings, np.tile(CALM, (STEPS + 1, 1)), machines)


def values(run: Passage) -> dict[str, np.ndarray]:
    found = true_limits(run, SIZES, SITE.plant, LIMITS)
    assert found.shape == (STEPS, len(LIMIT_NAMES))
    return {name: found[:, i] for i, name in enumerate(LIMIT_NAMES)}


def test_a_calm_run_breaks_no_limit() -> None:
    for name, h in values(passage()).items():
        assert np.all(h <= 0.0), (name, h)


@pytest.mark.parametrize(
    ("limit", "h", "changes"),
    [
        ("CA_T_MAX", 28.1 - 27.0, {"inlet_max": 28.1}),
        ("CA_T_MIN", 18.0 - 17.2, {"inlet1_2": 17.2}),
        ("CA_ROC", 24.3 - 18.5 - 5.0, {"inlet0_1": 18.5}),
        ("AIRFLOW_RATIO", 1.0 - 108.0 / 120.0, {"crah_air1": 108.0}),
        ("EVAP_FLOW_MIN", 0.45 * 74.7 - 30.0,
         {"evaporator_flow0": 30.0, "evaporator_flow1": 30.0}),
        ("EVAP_FLOW_MAX", 100.0 - 1.25 * 74.7,
         {"evaporator_flow0": 100.0, "evaporator_flow1": 100.0}),
        ("CHW_FLOW_ROC", (60.0 - 30.0) / 60.0 / 5.0 - 0.3,
         {"evaporator_flow0": 30.0, "evaporator_flow1": 30.0}),
        ("ECWT_MIN", 12.8 - 11.0, {"cw_supply": 11.0}),
        ("ECWT_CWRT_MAX", 33.5 - 32.0, {"cw_supply": 33.5}),
        ("LIFT_MIN", 8.0 - 6.0,
         {"condenser_leaving0": 16.0, "condenser_leaving1": 16.0}),
        ("SURGE_LINE", 28.0 - 16.0 * 1.2e6 / 2.317e6 - 14.0,
         {"condenser_leaving0": 38.0, "condenser_leaving1": 38.0}),
        ("CW_FLOW_MIN", 0.5 * 125.7 * 2 - 100.0, {"cw_flow": 100.0}),
    ],
)  # fmt: skip
def test_each_limit_is_that_of_our_plant_on_energyplus_numbers(
    limit: str, h: float, changes: dict[str, float]
) -> None:
    found = values(passage(**changes))
    assert found[limit][-1] == pytest.approx(h, abs=2e-3)
    # Nothing of the last interval is in those before.
    assert np.all(found[limit][:-1] <= 0.0)


def test_widest_valve_counts_what_the_pressure_would_have_to_rise_by() -> None:
    open_flow = SIZES.coil_water_flow / 2 * (80e3 / SIZES.open_pressure) ** 0.5
    found = values(passage(coil_flow0=open_flow))
    assert found["CHW_DP_MIN"][-1] == pytest.approx(80.0 * (0.95**-4 - 1.0), rel=1e-3)


def test_power_is_that_of_all_but_the_servers() -> None:
    found = values(passage(chiller_power0=1.5e6))["CAPACITY_N1_POWER"]
    others = 2e5 + 3e4 + 4e4 + 2e4 + 2 * 4e4
    assert found[-1] == pytest.approx((1.5e6 + others) / 1.2e6 - 1.0, abs=1e-4)


def test_ranges_and_ramps_are_of_the_set_points_in_force() -> None:
    calm = passage()
    jump = calm.applied.copy()
    jump[6:, 4] += 1.3
    found = values(dataclasses.replace(calm, applied=jump))["CHWS_SLEW"]
    assert found[5] == pytest.approx(1.3 - 0.5, abs=1e-5)
    assert np.all(np.delete(found, 5) <= 0.0)


def test_a_machine_that_stops_early_breaks_a_timer_and_silences_what_settles() -> None:
    rows = [calm_readings() for _ in range(STEPS)]
    for row in rows[4:5]:
        row |= {"chiller_heat1": 0.0}
    readings = columns(rows)
    heat = np.stack([readings[f"chiller_heat{n}"] for n in range(3)], axis=1)
    machines = seen_machines(heat, readings["economizer_heat"])
    run = Passage(readings, np.tile(CALM, (STEPS + 1, 1)), machines)
    found = values(run)
    # It stands still for one interval of 5 min, of the 15 that it should.
    assert found["SHORT_CYCLE_MODE"][5] == pytest.approx(10.0)
    assert np.all(np.delete(found["SHORT_CYCLE_MODE"], 5) <= 0.0)
    is_idle = found["LIFT_MIN"] == IDLE
    assert is_idle.tolist() == [False] * 4 + [True] * 4 + [False] * 4


def test_seen_machines_age_as_the_sequencer_counts() -> None:
    heat = np.array([[1e6, 0, 0], [1e6, 1e6, 0], [1e6, 1e6, 0], [1e6, 0, 0]])
    seen = seen_machines(heat, np.array([0.0, 0.0, 5e5, 5e5]))
    assert np.asarray(seen.commanded_count).tolist() == [1, 1, 2, 2, 1]
    assert np.asarray(seen.machine_age)[1].tolist() == [
        AGE_MAX, AGE_MAX, 300.0, 600.0, 300.0,
    ]  # fmt: skip
    assert np.asarray(seen.stage_age).tolist()[2:] == [300.0, 600.0, 300.0]
    assert np.asarray(seen.start_age).tolist()[2:] == [300.0, 600.0, 900.0]
    assert np.asarray(seen.economizer_age).tolist()[2:] == [AGE_MAX, 300.0, 600.0]


def test_the_start_before_the_last_one_is_kept() -> None:
    heat = np.array([[1e6, 0, 0], [1e6, 1e6, 0], [1e6, 1e6, 1e6], [1e6, 1e6, 1e6]])
    seen = seen_machines(heat, np.zeros(4))
    assert np.asarray(seen.start_age_second).tolist()[3:] == [600.0, 900.0]


def test_states_of_a_run_stand_one_behind_the_other() -> None:
    seen = seen_machines(np.array([[1e6, 0, 0], [0, 0, 0]]), np.zeros(2))
    one = [
        dataclasses.replace(
            seen,
            **{
                field.name: np.asarray(getattr(seen, field.name))[..., i]
                for field in dataclasses.fields(seen)
            },
        )
        for i in range(3)
    ]
    again = stacked(one)
    assert np.array_equal(again.commanded, np.asarray(seen.commanded))
    assert again.stage_age.shape == (3,)

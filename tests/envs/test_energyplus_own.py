"""EnergyPlus under its own controls: nothing of ours acts, and heat closes."""

import copy

import numpy as np
import pytest
from made_plants import site

from coolbound_envs.energyplus.course import Course, still_course
from coolbound_envs.energyplus.model import build_model
from coolbound_envs.energyplus.own_controls import FROM_OUTSIDE, with_own_controls
from coolbound_envs.energyplus.own_run import own_run
from coolbound_envs.energyplus.own_setpoints import own_controls_of
from coolbound_envs.energyplus.passage import columns
from coolbound_envs.energyplus.site_sizes import sizes_of

SITE = site()
SIZES = sizes_of(SITE.plant)
OWN = own_controls_of(SITE.plant, SIZES, supply_air=24.0, chw_supply=10.0)
SPELLS = {
    "hot": (3.4e6, 32.0, 0.5),
    "light": (1.6e6, 20.0, 0.5),
    "full": (4.0e6, 25.0, 0.5),
    "frost": (3.0e6, 0.0, 0.6),
}
"""Work [W], outdoor air [degC] and its humidity [1] of each spell of weather."""


def joined(courses: list[Course]) -> Course:
    columns = {
        name: np.concatenate([getattr(course, name) for course in courses])
        for name in ("it_work", "dry_bulb", "wet_bulb", "dew_point", "pressure")
    }
    return Course(start=0, **columns)


@pytest.fixture(scope="module")
def ends() -> dict[str, dict[str, float]]:
    """A still interval of each spell, before outdoor air goes over to the next."""
    pytest.importorskip("pyenergyplus", reason="the extra coolbound[energyplus]")
    each = 48
    course = joined([still_course(*spell, each) for spell in SPELLS.values()])
    rows = columns(list(own_run(SITE, course, OWN)))
    assert len(rows["chw_supply"]) == each * len(SPELLS)
    return {
        name: {key: float(x[each * (i + 1) - 14]) for key, x in rows.items()}
        for i, name in enumerate(SPELLS)
    }


def running(end: dict[str, float]) -> int:
    return sum(end[f"chiller_heat{n}"] > 1.0 for n in range(3))


def test_nothing_through_which_channels_act_stays_in_the_model() -> None:
    ours = build_model(SITE.plant, SIZES, 1)
    before = copy.deepcopy(ours)
    own = with_own_controls(ours, SIZES, OWN)
    assert ours == before
    assert "PlantEquipmentOperation:UserDefined" not in own
    assert "PlantEquipmentOperation:ComponentSetpoint" not in own
    moved = {
        (x["actuated_component_type"], x["actuated_component_control_type"])
        for x in own["EnergyManagementSystem:Actuator"].values()
    }
    assert moved == {("Schedule:Constant", "Schedule Value")}
    kept = set(ours) - set(FROM_OUTSIDE)
    changed = {
        "Schedule:Constant",
        "Pump:VariableSpeed",
        "Chiller:Electric:EIR",
        "PlantEquipmentOperation:CoolingLoad",
        "PlantEquipmentList",
    }
    for kind in kept - changed:
        assert own[kind] == ours[kind], kind


def test_set_points_are_held_by_energyplus(ends: dict[str, dict[str, float]]) -> None:
    for name, end in ends.items():
        assert end["supply_air0"] == pytest.approx(24.0, abs=0.05), name
        assert end["chw_supply"] == pytest.approx(10.0, abs=0.05), name
        assert end["inlet_max"] < 25.0, name


def test_machines_follow_the_load_range(ends: dict[str, dict[str, float]]) -> None:
    for name, count in {"light": 1, "hot": 2, "full": 2, "frost": 0}.items():
        assert running(ends[name]) == count, name
    heat = sum(ends["full"][f"chiller_heat{n}"] for n in range(3))
    assert 0.9 * SIZES.chiller_capacity < heat < 1.8 * SIZES.chiller_capacity


def test_tower_water_follows_the_wet_bulb(ends: dict[str, dict[str, float]]) -> None:
    light = ends["light"]
    aim = max(light["outdoor_wet_bulb"] + OWN.tower_approach, OWN.tower_water_min)
    assert light["cw_supply"] == pytest.approx(aim, abs=0.05)
    assert ends["frost"]["cw_supply"] == pytest.approx(OWN.tower_water_free, abs=0.05)
    assert light["cw_flow"] == pytest.approx(OWN.cw_flow_each, rel=0.01)
    assert ends["hot"]["cw_flow"] == pytest.approx(2 * OWN.cw_flow_each, rel=0.01)


def test_crah_air_follows_the_load(ends: dict[str, dict[str, float]]) -> None:
    for name, end in ends.items():
        server = sum(end[f"server_air0_{zone}"] for zone in range(3))
        assert end["crah_air0"] / server == pytest.approx(1.2, rel=0.02), name
    assert ends["light"]["crah_air0"] < 0.7 * ends["full"]["crah_air0"]


def test_free_cooling_carries_all_or_nothing(ends: dict[str, dict[str, float]]) -> None:
    frost = ends["frost"]
    heat = frost["coil_heat0"] + frost["coil_heat1"] + frost["chw_pump_power"]
    assert frost["economizer_heat"] == pytest.approx(heat, rel=0.01)
    for name in ("hot", "light", "full"):
        assert ends[name]["economizer_heat"] == 0.0


def test_heat_of_servers_reaches_the_tower(ends: dict[str, dict[str, float]]) -> None:
    for name, end in ends.items():
        servers = sum(end[f"it_power{h}_{z}"] for h in range(2) for z in range(3))
        fans = end["crah_power0"] + end["crah_power1"]
        coils = end["coil_heat0"] + end["coil_heat1"]
        assert coils == pytest.approx(servers + fans, rel=0.01), name
        plant = coils + end["chw_pump_power"] + end["cw_pump_power"]
        plant += sum(end[f"chiller_power{n}"] for n in range(3))
        assert end["tower_heat"] == pytest.approx(plant, rel=0.01), name


def test_the_chilled_water_pump_has_the_head_of_its_curve(
    ends: dict[str, dict[str, float]],
) -> None:
    end = ends["full"]
    flow = end["chw_flow"]
    head = OWN.chw_pressure + SIZES.chw_pipe_pressure * (flow / SIZES.chw_flow) ** 2
    power = flow / 998.2 * head / SIZES.chw_pump_efficiency
    assert end["chw_pump_power"] == pytest.approx(power, rel=0.01)
    assert flow >= 0.999 * OWN.chw_flow_min

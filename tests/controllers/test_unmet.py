"""A limit that no policy meets is named, with the evidence; nothing else is."""

import pytest

from coolbound_controllers.unmet import unmet

LIMITS = {"thermal": 0.02, "machines": 0.05}


def rows(count: int, **last: float) -> list[dict[str, float]]:
    plain = {
        "cost_thermal": 0.01,
        "cost_machines": 0.01,
        "multiplier_thermal": 10.5,
        "multiplier_machines": 0.0,
    }
    return [plain | last for _ in range(count)]


def test_a_cost_above_its_limit_at_the_cap_is_named_with_its_evidence() -> None:
    early = rows(30)
    late = rows(9, cost_thermal=0.09) + rows(1, cost_thermal=0.07)
    assert unmet(early + late, LIMITS, 10.0) == {
        "thermal": {
            "limit": 0.02,
            "least_cost": 0.07,
            "updates": 10.0,
            "multiplier": 10.5,
        }
    }


@pytest.mark.parametrize(
    "found",
    [
        rows(40),
        rows(39, cost_thermal=0.09) + rows(1),
        rows(40, cost_thermal=0.09, multiplier_thermal=9.9),
        rows(40, cost_thermal=0.02),
        rows(3, cost_thermal=0.09),
        [],
    ],
    ids=["kept", "kept once", "price below its cap", "at the limit", "short", "none"],
)
def test_nothing_is_named_without_evidence(found: list[dict[str, float]]) -> None:
    assert unmet(found, LIMITS, 10.0) == {}


def test_for_cpo_the_evidence_is_the_recovery_step() -> None:
    stuck = rows(8, cost_machines=0.2, multiplier_machines=1.0, case=0.0)
    assert set(unmet(stuck, LIMITS, 0.0)) == {"machines"}
    moving = rows(8, cost_machines=0.2, multiplier_machines=1.0, case=1.0)
    assert unmet(moving, LIMITS, 0.0) == {}

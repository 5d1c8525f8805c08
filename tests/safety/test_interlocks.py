"""What may be asked of machines and modes, case by case."""

import dataclasses
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from seen_plants import model, seen

from coolbound_safety.estimate import Estimate, estimate
from coolbound_safety.interlocks import Masks, interlocks

APPLIED = (22.0, 22.0, 0.85, 0.85, 14.0, 80.0, 0.8, 0.6, 2.0, 0.0)
ask = jax.jit(interlocks)


def situation(**changes: float) -> Estimate:
    """Return a warm day with two chillers at work on 3 MW, with changes."""
    usual = {
        "heat": 3000.0, "chillers": 2.0, "running": 2.0, "economizer": 0.0,
        "chw_supply": 14.0, "chw_excess": 0.0, "cw_supply": 22.0, "wet_bulb": 18.0,
    }  # fmt: skip
    arrays = {k: jnp.asarray(v, jnp.float32) for k, v in (usual | changes).items()}
    return dataclasses.replace(estimate(seen()), **arrays)


def masks(now: Estimate, last_fan: float = 0.6, wanted_fan: float = 0.6) -> Masks:
    applied = np.array(APPLIED, np.float32)
    applied[7] = last_fan
    proposed = applied.copy()
    proposed[7] = wanted_fan
    return ask(now, jnp.asarray(applied), jnp.asarray(proposed), model())


COLD = {"wet_bulb": 2.0, "economizer": 1.0, "cw_supply": 10.0}
ALONE = COLD | {"chillers": 0.0, "running": 0.0}

# situation, fan before, fan asked, and what the masks must say
TABLE: list[tuple[str, dict[str, float], float, float, dict[str, float]]] = [
    ("one machine carries a small load", {"heat": 1500.0}, 0.6, 0.6,
     {"chillers_min": 1.0, "chillers_max": 2.0}),
    ("two machines are needed from 0.92 of one", {"heat": 2200.0}, 0.6, 0.6,
     {"chillers_min": 2.0, "chillers_max": 3.0}),
    ("three are needed from 0.92 of two", {"heat": 4400.0}, 0.6, 0.6,
     {"chillers_min": 3.0, "chillers_max": 3.0}),
    ("chillers may stop with open exchanger, cold air and fast towers", COLD, 0.75, 0.8,
     {"chillers_min": 0.0}),
    ("not before the towers have run up", COLD, 0.65, 0.8, {"chillers_min": 2.0}),
    ("not before the exchanger is open", COLD | {"economizer": 0.0}, 0.75, 0.8,
     {"chillers_min": 2.0}),
    ("not in mild air", COLD | {"wet_bulb": 12.0}, 0.75, 0.8, {"chillers_min": 2.0}),
    ("free cooling that holds may go on", ALONE, 0.4, 0.4, {"chillers_min": 0.0}),
    ("free cooling that does not hold is over", ALONE | {"chw_supply": 19.0}, 0.4, 0.4,
     {"chillers_min": 2.0}),
    ("free cooling in warm air is over", ALONE | {"wet_bulb": 14.0}, 0.9, 0.9,
     {"chillers_min": 2.0}),
    ("the exchanger stays open while nobody has taken over", ALONE, 0.5, 0.5,
     {"economizer_min": 1.0, "economizer_max": 1.0}),
    ("it may close once two machines run", COLD, 0.5, 0.5, {"economizer_min": 0.0}),
    ("water above its set-point drives the towers up", ALONE | {"chw_excess": 2.0},
     0.5, 0.2, {"fan_min": 0.65, "fan_max": 0.65}),
    ("and starts them", ALONE | {"chw_excess": 2.0}, 0.0, 0.0,
     {"fan_min": 0.2, "fan_max": 0.2}),
    ("a running fan keeps its ramp", {}, 0.5, 0.9, {"fan_min": 0.35, "fan_max": 0.65}),
    ("a slow fan goes no lower than its lowest speed", {}, 0.25, 0.2,
     {"fan_min": 0.2, "fan_max": 0.4}),
    ("a fan at its lowest speed may stop", {}, 0.2, 0.0,
     {"fan_min": 0.0, "fan_max": 0.0}),
    ("but not over warm water", {"cw_supply": 25.0}, 0.2, 0.0,
     {"fan_min": 0.2, "fan_max": 0.35}),
    ("a stopped fan may stay off", {}, 0.0, 0.0, {"fan_min": 0.0, "fan_max": 0.0}),
    ("a stopped fan starts at its lowest speed", {}, 0.0, 0.8,
     {"fan_min": 0.2, "fan_max": 0.2}),
    ("warm water starts it", {"cw_supply": 25.0}, 0.0, 0.0,
     {"fan_min": 0.2, "fan_max": 0.2}),
]  # fmt: skip


@pytest.mark.parametrize(
    ("changes", "last", "wanted", "says"),
    [row[1:] for row in TABLE],
    ids=[row[0] for row in TABLE],
)
def test_masks_say(
    changes: dict[str, float], last: float, wanted: float, says: dict[str, float]
) -> None:
    found = masks(situation(**changes), last, wanted)
    for name, value in says.items():
        np.testing.assert_allclose(getattr(found, name), value, atol=1e-6, err_msg=name)


@pytest.mark.parametrize("field", ["heat", "chillers", "wet_bulb"])
def test_an_unknown_state_leaves_the_machines_as_they_were_asked(field: str) -> None:
    found = masks(situation(**{field: np.nan}))
    assert float(found.chillers_min) == float(found.chillers_max) == APPLIED[8]


def test_masks_are_in_order_for_any_readings() -> None:
    generator = np.random.default_rng(0)

    def random_case() -> dict[str, Any]:
        return {
            "heat": generator.uniform(800.0, 4600.0),
            "running": float(generator.integers(0, 4)),
            "chillers": float(generator.integers(0, 4)),
            "economizer": float(generator.integers(0, 2)),
            "chw_excess": generator.uniform(0.0, 5.0),
            "chw_supply": generator.uniform(7.0, 22.0),
            "cw_supply": generator.uniform(5.0, 32.0),
            "wet_bulb": generator.uniform(-15.0, 28.0),
        }

    for _ in range(300):
        last, wanted = generator.choice([0.0, 0.2, 0.5, 1.0], 2)
        found = masks(situation(**random_case()), float(last), float(wanted))
        assert 0.0 <= float(found.chillers_min) <= float(found.chillers_max) <= 3.0
        assert float(found.economizer_min) <= float(found.economizer_max)
        assert 0.0 <= float(found.fan_min) <= float(found.fan_max) <= 1.0
        assert not 0.0 < float(found.fan_min) < 0.2

"""What may be asked of machines and modes, case by case."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import seen_plants
from seen_plants import model

from coolbound_safety.estimate import Estimate
from coolbound_safety.interlocks import Masks, interlocks
from coolbound_safety.timers import Permissions

APPLIED = (22.0, 22.0, 0.85, 0.85, 14.0, 80.0, 0.8, 0.6, 2.0, 0.0)
CHANNELS = (
    "air1", "air2", "fan1", "fan2", "water", "pressure", "pump", "fan", "machines",
    "exchanger",
)  # fmt: skip
ask = jax.jit(interlocks)


def situation(**changes: float | tuple[float, ...]) -> Estimate:
    """Return a warm day with two chillers at work on 3 MW, with changes."""
    usual = {
        "it_power": (1400.0, 1400.0), "heat": 3000.0, "chw_supply": 14.0,
        "chw_return": 21.0, "cw_supply": 22.0, "wet_bulb": 18.0,
    }  # fmt: skip
    return seen_plants.situation(**(usual | changes))


def masks(
    now: Estimate,
    last_fan: float = 0.6,
    wanted_fan: float = 0.6,
    may_switch: bool = True,
    **applied: float,
) -> Masks:
    before = np.array(APPLIED, np.float32)
    before[7] = last_fan
    before[9] = np.nan_to_num(np.asarray(now.economizer))
    for channel, value in applied.items():
        before[CHANNELS.index(channel)] = value
    wanted = before.copy()
    wanted[7] = wanted_fan
    yes = jnp.asarray(True)
    permitted = Permissions(start=yes, stop=yes, switch=jnp.asarray(may_switch))
    return ask(now, jnp.asarray(before), jnp.asarray(wanted), permitted, model())


COLD = {"wet_bulb": 2.0, "economizer": 1.0, "cw_supply": 10.0}
ALONE = COLD | {"chillers": 0.0, "running": 0.0}

BESIDE = {"wet_bulb": 10.0, "economizer": 1.0, "cw_supply": 16.0}

# situation, fan before, fan asked, and what the masks must say
TABLE: list[tuple[str, dict[str, Any], float, float, dict[str, float]]] = [
    ("one machine carries a small load", {"heat": 1500.0}, 0.6, 0.6,
     {"chillers_min": 1.0, "chillers_max": 2.0}),
    ("two machines are needed from 0.92 of one", {"heat": 2200.0}, 0.6, 0.6,
     {"chillers_min": 2.0, "chillers_max": 3.0}),
    ("three are needed from 0.92 of two", {"heat": 4400.0}, 0.6, 0.6,
     {"chillers_min": 3.0, "chillers_max": 3.0}),
    ("water that machines do not hold asks for one more", {"chw_excess": 1.1},
     0.6, 0.6, {"chillers_min": 3.0, "chillers_max": 3.0}),
    ("not while water is near its set-point", {"chw_excess": 0.9}, 0.6, 0.6,
     {"chillers_min": 2.0}),
    ("not while another is starting", {"chw_excess": 3.0, "running": 1.0}, 0.6, 0.6,
     {"chillers_min": 2.0}),
    ("not while the exchanger is open", {"chw_excess": 3.0, "economizer": 1.0},
     0.6, 0.6, {"chillers_min": 2.0}),
    ("and never more than there are",
     {"chw_excess": 3.0, "running": 3.0, "chillers": 3.0}, 0.6, 0.6,
     {"chillers_min": 3.0, "chillers_max": 3.0}),
    ("one is enough beside an exchanger in a cold basin", BESIDE, 0.6, 0.6,
     {"chillers_min": 1.0}),
    ("not beside one in a warm basin", BESIDE | {"cw_supply": 20.0}, 0.6, 0.6,
     {"chillers_min": 2.0}),
    ("nor where the basin is about to warm", BESIDE | {"wet_bulb": 24.0}, 0.6, 0.6,
     {"chillers_min": 2.0}),
    ("nor beside a closed one", BESIDE | {"economizer": 0.0}, 0.6, 0.6,
     {"chillers_min": 2.0}),
    ("nor where its temperatures are unknown", BESIDE | {"chw_return": np.nan},
     0.6, 0.6, {"chillers_min": 2.0}),
    ("nor where the load has jumped of late",
     BESIDE | {"load_growth": (0.3, 0.0)}, 0.6, 0.6, {"chillers_min": 2.0}),
    ("which does not start a second one", BESIDE | {"load_growth": (0.3, 0.0),
     "running": 1.0, "chillers": 1.0}, 0.6, 0.6, {"chillers_min": 1.0}),
    ("a second one starts where one does not hold the water",
     BESIDE | {"chillers": 1.0, "running": 1.0, "chw_excess": 1.1}, 0.6, 0.6,
     {"chillers_min": 2.0}),
    ("but no more than carry the load without it",
     BESIDE | {"chw_excess": 3.0}, 0.6, 0.6, {"chillers_min": 2.0}),
    ("chillers may stop with open exchanger, cold air and fast towers", COLD, 0.75, 0.8,
     {"chillers_min": 0.0}),
    ("not the last before the towers have run up", COLD, 0.65, 0.8,
     {"chillers_min": 1.0}),
    ("not before the exchanger is open", COLD | {"economizer": 0.0}, 0.75, 0.8,
     {"chillers_min": 2.0}),
    ("nor in mild air", COLD | {"wet_bulb": 12.0}, 0.75, 0.8, {"chillers_min": 1.0}),
    ("free cooling that holds may go on", ALONE, 0.4, 0.4, {"chillers_min": 0.0}),
    ("free cooling that does not hold is over", ALONE | {"chw_supply": 19.0}, 0.4, 0.4,
     {"chillers_min": 2.0}),
    ("free cooling in warm air is over", ALONE | {"wet_bulb": 14.0}, 0.9, 0.9,
     {"chillers_min": 2.0}),
    ("the exchanger stays open while nobody has taken over", ALONE, 0.5, 0.5,
     {"economizer_min": 1.0, "economizer_max": 1.0}),
    ("it may close once two machines run", COLD, 0.5, 0.5, {"economizer_min": 0.0}),
    ("warm water above its set-point drives the towers up",
     ALONE | {"chw_excess": 2.0, "chw_supply": 16.5}, 0.5, 0.2,
     {"fan_min": 0.65, "fan_max": 0.65}),
    ("and starts them", ALONE | {"chw_excess": 2.0, "chw_supply": 16.5}, 0.0, 0.0,
     {"fan_min": 0.2, "fan_max": 0.2}),
    ("water that is cold enough leaves them alone",
     ALONE | {"chw_excess": 2.0, "chw_supply": 15.0}, 0.5, 0.2,
     {"fan_min": 0.35, "fan_max": 0.65}),
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
    changes: dict[str, Any], last: float, wanted: float, says: dict[str, float]
) -> None:
    found = masks(situation(**changes), last, wanted)
    for name, value in says.items():
        np.testing.assert_allclose(getattr(found, name), value, atol=1e-6, err_msg=name)


CLOSED_AND_WAITING = {"economizer_min": 0.0, "economizer_max": 0.0}
OPEN_AND_STAYING = {"economizer_min": 1.0, "economizer_max": 1.0}
ANY_MODE = {"economizer_min": 0.0, "economizer_max": 1.0}


@pytest.mark.parametrize(
    ("economizer", "running", "may_switch", "says"),
    [
        (0.0, 2.0, True, ANY_MODE),
        (0.0, 2.0, False, CLOSED_AND_WAITING),
        (1.0, 2.0, True, ANY_MODE),
        (1.0, 2.0, False, OPEN_AND_STAYING),
        (1.0, 1.0, True, OPEN_AND_STAYING),
        (1.0, 0.0, False, OPEN_AND_STAYING),
        (np.nan, 2.0, False, ANY_MODE),
    ],
)
def test_the_exchanger_waits_for_its_timer_and_for_two_machines(
    economizer: float, running: float, may_switch: bool, says: dict[str, float]
) -> None:
    now = situation(economizer=economizer, running=running)
    found = masks(now, may_switch=may_switch)
    for name, value in says.items():
        assert float(getattr(found, name)) == value, name


def begins(**changes: Any) -> bool:
    """Return whether free cooling may begin: cold air, open exchanger, fast towers."""
    applied = changes.pop("applied", {})
    found = masks(situation(**(COLD | changes)), 0.75, 0.8, **applied)
    return float(found.chillers_min) == 0.0


def test_an_exchanger_must_have_been_asked_for_to_stand_in_for_a_machine() -> None:
    """Its instrument may be stuck."""
    assert float(masks(situation(**BESIDE), exchanger=0.0).chillers_min) == 2.0


def test_the_last_machine_to_stop_leaves_some_load_free() -> None:
    """Between two heats one machine stays alone, and two stay two."""
    heats = np.arange(2400.0, 5200.0, 50.0)
    needed = {
        running: [
            float(
                masks(
                    situation(**BESIDE, heat=heat, running=running, chillers=running)
                ).chillers_min
            )
            for heat in heats
        ]
        for running in (1.0, 2.0)
    }
    last = {
        running: heats[np.array(needed[running]) == 1.0].max() for running in needed
    }
    np.testing.assert_allclose(last[1.0] / last[2.0], 0.92 / 0.87, atol=0.03)


def test_free_cooling_begins_only_where_the_halls_bear_its_first_water() -> None:
    assert begins()
    # Near the limit already, or hot zones that the warmer water would take over it.
    assert not begins(inlet_max=25.6)
    assert not begins(rise_max=(0.8, 3.9))
    # Warm pipes and a basin that the machines' lift kept warm reach the coils first.
    assert not begins(chw_supply=20.0, chw_return=27.0, cw_supply=20.0)
    # Weak coils cannot use such water.
    assert not begins(coil_factor=(0.45, 1.0))
    # Air asked for at 25 degC leaves no room for the overshoot.
    assert not begins(applied={"air1": 24.9})
    # The instrument says open, but nobody has asked for it: one of them is wrong.
    assert not begins(applied={"exchanger": 0.0})


def test_what_keeps_free_cooling_from_beginning_does_not_end_it() -> None:
    found = masks(situation(**ALONE, inlet_max=25.6), 0.4, 0.4)
    assert float(found.chillers_min) == 0.0


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
            "inlet_max": generator.uniform(20.0, 29.0),
            "cw_supply": generator.uniform(5.0, 32.0),
            "wet_bulb": generator.uniform(-15.0, 28.0),
        }

    for _ in range(300):
        last, wanted = generator.choice([0.0, 0.2, 0.5, 1.0], 2)
        may_switch = bool(generator.integers(0, 2))
        now = situation(**random_case())
        found = masks(now, float(last), float(wanted), may_switch)
        assert 0.0 <= float(found.chillers_min) <= float(found.chillers_max) <= 3.0
        assert float(found.economizer_min) <= float(found.economizer_max)
        assert 0.0 <= float(found.fan_min) <= float(found.fan_max) <= 1.0
        assert not 0.0 < float(found.fan_min) < 0.2

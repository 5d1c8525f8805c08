"""What the rows say of an action: signs, authority, idle limits, foresight."""

import dataclasses
import functools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from seen_plants import LOWER, SPAN, actions, model, situation, situations

from coolbound_envs.limit_table import LIMIT_NAMES, LIMITS
from coolbound_safety.coordinates import from_coordinates, spans, to_coordinates
from coolbound_safety.envelope import row_prices, slopes
from coolbound_safety.estimate import Estimate
from coolbound_safety.margins import SafetyModel
from coolbound_safety.rows import (
    IS_RECOVERY,
    NOTICEABLE,
    ROW_LIMITS,
    ROW_NAMES,
    row_values,
)

LANES = 128
HELD = (22.0, 22.0, 0.85, 0.85, 12.0, 80.0, 0.8, 0.6, 2.0, 0.0)
AIR1, FAN1, WATER, PRESSURE, PUMP, TOWER = 0, 2, 4, 5, 6, 7


@functools.cache
def program(name: str) -> Any:
    if name == "values":
        lanes = jax.vmap(row_values, in_axes=(0, 0, None))
        return jax.jit(lanes)
    if name == "slopes":
        return jax.jit(jax.vmap(lambda a, n, m: slopes(n, a, m), in_axes=(0, 0, None)))
    if name == "machines":
        return jax.jit(row_values)

    def forward(action: jax.Array, now: Estimate, safety: SafetyModel) -> jax.Array:
        unit = to_coordinates(action)
        return jax.jacfwd(lambda u: row_values(from_coordinates(u), now, safety))(unit)

    return jax.jit(jax.vmap(forward, in_axes=(0, 0, None)))


@functools.cache
def family() -> tuple[np.ndarray, Estimate]:
    return actions(LANES), situations(LANES)


def values(
    action: Any, now: Estimate, safety: SafetyModel | None = None
) -> dict[str, np.ndarray]:
    """Return the rows of many lanes by name; one action and estimate are repeated."""
    wide = jnp.broadcast_to(jnp.asarray(action, jnp.float32), (LANES, 10))
    if now.heat.ndim == 0:
        now = jax.tree.map(lambda x: jnp.broadcast_to(x, (LANES, *x.shape)), now)
    found = np.asarray(program("values")(wide, now, safety or model()))
    return dict(zip(ROW_NAMES, found.T, strict=True))


def one(action: Any = HELD, safety: SafetyModel | None = None, **changes: Any) -> Any:
    """Return the rows of one situation by name."""
    found = values(action, situation(**changes), safety)
    return {name: float(row[0]) for name, row in found.items()}


def moved(channel: int, by: float, action: Any = HELD) -> np.ndarray:
    found = np.array(action, np.float32)
    found[..., channel] += np.float32(by)
    return found


def test_names_say_limit_place_and_outlook() -> None:
    assert len(set(ROW_NAMES)) == len(ROW_NAMES)
    for name, index, foresees in zip(ROW_NAMES, ROW_LIMITS, IS_RECOVERY, strict=True):
        assert name.partition(":")[0] == LIMIT_NAMES[index]
        assert foresees == (name.rpartition(":")[2] == "recovery")
    for hall in (1, 2):
        assert sum(f":hall{hall}" in name for name in ROW_NAMES) == 9


TRADED = {
    (TOWER, 0.1, "SURGE_LINE:soon"): 0.05,
    (TOWER, -0.1, "LIFT_MIN:soon"): 0.05,
}
"""Share of lanes that may get worse: in a basin far below its steady state a faster
fan also brings it there sooner."""

# channel, move, rows that it makes better
BETTER: list[tuple[int, float, tuple[str, ...]]] = [
    (AIR1, -0.5, ("CA_T_MAX:hall1", "CA_ROC:hall1:rise")),
    (AIR1, 0.5, ("CA_T_MIN:hall1", "CA_ROC:hall1:fall", "CHW_DP_MIN:hall1")),
    (FAN1, 0.05, ("AIRFLOW_RATIO:hall1", "AIRFLOW_RATIO:hall1:recovery")),
    (WATER, -0.5, ("CHW_DP_MIN:hall1", "CHW_DP_MIN:hall2", "CA_T_MAX:hall1:coil",
                   "LIFT_MIN", "LIFT_MIN:soon")),
    (WATER, 0.5, ("DEWPOINT_MARGIN", "SURGE_LINE", "SURGE_LINE:soon",
                  "CAPACITY_N1_POWER:power")),
    (PRESSURE, 5.0, ("CHW_DP_MIN:hall1", "CHW_DP_MIN:hall2", "CA_T_MAX:hall2:coil")),
    (PUMP, 0.05, ("ECWT_CWRT_MAX:leaving", "ECWT_CWRT_MAX:leaving:soon")),
    (TOWER, 0.1, ("ECWT_CWRT_MAX:entering", "ECWT_CWRT_MAX:entering:recovery",
                  "ECWT_CWRT_MAX:leaving", "SURGE_LINE", "SURGE_LINE:soon")),
    (TOWER, -0.1, ("ECWT_MIN", "LIFT_MIN", "LIFT_MIN:soon")),
]  # fmt: skip


@pytest.mark.parametrize(("channel", "move", "rows"), BETTER)
def test_a_move_makes_better_what_it_should(
    channel: int, move: float, rows: tuple[str, ...]
) -> None:
    """Where machines carry the load and the water is held, for any other reading."""
    action, now = family()
    usual = dataclasses.replace(
        now,
        chw_supply=jnp.asarray(action[:, WATER]),
        coil_factor=0.0 * now.it_power + 1,
    )
    inside = np.clip(action, LOWER + 0.15 * SPAN, LOWER + 0.8 * SPAN)
    # A pull-down is heat to the tower: the water must be where it is asked for.
    before = values(inside, usual)
    after = values(moved(channel, move, inside), usual)
    for name in rows:
        gained = before[name] - after[name]
        seen = np.isfinite(gained)
        assert seen.all(), name
        least = 1e-6 + 1e-5 * np.abs(before[name])
        is_worse = gained < -least
        assert is_worse.mean() <= TRADED.get((channel, move, name), 0.0), name
        assert np.mean(gained > least) > 0.5, name


def test_rows_of_one_hall_do_not_move_with_the_other() -> None:
    before, after = one(), one(moved(AIR1, -1.0, moved(FAN1, 0.1)))
    for name in ROW_NAMES:
        if ":hall2" in name and "CHW_DP" not in name:
            assert before[name] == pytest.approx(after[name], abs=1e-3), name


def test_slopes_are_the_models_derivative_where_it_is_smooth() -> None:
    action, now = family()
    action = np.clip(action, LOWER + 0.05 * SPAN, LOWER + 0.95 * SPAN)
    exact = np.asarray(program("forward")(jnp.asarray(action), now, model()))
    found = np.asarray(program("slopes")(jnp.asarray(action), now, model()))
    exact = np.where(np.isfinite(exact), exact, 0.0)
    exact[..., 8:] = 0.0
    size = np.linalg.norm(exact, axis=-1)
    worst = np.max(np.abs(found - exact), axis=-1) / np.maximum(size, 1e-6)
    is_used = size > np.asarray(NOTICEABLE)
    # The rest has a corner of the model within the difference, such as a tower cell
    # that opens; what the slope is there, the next test says.
    for i, name in enumerate(ROW_NAMES):
        found_here = worst[is_used[:, i], i]
        assert found_here.size > LANES // 10, name
        assert np.mean(found_here < 1e-2) > 0.9, name
        assert np.median(found_here) < 1e-3, name


def test_at_a_corner_the_slope_is_the_mean_of_both_sides() -> None:
    """Supply air overshoots upwards only: half of that at the measured air."""
    held = jnp.broadcast_to(jnp.asarray(HELD, jnp.float32), (LANES, 10))
    now = jax.tree.map(lambda x: jnp.broadcast_to(x, (LANES, *x.shape)), situation())
    found = np.asarray(program("slopes")(held, now, model()))[0]
    row = ROW_NAMES.index("CA_T_MAX:hall1")
    assert found[row, AIR1] / spans()[AIR1] == pytest.approx(1.0 + 0.35 / 2, rel=1e-3)


def test_slopes_are_finite_and_silent_about_requests() -> None:
    action, now = family()
    found = np.asarray(program("slopes")(jnp.asarray(action), now, model()))
    assert np.all(np.isfinite(found))
    assert np.all(found[..., 8:] == 0.0)


def test_foresight_is_never_harder_than_the_limit_without_growth() -> None:
    """Two moves towards cooling buy more than nothing: with no growth to bear, the
    row of recovery is the softer one."""
    action, now = family()
    margins = dataclasses.replace(
        model().margins,
        load_growth_recovery=model().margins.load_growth,
        heat_growth_recovery=jnp.zeros(()),
        wet_bulb_rise=jnp.zeros(()),
        condenser_water=jnp.zeros(()),
    )
    # Pumps are at full speed: more of them alone does not cool the basin. The coils'
    # row is left out: colder water is a pull-down, which tells the towers' row.
    action = moved(PUMP, 1.0, action).clip(LOWER, LOWER + SPAN)
    found = values(action, now, dataclasses.replace(model(), margins=margins))
    for name in ROW_NAMES:
        if name.endswith(":recovery") and "CHW_DP" not in name:
            now_row = found[name.removesuffix(":recovery")]
            assert np.all(found[name] <= now_row + 1e-3), name


@pytest.mark.parametrize(
    ("margin", "row"),
    [("load_growth_recovery", "AIRFLOW_RATIO:hall1:recovery"),
     ("heat_growth_recovery", "CHW_DP_MIN:hall1:recovery"),
     ("wet_bulb_rise", "ECWT_CWRT_MAX:entering:recovery")],
)  # fmt: skip
def test_more_growth_makes_foresight_harder(margin: str, row: str) -> None:
    changed = {margin: getattr(model().margins, margin) + 0.1}
    margins = dataclasses.replace(model().margins, **changed)
    harder = one(safety=dataclasses.replace(model(), margins=margins))
    before = one()
    assert harder[row] > before[row]
    others = [name for name in ROW_NAMES if name not in (row, row.replace("1", "2"))]
    assert all(
        harder[n] == before[n] or (np.isnan(harder[n]) and np.isnan(before[n]))
        for n in others
        if not (n.endswith("recovery") and n.partition(":")[0] == row.partition(":")[0])
    )


def test_foresight_gives_way_before_any_limit() -> None:
    prices = row_prices(model())
    foresees = np.asarray(IS_RECOVERY)
    assert np.all(np.asarray(prices.priority)[foresees] == 2)
    assert np.max(np.asarray(prices.price)[foresees]) <= np.min(
        np.asarray(prices.price)[~foresees]
    )
    expected = np.asarray(model().priority)[np.asarray(ROW_LIMITS)]
    np.testing.assert_array_equal(
        np.asarray(prices.priority)[~foresees], expected[~foresees]
    )


IDLE = {
    "no machine runs": (
        {"running": 0.0, "chillers": 0.0, "economizer": 1.0},
        {"LIFT_MIN", "LIFT_MIN:soon", "SURGE_LINE", "SURGE_LINE:soon"},
    ),
    "economizer open beside machines": (
        {"economizer": 1.0}, {"ECWT_MIN", "LIFT_MIN", "LIFT_MIN:soon"},
    ),
    "machines that are starting": (
        {"running": 0.0, "chillers": 1.0},
        {"ECWT_MIN", "LIFT_MIN", "LIFT_MIN:soon", "SURGE_LINE", "SURGE_LINE:soon"},
    ),
    "all is well": ({}, set()),
}  # fmt: skip


@pytest.mark.parametrize("case", IDLE)
def test_limits_that_do_not_apply_are_idle(case: str) -> None:
    changes, idle = IDLE[case]
    found = one(**changes)
    assert {name for name, value in found.items() if np.isnan(value)} == idle


@pytest.mark.parametrize("count", [0.0, 1.0, 3.0])
def test_machines_that_will_run_decide_lift_and_surge_only(count: float) -> None:
    held, now = jnp.asarray(HELD, jnp.float32), situation()
    usual = np.asarray(program("machines")(held, now, model(), jnp.float32(2.0)))
    found = np.asarray(program("machines")(held, now, model(), jnp.float32(count)))
    differ = {
        ROW_NAMES[i]
        for i in range(len(ROW_NAMES))
        if not np.array_equal(usual[i], found[i], equal_nan=True)
    }
    lift = {"LIFT_MIN", "LIFT_MIN:soon"}
    surge = {"SURGE_LINE", "SURGE_LINE:soon"}
    assert differ == (lift | surge if count == 0.0 else surge)


# what missing instruments may hide, and the rows that must grow tighter with it
SPREADS = {
    "inlet_spread": ("CA_T_MAX:hall1", "CA_T_MAX:hall1:coil", "CA_T_MIN:hall1"),
    "load_spread": ("AIRFLOW_RATIO:hall1", "CHW_DP_MIN:hall1"),
    "dew_point_spread": ("DEWPOINT_MARGIN",),
    "tower_spread": ("ECWT_MIN", "ECWT_CWRT_MAX:entering", "ECWT_CWRT_MAX:leaving",
                     "LIFT_MIN", "SURGE_LINE"),
}  # fmt: skip


@pytest.mark.parametrize("spread", SPREADS)
def test_what_missing_instruments_may_hide_tightens_the_rows(spread: str) -> None:
    usual = np.asarray(getattr(situation(), spread))
    ages = []
    for hidden in (0.0, 0.1, 0.5, 1.0):
        changed: dict[str, Any] = {
            spread: tuple(usual + hidden) if usual.ndim else hidden
        }
        ages.append(one(HELD, None, **changed))
    for name in SPREADS[spread]:
        assert np.all(np.diff([rows[name] for rows in ages]) > 0.0), name


@pytest.mark.parametrize(
    "row",
    ["CA_T_MAX:hall1", "AIRFLOW_RATIO:hall1", "AIRFLOW_RATIO:hall1:recovery",
     "CHW_DP_MIN:hall1", "CHW_DP_MIN:hall1:recovery"],
)  # fmt: skip
def test_a_load_that_has_jumped_tightens_the_rows_beyond_what_is_customary(
    row: str,
) -> None:
    found = [one(load_growth=(rise, 0.0))[row] for rise in (0.0, 0.05, 0.3, 0.5)]
    assert found[0] == found[1]
    assert found[1] < found[2] < found[3]
    other = row.replace("hall1", "hall2")
    assert one(load_growth=(0.5, 0.0))[other] == one()[other]


def test_margins_are_included() -> None:
    limits, margins = model().limits, model().margins
    found = one()
    hottest = float(limits.inlet_max - margins.inlet_max)
    assert found["CA_T_MAX:hall1"] == pytest.approx(22.0 + 0.8 - hottest, abs=1e-4)
    coldest = float(limits.inlet_min + margins.inlet_min)
    assert found["CA_T_MIN:hall1"] == pytest.approx(coldest - 22.4, abs=1e-4)
    driest = 5.5 + float(limits.dew_point_margin + margins.dew_point)
    assert found["DEWPOINT_MARGIN"] == pytest.approx(driest - 12.0, abs=1e-4)


def test_the_limit_of_change_counts_from_ten_minutes_ago() -> None:
    most = float(model().limits.inlet_change - model().margins.inlet_change)
    found = one(inlet_before=(20.0, 22.5))
    assert found["CA_ROC:hall1:rise"] == pytest.approx(22.55 - 20.0 - most, abs=1e-4)
    assert found["CA_ROC:hall1:fall"] == pytest.approx(20.0 - 22.55 - most, abs=1e-4)


def test_weak_coils_and_lost_air_are_in_the_rows() -> None:
    usual, weak = one(), one(coil_factor=(0.8, 1.0), air_factor=(1.0, 0.8))
    assert weak["CHW_DP_MIN:hall1"] > usual["CHW_DP_MIN:hall1"] + 100.0
    assert weak["AIRFLOW_RATIO:hall2"] > usual["AIRFLOW_RATIO:hall2"] + 0.1
    assert weak["AIRFLOW_RATIO:hall1"] == usual["AIRFLOW_RATIO:hall1"]


def test_noticeable_differences_are_in_the_limits_units() -> None:
    for name, index, least in zip(ROW_NAMES, ROW_LIMITS, NOTICEABLE, strict=True):
        unit = LIMITS[index].unit
        assert least == {"K": 0.1, "1": 0.01, "kPa": 10.0}[unit], name

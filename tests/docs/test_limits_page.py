"""`docs/limits.md` says what the code does."""

from pathlib import Path

import jax.numpy as jnp
import numpy as np

from coolbound_envs.limit_numbers import parse_limits
from coolbound_envs.limit_table import LIMIT_NAMES
from coolbound_envs.site import load_site
from coolbound_envs.spec import POINT_INDEX, channel_array, point_array
from coolbound_envs.types import Observation, Quality
from coolbound_safety.envelope import ROW_NAMES
from coolbound_safety.judge import judge
from coolbound_safety.limits_page import (
    ALSO_KEPT_BY,
    CHANNELS_OF,
    KEPT_BY,
    TRUE_STATE,
    UNJUDGED,
    WAITING,
    page,
)
from coolbound_safety.margins import safety_model

PAGE = Path(__file__).parents[2] / "docs" / "limits.md"


def test_the_page_is_what_the_generator_prints() -> None:
    assert PAGE.read_text(encoding="utf-8") == page()


def test_every_limit_has_a_keeper_and_an_evaluation() -> None:
    with_row = {name.partition(":")[0] for name in ROW_NAMES}
    assert with_row | set(KEPT_BY) == set(LIMIT_NAMES)
    assert not with_row & set(KEPT_BY)
    assert set(TRUE_STATE) == set(LIMIT_NAMES)


def test_no_entry_is_about_a_limit_that_does_not_exist() -> None:
    for table in (ALSO_KEPT_BY, CHANNELS_OF, UNJUDGED, WAITING):
        assert set(table) <= set(LIMIT_NAMES)


def test_every_number_of_a_limit_is_on_the_page() -> None:
    site = load_site()
    text = page()
    for key in ("emergency", "free_cooling", "leaving", "slope", "start_window"):
        assert f"`{key}`" in text
    assert f"{site.feeder_power / 1e3:g} kW" in text


def test_unjudged_limits_are_those_that_instruments_do_not_show() -> None:
    site = load_site()
    limits = parse_limits(site.root, site.feeder_power)
    # Every instrument reads something, and two chillers run without economizer.
    readings = (point_array("lower") + point_array("upper")) / 2.0
    readings[POINT_INDEX["chillers_running"]] = 2.0
    readings[POINT_INDEX["economizer_running"]] = 0.0
    size = len(readings)
    observation = Observation(
        value=jnp.asarray(readings, jnp.float32),
        quality=jnp.full(size, Quality.GOOD, jnp.int32),
        age=jnp.zeros(size, jnp.float32),
        applied=jnp.asarray(channel_array("upper"), jnp.float32),
        time=jnp.float32(0.0),
    )
    values = np.asarray(
        judge(observation, observation.applied, safety_model(site, limits))
    )
    missing = {name for name, h in zip(LIMIT_NAMES, values, strict=True) if np.isnan(h)}
    assert missing == set(UNJUDGED)

"""`docs/limits.md` and the reference site say what the code does."""

import re
from pathlib import Path

import jax.numpy as jnp
import numpy as np

from coolbound_envs.limit_numbers import FIELDS, parse_limits
from coolbound_envs.limit_policy import parse_limit_policy
from coolbound_envs.limit_table import LIMIT_NAMES, LIMITS
from coolbound_envs.site import load_site
from coolbound_envs.spec import POINT_INDEX, channel_array, point_array
from coolbound_envs.types import Observation, Quality
from coolbound_safety import margins
from coolbound_safety.estimator import observe
from coolbound_safety.estimator_state import first_state
from coolbound_safety.judge import judge
from coolbound_safety.limits_notes import NOTES, ROW_WORDS
from coolbound_safety.limits_page import CHANNELS_OF, page
from coolbound_safety.limits_section import limits_section, put_section
from coolbound_safety.margins import safety_model
from coolbound_safety.rows import ROW_NAMES

PAGE = Path(__file__).parents[2] / "docs" / "limits.md"


def cells(name: str) -> list[list[str]]:
    """Return the cells of every table row about a limit."""
    lines = PAGE.read_text(encoding="utf-8").splitlines()
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in lines]
    return [row for row in rows if name in row[:2]]


def test_the_page_is_what_the_generator_prints() -> None:
    assert PAGE.read_text(encoding="utf-8") == page()


def test_the_reference_site_ends_with_what_the_generator_prints() -> None:
    text = load_site().path.read_text(encoding="utf-8")
    assert text.endswith("\n\n" + limits_section())


def test_the_section_is_put_in_place_of_the_one_before(tmp_path: Path) -> None:
    whole = load_site().path.read_text(encoding="utf-8")
    path = tmp_path / "mine.toml"
    path.write_text(whole.replace('value = "27 degC"', 'value = "26 degC"'))
    for _ in range(2):
        put_section(path)
        assert path.read_text(encoding="utf-8") == whole


def test_every_limit_has_one_entry_and_somebody_who_keeps_it() -> None:
    assert tuple(NOTES) == LIMIT_NAMES
    with_row = {name.partition(":")[0] for name in ROW_NAMES}
    for name, note in NOTES.items():
        assert name in with_row or note.kept_by, name
    assert set(CHANNELS_OF) <= set(LIMIT_NAMES)


def test_every_part_of_a_row_has_a_word_and_no_word_is_idle() -> None:
    parts = {part for row in ROW_NAMES for part in row.split(":")[1:]}
    assert {x for x in parts if not re.fullmatch(r"hall\d", x)} | {""} == set(ROW_WORDS)


def test_every_limit_has_its_kind_priority_source_and_switch_on_the_page() -> None:
    policy = parse_limit_policy(load_site().root)
    for i, limit in enumerate(LIMITS):
        values, source, kept = cells(limit.name)[:3]
        assert values[0] == str(i + 1)
        assert values[6:8] == [str(policy.priority[i]), "on"]
        assert source[1:] == [" and ".join(limit.kinds), policy.source[i]]
        assert kept[2] == NOTES[limit.name].on_true_state
        rows = sum(row.partition(":")[0] == limit.name for row in ROW_NAMES)
        expected = {0: "", 1: "row"}.get(rows, f"{rows} rows")
        assert kept[1].startswith(expected or NOTES[limit.name].kept_by)


def test_every_number_of_a_limit_is_on_the_page() -> None:
    site = load_site()
    for table in (FIELDS, margins.FIELDS):
        for limit, key, *_ in table.values():
            assert f"`{key}`" in " ".join(cells(limit)[0]), f"{limit}.{key}"
    assert f"{site.feeder_power / 1e3:g} kW" in " ".join(cells("CAPACITY_N1_POWER")[0])


def test_unjudged_limits_are_those_that_one_observation_does_not_show() -> None:
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
    model = safety_model(site, limits)
    now, _ = observe(first_state(), observation, model)
    values = np.asarray(judge(observation, observation.applied, now, model))
    missing = {name for name, h in zip(LIMIT_NAMES, values, strict=True) if np.isnan(h)}
    assert missing == {name for name, note in NOTES.items() if note.unjudged}

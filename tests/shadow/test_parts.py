"""Parts of a long log cover each step once, and end where the log ends."""

import numpy as np
import pytest

from coolbound_shadow.parts import (
    DAY_STEPS,
    PART_STEPS,
    WARM_UP_STEPS,
    WHOLE_STEPS,
    cut_parts,
    stitch,
)


@pytest.mark.parametrize("steps", [1, 288, WHOLE_STEPS])
def test_a_short_log_is_one_part_without_warm_up(steps: int) -> None:
    parts = cut_parts(steps)
    assert (parts.number, parts.length) == (1, steps)
    assert parts.begins.tolist() == parts.skips.tolist() == [0]


@pytest.mark.parametrize(
    "steps",
    [WHOLE_STEPS + 1, 3 * PART_STEPS, 3 * PART_STEPS + 5, 105_120, 5 * 105_120],
)
def test_each_step_counts_once_and_after_a_warm_up(steps: int) -> None:
    parts = cut_parts(steps)
    each = parts.begins[None, :] + np.arange(parts.length)[:, None]
    rows = stitch({"step": each}, parts)["step"]
    np.testing.assert_array_equal(rows, np.arange(steps))
    assert np.all(parts.skips[1:] >= WARM_UP_STEPS)
    assert parts.skips[0] == 0
    assert parts.begins[-1] + parts.length == steps
    assert parts.length % DAY_STEPS == 0
    assert np.all(parts.begins >= 0)

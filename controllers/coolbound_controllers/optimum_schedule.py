"""The optimum's set-points by wet bulb, over the training cities: a table to read.

    python -m coolbound_controllers.optimum_schedule

prints, in half a minute, what the schedule of the start rule
(`coolbound_envs.start_action`) was drawn along: for each band of wet bulb and each
mode of the machines, how often the optimum at rest is there, and its mean set-points.
"""

from collections.abc import Iterator
from typing import Final

import jax
import numpy as np

from coolbound_controllers.evaluation_bound import FREEDOM, hourly, spread_hours
from coolbound_controllers.g36_tuned_weeks import (
    SearchPlan,
    search_task,
    search_weeks,
    start_weeks,
)
from coolbound_controllers.optimum import as_action, solve
from coolbound_envs.site import Site, load_site
from coolbound_envs.types import action_to_vector

BANDS: Final = (
    -20.0,
    -2.0,
    1.0,
    3.0,
    5.0,
    7.0,
    9.0,
    11.0,
    13.0,
    15.0,
    18.0,
    22.0,
    30.0,
)
"""Ends of the bands of wet bulb. [degC]"""

HOURS: Final = 24
"""Hours of each week that are solved, spread over it. [1]"""

FEWEST: Final = 5
"""A row stands for this many hours at least. [1]"""

SHOWN: Final = {
    "supply air, degC": 0,
    "CRAH fans": 2,
    "chilled water, degC": 4,
    "pressure, kPa": 5,
    "cond. pumps": 6,
    "tower fans": 7,
}
"""Columns of the table and their channels. [1]"""


def optimal_hours(
    site: Site, plan: SearchPlan, hours: int = HOURS
) -> tuple[np.ndarray, np.ndarray]:
    """Return wet bulb (n,) [degC] and optimal action (n, 10) of the plan's hours.

    Args:
        site: The plant and its limits.
        plan: Weeks, cities and loads.
        hours: Of each week. [1]
    """
    params = search_task(plan, site)
    state = start_weeks(plan, search_weeks(plan), params, 1).first[1]
    acting = hourly(state, params, spread_hours(24 * plan.days, hours))
    wet_bulb, actions = [], []
    for lane in range(state.steps.shape[0]):
        one = jax.tree.map(lambda x, lane=lane: x[..., lane, :], acting)
        best = solve(one, site.plant, params.limits, FREEDOM)
        wet_bulb.append(np.asarray(one.wet_bulb))
        actions.append(np.asarray(action_to_vector(as_action(best))))
    return np.concatenate(wet_bulb), np.concatenate(actions)


def schedule_table(wet_bulb: np.ndarray, actions: np.ndarray) -> str:
    """Return the table as Markdown.

    Args:
        wet_bulb: Of each hour, (n,). [degC]
        actions: Optimal, (n, 10). [each channel's unit]
    """
    head = ("wet bulb, degC", "machines", "economizer", "hours", *SHOWN)
    lines = [head, ("---",) * len(head), *_rows(wet_bulb, actions)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _rows(wet_bulb: np.ndarray, actions: np.ndarray) -> Iterator[tuple[str, ...]]:
    band = np.digitize(wet_bulb, BANDS)
    modes = np.round(actions[:, 8:10]).astype(int)
    for i in range(1, len(BANDS)):
        for mode in np.unique(modes, axis=0):
            rows = (band == i) & np.all(modes == mode[None, :], axis=1)
            if np.sum(rows) < FEWEST:
                continue
            mean = np.mean(actions[rows], axis=0)
            yield (
                f"{BANDS[i - 1]:g} to {BANDS[i]:g}",
                f"{mode[0]}",
                "open" if mode[1] else "shut",
                f"{np.sum(rows)}",
                *(f"{mean[channel]:.2f}" for channel in SHOWN.values()),
            )


def main() -> None:
    """Print the table of the reference site."""
    print(schedule_table(*optimal_hours(load_site(), SearchPlan())))


if __name__ == "__main__":
    main()

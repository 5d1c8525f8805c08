"""Several seeds of one learner: all of them, their mean, the worst, an interval.

The unit is the seed: what one training run would have given. Nothing is dropped and
nothing is chosen by its score.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np
from scipy import stats

CONFIDENCE: Final = 0.95
"""Probability with which an interval of the mean holds it. [1]"""

SUMMARISED: Final = (
    "total_energy_kwh",
    "cooling_energy_kwh",
    "cooling_energy_21_kwh",
    "above_work_kw",
    "mlc",
    "mlc_21",
    "pue",
    "wue",
    "peak_power_kw",
    "worst_inlet_c",
    "intervention_rate",
    "mean_correction",
    "chiller_starts",
    "reward",
)
"""Figures of which seeds have a mean."""

MORE_IS_BETTER: Final = frozenset({"reward", "percent", "percent_21"})
"""Of these the least is the worst."""


def spread(values: Sequence[float], more_is_better: bool = False) -> dict[str, Any]:
    """Return all values, their mean, the worst, and the mean's 95 % interval.

    Student t over the values as independent draws; with a single one the ends are
    None. A value that is not finite makes mean and ends None: none is dropped.
    """
    array = np.asarray(values, np.float64)
    if not np.all(np.isfinite(array)):
        return {"all": list(values), "mean": None, "worst": None} | _ends(None, 0.0)
    mean = float(np.mean(array))
    worst = float(np.min(array) if more_is_better else np.max(array))
    half = None
    if len(array) > 1:
        quantile = float(stats.t.ppf(0.5 + CONFIDENCE / 2.0, len(array) - 1))
        half = quantile * float(np.std(array, ddof=1)) / math.sqrt(len(array))
    return {"all": array.tolist(), "mean": mean, "worst": worst} | _ends(half, mean)


def _ends(half: float | None, mean: float) -> dict[str, float | None]:
    if half is None:
        return {"low": None, "high": None}
    return {"low": mean - half, "high": mean + half}


def seed_figures(
    runs: Sequence[Mapping[str, Any]],
    paired: Sequence[Mapping[str, Any]],
    cost_limit: float,
) -> dict[str, Any]:
    """Return what the seeds of one learner came to.

    Args:
        runs: Figures of each seed, as `evaluation_figures.figures` gives them.
        paired: Difference of each to the baseline: `percent` and `percent_21`.
        cost_limit: Mean cost of a step that training allowed. [1]
    """
    found: dict[str, Any] = {
        name: spread([run[name] for run in runs], name in MORE_IS_BETTER)
        for name in SUMMARISED
    }
    for name in ("percent", "percent_21"):
        values = [pair[name] for pair in paired]
        if values:
            found[name] = spread(values, more_is_better=True)
    return found | {
        "costs": {name: _cost(runs, name, cost_limit) for name in runs[0]["costs"]},
        "limits": {name: _limit(runs, name) for name in runs[0]["violations"]},
        "share_without_violation": _share([r["violation_steps"] == 0 for r in runs]),
    }


def _cost(runs: Sequence[Mapping[str, Any]], name: str, limit: float) -> dict[str, Any]:
    values = [run["costs"][name] for run in runs]
    within = _share([value <= limit for value in values])
    return spread(values) | {"limit": limit, "share_within": within}


def _limit(runs: Sequence[Mapping[str, Any]], name: str) -> dict[str, Any]:
    found = [run["violations"][name] for run in runs]
    return {
        "before": spread([each["before"] for each in found]),
        "after": spread([each["after"] for each in found]),
        "share_within": _share([each["after"] == 0 for each in found]),
    }


def _share(flags: Sequence[bool]) -> float:
    return sum(flags) / len(flags)

"""Comparisons of made logs: conditions, a twin and a year of the site."""

import dataclasses
from typing import Any

import numpy as np

from coolbound_shadow.agreement import agreements
from coolbound_shadow.comparison import Comparison
from coolbound_shadow.conditions import Conditions, load_names, wet_bulb_names
from coolbound_shadow.coverage import Year, coverage
from coolbound_shadow.divergence import divergence
from coolbound_shadow.log_types import Log
from coolbound_shadow.potential import binned, without_doubtful
from coolbound_shadow.records import Decisions
from coolbound_shadow.shift_plan import USUAL
from coolbound_shadow.statistics import Interval
from coolbound_shadow.twin import Twin


def met(log: Log, seed: int = 0) -> Conditions:
    """Return conditions that visit several bins."""
    rng = np.random.default_rng(seed)
    hour = (log.time_utc + log.offset - 300) % 86400 // 3600
    return Conditions(
        load=0.55 + 0.1 * np.sin(hour / 24.0 * 6.28) + 0.0 * rng.normal(size=log.rows),
        wet_bulb=8.0 + 5.0 * np.sin(np.arange(log.rows) / 900.0),
        minute=(log.time_utc + log.offset - 300) % 86400 // 60,
        month=np.full(log.rows, 4),
        load_basis="IT power over design",
    )


def novel(decisions: Any, score: np.ndarray) -> Any:
    cut = np.zeros(len(score), dtype=np.int64)
    extra = {**decisions.extra, "novelty": score, "features_cut": cut}
    return dataclasses.replace(decisions, extra=extra)


def twin(log: Log, share: float = 0.05, error: float = 0.002) -> Twin:
    """Return a twin in which the policy uses a constant share less."""
    rng = np.random.default_rng(1)
    operator = 1000.0 + 50.0 * rng.normal(size=log.rows)
    powers = np.stack([operator, (1.0 - share) * operator])
    return Twin(
        potential=Interval(100 * share, 4.0, 6.0, days=30),
        null_test=Interval(100 * error, 0.1, 0.3, days=30),
        powers=powers,
        measured=np.stack([(1.0 + error) * operator, operator]),
    )


def year(bins_of_year: int) -> Year:
    """Return a year that spends a day in each of some bins."""
    hours = np.zeros((len(load_names()), len(wet_bulb_names())))
    hours.reshape(-1)[:bins_of_year] = 24.0
    return Year("made", hours)


def made_comparison(log: Log, decisions: Decisions) -> Comparison:
    """Return all that a report compares, of a site whose year has ten bins."""
    circumstances, model = met(log), twin(log)
    return Comparison(
        met=circumstances,
        agreement=agreements(decisions, circumstances, USUAL),
        coverage=coverage(log, circumstances, year(10)),
        divergence=divergence(decisions),
        cells=binned(log, model, circumstances),
        exclusions=without_doubtful(log, model, decisions),
    )

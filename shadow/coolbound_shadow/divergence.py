"""Where the policy wants something far from the operator on unfamiliar ground.

A difference alone is no alarm: it is why a policy is shadowed. An unfamiliar
observation alone is none either. Both at once are: the policy departs from people who
know the plant, where it has learnt nothing.
"""

import dataclasses
from collections.abc import Mapping
from typing import Any, Final

import numpy as np

from coolbound_envs.spec import CHANNEL_NAMES, CHANNELS, channel_array
from coolbound_shadow.novelty import NOVELTY_LIMIT, is_novel
from coolbound_shadow.records import Decisions

FAR: Final = 0.25
"""A proposal this far from the operator, of its channel's range, is far. [1]"""

ALERTS_LISTED: Final = 8
"""Alerts that a report lists. [1]"""


@dataclasses.dataclass(frozen=True)
class Alert:
    """Consecutive decisions far from the operator on unfamiliar ground. Static.

    Attributes:
        row: First row in the log. [1]
        steps: Decisions. [1]
        score: Largest score. [1]
        channel: Channel with the largest difference.
        difference: Proposed minus operator there. [the channel's unit]
    """

    row: int
    steps: int
    score: float
    channel: str
    difference: float


@dataclasses.dataclass(frozen=True)
class Divergence:
    """Unfamiliar observations, and what the policy asked for there. Static.

    Attributes:
        scored: Decisions with a score. [1]
        novel: Of these, out of distribution. [1]
        far: Decisions far from the operator. [1]
        both: Decisions that are both. [1]
        median: Median score; NaN without any. [1]
        high: 99 % quantile of the scores; NaN without any. [1]
        alerts: Stretches that are both, longest first.
        farthest: Features farthest from training, with their distance. [1]
        modelled: Share of the policy's own course in the model that is out of
            distribution; None where not run. [1]
    """

    scored: int
    novel: int
    far: int
    both: int
    median: float
    high: float
    alerts: tuple[Alert, ...]
    farthest: tuple[tuple[str, float], ...] = ()
    modelled: float | None = None

    def as_data(self) -> Mapping[str, Any]:
        """Return it ready for JSON."""
        return {
            "limit": NOVELTY_LIMIT,
            "scored": self.scored,
            "out_of_distribution": self.novel,
            "share": self.novel / self.scored if self.scored else None,
            "median": self.median if self.scored else None,
            "p99": self.high if self.scored else None,
            "far_from_operator": self.far,
            "alert_decisions": self.both,
            "alerts": len(self.alerts),
            "farthest_features": dict(self.farthest),
            "share_in_model": self.modelled,
        }


def divergence(
    decisions: Decisions,
    farthest: tuple[tuple[str, float], ...] = (),
    modelled: float | None = None,
) -> Divergence:
    """Return unfamiliar observations and divergence alerts of a run.

    Args:
        decisions: The run.
        farthest: Features farthest from training, with their distance. [1]
        modelled: Share of the policy's own course in the model that is out of
            distribution; None where not run. [1]
    """
    score = np.asarray(decisions.extra.get("novelty", np.full(decisions.rows, np.nan)))
    known = score[np.isfinite(score)]
    novel, share = novel_rows(decisions), _shares(decisions)
    far = np.max(share, axis=1) > FAR
    both = novel & far
    low, high = np.quantile(known, (0.5, 0.99)) if len(known) else (np.nan, np.nan)
    return Divergence(
        scored=len(known),
        novel=int(np.sum(novel)),
        far=int(np.sum(far)),
        both=int(np.sum(both)),
        median=float(low),
        high=float(high),
        alerts=_alerts(decisions, both, share, score),
        farthest=farthest,
        modelled=modelled,
    )


def novel_rows(decisions: Decisions) -> np.ndarray:
    """Return where the observation was out of distribution, bool, shape (T,)."""
    extra = decisions.extra
    if "novelty" not in extra:
        return np.zeros(decisions.rows, dtype=bool)
    return is_novel(np.asarray(extra["novelty"]), np.asarray(extra["features_cut"]))


def _shares(decisions: Decisions) -> np.ndarray:
    """Return how far proposals lie from the operator, of the range, (T, 10) [1]."""
    span = channel_array("upper") - channel_array("lower")
    share = np.abs(decisions.proposed - decisions.applied) / span
    is_request = np.asarray([channel.is_request for channel in CHANNELS])
    # A machine more or less is a large share of few: requests are not compared.
    return np.where(is_request[None, :], 0.0, np.nan_to_num(share))


def _alerts(
    decisions: Decisions, both: np.ndarray, share: np.ndarray, score: np.ndarray
) -> tuple[Alert, ...]:
    rows = np.flatnonzero(both)
    if len(rows) == 0:
        return ()
    groups = np.split(rows, np.flatnonzero(np.diff(rows) > 1) + 1)
    found = [_alert(decisions, group, share, score) for group in groups]
    return tuple(sorted(found, key=lambda alert: (-alert.steps, alert.row)))


def _alert(
    decisions: Decisions, rows: np.ndarray, share: np.ndarray, score: np.ndarray
) -> Alert:
    row, channel = np.unravel_index(np.argmax(share[rows]), share[rows].shape)
    at = rows[row]
    difference = decisions.proposed[at, channel] - decisions.applied[at, channel]
    return Alert(
        row=int(rows[0]),
        steps=len(rows),
        score=float(np.max(score[rows])),
        channel=CHANNEL_NAMES[int(channel)],
        difference=float(difference),
    )

"""How far certified and operator agree, channel by channel, sorted by circumstance."""

import dataclasses
from typing import Any

import numpy as np

from coolbound_envs.spec import CHANNEL_NAMES
from coolbound_shadow.conditions import (
    LOAD_EDGES,
    WET_BULB_EDGES,
    Conditions,
    bins,
    load_names,
    wet_bulb_names,
)
from coolbound_shadow.records import Decisions, beyond_dead_band
from coolbound_shadow.shift_plan import ShiftPlan


@dataclasses.dataclass(frozen=True)
class Agreement:
    """Agreement of every channel in every group of steps. Static.

    Attributes:
        groups: What the groups are called, G texts.
        steps: Steps in each, shape (G,). [1]
        within: Share of steps within the dead band, NaN for none, (G, 10). [1]
        difference: Mean of certified minus operator, NaN for none, shape (G, 10).
            [each channel's unit]
    """

    groups: tuple[str, ...]
    steps: np.ndarray
    within: np.ndarray
    difference: np.ndarray

    def as_data(self) -> dict[str, Any]:
        """Return the groups that have steps, ready for JSON."""
        return {
            name: {
                "steps": int(self.steps[g]),
                "channels": {
                    channel: {
                        "within_dead_band": _number(self.within[g, i]),
                        "mean_difference": _number(self.difference[g, i]),
                    }
                    for i, channel in enumerate(CHANNEL_NAMES)
                },
            }
            for g, name in enumerate(self.groups)
            if self.steps[g]
        }


def _number(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None


def agreement_by(
    decisions: Decisions, groups: tuple[str, ...], place: np.ndarray
) -> Agreement:
    """Return the agreement in each group of steps.

    Args:
        decisions: The run.
        groups: What the groups are called.
        place: Group of each step, -1 for none, shape (T,).
    """
    outside = beyond_dead_band(decisions.certified, decisions.applied)
    difference = decisions.certified - decisions.applied
    known = np.isfinite(difference)
    member = place[None, :] == np.arange(len(groups))[:, None]
    count = member.astype(np.float64) @ known

    def mean(values: np.ndarray) -> np.ndarray:
        total = member.astype(np.float64) @ np.where(known, values, 0.0)
        return np.where(count > 0, total / np.maximum(count, 1.0), np.nan)

    return Agreement(
        groups=groups,
        steps=np.sum(member, axis=1),
        within=mean(~outside),
        difference=mean(difference),
    )


def agreements(
    decisions: Decisions, met: Conditions, plan: ShiftPlan
) -> dict[str, Agreement]:
    """Return agreement by shift, hour, load and wet bulb.

    Args:
        decisions: The run.
        met: Load, weather and clock of each row.
        plan: The hours of the site's shifts.
    """
    hours = tuple(f"{hour:02d}" for hour in range(24))
    return {
        "shift": agreement_by(decisions, plan.titles(), plan.places(met.minute)),
        "hour": agreement_by(decisions, hours, met.minute // 60),
        "load": agreement_by(decisions, load_names(), bins(met.load, LOAD_EDGES)),
        "wet_bulb": agreement_by(
            decisions, wet_bulb_names(), bins(met.wet_bulb, WET_BULB_EDGES)
        ),
    }

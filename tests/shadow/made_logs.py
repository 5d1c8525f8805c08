"""Made-up logs and decisions for the tests of the shadow package."""

import dataclasses

import numpy as np

from coolbound_envs.spec import (
    ACTION_SIZE,
    CHANNEL_NAMES,
    OBSERVATION_SIZE,
    POINT_NAMES,
    channel_array,
    point_array,
)
from coolbound_envs.types import Quality
from coolbound_shadow.events import intervention_events
from coolbound_shadow.log_types import Log, SourceFile, log_facts
from coolbound_shadow.records import Decisions
from coolbound_shadow.report import ReportData
from coolbound_shadow.statistics import Interval
from coolbound_shadow.summary import LimitReport, limit_value

START = 1_714_514_400  # 2024-05-01T00:00:00+02:00
OFFSET = 7200


def made_log(steps: int = 288, step_s: int = 300, seed: int = 0) -> Log:
    """Return a log with every point and channel, smooth and within range."""
    rng = np.random.default_rng(seed)
    time = START + step_s * np.arange(1, steps + 1)
    wave = 0.5 + 0.2 * np.sin(2 * np.pi * time / 86400.0)
    lower, upper = point_array("lower"), point_array("upper")
    values = lower + (upper - lower) * (wave[:, None] + 0.01 * rng.normal(size=(1, 1)))
    low, high = channel_array("lower"), channel_array("upper")
    applied = np.round(low + (high - low) * wave[:, None], 3)
    return Log(
        time_utc=time,
        offset=np.full(steps, OFFSET),
        step_s=step_s,
        values=np.round(np.broadcast_to(values, (steps, OBSERVATION_SIZE)), 4),
        quality=np.full((steps, OBSERVATION_SIZE), Quality.GOOD, dtype=np.int8),
        applied=applied,
        observable=(*POINT_NAMES, *CHANNEL_NAMES),
        rows_read=steps,
        rejected={},
        flagged={},
        sources=(SourceFile("log.csv", "0" * 64, steps),),
        zone="Europe/Berlin",
    )


def made_decisions(log: Log, seed: int = 0) -> Decisions:
    """Return decisions in which the policy drifts and the safety layer cuts in."""
    rng = np.random.default_rng(seed)
    steps = log.rows
    span = channel_array("upper") - channel_array("lower")
    noise = rng.normal(size=(steps, ACTION_SIZE))
    total = np.cumsum(np.pad(noise, ((24, 0), (0, 0))), axis=0)
    drift = (total[24:] - total[:-24]) / 24.0
    proposed = np.where(np.isfinite(log.applied), log.applied, 0.6) + 0.4 * drift * span
    proposed[:, -2:] = np.round(proposed[:, -2:])
    certified = np.clip(proposed, channel_array("lower"), channel_array("upper"))
    certified[:, 4] = np.maximum(certified[:, 4], 9.0)
    change = np.abs(certified - proposed) > channel_array("dead_band")[None, :]
    mask = np.any(change, axis=1)
    kind = np.where(mask, np.where(change[:, 4], "limit", "ramp"), "")
    limit = np.where(mask, np.where(change[:, 4], "CHWS_BOX", "CT_CWP_RATE"), "")
    status = np.where(mask, "PROJECTED", "PASSED")
    return Decisions(
        time_utc=log.time_utc,
        offset=log.offset,
        observed=log.values,
        quality=log.quality,
        applied=log.applied,
        proposed=proposed,
        certified=certified,
        status=tuple(map(str, status)),
        rung=("",) * steps,
        reason=("",) * steps,
        active=tuple(f"{name}=0.000" if name else "" for name in limit),
        limit=tuple(map(str, limit)),
        kind=tuple(map(str, kind)),
        margins={"CHWS_BOX": certified[:, 4] - 9.0, "CT_CWP_RATE": 0.1 - drift[:, 6]},
        extra={"certificate_gap": np.abs(drift[:, 0]), "machines": np.arange(steps)},
        policy_digest="ab" * 32,
    )


def with_fallback(decisions: Decisions, steps: slice, reason: str) -> Decisions:
    """Return the decisions with a fallback during the given steps."""
    size = len(range(*steps.indices(decisions.rows)))

    def put(texts: object, text: str) -> tuple[str, ...]:
        changed = list(texts)  # pyright: ignore[reportArgumentType, reportCallIssue]
        changed[steps] = [text] * size
        return tuple(changed)

    return dataclasses.replace(
        decisions,
        status=put(decisions.status, "FALLBACK"),
        reason=put(decisions.reason, reason),
        rung=put(decisions.rung, "hold"),
        kind=put(decisions.kind, "fallback"),
        limit=put(decisions.limit, ""),
    )


def made_limits(names: list[tuple[str, str, str]], steps: int) -> list[LimitReport]:
    """Return limits of which every third is violated, every fifth unknown."""
    rows = []
    for i, (name, unit, meaning) in enumerate(names):
        h = np.linspace(-3.0, -0.2, steps)
        worse = h + (0.8 if i % 3 == 0 else 0.0)
        unknown = np.full(steps, np.nan)
        sides = [unknown] * 3 if i % 5 == 4 else [worse, worse + 0.1, h]
        rows.append(LimitReport(i + 1, name, meaning, unit, *map(limit_value, sides)))
    return rows


LIMITS = [
    ("CA_T_MAX", "K", "hottest IT inlet at most 27 degC"),
    ("CA_T_MIN", "K", "coldest IT inlet at least 18 degC"),
    ("CA_ROC", "K", "inlet warms at most 5 K in 15 min"),
    ("DEWPOINT_MARGIN", "K", "chilled water at least 2 K above the room's dew point"),
    ("AIRFLOW_RATIO", "1", "room air at least the servers' air"),
    ("CRAH_FAN", "1", "CRAH fans within range and rate"),
    ("SAT_BOX_RATE", "K", "supply air set-point within range and rate"),
    ("CHWS_BOX", "K", "chilled-water set-point within range"),
    ("CHWS_SLEW", "K", "chilled-water set-point moves at most 0.5 K a step"),
    ("EVAP_FLOW_MIN", "kg/s", "enough water through each evaporator"),
    ("EVAP_FLOW_MAX", "kg/s", "not too much water through each evaporator"),
    ("CHW_FLOW_ROC", "1", "chilled-water flow changes at most 10 % a minute"),
    ("CHW_DP_MIN", "kPa", "pressure enough for the farthest coil"),
    ("ECWT_MIN", "K", "tower water not too cold"),
    ("ECWT_CWRT_MAX", "K", "condenser water not too warm"),
    ("LIFT_MIN", "K", "enough lift for the compressors"),
    ("SURGE_LINE", "K", "away from compressor surge"),
    ("CW_FLOW_MIN", "kg/s", "enough water through each condenser"),
    ("CT_CWP_RATE", "1", "tower fans and condenser pumps within range and rate"),
    ("CAPACITY_N1_POWER", "1", "one machine can be lost"),
    ("SHORT_CYCLE_MODE", "s", "machines run and rest long enough"),
]


def made_report(log: Log, decisions: Decisions, **changes: object) -> ReportData:
    """Return a report's data with all of its parts filled in."""
    data = ReportData(
        site="reference",
        policy="reference",
        log=log_facts(log),
        decisions=decisions,
        events=intervention_events(decisions, log.step_s),
        limits=made_limits(LIMITS, log.rows),
        potential=Interval(4.2, 2.9, 5.5, "", 30, 1, 21.4, 4, 7, "day blocks"),
        null_test=Interval(0.4, -0.3, 1.1, "", 30, 1, 21.4, 4, 7, "day means, AR(1)"),
        replay_error=0.0,
        writes_attempted=0,
        notes=(),
        provenance={"coolbound": "0.1.0", "Action table digest": "cd" * 32},
    )
    return dataclasses.replace(data, **changes)  # pyright: ignore[reportArgumentType]

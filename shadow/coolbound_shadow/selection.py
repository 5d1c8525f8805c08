"""Which log is replayed, which part of it, and whether it can be this site's."""

import dataclasses
from datetime import date, datetime, timedelta
from importlib import resources
from pathlib import Path

import numpy as np

import coolbound_shadow
from coolbound_envs.site import Site
from coolbound_envs.spec import HALLS, POINT_INDEX, POINT_NAMES
from coolbound_envs.tables import InputError
from coolbound_shadow.ingest import read_log
from coolbound_shadow.intake.handover import is_imported, read_imported
from coolbound_shadow.local_time import DAY_S
from coolbound_shadow.log_types import Log, local_text
from coolbound_shadow.points import parse_point_map
from coolbound_shadow.reading import OUT_OF_RANGE, REASONS

REFERENCE_LOG = "reference_log.parquet"

ROW_FIELDS = ("time_utc", "offset", "values", "quality", "applied")
"""Fields of a log that have one entry for each row."""

LEAST_DENSITY = 0.1
"""A log with rows in fewer of its steps has a clock that jumped. [1]"""

JUMP_DAYS = 7
"""Longest pause that is called a gap. [d]"""

FAR_ABOVE = 1.5
"""A site's log stays below this multiple of its design. [1]"""

HIGH = 0.99
"""Quantile that is held against the design. [1]"""


@dataclasses.dataclass(frozen=True)
class Period:
    """A part of a log, as the user wrote it. Static.

    A date means its whole day. Text without an offset is the site's wall clock.

    Attributes:
        begin: First day or instant, ISO 8601; empty for the log's beginning.
        end: Last day or instant; empty for the log's end.
    """

    begin: str = ""
    end: str = ""


def reference_log() -> Path:
    """Return the log that ships with the package."""
    folder = resources.files(coolbound_shadow) / "data"
    return Path(str(folder / REFERENCE_LOG))


def load_log(site: Site, path: Path | None) -> Log:
    """Return a site's log: imported, coolbound's own, or through a point map.

    Raises:
        InputError: The site needs a log of its own, or the log is wrong.
    """
    if path is not None and is_imported(path):
        return read_imported(path)
    if not site.root.has("points"):
        return read_log(path or reference_log())
    if path is None:
        raise InputError(
            f"{site.path}: found a point map and no log, expected the site's own "
            "export; give it with --log"
        )
    return read_log(path, parse_point_map(site.root.table("points"), site.zone))


def first_rows(log: Log, limit: int | None) -> Log:
    """Return the first rows of a log.

    Raises:
        InputError: Fewer than two rows are asked for.
    """
    if limit is None or limit >= log.rows:
        return log
    if limit < 2:
        raise InputError(
            f"--steps: found {limit}, expected at least 2 rows; give a larger number"
        )
    return _kept(log, np.arange(log.rows) < limit)


def select_period(log: Log, period: Period) -> Log:
    """Return the rows of a period.

    Raises:
        InputError: A time cannot be read, or the period holds fewer than two rows.
    """
    if not (period.begin or period.end):
        return log
    kept = np.ones(log.rows, dtype=bool)
    if period.begin:
        # A row stands at the end of its step, hence after the period's beginning.
        kept &= _since(log, period.begin, "--from", is_end=False) > 0
    if period.end:
        kept &= _since(log, period.end, "--to", is_end=True) <= 0
    if np.sum(kept) < 2:
        said = f"--from {period.begin or 'its start'} --to {period.end or 'its end'}"
        raise InputError(
            f"{said}: found {int(np.sum(kept))} rows of the log in it, expected at "
            f"least 2; the log reaches from {_text(log, 0)} to {_text(log, -1)}, so "
            "choose a period inside"
        )
    return _kept(log, kept)


def _since(log: Log, text: str, option: str, is_end: bool) -> np.ndarray:
    """Return how long each row comes after an instant, shape (T,) [s]."""
    try:
        is_date = len(text) == len("2023-12-01")
        stamp = datetime.fromisoformat(text)
    except ValueError as error:
        raise InputError(
            f"{option}: found {text!r}, expected a date as 2023-12-01 or a time as "
            "2023-12-01T06:00; correct it"
        ) from error
    if is_date and is_end:
        stamp = datetime.combine(date.fromisoformat(text) + timedelta(1), stamp.time())
    if stamp.tzinfo is not None:
        return log.time_utc - int(stamp.timestamp())
    wall = (stamp - datetime(1970, 1, 1)) // timedelta(seconds=1)
    return log.time_utc + log.offset - wall


def _kept(log: Log, kept: np.ndarray) -> Log:
    return dataclasses.replace(log, **{k: getattr(log, k)[kept] for k in ROW_FIELDS})


def _text(log: Log, row: int) -> str:
    return local_text(int(log.time_utc[row]), int(log.offset[row]))


def require_replayable(log: Log, site: Site) -> None:
    """Refuse a log that no comparison can be made of.

    Raises:
        InputError: It is shorter than a day, its clock jumps, or its powers are
            far above what the site can draw.
    """
    _require_day(log)
    _require_clock(log)
    _require_site(log, site)


def _require_day(log: Log) -> None:
    span = int(log.time_utc[-1] - log.time_utc[0]) + log.step_s
    if span < DAY_S:
        raise InputError(
            f"{_name(log)}: found {span / 3600:.1f} h of log, expected at least a day; "
            "give a longer export or a longer period"
        )


def _require_clock(log: Log) -> None:
    pauses = np.diff(log.time_utc)
    if len(pauses) == 0:
        return
    row = int(np.argmax(pauses))
    is_sparse = log.rows < LEAST_DENSITY * (log.rows + log.missing_steps)
    if is_sparse and pauses[row] > JUMP_DAYS * DAY_S:
        raise InputError(
            f"{_name(log)}: found a jump of {pauses[row] / DAY_S:,.0f} days after "
            f"{_text(log, row)}, and rows in less than "
            f"{100.0 * LEAST_DENSITY:.0f} % of the time, expected one stretch of log; "
            "correct the clock, or choose one side with --from and --to"
        )


def _require_site(log: Log, site: Site) -> None:
    _require_ranges(log, site)
    it_power, feeder = float(site.plant.it.design_power) / 1e3, site.feeder_power / 1e3
    readings = log.usable()
    halls = [POINT_INDEX[f"it_power_hall{h + 1}"] for h in range(HALLS)]
    powers = {
        "IT power": (np.sum(readings[:, halls], axis=1), it_power),
        "chiller_power": (readings[:, POINT_INDEX["chiller_power"]], feeder),
        "facility_power": (
            readings[:, POINT_INDEX["facility_power"]],
            feeder + it_power,
        ),
    }
    for name, (power, design) in powers.items():
        known = power[np.isfinite(power)]
        high = float(np.quantile(known, HIGH)) if len(known) else 0.0
        if high > FAR_ABOVE * design:
            raise InputError(
                f"{_name(log)}: found {name} up to {high:,.0f} kW, expected at most "
                f"the {design:,.0f} kW of site {site.name!r}; this looks like another "
                "site's log or another unit: check --site and the point map"
            )


def _require_ranges(log: Log, site: Site) -> None:
    """Refuse a log of which most points lie outside what they can read."""
    reason, half = REASONS[OUT_OF_RANGE], 0.5 * log.rows
    wrong = [name for name, why in log.flagged.items() if why.get(reason, 0) > half]
    points = [name for name in POINT_NAMES if name in {*log.observable, *wrong}]
    if len(wrong) >= 2 and len(wrong) > 0.5 * len(points):
        raise InputError(
            f"{_name(log)}: found {len(wrong)} of {len(points)} points out of range in "
            f"more than half of the rows (first {wrong[0]}), expected readings of site "
            f"{site.name!r}; this looks like another site's log or other units: check "
            "--site and the point map"
        )


def _name(log: Log) -> str:
    return log.sources[0].name if log.sources else "log"

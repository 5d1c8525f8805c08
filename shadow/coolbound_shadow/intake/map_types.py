"""The point map of a site's exports: what stamps and points mean.

`map_reader` makes these from TOML, `map_writer` writes the TOML.
"""

import dataclasses
from collections.abc import Mapping

import numpy as np

from coolbound_shadow.intake.file_types import ColumnRef, FileMap
from coolbound_shadow.intake.reasons import READING_REASONS, Reason

SCHEMA = 1
STAMPS = ("local", "utc", "fixed_offset", "offset_in_text")
STAMP_AT = ("end", "start", "instant")
ON_AMBIGUOUS = ("refuse", "ordered", "flag_both")
ON_BACKWARDS = ("refuse", "sort", "flag")
ON_OVERLAP = ("refuse", "flag")
ROLES = ("obs", "act", "context", "meter", "status")
KINDS = ("analogue", "binary", "multistate", "counter")
SAMPLINGS = ("poll", "cov", "interval_mean", "event")
RESAMPLES = ("last", "time_mean", "sum", "delta", "max", "none")
SORTS = ("setpoint", "state", "measurement", "counter")
"""The four sorts of readings that `[resample]` has a policy for."""


@dataclasses.dataclass(frozen=True)
class TimeMap:
    """What the stamps mean. Static.

    Attributes:
        zone: IANA name of the zone of local stamps; never guessed.
        stamps: One of `STAMPS`.
        fixed_offset: Local time minus UTC where `stamps` is "fixed_offset". [s]
        formats: Time formats, as strptime writes them, or a name.
        stamp_at: Where in its interval an interval mean is stamped.
        on_ambiguous: What to do with the repeated autumn hour.
        on_backwards: What to do where time runs backwards.
        on_overlap: What to do where two files disagree about one instant.
        min_utc: Earlier stamps are rejected, UTC epoch. [s]
        max_future_s: Stamps later than the import by more are rejected. [s]
    """

    zone: str = ""
    stamps: str = "local"
    fixed_offset: int = 0
    formats: tuple[str, ...] = ("iso",)
    stamp_at: str = "end"
    on_ambiguous: str = "refuse"
    on_backwards: str = "refuse"
    on_overlap: str = "refuse"
    min_utc: int = 946_684_800
    max_future_s: int = 300


@dataclasses.dataclass(frozen=True)
class ResampleMap:
    """The regular clock, and how readings get onto it. Static.

    Attributes:
        step_s: Time between rows of the regular log. [s]
        policy: Resampling of each of `SORTS`.
        min_coverage: A mean over less of its cell than this is left out. [1]
        max_age_s: A reading older than this is stale; 0 for three intervals. [s]
        water_density: Kilograms in a litre, where a volume flow is asked for as
            mass flow. [1]
    """

    step_s: int = 300
    policy: Mapping[str, str] = dataclasses.field(
        default_factory=lambda: {
            "setpoint": "last",
            "state": "last",
            "measurement": "time_mean",
            "counter": "delta",
        }
    )
    min_coverage: float = 0.8
    max_age_s: float = 0.0
    water_density: float = 1.0


@dataclasses.dataclass(frozen=True)
class StatusClass:
    """What a vendor's status text says of a reading. Static.

    Attributes:
        reason: Place of its reason in the map's list; 0 where the reading is good.
        is_override: True where a person or the BAS held the point.
    """

    reason: int
    is_override: bool


@dataclasses.dataclass(frozen=True)
class Tap:
    """Where a point's readings come from, and in what unit. Static.

    Attributes:
        column: Column of a wide or interleaved file.
        tag: The point's name in a tall file, or the stem of a file per point.
        file: Name of the `FileMap`; empty for every file that has the source.
        time: Time column of its own, in an interleaved file.
        status: Status column of its own.
        status_map: Name of the `[quality.NAME]` table.
        gain: Factor from the raw number to the point's unit. [per raw unit]
        bias: Added after the factor. [the point's unit]
        suffix: Text after every number, such as a unit; empty for none.
        start: Readings before this are not used, UTC epoch. [s]
        end: Readings from this on are not used, UTC epoch. [s]
    """

    column: ColumnRef | None = None
    tag: str = ""
    file: str = ""
    time: ColumnRef | None = None
    status: ColumnRef | None = None
    status_map: str = ""
    gain: float = 1.0
    bias: float = 0.0
    suffix: str = ""
    start: int = -(2**62)
    end: int = 2**62


@dataclasses.dataclass(frozen=True)
class MapPoint:
    """One point of the site, and what makes its readings bad. Static.

    Attributes:
        id: Unique name, the site's own.
        taps: Its sources; more than one where the source changed.
        role: One of `ROLES`.
        kind: One of `KINDS`.
        quantity: Such as "temperature"; empty for what the unit says.
        unit: Unit of its values.
        states: Texts and the numbers they stand for.
        sampling: One of `SAMPLINGS`.
        interval_s: Usual time between readings; 0 to take it from the data. [s]
        heartbeat_s: A change-of-value point reports at least this often. [s]
        max_age_s: Older than this a reading is stale; 0 for the map's rule. [s]
        stuck_s: Unchanged this long a reading is stuck; 0 for off. [s]
        lower: Below this a reading is bad. [the point's unit]
        upper: Above this a reading is bad. [the point's unit]
        max_step: Largest believable change between two readings. [the point's unit]
        max_rate: Largest believable change in a minute. [the point's unit]
        bad_values: Raw numbers that are codes. [per raw unit]
        off_value: Raw number written while the machine is off; NaN for none.
            [per raw unit]
        resample: One of `RESAMPLES`.
        min_coverage: Least share of a cell that a mean may rest on. [1]
        feeds: Point or channel of coolbound that it becomes; empty for none.
        combine: "sum" or "mean", where several points feed the same.
        brick: Brick class, as plain text.
        haystack: Haystack tags, as plain text.
    """

    id: str
    taps: tuple[Tap, ...]
    role: str = "obs"
    kind: str = "analogue"
    quantity: str = ""
    unit: str = "1"
    states: tuple[tuple[str, float], ...] = ()
    sampling: str = "poll"
    interval_s: float = 0.0
    heartbeat_s: float = 0.0
    max_age_s: float = 0.0
    stuck_s: float = 0.0
    lower: float = -np.inf
    upper: float = np.inf
    max_step: float = np.inf
    max_rate: float = np.inf
    bad_values: tuple[float, ...] = ()
    off_value: float = np.nan
    resample: str = "time_mean"
    min_coverage: float = 0.8
    feeds: str = ""
    combine: str = "sum"
    brick: str = ""
    haystack: str = ""


@dataclasses.dataclass(frozen=True)
class IntakeMap:
    """All that turns a site's exports into canonical readings. Static.

    Attributes:
        where: File, for messages.
        site: The site's id.
        report_zone: IANA zone in which reports tell the time.
        time: What the stamps mean.
        files: Kinds of export files.
        points: The points.
        resample: The regular clock.
        statuses: By map name and vendor text, what a status says.
        reasons: Reasons of readings, those of the statuses last.
        sha256: Digest of the map's bytes.
        text: The map as it was written.
    """

    where: str
    site: str
    report_zone: str
    time: TimeMap
    files: tuple[FileMap, ...]
    points: tuple[MapPoint, ...]
    resample: ResampleMap = ResampleMap()
    statuses: Mapping[str, Mapping[str, StatusClass]] = dataclasses.field(
        default_factory=dict
    )
    reasons: tuple[Reason, ...] = READING_REASONS
    sha256: str = ""
    text: str = ""


def sort_of(role: str, kind: str) -> str:
    """Return which of `SORTS` a point is, from its role and kind."""
    if kind == "counter":
        return "counter"
    if role == "act":
        return "setpoint"
    return "measurement" if kind == "analogue" else "state"

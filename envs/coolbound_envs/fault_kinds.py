"""The kinds of fault: what each breaks, the unit of its size, its usual course.

The usual sizes and durations are modelling choices for drills and for training.
They are not failure statistics, and nothing here is a reliability figure.
"""

import dataclasses
import enum
import math
from typing import Final

from coolbound_envs.spec import CHILLERS, HALLS, POINT_INDEX, POINTS

HOUR: Final = 3600.0
"""Seconds in an hour. [s]"""

DAY: Final = 86400.0
"""Seconds in a day. [s]"""

LATE_MAX: Final = 3
"""A reading arrives no more control intervals late than this. [1]"""

SITE: Final = -1
"""Target code of what is one for the whole site, or of all halls together."""


class FaultKind(enum.IntEnum):
    """What breaks; NONE fills the empty rows of a schedule."""

    NONE = 0
    CHILLER_TRIP = 1
    CRAH_LOSS = 2
    CHW_PUMP_LOSS = 3
    CW_PUMP_LOSS = 4
    TOWER_CELL_LOSS = 5
    STUCK_VALVE = 6
    LOAD_STEP = 7
    HEAT_WAVE = 8
    POWER_DIP = 9
    SENSOR_BIAS = 10
    SENSOR_DRIFT = 11
    SENSOR_STUCK = 12
    SENSOR_DROPOUT = 13
    SENSOR_LATE = 14


class Aim(enum.Enum):
    """What a fault can strike."""

    CHILLER = "chiller"
    HALL = "hall"
    SITE = "site"
    HALL_OR_SITE = "hall or site"
    POINT = "point"


_CHILLERS: Final = {f"chiller{i + 1}": i for i in range(CHILLERS)}
_HALLS: Final = {f"hall{i + 1}": i for i in range(HALLS)}

AIM_NAMES: Final[dict[Aim, dict[str, int]]] = {
    Aim.CHILLER: _CHILLERS,
    Aim.HALL: _HALLS,
    Aim.SITE: {"site": SITE},
    Aim.HALL_OR_SITE: {"site": SITE} | _HALLS,
    Aim.POINT: POINT_INDEX,
}
"""Names of the targets of each aim, with the codes that schedules hold."""


@dataclasses.dataclass(frozen=True)
class KindFacts:
    """What one kind of fault is. Static.

    Attributes:
        aim: What it strikes.
        meaning: What happens, one clause.
        unit: Of its size; empty where it has none, "point" for the point's own.
        lower: Least size. [the kind's unit]
        upper: Greatest size. [the kind's unit]
        usual: Size where none is given; None where one must be. [the kind's unit]
        drawn: Sizes that random schedules take; for SENSOR_BIAS and SENSOR_DRIFT
            in standard deviations of the point's own noise. [the kind's unit]
        lasting: Durations that random schedules take. [s]
        ramp: It comes, and after its duration goes, linearly in this time; where it
            lasts less, it never reaches its size. [s]
    """

    aim: Aim
    meaning: str
    unit: str = ""
    lower: float = 0.0
    upper: float = 0.0
    usual: float | None = 0.0
    drawn: tuple[float, float] = (0.0, 0.0)
    lasting: tuple[float, float] = (HOUR, 4.0 * HOUR)
    ramp: float = 0.0


def _share(
    aim: Aim, meaning: str, usual: float, drawn: tuple[float, float], hours: float
) -> KindFacts:
    lasting = (0.5 * HOUR, hours * HOUR)
    return KindFacts(aim, meaning, "1", 0.0, 1.0, usual, drawn, lasting)


KINDS: Final[dict[FaultKind, KindFacts]] = {
    FaultKind.CHILLER_TRIP: KindFacts(
        Aim.CHILLER,
        "the machine is held off; afterwards it starts as the sequencer's timers allow",
        lasting=(0.25 * HOUR, 2.0 * HOUR),
    ),
    FaultKind.CRAH_LOSS: _share(
        Aim.HALL, "share of the hall's units that stand still", 0.5, (0.2, 0.5), 8.0
    ),
    FaultKind.CHW_PUMP_LOSS: _share(
        Aim.SITE, "share of the chilled-water pumps that fail", 0.5, (0.5, 0.5), 4.0
    ),
    FaultKind.CW_PUMP_LOSS: _share(
        Aim.SITE, "share of the condenser pumps that fail", 0.5, (0.5, 0.5), 4.0
    ),
    FaultKind.TOWER_CELL_LOSS: _share(
        Aim.SITE,
        "share of the tower cells that fail; one cell of three is 1/3",
        1.0 / 3.0,
        (1.0 / 3.0, 1.0 / 3.0),
        24.0,
    ),
    FaultKind.STUCK_VALVE: KindFacts(
        Aim.HALL,
        "the hall's coil valve stays where it is",
        lasting=(HOUR, 12.0 * HOUR),
    ),
    FaultKind.LOAD_STEP: KindFacts(
        Aim.HALL_OR_SITE,
        "IT work changes by this share of what it would be, within 300 s, and may "
        "exceed the design power",
        "1",
        -0.9,
        1.0,
        0.3,
        (0.1, 0.3),
        (0.5 * HOUR, 6.0 * HOUR),
        300.0,
    ),
    FaultKind.HEAT_WAVE: KindFacts(
        Aim.SITE,
        "outdoor air is warmer by this at the same moisture, within 6 h; the wet bulb "
        "follows by moist-air physics",
        "delta_degC",
        -15.0,
        15.0,
        8.0,
        (4.0, 10.0),
        (DAY, 3.0 * DAY),
        6.0 * HOUR,
    ),
    FaultKind.POWER_DIP: KindFacts(
        Aim.SITE,
        "the utility fails for the duration, from the beginning of a control interval; "
        "servers run on, the mechanical plant stops and restarts",
        lasting=(5.0, 120.0),
    ),
    FaultKind.SENSOR_BIAS: KindFacts(
        Aim.POINT,
        "readings are off by this",
        "point",
        -math.inf,
        math.inf,
        None,
        (5.0, 20.0),
        (4.0 * HOUR, 2.0 * DAY),
    ),
    FaultKind.SENSOR_DRIFT: KindFacts(
        Aim.POINT,
        "readings go off by this a day",
        "point",
        -math.inf,
        math.inf,
        None,
        (5.0, 20.0),
        (DAY, 7.0 * DAY),
    ),
    FaultKind.SENSOR_STUCK: KindFacts(
        Aim.POINT,
        "the instrument repeats its last reading, as if it were new",
        lasting=(HOUR, DAY),
    ),
    FaultKind.SENSOR_DROPOUT: KindFacts(
        Aim.POINT,
        "probability that a reading does not arrive",
        "1",
        0.0,
        1.0,
        1.0,
        (0.3, 1.0),
        (600.0, 4.0 * HOUR),
    ),
    FaultKind.SENSOR_LATE: KindFacts(
        Aim.POINT,
        "readings arrive this many control intervals late: whole, 3 at most",
        "1",
        1.0,
        float(LATE_MAX),
        1.0,
        (1.0, float(LATE_MAX)),
        (HOUR, DAY),
    ),
}
"""Every kind that a schedule can hold."""


@dataclasses.dataclass(frozen=True)
class FaultEvent:
    """One fault of an episode. Static.

    Attributes:
        kind: What breaks.
        target: What it strikes, by name ("chiller2", "hall1", "site", a point's
            name), or by number from 0 within its sort.
        start_s: Since the episode began. [s]
        duration_s: How long it lasts; infinite for the rest of the episode. [s]
        size: How bad it is; None takes the kind's usual one. [the kind's unit]
    """

    kind: FaultKind
    target: str | int = "site"
    start_s: float = 0.0
    duration_s: float = math.inf
    size: float | None = None


def size_unit(kind: FaultKind, target: int) -> str:
    """Return the unit of a size as printed; empty where the kind has none.

    Args:
        kind: What breaks.
        target: Code of what it strikes.
    """
    facts = KINDS[kind]
    if facts.unit != "point":
        return facts.unit
    unit = POINTS[target].unit
    unit = {"degC": "delta_degC", "machines": "1"}.get(unit, unit)
    return f"{unit}/day" if kind == FaultKind.SENSOR_DRIFT else unit


def kinds_table() -> str:
    """Return the kinds as a table in Markdown, for documents and help."""
    rows = ["| kind | target | size | usual | what happens |", "|---|---|---|---|---|"]
    for kind, facts in KINDS.items():
        unit = {"point": "the point's unit", "delta_degC": "K"}.get(
            facts.unit, facts.unit
        )
        if kind == FaultKind.SENSOR_DRIFT:
            unit += " per day"
        usual = "to be given" if facts.usual is None else f"{facts.usual:.3g}"
        shown = usual if facts.unit else "-"
        rows.append(
            f"| `{kind.name.lower()}` | {facts.aim.value} | {unit or '-'} | {shown} "
            f"| {facts.meaning} |"
        )
    return "\n".join(rows) + "\n"

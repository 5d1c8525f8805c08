"""What each column of unknown exports may mean, from its name, its unit, its numbers.

A column becomes one of coolbound's points only where its name says so; numbers can
confirm a name or a unit, and cast doubt on it, but never make up a meaning.
"""

import dataclasses
from collections.abc import Mapping, Sequence

from coolbound_envs.spec import CHANNEL_NAMES, POINT_NAMES
from coolbound_shadow.intake.file_types import ColumnRef
from coolbound_shadow.intake.findings import Finding
from coolbound_shadow.intake.guess_units import (
    NOWHERE,
    Column,
    does_convert,
    range_doubt,
    said_unit,
    unit_doubt,
    unit_guess,
)
from coolbound_shadow.intake.guesses import Guess
from coolbound_shadow.intake.map_points import SPEC_UNITS
from coolbound_shadow.intake.profiles import IRREGULAR, Profile
from coolbound_shadow.intake.roles import placed, role_of, speaks_of
from coolbound_shadow.intake.units import (
    canonical_unit,
    quantity_of,
    unit_in_name,
)
from coolbound_shadow.intake.words import (
    Target,
    concepts,
    doubtful_words,
    plain,
    state_of,
)

CONCEPT_OF = {
    "temperature": "temperature",
    "power": "power",
    "energy": "energy",
    "volume_flow": "flow",
    "mass_flow": "flow",
    "frequency": "speed",
    "rotation": "speed",
}
"""What a unit says of a column whose name does not."""

APPLIED = "applied."
"""How coolbound's own headers begin that hold what the operator applied."""

STUCK_S = 43_200.0
"""A polled thermometer that stands still for half a day is stuck. [s]"""


@dataclasses.dataclass(frozen=True)
class PointGuess:
    """What one column may mean. Static.

    Attributes:
        id: Proposed id.
        name: Header or tag.
        file: Place of the kind of file. [1]
        feeds: What it becomes; empty for nothing.
        unit_in: Unit as pint writes it.
        suffix: Unit written behind every number; empty for none.
        kind: One of `KINDS`.
        role: One of `ROLES`.
        sampling: One of `SAMPLINGS`.
        states: Texts and the numbers they stand for.
        profile: What its readings look like.
        suspects: What looks wrong with it.
        evidence: What the guess rests on.
        doubts: What a person must settle.
        place: Its column, in a wide or interleaved file.
        time: Its own time column; None for the file's.
        status: Its own status column; None for none.
    """

    id: str
    name: str
    file: int
    feeds: str
    unit_in: str
    suffix: str
    kind: str
    role: str
    sampling: str
    states: Mapping[str, float]
    profile: Profile
    suspects: tuple[Finding, ...]
    evidence: tuple[str, ...]
    doubts: tuple[str, ...]
    place: ColumnRef = NOWHERE
    time: ColumnRef | None = None
    status: ColumnRef | None = None


def guess_points(columns: Sequence[Column]) -> list[PointGuess]:
    """Return a guess for every column, each by itself."""
    ids: dict[str, int] = {}
    return [_guess(column, ids) for column in columns]


def _guess(column: Column, ids: dict[str, int]) -> PointGuess:
    named, bare = unit_in_name(column.name)
    said = said_unit(column, named)
    found = concepts(bare) | concepts(column.name)
    if column.profile.is_binary and "command" not in found:
        found |= {"status"}
    own = own_name(column.name)
    target, told = _target(found, said)
    unit = unit_guess(column, said, target)
    feeds, place_doubt = (own, "") if own else _feeds(target, column.name)
    told = "coolbound's own header" if own else told
    doubts = [unit.doubt, place_doubt]
    doubts += [] if own else _name_doubts(column.name, target)
    if unit.doubt:
        feeds = "" if feeds and not unit.value else feeds
    kind = _kind(column.profile, unit.value, found)
    sampling, sampling_evidence = _sampling(column.profile)
    states, state_doubt = _states(column.profile)
    doubts += [state_doubt, range_doubt(feeds, unit.value, column.profile, kind)]
    if feeds and not does_convert(unit.value or "1", feeds, kind):
        doubts.append(unit_doubt(unit.value or "1", feeds))
        feeds = ""
    return PointGuess(
        id=_id(column.name, ids),
        name=column.name,
        file=column.file,
        feeds=feeds,
        unit_in=unit.value or "1",
        suffix=column.suffix,
        kind=kind,
        role=role_of("", feeds, (column.name,), column.name),
        sampling=sampling,
        states=states,
        profile=column.profile,
        suspects=column.suspects,
        evidence=tuple(e for e in (told, unit.evidence, sampling_evidence) if e),
        doubts=tuple(d for d in doubts if d),
        place=column.place,
        time=column.time,
        status=column.status,
    )


def own_name(header: str) -> str:
    """Return what a header as coolbound writes it names; empty for another.

    Args:
        header: As `chw_supply_temp [degC]` or `applied.cw_pump_speed [1]`.
    """
    name, bracket, _ = header.partition(" [")
    channel = name.removeprefix(APPLIED)
    if channel != name:
        return channel if channel in CHANNEL_NAMES else ""
    return name if bracket and name in POINT_NAMES else ""


def _target(found: frozenset[str], said: Guess[str]) -> tuple[Target | None, str]:
    """Return what a name speaks of; a unit may add what the name leaves out."""
    by_name = speaks_of(found)
    if by_name:
        return by_name[0], f"name says {', '.join(sorted(by_name[0].needs))}"
    more = CONCEPT_OF.get(quantity_of(said.value), "") if said.value else ""
    with_unit = speaks_of(found | {more}) if more else []
    if with_unit:
        needs = ", ".join(sorted(with_unit[0].needs - {more}))
        return with_unit[0], f"name says {needs}, unit says {more}"
    # A thermometer is often named without a word for temperature.
    warm = [t for t in speaks_of(found | {"temperature"}) if t.typical]
    if warm and not said.value:
        needs = ", ".join(sorted(warm[0].needs - {"temperature"}))
        return warm[0], f"name says {needs}, but not what is measured"
    return None, ""


def _feeds(target: Target | None, name: str) -> tuple[str, str]:
    if target is None:
        return "", ""
    feeds = placed(target.name, name)
    doubt = "" if feeds else f"which hall or zone is {name!r} of ({target.name})?"
    return feeds, doubt


def _name_doubts(name: str, target: Target | None) -> list[str]:
    words = doubtful_words(name)
    if words and target is not None:
        return [f"{name!r}: {words[0].upper()!r} is read as condenser water; is it?"]
    return []


def _kind(seen: Profile, unit: str, found: frozenset[str]) -> str:
    if seen.is_rising and (quantity_of(unit) == "energy" or "energy" in found):
        return "counter"
    if seen.is_binary:
        return "binary"
    return "multistate" if seen.tokens and seen.wrong > 0.5 else "analogue"


def _sampling(seen: Profile) -> tuple[str, str]:
    if seen.irregular > IRREGULAR:
        return "cov", f"{100 * seen.irregular:.0f} % of the steps are irregular"
    if seen.blank > 0.4 and seen.interval_s > 0:
        return "event", f"{100 * seen.blank:.0f} % of the cells are empty"
    return "poll", ""


def _states(seen: Profile) -> tuple[dict[str, float], str]:
    known = {text: state_of(text) for text in seen.tokens}
    states = {text: state for text, state in known.items() if state is not None}
    if not states or seen.wrong < 0.5:
        return {}, ""
    left = [text for text, state in known.items() if state is None]
    doubt = f"what do {', '.join(map(repr, left))} stand for?" if left else ""
    return states, doubt


def _id(name: str, ids: dict[str, int]) -> str:
    base = plain(name).replace(" ", "_") or "point"
    ids[base] = ids.get(base, 0) + 1
    return base if ids[base] == 1 else f"{base}_{ids[base]}"


def checks_of(point: PointGuess) -> dict[str, float]:
    """Return the stuck time that a map proposes for a guess, 0 for none."""
    is_thermometer = quantity_of(point.unit_in) == "temperature"
    is_watched = is_thermometer and point.kind == "analogue" and point.role != "act"
    return {"stuck_s": STUCK_S if is_watched and point.sampling == "poll" else 0.0}


def is_channel(point: PointGuess) -> bool:
    """Return whether a guess becomes what the operator applied."""
    return point.feeds in CHANNEL_NAMES


def kept_unit(point: PointGuess) -> str:
    """Return the unit in which a guessed point is kept."""
    if point.feeds and quantity_of(point.unit_in) != "energy":
        return SPEC_UNITS[point.feeds]
    return canonical_unit(point.unit_in)

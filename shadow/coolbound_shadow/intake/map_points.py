"""The `[[point]]` tables of a point map: sources, units, checks, and what they feed."""

import dataclasses
import difflib
import math
from collections.abc import Mapping, Sequence

from coolbound_envs.spec import CHANNEL_NAMES, CHANNELS, POINT_NAMES, POINTS
from coolbound_envs.tables import InputError, Table
from coolbound_shadow.intake import map_types as kinds
from coolbound_shadow.intake.file_types import FileMap
from coolbound_shadow.intake.map_taps import Statuses, parse_taps
from coolbound_shadow.intake.map_types import MapPoint, ResampleMap, sort_of
from coolbound_shadow.intake.roles import feed_of, role_of
from coolbound_shadow.intake.units import (
    DIFFERENCE,
    QUANTITIES,
    canonical_unit,
    conversion,
    known_unit,
    quantity_of,
)

SPEC_UNITS = {item.name: item.unit for item in (*POINTS, *CHANNELS)}


SPEC_NAMES = (*POINT_NAMES, *CHANNEL_NAMES)


SUMMED = ("kW", "kg/s", "machines")
"""Spec units of which several points make up one: powers, flows, machines."""


YEAR_S = 366.0 * 86400.0


@dataclasses.dataclass(frozen=True)
class Meaning:
    """What a point is, before its numbers. Static.

    Attributes:
        role: One of `ROLES`.
        kind: One of `KINDS`.
        feeds: Name in the spec; empty for none.
        quantity: One of `QUANTITIES`; empty for what the unit says.
        unit_in: Unit in the export, as pint writes it.
        unit: Unit in which values are kept.
        brick: Brick class.
        haystack: Haystack tags.
    """

    role: str
    kind: str
    feeds: str
    quantity: str
    unit_in: str
    unit: str
    brick: str
    haystack: str


def parse_points(
    tables: Sequence[Table],
    files: tuple[FileMap, ...],
    statuses: Statuses,
    resample: ResampleMap,
) -> tuple[MapPoint, ...]:
    """Return the points of a map.

    Args:
        tables: Its `[[point]]` tables.
        files: Its files.
        statuses: Its `[quality.NAME]` tables.
        resample: Its regular clock.

    Raises:
        InputError: A key, a name, a unit or a choice is wrong.
    """
    return tuple(_point(table, files, statuses, resample) for table in tables)


def _point(
    table: Table, files: tuple[FileMap, ...], statuses: Statuses, clock: ResampleMap
) -> MapPoint:
    name = table.text("id")
    table = dataclasses.replace(table, where=f"{table.where} ({name})")
    meaning = _meaning(table, name, clock.water_density)
    timing = _timing(table)
    limits = _limits(table)
    sampling = table.text("sampling", kinds.SAMPLINGS, "poll")
    units = (meaning.unit_in, meaning.unit, meaning.quantity)
    taps = parse_taps(table, units, files, statuses, clock.water_density)
    parsed = MapPoint(
        id=name,
        taps=taps,
        role=meaning.role,
        kind=meaning.kind,
        quantity=meaning.quantity,
        unit=meaning.unit,
        states=_states(table),
        sampling=sampling,
        **timing,
        **limits,
        bad_values=_numbers(table, "bad_values"),
        off_value=table.number("off_value", default=math.nan),
        resample=table.text(
            "resample", kinds.RESAMPLES, _policy(meaning, sampling, clock)
        ),
        min_coverage=table.number("min_coverage", 0.0, 1.0, clock.min_coverage),
        feeds=meaning.feeds,
        combine=table.text("combine", ("sum", "mean"), _combined(meaning.feeds)),
        brick=meaning.brick,
        haystack=meaning.haystack,
    )
    table.finish()
    return parsed


def _policy(meaning: Meaning, sampling: str, clock: ResampleMap) -> str:
    sort = sort_of(meaning.role, meaning.kind)
    if sort == "measurement" and sampling in ("cov", "event"):
        return "last"
    return clock.policy[sort]


def _combined(feeds: str) -> str:
    return "sum" if SPEC_UNITS.get(feeds) in SUMMED else "mean"


def _meaning(table: Table, name: str, density: float) -> Meaning:
    brick, haystack = _tags(table)
    said = table.text("role", (), "")
    feeds = _feeds(table, name, (said, brick, haystack))
    role = role_of(said, feeds, (brick, haystack), f"{table.where}.role")
    kind = table.text("kind", kinds.KINDS, "analogue")
    quantity = table.text("quantity", ("", *QUANTITIES), "")
    unit_in = known_unit(table.text("unit_in"), f"{table.where}.unit_in")
    unit = _unit(table, feeds, unit_in, quantity)
    _check_feed(table.where, feeds, unit, kind, density)
    return Meaning(role, kind, feeds, quantity, unit_in, unit, brick, haystack)


def _tags(table: Table) -> tuple[str, str]:
    if not table.has("tags"):
        table.seen.add("tags")
        return "", ""
    tags = table.table("tags")
    found = tags.text("brick", (), ""), tags.text("haystack", (), "")
    tags.finish()
    return found


def _feeds(table: Table, name: str, texts: tuple[str, ...]) -> str:
    if not table.has("feeds"):
        table.seen.add("feeds")
        found = [feed_of(text, name) for text in texts if text not in kinds.ROLES]
        return next((feed for feed in found if feed), "")
    feeds = table.text("feeds")
    if feeds and feeds not in SPEC_NAMES:
        near = difflib.get_close_matches(feeds, SPEC_NAMES, n=1, cutoff=0.4)
        hint = f"did you mean {near[0]!r}?" if near else "see docs/logs.md"
        raise InputError(
            f"{table.where}.feeds: found {feeds!r}, expected a point or channel of "
            f"coolbound or ''; {hint}"
        )
    return feeds


def _unit(table: Table, feeds: str, unit_in: str, quantity: str) -> str:
    is_counted = quantity_of(unit_in) == "energy"
    default = SPEC_UNITS.get(feeds, "") if not is_counted else ""
    default = default or canonical_unit(unit_in)
    if quantity == DIFFERENCE and not table.has("unit"):
        default = "delta_degC"
    return known_unit(table.text("unit", (), default), f"{table.where}.unit")


def _check_feed(where: str, feeds: str, unit: str, kind: str, density: float) -> None:
    if not feeds:
        return
    if quantity_of(unit) == "energy" and quantity_of(SPEC_UNITS[feeds]) == "power":
        if kind != "counter":
            raise InputError(
                f"{where}.kind: found {kind!r} in {unit!r}, expected 'counter' for an "
                f"energy that becomes the power {feeds!r}; correct `kind` or `feeds`"
            )
        return
    conversion(unit, SPEC_UNITS[feeds], "", density, f"{where}.feeds = {feeds!r}")


def _timing(table: Table) -> dict[str, float]:
    names = ("interval_s", "heartbeat_s", "max_age_s", "stuck_s")
    return _optional(table, "timing", {name: (0.0, YEAR_S, 0.0) for name in names})


def _limits(table: Table) -> dict[str, float]:
    if not table.has("limits"):
        table.seen.add("limits")
        return {}
    limits = table.table("limits")
    lower, upper = limits.numbers("range", 2) if limits.has("range") else (None, None)
    if lower is not None and upper is not None and lower >= upper:
        raise InputError(
            f"{limits.where}.range: found [{lower:g}, {upper:g}], expected the lower "
            "end first; exchange them"
        )
    limits.seen.add("range")
    step = limits.number("max_step", 0.0, default=math.inf)
    rate = limits.number("max_rate_per_min", 0.0, default=math.inf)
    limits.finish()
    return {
        "lower": -math.inf if lower is None else lower,
        "upper": math.inf if upper is None else upper,
        "max_step": step,
        "max_rate": rate,
    }


def _optional(
    table: Table, key: str, known: Mapping[str, tuple[float, float, float]]
) -> dict[str, float]:
    """Return the numbers of an optional table, each within its ends."""
    if not table.has(key):
        table.seen.add(key)
        return {}
    inner = table.table(key)
    found = {name: inner.number(name, *ends) for name, ends in known.items()}
    inner.finish()
    return found


def _states(table: Table) -> tuple[tuple[str, float], ...]:
    if not table.has("states"):
        table.seen.add("states")
        return ()
    states = table.table("states")
    return tuple((text, states.number(text)) for text in sorted(states.data))


def _numbers(table: Table, key: str) -> tuple[float, ...]:
    table.seen.add(key)
    found = table.data.get(key, [])
    return (
        table.numbers(key, len(found) if isinstance(found, list) else 1)
        if found
        else ()
    )

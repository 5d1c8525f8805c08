"""The point map from TOML: every key known, every choice checked, every unit real.

The schema is in `docs/logs.md`. A map that leaves the meaning of its stamps open is
refused here: a time zone is declared by a person and never guessed.
"""

import hashlib
import re
import tomllib
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from coolbound_envs.tables import InputError, Table
from coolbound_envs.types import Quality
from coolbound_shadow.intake import map_types as kinds
from coolbound_shadow.intake.map_files import parse_file, time_formats
from coolbound_shadow.intake.map_points import parse_points
from coolbound_shadow.intake.map_types import (
    IntakeMap,
    ResampleMap,
    StatusClass,
    TimeMap,
)
from coolbound_shadow.intake.map_values import instant
from coolbound_shadow.intake.reasons import GOOD, READING_REASONS, Reason

QUALITIES = tuple(q.name for q in Quality if q is not Quality.MISSING)


OFFSET = re.compile(r"^([+-])(\d{2}):(\d{2})$")


DAY_S = 86400


def read_map(path: Path) -> IntakeMap:
    """Return the point map of a file.

    Raises:
        InputError: The file is absent, no TOML, or anything in it is wrong.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(
            f"{path}: cannot be read ({error.__class__.__name__}), expected a point "
            "map as TOML; make one with `coolbound log inspect`"
        ) from error
    return parse_map(text, path.name)


def parse_map(text: str, where: str) -> IntakeMap:
    """Return the point map that a text holds.

    Raises:
        InputError: Anything in it is wrong.
    """
    try:
        root = Table(tomllib.loads(text), where)
    except tomllib.TOMLDecodeError as error:
        raise InputError(f"{where}: {error}, expected TOML; correct that line") from (
            error
        )
    if root.integer("schema", 1, 99) != kinds.SCHEMA:
        raise InputError(
            f"{where}.schema: found {root.data['schema']}, expected {kinds.SCHEMA}; "
            "make the map again with `coolbound log inspect`"
        )
    site = root.table("site")
    name, report_zone = site.text("id"), site.text("report_zone", (), "")
    site.finish()
    time = _time(root.table("time"))
    resample = _resample(root)
    statuses, reasons = _statuses(root)
    files = tuple(parse_file(each) for each in root.tables("file"))
    _require(files, "[[file]]", where)
    points = parse_points(root.tables("point"), files, statuses, resample)
    _require(points, "[[point]]", where)
    root.finish()
    parsed = IntakeMap(
        where=where,
        site=name,
        report_zone=report_zone or time.zone or "UTC",
        time=time,
        files=files,
        points=points,
        resample=resample,
        statuses=statuses,
        reasons=reasons,
        sha256=hashlib.sha256(text.encode()).hexdigest(),
        text=text,
    )
    _check_zones(parsed)
    _refuse_twice([p.id for p in points], "point", where)
    _refuse_twice([f.name for f in files], "file", where)
    return parsed


def _require(found: tuple, what: str, where: str) -> None:
    if not found:
        raise InputError(f"{where}: found no {what}, expected at least one; add it")


def _refuse_twice(names: list[str], what: str, where: str) -> None:
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise InputError(
            f"{where}: found {what} {twice[0]!r} twice, expected it once; rename one"
        )


def check_declared_zone(zone: str) -> None:
    """Refuse a zone that IANA does not have.

    Raises:
        InputError: There is none of that name.
    """
    _known_zone(zone, "--zone")


def _known_zone(zone: str, where: str) -> None:
    try:
        ZoneInfo(zone)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise InputError(
            f"{where}: found {zone!r}, expected an IANA name such as 'Europe/Berlin'; "
            "correct it"
        ) from error


def _check_zones(parsed: IntakeMap) -> None:
    stamps = {parsed.time.stamps, *(file.stamps for file in parsed.files)}
    if "local" in stamps and not parsed.time.zone:
        raise InputError(
            f"{parsed.where}.time.zone: found none, expected the IANA name of the zone "
            "that the logger's clock kept, such as 'Europe/Berlin'; fill it in, since "
            "a zone is never guessed (or set `stamps` to 'utc' or 'fixed_offset')"
        )
    _known_zone(parsed.time.zone or "UTC", f"{parsed.where}.time.zone")
    _known_zone(parsed.report_zone, f"{parsed.where}.site.report_zone")


def _time(table: Table) -> TimeMap:
    default = TimeMap()
    stamps = table.text("stamps", kinds.STAMPS, default.stamps)
    offset = table.text("fixed_offset", (), "")
    parsed = TimeMap(
        zone=table.text("zone", (), ""),
        stamps=stamps,
        fixed_offset=_offset(offset, table) if stamps == "fixed_offset" else 0,
        formats=time_formats(table, default.formats),
        stamp_at=table.text("stamp_at", kinds.STAMP_AT, default.stamp_at),
        on_ambiguous=table.text(
            "on_ambiguous", kinds.ON_AMBIGUOUS, default.on_ambiguous
        ),
        on_backwards=table.text(
            "on_backwards", kinds.ON_BACKWARDS, default.on_backwards
        ),
        on_overlap=table.text("on_overlap", kinds.ON_OVERLAP, default.on_overlap),
        min_utc=instant(table, "min_utc", default.min_utc),
        max_future_s=round(
            table.number("max_future_s", 0.0, 400.0 * DAY_S, default.max_future_s)
        ),
    )
    table.finish()
    return parsed


def _offset(text: str, table: Table) -> int:
    found = OFFSET.match(text)
    if not found:
        raise InputError(
            f"{table.where}.fixed_offset: found {text!r}, expected text such as "
            "'+01:00'; correct it"
        )
    sign = -1 if found.group(1) == "-" else 1
    hours, minutes = int(found.group(2)), int(found.group(3))
    return sign * int(timedelta(hours=hours, minutes=minutes).total_seconds())


def _resample(root: Table) -> ResampleMap:
    default = ResampleMap()
    if not root.has("resample"):
        root.seen.add("resample")
        return default
    table = root.table("resample")
    parsed = ResampleMap(
        step_s=round(table.number("step_s", 1.0, DAY_S, default.step_s)),
        policy={
            sort: table.text(sort, kinds.RESAMPLES, default.policy[sort])
            for sort in kinds.SORTS
        },
        min_coverage=table.number("min_coverage", 0.0, 1.0, default.min_coverage),
        max_age_s=table.number("max_age_s", 0.0, DAY_S, default.max_age_s),
        water_density=table.number("water_density", 0.5, 2.0, default.water_density),
    )
    table.finish()
    return parsed


Statuses = Mapping[str, Mapping[str, StatusClass]]


def _statuses(root: Table) -> tuple[Statuses, tuple[Reason, ...]]:
    """Return what each vendor's status texts mean, and all reasons of readings."""
    reasons = list(READING_REASONS)
    if not root.has("quality"):
        root.seen.add("quality")
        return {}, tuple(reasons)
    root_table = root.table("quality")
    found = {
        name: {
            text: _status(root_table.table(name).table(text), text, reasons)
            for text in root_table.table(name).data
        }
        for name in root_table.data
    }
    return found, tuple(reasons)


def _status(table: Table, text: str, reasons: list[Reason]) -> StatusClass:
    quality = Quality[table.text("q", QUALITIES)]
    name = table.text("reason", (), f"status_{text}" if text != "*" else "status_other")
    is_override = table.boolean("override", False)
    table.finish()
    if quality is Quality.GOOD:
        return StatusClass(GOOD, is_override)
    reason = Reason(name, quality, f"The vendor's status says {name!r}.")
    if reason not in reasons:
        reasons.append(reason)
    return StatusClass(reasons.index(reason), is_override)

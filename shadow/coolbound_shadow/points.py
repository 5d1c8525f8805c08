"""The point map: which column of which file is which point, and in what unit.

A site file holds it under `[points]`:

    [points]
    step = "600 s"                  # one row of the log per step
    on_ambiguous = "refuse"         # or "flag": leave both autumn hours out

    [[points.file]]
    name = "plant"
    match = "export_*.csv"          # the first file is the one `--log` names
    time_column = "Time"
    formats = ["%Y-%m-%dT%H:%M:%S"] # or "iso", "unix_s", "unix_ms"
    stamps = "local"                # local | utc | offset (in the text)

    [[points.point]]
    id = "chw_supply_temp"          # a point or a channel of the spec
    columns = ["CHWS"]
    unit_in = "degF"

Optional for a file: delimiter, decimal, encoding, null_tokens, max_age. Optional
for a point: file, role, combine, scale, offset, sign, range, bad_values, stuck,
resample, states. A value becomes sign * convert(scale * raw + offset).
"""

import difflib
import re
from datetime import datetime
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from coolbound_envs.spec import CHANNEL_NAMES, CHANNELS, POINT_NAMES, POINTS
from coolbound_envs.tables import InputError, Table, convert
from coolbound_shadow.point_types import (
    EARLIEST,
    LATEST,
    NULL_TOKENS,
    ROLES,
    FileSpec,
    PointMap,
    PointSpec,
)

UNITS = {item.name: item.unit for item in (*POINTS, *CHANNELS)}
RANGES = {point.name: (point.lower, point.upper) for point in POINTS}
HEADER = re.compile(r"^(applied\.|quality\.)?(.+?)(?: \[(.+)\])?$")


def parse_point_map(table: Table, zone: str) -> PointMap:
    """Read the table `[points]` of a site file.

    Args:
        table: The table, with its place for messages.
        zone: The site's IANA time zone, from `[site]`.

    Raises:
        InputError: A key, a name, a unit or the zone is wrong.
    """
    check_zone(zone, table.where)
    files = tuple(_parse_file(each) for each in table.tables("file"))
    if not files:
        raise InputError(
            f"{table.where}: found no [[points.file]], expected at least one; add it"
        )
    names = tuple(each.name for each in files)
    points = tuple(_parse_point(each, names) for each in table.tables("point"))
    parsed = PointMap(
        where=table.where,
        zone=zone,
        step_s=round(table.quantity("step", "s", 1.0, 86400.0)),
        files=files,
        points=points,
        on_ambiguous=table.text("on_ambiguous", ("refuse", "flag"), "refuse"),
        earliest=_instant(table, "earliest", EARLIEST),
        latest=_instant(table, "latest", LATEST),
    )
    table.finish()
    _refuse_twice([each.name for each in points], "point", table.where)
    _refuse_twice(list(names), "file", table.where)
    return parsed


def check_zone(zone: str, where: str) -> ZoneInfo:
    """Return the time zone, or refuse a name that IANA does not have."""
    try:
        return ZoneInfo(zone)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise InputError(
            f"{where}: found time zone {zone!r}, expected an IANA name such as "
            "'Europe/Berlin'; correct `zone` in [site]"
        ) from error


def own_point_map(header: list[str], name: str, where: str) -> PointMap:
    """Return the map of a log that coolbound wrote, from its own header.

    Columns are `time`, `<point> [unit]`, `applied.<channel> [unit]` and
    `quality.<point>`; a column without a unit is in the unit of the spec.

    Raises:
        InputError: A column is none of these, or its unit does not fit.
    """
    readings = [text for text in header if text != "time"]
    qualities = {t.removeprefix("quality."): t for t in readings if _is_quality(t)}
    points = tuple(
        _own_point(text, qualities, where) for text in readings if not _is_quality(text)
    )
    _refuse_twice([each.name for each in points], "column", where)
    file = FileSpec("log", name, "time", stamps="offset", max_age=0.0)
    return PointMap(where, "UTC", 0, (file,), points)


def _is_quality(text: str) -> bool:
    return text.startswith("quality.")


def _own_point(text: str, qualities: dict[str, str], where: str) -> PointSpec:
    found = HEADER.match(text)
    prefix, name, unit = found.groups() if found else (None, text, None)
    role = "action" if prefix == "applied." else "point"
    where = f"{where}, column {text!r}"
    check_name(name, role, where)
    gain, bias = affine(unit or UNITS[name], UNITS[name], where)
    lower, upper = RANGES.get(name, (-float("inf"), float("inf")))
    return PointSpec(
        name,
        "log",
        (text,),
        role,
        gain=gain,
        bias=bias,
        lower=lower,
        upper=upper,
        resample="last",
        quality_column=qualities.get(name, ""),
    )


def check_name(name: str, role: str, where: str) -> None:
    """Refuse a name that the spec does not have, naming the nearest."""
    names = CHANNEL_NAMES if role == "action" else POINT_NAMES
    if name in names:
        return
    near = difflib.get_close_matches(name, names, n=1, cutoff=0.4)
    kind = "channel" if role == "action" else "point"
    hint = f"did you mean {near[0]!r}?" if near else f"the {kind}s are {names}"
    raise InputError(f"{where}: found {name!r}, expected the name of a {kind}; {hint}")


def affine(unit_in: str, unit: str, where: str) -> tuple[float, float]:
    """Return gain and bias so that gain * x + bias converts x to `unit`.

    Raises:
        InputError: The units do not convert; no temperature difference does,
            since every point of the spec is a reading of a thermometer.
    """
    if unit_in == unit or (unit_in == "1" and unit == "machines"):
        return 1.0, 0.0
    bias = convert(0.0, unit_in, unit, where)
    return convert(1.0, unit_in, unit, where) - bias, bias


def _parse_file(table: Table) -> FileSpec:
    parsed = FileSpec(
        name=table.text("name"),
        match=table.text("match"),
        time_column=table.text("time_column"),
        formats=table.texts("formats", ("iso",)),
        stamps=table.text("stamps", ("local", "utc", "offset"), "local"),
        delimiter=table.text("delimiter", (), ","),
        decimal=table.text("decimal", (".", ","), "."),
        encoding=table.text("encoding", (), "utf-8"),
        null_tokens=table.texts("null_tokens", NULL_TOKENS),
        max_age=table.quantity("max_age", "s", 0.0, 86400.0, 0.0),
    )
    table.finish()
    return parsed


def _parse_point(table: Table, files: tuple[str, ...]) -> PointSpec:
    name, role = table.text("id"), table.text("role", ROLES, "point")
    where = f"{table.where} ({name})"
    if role != "watch":
        check_name(name, role, f"{table.where}.id")
    unit = table.text("unit") if role == "watch" else UNITS[name]
    gain, bias = affine(table.text("unit_in"), unit, where)
    sign = table.number("sign", -1.0, 1.0, 1.0)
    scale = table.number("scale", default=1.0)
    offset = table.number("offset", default=0.0)
    lower, upper = RANGES.get(name, (-float("inf"), float("inf")))
    if table.has("range"):
        lower, upper = table.numbers("range", 2)
    parsed = PointSpec(
        name=name,
        file=table.text("file", files, files[0]),
        columns=table.texts("columns"),
        role=role,
        combine=table.text("combine", ("sum", "mean"), "sum"),
        gain=sign * gain * scale,
        bias=sign * (gain * offset + bias),
        lower=lower,
        upper=upper,
        bad_values=_numbers(table, "bad_values"),
        stuck_s=table.quantity("stuck", "s", 0.0, default=0.0),
        resample=table.text(
            "resample", ("mean", "last"), "mean" if role == "point" else "last"
        ),
        states=_states(table),
    )
    table.finish()
    return parsed


def _numbers(table: Table, key: str) -> tuple[float, ...]:
    if not table.has(key):
        return ()
    found = table.data[key]
    return table.numbers(key, len(found) if isinstance(found, list) else 1)


def _states(table: Table) -> tuple[tuple[str, float], ...]:
    if not table.has("states"):
        return ()
    states = table.table("states")
    return tuple((text, states.number(text)) for text in sorted(states.data))


def _instant(table: Table, key: str, default: datetime) -> int:
    text = table.text(key, (), default.isoformat())
    try:
        instant = datetime.fromisoformat(text)
        if instant.tzinfo is None:
            raise ValueError
    except ValueError as error:
        raise InputError(
            f"{table.where}.{key}: found {text!r}, expected text such as "
            "'2015-01-01T00:00:00+00:00'; correct it"
        ) from error
    return int(instant.timestamp())


def _refuse_twice(names: list[str], kind: str, where: str) -> None:
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise InputError(
            f"{where}: found {kind} {twice[0]!r} twice, expected it once; remove one"
        )

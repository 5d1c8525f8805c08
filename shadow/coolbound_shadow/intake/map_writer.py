"""A proposed point map as TOML, each guess with its evidence, each doubt marked.

A line that begins with `# UNSURE:` needs a person before the map is used.
"""

import json
from collections.abc import Mapping, Sequence

from coolbound_envs.spec import POINTS
from coolbound_shadow.intake.file_types import ColumnRef, FileMap
from coolbound_shadow.intake.guess_points import PointGuess, checks_of, kept_unit
from coolbound_shadow.intake.statuses import MEANINGS, flags_of

RANGES = {p.name: (p.lower, p.upper) for p in POINTS}

SILENCE = 1.2
"""A report on change is held for so many times its longest silence. [1]"""


def quote(text: str) -> str:
    """Return a text as TOML writes it."""
    return json.dumps(text, ensure_ascii=False)


def map_text(
    site: str,
    zone: str,
    files: Sequence[FileMap],
    file_notes: Sequence[Sequence[str]],
    points: Sequence[PointGuess],
    statuses: Sequence[str],
    step_s: int,
    doubts: Sequence[str],
) -> str:
    """Return a proposed map.

    Args:
        site: Proposed id of the site.
        zone: IANA zone that the user has declared; empty for none.
        files: Kinds of files.
        file_notes: Evidence and doubts for each kind of file.
        points: The points.
        statuses: Status texts seen.
        step_s: Time between rows of the regular log. [s]
        doubts: What a person must settle about time.
    """
    lines = [
        "# A point map proposed by `coolbound log inspect`. Lines marked UNSURE need a",
        "# person; the rest says what it was taken from. See docs/logs.md.",
        "schema = 1",
        *_site(site, files, zone),
        "",
        *_time(files, zone, doubts),
        "",
        "[resample]",
        f"step_s = {step_s}",
        *_quality(statuses),
    ]
    for file, notes in zip(files, file_notes, strict=True):
        lines += ["", "[[file]]", *notes, *_file(file, _common(files, "stamps"))]
    for point in points:
        lines += ["", "[[point]]", *_point(point, files, bool(statuses))]
    return "\n".join(lines) + "\n"


def _common(files: Sequence[FileMap], key: str) -> str:
    values = [getattr(file, key) for file in files]
    return max(set(values), key=values.count)


def _site(site: str, files: Sequence[FileMap], zone: str) -> list[str]:
    """Return the site, and in which time reports speak where stamps need no zone."""
    name = f"id = {quote(site)}"
    if any(file.stamps == "local" for file in files):
        return [f"site = {{ {name} }}"]
    if zone:
        return [f"site = {{ {name}, report_zone = {quote(zone)} }}"]
    return [
        "# Reports will speak UTC: add report_zone, an IANA name, for the site's time.",
        f"site = {{ {name} }}",
    ]


def _time(files: Sequence[FileMap], zone: str, doubts: Sequence[str]) -> list[str]:
    stamps = _common(files, "stamps")
    lines = ["[time]", *(f"# UNSURE: {doubt}" for doubt in doubts)]
    if any(file.stamps == "local" for file in files):
        if not zone:
            lines.append("# UNSURE: the zone is never guessed; fill in its IANA name")
        lines.append(f"zone = {quote(zone)}")
    return [
        *lines,
        f"stamps = {quote(stamps)}",
        'stamp_at = "end"',
        'on_ambiguous = "refuse"',
        'on_backwards = "refuse"',
        'on_overlap = "refuse"',
    ]


def _quality(statuses: Sequence[str]) -> list[str]:
    if not statuses:
        return []
    flags = sorted({flag for text in statuses for flag in flags_of(text)})
    lines = ["", "[quality.export]"]
    for flag in flags:
        quality, reason, is_override = MEANINGS.get(flag.lower(), ("", "", False))
        if not quality:
            continue
        parts = [f'q = "{quality}"']
        parts += [f"reason = {quote(reason)}"] if reason else []
        parts += ["override = true"] if is_override else []
        lines.append(f"{quote(flag)} = {{ {', '.join(parts)} }}")
    lines.append('"*" = { q = "UNCERTAIN", reason = "unknown_status" }')
    return lines


def _reference(ref: ColumnRef) -> str:
    return quote(ref.name) if ref.name else f"{{ position = {ref.position} }}"


def _file(file: FileMap, stamps: str) -> list[str]:
    text = file.text
    csv = [
        f"encoding = {quote(text.encoding)}",
        f"delimiter = {quote(text.delimiter)}",
        f"decimal = {quote(text.decimal)}",
        f"thousands = {quote(text.thousands)}",
        f"skip_rows = {text.skip_rows}",
        f"header_rows = {text.header_rows}",
    ]
    csv += [f"unit_row = {text.unit_row}"] if text.unit_row else []
    csv += [f"sheet = {quote(text.sheet)}"] if text.sheet else []
    lines = [
        f"name = {quote(file.name)}",
        f"match = {quote(file.match)}",
        f'shape = "{file.shape}"',
        f"csv = {{ {', '.join(csv)} }}",
        f"time_column = [{', '.join(map(_reference, file.time))}]",
        f"formats = [{', '.join(map(quote, file.formats))}]",
    ]
    for key, ref in (
        ("tag_column", file.tag),
        ("value_column", file.value),
        ("status_column", file.status),
    ):
        lines += [f"{key} = {_reference(ref)}"] if ref is not None else []
    lines.append(f"null_tokens = [{', '.join(map(quote, file.null_tokens))}]")
    lines += [f"stamps = {quote(file.stamps)}"] if file.stamps != stamps else []
    lines += [f'order = "{file.order}"'] if file.order != "oldest_first" else []
    if file.on_duplicate_header != "refuse":
        lines.append('on_duplicate_header = "by_position"')
        lines.append(f"header_sha256 = {quote(file.header_sha256)}")
    return lines


def _point(
    point: PointGuess, files: Sequence[FileMap], has_statuses: bool
) -> list[str]:
    lines = [f"# {text}" for text in point.evidence]
    seen = point.profile
    lines.append(
        f"# {seen.readings} cells, {100 * seen.blank:.0f} % empty; 98 % of the numbers "
        f"lie in {seen.low:.6g} to {seen.high:.6g}"
    )
    lines += [f"# UNSURE: {_one_line(doubt)}" for doubt in point.doubts]
    lines += [f"# UNSURE: {each.kind}: {each.text}" for each in point.suspects]
    lines += [
        f"id = {quote(point.id)}",
        f"source = {_source(point, files)}",
        *_status(point, files, has_statuses),
        f'role = "{point.role}"',
        f'kind = "{point.kind}"',
        f"feeds = {quote(point.feeds)}",
        f"unit_in = {quote(point.unit_in)}",
        f"unit = {quote(kept_unit(point))}",
    ]
    lines += [f"suffix = {quote(point.suffix)}"] if point.suffix else []
    lines += [f'sampling = "{point.sampling}"'] if point.sampling != "poll" else []
    lines += _states(point.states)
    return [*lines, *_timing(point), *_codes(point), *_limits(point)]


def _one_line(text: str) -> str:
    return " ".join(text.split())


def _source(point: PointGuess, files: Sequence[FileMap]) -> str:
    file = files[point.file]
    several = f", file_kind = {quote(file.name)}" if len(files) > 1 else ""
    if file.shape == "tall":
        return f"{{ tall_tag = {quote(point.name)}{several} }}"
    if file.shape == "per_point":
        return f"{{ file = {quote(point.name)}{several} }}"
    place = point.place
    column = (
        f"column = {quote(point.name)}"
        if place.name
        else f"position = {place.position}"
    )
    own = f", time_column = {_reference(point.time)}" if point.time else ""
    return f"{{ {column}{own}{several} }}"


def _status(
    point: PointGuess, files: Sequence[FileMap], has_statuses: bool
) -> list[str]:
    if files[point.file].status is not None and has_statuses:
        return ['status = { map = "export" }']
    if point.status is not None and has_statuses:
        key = (
            f"column = {quote(point.status.name)}"
            if point.status.name
            else f"position = {point.status.position}"
        )
        return [f'status = {{ {key}, map = "export" }}']
    return []


def _states(states: Mapping[str, float]) -> list[str]:
    if not states:
        return []
    pairs = ", ".join(f"{quote(text)} = {number:g}" for text, number in states.items())
    return [f"states = {{ {pairs} }}"]


def _timing(point: PointGuess) -> list[str]:
    parts = [f"{key} = {value:g}" for key, value in checks_of(point).items() if value]
    if point.sampling in ("cov", "event") and point.profile.longest_s:
        age = max(60.0, SILENCE * point.profile.longest_s)
        parts.append(f"max_age_s = {age:.0f}")
    return [f"timing = {{ {', '.join(parts)} }}"] if parts else []


def _codes(point: PointGuess) -> list[str]:
    lines = []
    for each in point.suspects:
        if each.kind == "suspected_sentinel":
            lines.append(f"bad_values = [{each.value!r}]")
        if each.kind == "zero_while_off":
            lines.append("off_value = 0.0")
    return lines


def _limits(point: PointGuess) -> list[str]:
    if point.feeds not in RANGES or point.kind == "counter":
        return []
    low, high = RANGES[point.feeds]
    return [f"limits = {{ range = [{low!r}, {high!r}] }}"]

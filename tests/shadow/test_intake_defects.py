"""Hostile exports: each kind of defect ends in a finding, or a refusal, by its name."""

import dataclasses
import gzip
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from made_exports import (
    ROWS,
    Export,
    bring_in,
    kinds_of,
    made_export,
    made_map,
    stamps,
)

from coolbound_envs.site import load_site
from coolbound_envs.tables import InputError

QUALITY = '[quality.q]\nok = { q = "GOOD" }\nfault = { q = "BAD", reason = "fault" }\n'
QUALITY += 'overridden = { q = "GOOD", override = true }\n'
STATUS = 'status = { column = "S", map = "q" }'


@dataclasses.dataclass(frozen=True)
class Case:
    """One defect: how it is made, the map, and the finding that must name it."""

    kind: str
    damage: Callable[[Export], None]
    text: str = made_map()
    count: int | None = None


def put(name: str, rows: slice, cell: str) -> Callable[[Export], None]:
    def damage(export: Export) -> None:
        places = range(*rows.indices(len(export.times)))
        for i in places:
            export.columns[name][i] = cell

    return damage


def put_time(rows: slice, cell: str) -> Callable[[Export], None]:
    def damage(export: Export) -> None:
        for i in range(*rows.indices(len(export.times))):
            export.times[i] = cell

    return damage


def add(name: str, cells: Callable[[int], str]) -> Callable[[Export], None]:
    def damage(export: Export) -> None:
        export.columns[name] = [cells(i) for i in range(len(export.times))]

    return damage


def drop(rows: slice) -> Callable[[Export], None]:
    def damage(export: Export) -> None:
        del export.times[rows]
        for cells in export.columns.values():
            del cells[rows]

    return damage


def insert(place: int, *cells: str) -> Callable[[Export], None]:
    """Put a whole row into the export, as a joined file or a footer would."""

    def damage(export: Export) -> None:
        row = list(cells) + [""] * (1 + len(export.columns) - len(cells))
        export.times.insert(place, row[0])
        for column, cell in zip(export.columns.values(), row[1:], strict=True):
            column.insert(place, cell)

    return damage


def repeat_row(export: Export) -> None:
    insert(10, export.times[9], *(c[9] for c in export.columns.values()))(export)


def contradict_row(export: Export) -> None:
    repeat_row(export)
    export.columns["CHWS"][10] = "40.1"


def shift_clock(minutes: int, after: int) -> Callable[[Export], None]:
    def damage(export: Export) -> None:
        start = datetime(2024, 5, 1) + after * timedelta(minutes=10)
        moved = start + timedelta(minutes=minutes)
        export.times[after:] = stamps(ROWS - after, moved)

    return damage


def wander(export: Export) -> None:
    start = datetime(2024, 5, 1)
    export.times[:] = [
        str(start + i * timedelta(minutes=10) + timedelta(seconds=i % 7 * 3))
        for i in range(ROWS)
    ]


def autumn(export: Export) -> None:
    export.times[:] = stamps(ROWS, datetime(2024, 10, 26))


def spring_stray(export: Export) -> None:
    export.times[:] = stamps(ROWS, datetime(2024, 4, 1))
    insert(0, "2024-03-31 02:10:00", "44", "53", "180", "44")(export)


def hourly_wave(export: Export) -> None:
    cells = export.columns["CHWS"]
    cells[:] = [cells[i - i % 6] for i in range(len(cells))]


def energy(export: Export) -> None:
    export.columns["kWh"] = [
        str(100 + 30 * i if i < 200 else 30 * i) for i in range(ROWS)
    ]
    export.columns["kWh"][200:] = [str(30 * (i - 200)) for i in range(200, ROWS)]


def colder_than_wet_bulb(export: Export) -> None:
    export.columns["CT"] = ["20"] * ROWS
    export.columns["WB"] = [str(18 + i % 5) for i in range(ROWS)]


def point(column: str, *lines: str) -> str:
    head = f'[[point]]\nid = "{column.lower()}"\nsource = {{ column = "{column}" }}\n'
    return head + "\n".join(lines) + "\n"


KWH = point("kWh", 'unit_in = "kWh"', 'kind = "counter"')
WET = point("CT", 'unit_in = "degC"', 'feeds = "cw_supply_temp"')
WET += point("WB", 'unit_in = "degC"', 'feeds = "outdoor_wet_bulb"')
TAIL = slice(ROWS - 200, None)

FOUND = {
    "blank cells": Case("missing", put("CHWS", slice(5, 12), ""), count=7),
    "text in a number": Case("not_a_number", put("CHWS", slice(5, 8), "Bad"), count=3),
    "decimal comma in one cell": Case(
        "not_a_number", put("CHWS", slice(5, 6), '"44,5"'), count=1
    ),
    "thousands mark nobody declared": Case(
        "not_a_number", put("kW", slice(5, 9), '"1,234.5"'), count=4
    ),
    "NaN written by the exporter": Case(
        "nan", put("CHWS", slice(5, 7), "NaN"), count=2
    ),
    "infinity": Case("nan", put("kW", slice(5, 7), "1e999"), count=2),
    "a declared code": Case(
        "sentinel",
        put("CHWS", slice(5, 9), "-999"),
        made_map(CHWS="bad_values = [-999]"),
        4,
    ),
    "a code nobody declared": Case(
        "suspected_sentinel",
        put("CHWS", slice(5, 9), "32"),
        made_map(CHWS="=feeds = 'chw_supply_temp'\nunit_in = 'degF'"),
    ),
    "set-point zero while off, declared": Case(
        "zero_when_off", put("SP", slice(50, 70), "0"), made_map(SP="off_value = 0"), 20
    ),
    "set-point zero while off, not declared": Case(
        "zero_while_off", put("SP", slice(50, 70), "0"), count=20
    ),
    "outside the range": Case("out_of_range", put("CHWS", slice(5, 8), "150"), count=3),
    "stuck, declared": Case(
        "stuck",
        put("CHWS", TAIL, "44.4"),
        made_map(CHWS="timing = { stuck_s = 43200 }"),
    ),
    "stuck for days, not declared": Case(
        "stuck_sensor",
        put("CHWS", slice(60, None), "44.4"),
    ),
    "a jump": Case(
        "step",
        put("kW", slice(50, 51), "900"),
        made_map(kW="limits = { max_step = 200.0 }"),
        2,
    ),
    "too fast": Case(
        "rate",
        put("kW", slice(50, 51), "900"),
        made_map(kW="limits = { max_rate_per_min = 20.0 }"),
        2,
    ),
    "counter reset": Case("counter_reset", energy, made_map(points=[KWH]), 1),
    "the same row twice": Case("duplicate", repeat_row),
    "two rows disagree": Case("conflict", contradict_row, count=2),
    "ambiguous autumn hour, flagged": Case(
        "ambiguous_time",
        autumn,
        made_map('on_ambiguous = "flag_both"'),
    ),
    "autumn hour once only, by order": Case(
        "ambiguous_time", autumn, made_map('on_ambiguous = "ordered"')
    ),
    "a stamp in the skipped spring hour": Case(
        "nonexistent_time", spring_stray, count=1
    ),
    "stamps of 1970": Case(
        "stamp_too_early", put_time(slice(0, 3), "1970-01-01 00:00:00"), count=3
    ),
    "stamps of the future": Case(
        "stamp_in_future", put_time(slice(-3, None), "2031-01-01 00:00:00"), count=3
    ),
    "clock set back, flagged": Case(
        "clock_jump", shift_clock(-120, 200), made_map('on_backwards = "flag"')
    ),
    "clock set by seven minutes": Case("clock_shift", shift_clock(7, 200)),
    "a clock that wanders": Case("clock_drift", wander),
    "a footer": Case("unreadable_time", insert(ROWS, "Total rows: 432"), count=1),
    "the header again": Case(
        "repeated_header", insert(100, "Time", "CHWS", "CHWR", "kW", "SP"), count=1
    ),
    "an empty line of commas": Case("empty_line", insert(100, ""), count=1),
    "a row without a stamp": Case("no_time", put_time(slice(9, 11), ""), count=2),
    "an unreadable stamp": Case(
        "unreadable_time", put_time(slice(9, 11), "yesterday"), count=2
    ),
    "a gap": Case("gaps", drop(slice(100, 160))),
    "a slow feed repeated": Case("slow_feed", hourly_wave),
    "a point that never moves": Case("never_moves", put("CHWS", slice(None), "44")),
    "one point in another unit": Case(
        "unit_doubt", put("CHWS", slice(None), "180"), made_map()
    ),
    "a column not in the map": Case("unlisted", add("extra", str)),
    "tower water below the wet bulb": Case(
        "impossible", colder_than_wet_bulb, made_map(points=[WET])
    ),
    "nothing usable in a column": Case(
        "point_without_readings", put("SP", slice(None), "off")
    ),
    "a vendor's fault": Case(
        "fault",
        add("S", lambda i: "fault" if 5 <= i < 9 else "ok"),
        made_map(more=QUALITY, CHWS=STATUS),
        4,
    ),
    "several flags in one status": Case(
        "fault",
        add("S", lambda i: '"{fault,overridden}"' if 5 <= i < 9 else "{ok}"),
        made_map(more=QUALITY, CHWS=STATUS),
        4,
    ),
    "a status nobody knows": Case(
        "unknown_status",
        add("S", lambda i: "weird" if 5 <= i < 9 else "ok"),
        made_map(more=QUALITY, CHWS=STATUS),
        4,
    ),
    "an override": Case(
        "override",
        add("S", lambda i: "overridden" if 5 <= i < 9 else "ok"),
        made_map(more=QUALITY, CHWS=STATUS),
        4,
    ),
    "outside the validity interval": Case(
        "not_valid_then",
        lambda export: None,
        made_map(CHWS="valid = [{ from = 2024-05-02T00:00:00+02:00 }]"),
        144,
    ),
    "reports on change gone silent": Case(
        "stale_cells",
        put("CHWS", slice(100, 200), ""),
        made_map(CHWS="sampling = 'cov'\ntiming = { max_age_s = 1800 }"),
    ),
    "too few readings in a cell": Case(
        "thin_cells", drop(slice(100, 101)), made_map(resample="step_s = 1800")
    ),
    "an abbreviation of another zone": Case(
        "zone_abbreviation",
        lambda export: export.times.__setitem__(
            slice(None),
            [f"{t} {'EST' if i < 3 else 'CEST'}" for i, t in enumerate(export.times)],
        ),
        made_map(file='formats = ["%Y-%m-%d %H:%M:%S %Z"]'),
        3,
    ),
}


@pytest.mark.parametrize("name", FOUND)
def test_a_defect_ends_in_a_finding_of_its_name(name: str, tmp_path: Path) -> None:
    case, export = FOUND[name], made_export()
    case.damage(export)
    data = bring_in(export.write(tmp_path), case.text, tmp_path / "out")
    found = kinds_of(data)
    assert case.kind in found, sorted(found)
    if case.count is not None:
        assert found[case.kind][0]["count"] == case.count
    rows = data["rows"]
    assert rows["read"] == rows["accepted"] + rows["flagged"] + rows["rejected"]
    assert all(each["advice"] for each in data["findings"])


def test_lines_with_other_cells_are_counted_and_shown(tmp_path: Path) -> None:
    export = made_export()
    lines = export.lines()
    lines[20] += ",7"
    lines.append("-- end of report --")
    data = bring_in(export.write(tmp_path, lines), made_map(), tmp_path / "out")
    [found] = kinds_of(data)["wrong_cell_count"]
    assert found["count"] == 2
    examples = data["files"][0]["examples"]["wrong_cell_count"]
    assert examples == [[21, lines[20]], [434, "-- end of report --"]]


def test_points_of_a_tall_file_that_the_map_lacks_are_rejected(tmp_path: Path) -> None:
    export = made_export()
    rows = [["t", "tag", "v"]]
    for i, time in enumerate(export.times):
        rows += [[time, n, export.columns[n][i]] for n in ("CHWS", "kW")]
    path = tmp_path / "tall.csv"
    path.write_text("\n".join(map(",".join, rows)) + "\n")
    text = made_map(
        file='shape = "tall"\ntime_column = "t"\n'
        'tag_column = "tag"\nvalue_column = "v"',
        CHWS="",
    )
    start = text.index("[[point]]")
    block = (
        '[[point]]\nid = "s"\nsource = { tall_tag = "CHWS" }\nunit_in = "degF"\n'
        'feeds = "chw_supply_temp"\n'
    )
    data = bring_in(path, text[:start] + block, tmp_path / "out")
    assert kinds_of(data)["point_not_in_map"][0]["count"] == ROWS
    assert data["rows"] == {
        "read": 2 * ROWS,
        "accepted": ROWS,
        "flagged": 0,
        "rejected": ROWS,
    }
    assert "'kW'" in kinds_of(data)["unlisted"][0]["text"]


def plain(export: Export, folder: Path) -> list[Path]:
    return [export.write(folder)]


def twice(export: Export, folder: Path) -> list[Path]:
    first = export.write(folder)
    export.name = "copy.csv"
    return [first, export.write(folder)]


def packed(export: Export, folder: Path) -> list[Path]:
    path = folder / "plant.csv.gz"
    path.write_bytes(gzip.compress("\n".join(export.lines()).encode()))
    return [path]


def raw(name: str, data: bytes) -> Callable[[Export, Path], list[Path]]:
    def write(export: Export, folder: Path) -> list[Path]:
        (folder / name).write_bytes(data)
        return [folder / name]

    return write


def overlapping(export: Export, folder: Path) -> list[Path]:
    first = export.write(folder)
    other = made_export(seed=1)
    other.name = "later.csv"
    return [first, other.write(folder)]


def header_only(export: Export, folder: Path) -> list[Path]:
    return [export.write(folder, export.lines()[:1])]


def other_site(export: Export, folder: Path) -> list[Path]:
    export.header = ["Time", "B7-Temp1", "B7-Temp2", "B7-Pwr", "B7-Soll"]
    return plain(export, folder)


def doubled_header(export: Export, folder: Path) -> list[Path]:
    export.header = ["Time", "CHWS", "CHWS", "kW", "SP"]
    return plain(export, folder)


def backwards(export: Export, folder: Path) -> list[Path]:
    export.times.reverse()
    return plain(export, folder)


def jumped(export: Export, folder: Path) -> list[Path]:
    shift_clock(-120, 200)(export)
    return plain(export, folder)


def summer_end(export: Export, folder: Path) -> list[Path]:
    autumn(export)
    return plain(export, folder)


def summer_start(export: Export, folder: Path) -> list[Path]:
    export.times[:] = stamps(ROWS, datetime(2024, 3, 30))
    return plain(export, folder)


def rewritten_by_a_spreadsheet(export: Export, folder: Path) -> list[Path]:
    """Write days to the twelfth as months, as a spreadsheet of another country does."""
    days = [datetime(2024, 5, 1) + i * timedelta(hours=2) for i in range(ROWS)]
    export.times[:] = [
        str(d.replace(month=d.day, day=d.month) if d.day <= 12 else d) for d in days
    ]
    return plain(export, folder)


def short(export: Export, folder: Path) -> list[Path]:
    return [export.write(folder, export.lines()[:100])]


def unusable(export: Export, folder: Path) -> list[Path]:
    for name in export.columns:
        export.columns[name][:] = [""] * ROWS
    return plain(export, folder)


def hot(export: Export, folder: Path) -> list[Path]:
    for name in ("CHWS", "CHWR"):
        export.columns[name][:] = ["500"] * ROWS
    return plain(export, folder)


def huge(export: Export, folder: Path) -> list[Path]:
    export.columns["kW"][:] = [str(90_000 + i) for i in range(ROWS)]
    return plain(export, folder)


def unclosed(export: Export, folder: Path) -> list[Path]:
    lines = export.lines()
    lines[50] = lines[50].replace(",", ',"', 1)
    return [export.write(folder, lines)]


def latin(export: Export, folder: Path) -> list[Path]:
    export.header = ["Time", "CHWS", "CHWR", "kW", "SP °F"]
    path = folder / "plant.csv"
    path.write_bytes("\n".join(export.lines()).encode("cp1252"))
    return [path]


def day_and_month(export: Export, folder: Path) -> list[Path]:
    export.times[:] = stamps(form="%d/%m/%Y %H:%M")
    return plain(export, folder)


OVER_DAYS = made_map(file='formats = ["%d/%m/%Y %H:%M", "%m/%d/%Y %H:%M"]')

REFUSED = {
    "an empty file": (raw("plant.csv", b""), made_map(), "found an empty file"),
    "no row below the header": (header_only, made_map(), "the period is empty"),
    "a packed file": (packed, made_map(), "gzip file"),
    "an old Excel file": (
        raw("plant.csv", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"0" * 99),
        made_map(),
        "before 2007",
    ),
    "half a Parquet file": (
        raw("plant.csv", b"PAR1" + b"0" * 99),
        made_map(),
        "cannot be read as Parquet",
    ),
    "the same file twice": (twice, made_map(), "the same bytes"),
    "files that disagree": (overlapping, made_map(), "overlapping files that disagree"),
    "another site's columns": (other_site, made_map(), "another site's log"),
    "readings of another site": (hot, made_map(), "another site's log or other units"),
    "a header twice": (doubled_header, made_map(), "found column 'CHWS' 2 times"),
    "a header that has changed": (
        plain,
        made_map(file='header_sha256 = "ab"'),
        "columns have changed",
    ),
    "newest row first": (backwards, made_map(), "order = 'newest_first'"),
    "a clock set back": (jumped, made_map(), "a clock jump back by"),
    "the repeated autumn hour": (summer_end, made_map(), "occurs twice"),
    "a full skipped spring hour": (
        summer_start,
        made_map(),
        "that Europe/Berlin skips",
    ),
    "days and months swapped by a spreadsheet": (
        rewritten_by_a_spreadsheet,
        made_map(),
        "day and month are swapped",
    ),
    "a date with two readings": (day_and_month, OVER_DAYS, "with different days"),
    "less than a day": (short, made_map(), "expected a day at least"),
    "no usable reading": (unusable, made_map(), "found no usable reading"),
    "no zone": (plain, made_map('zone = ""'), "a zone is never guessed"),
    "an unknown zone": (plain, made_map('zone = "Mars/Olympus"'), "IANA name"),
    "a format that fits nothing": (
        plain,
        made_map(file='formats = ["%d.%m.%Y"]'),
        "and none in 432 rows that fits",
    ),
    "a file that no table matches": (
        plain,
        made_map(file='match = "other*.csv"'),
        "found 0 [[file]] tables that match it",
    ),
    "a quote never closed": (unclosed, made_map(), "row 51 or below: found a quote"),
    "the wrong encoding": (latin, made_map(), "correct `encoding`"),
    "an unknown unit": (
        plain,
        made_map(kW="=unit_in = 'parsec'"),
        "found unit 'parsec'",
    ),
    "a unit that does not fit": (
        plain,
        made_map(kW="=unit_in = 'psi'\nfeeds = 'chiller_power'"),
        "converts to 'kW'",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_used_is_refused_in_one_sentence(
    name: str, tmp_path: Path
) -> None:
    write, text, said = REFUSED[name]
    paths = write(made_export(), tmp_path)
    with pytest.raises(InputError) as refused:
        bring_in(paths, text, tmp_path / "out")
    sentence = str(refused.value)
    assert said in sentence
    assert ";" in sentence, "it says what to do"
    assert "\n" not in sentence
    assert not (tmp_path / "out").exists()
    assert not [p for p in tmp_path.iterdir() if p.name.startswith(".")]


def test_a_log_that_the_site_cannot_draw_is_refused(tmp_path: Path) -> None:
    paths = huge(made_export(), tmp_path)
    text = made_map(kW="=unit_in = 'kW'\nfeeds = 'chiller_power'")
    with pytest.raises(InputError, match="another site's log or another unit"):
        bring_in(paths, text, tmp_path / "out", site=load_site())
    assert not (tmp_path / "out").exists()


def test_there_are_at_least_thirty_kinds_of_defect() -> None:
    assert len({case.kind for case in FOUND.values()}) + len(REFUSED) > 60

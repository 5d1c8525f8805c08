"""An import: every row accounted for, nothing filled, and a log to be shadowed."""

import dataclasses
import json
import re
import tempfile
import tracemalloc
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from made_exports import (
    NOW_S,
    ROWS,
    bring_in,
    kinds_of,
    made_export,
    made_map,
    numbers,
    stamps,
    write_rows,
)

from coolbound_envs.site import load_site
from coolbound_envs.spec import CHANNEL_NAMES, POINT_INDEX
from coolbound_envs.tables import InputError
from coolbound_envs.types import Quality
from coolbound_shadow.ingest import read_log
from coolbound_shadow.intake import text_blocks
from coolbound_shadow.intake.handover import is_imported, read_imported
from coolbound_shadow.selection import load_log

COLUMNS = [
    "ts_utc",
    "point_id",
    "value",
    "quality",
    "reason",
    "override",
    "source_status",
    "ingest_ts",
    "source_sha256",
    "row_no",
]


def canonical(folder: Path, point: str) -> pa.Table:
    table = pq.read_table(folder / "canonical.parquet")
    return table.filter(pc.field("point_id") == point)


def test_the_canonical_log_has_every_reading_with_its_origin(tmp_path: Path) -> None:
    export = made_export()
    export.columns["CHWS"][7] = "bad"
    path = export.write(tmp_path)
    data = bring_in(path, made_map(), tmp_path / "out")
    table = pq.read_table(tmp_path / "out" / "canonical.parquet")
    assert table.column_names == COLUMNS
    assert table.num_rows == 4 * ROWS
    chws = canonical(tmp_path / "out", "chws")
    assert chws["row_no"].to_pylist() == list(range(2, ROWS + 2))
    assert set(chws["source_sha256"].to_pylist()) == {data["files"][0]["sha256"]}
    assert chws["ts_utc"][0].as_py().isoformat() == "2024-04-30T22:00:00+00:00"
    wanted = (numbers()["CHWS"] - 32.0) / 1.8
    values = np.asarray(chws["value"].fill_null(np.nan))
    np.testing.assert_allclose(np.delete(values, 7), np.delete(wanted, 7), atol=1e-9)
    assert np.isnan(values[7])
    assert (chws["quality"][7].as_py(), chws["reason"][7].as_py()) == (
        "BAD",
        "not_a_number",
    )
    points = json.loads(table.schema.metadata[b"points"])
    assert [p["id"] for p in points] == ["chws", "chwr", "kw", "sp"]


@settings(deadline=None, max_examples=25)
@given(st.integers(0, 2**31))
def test_rows_read_are_rows_accepted_flagged_and_rejected(seed: int) -> None:
    rng = np.random.default_rng(seed)
    export = made_export()
    for name, cells in export.columns.items():
        for i in np.flatnonzero(rng.random(ROWS) < 0.05):
            cells[i] = str(rng.choice(["", "x", "nan", "999999"]))
        assert name
    for i in np.flatnonzero(rng.random(ROWS) < 0.03):
        export.times[i] = str(rng.choice(["", "x", "1970-01-01", "Time"]))
    lines = export.lines()
    for i in sorted(rng.integers(1, ROWS, 5), reverse=True):
        lines.insert(int(i), str(rng.choice(["", "a,b", "end"])))
    with tempfile.TemporaryDirectory() as folder:
        path = export.write(Path(folder), lines)
        data = bring_in(path, made_map(), Path(folder) / "out")
        table = pq.read_table(Path(folder) / "out" / "canonical.parquet")
    rows = data["rows"]
    assert rows["read"] == len(lines) - 1
    assert rows["read"] == rows["accepted"] + rows["flagged"] + rows["rejected"]
    assert rows["rejected"] == sum(data["rejected"].values())
    by_row: dict[int, bool] = {}
    for row, reason in zip(
        table["row_no"].to_pylist(), table["reason"].to_pylist(), strict=True
    ):
        by_row[row] = by_row.get(row, False) or reason != ""
    assert rows["flagged"] == sum(by_row.values())
    assert rows["accepted"] == len(by_row) - sum(by_row.values())
    readings = data["readings"]
    assert readings["total"] == table.num_rows
    failed = sum(sum(reasons.values()) for reasons in data["flagged"].values())
    assert readings["total"] - readings["good"] == failed


def test_nothing_is_filled_in(tmp_path: Path) -> None:
    export = made_export()
    for name in ("CHWS", "CHWR", "kW"):
        export.columns[name][100:130] = [""] * 30
    bring_in(export.write(tmp_path), made_map(), tmp_path / "out")
    log = read_log(tmp_path / "out" / "log.parquet")
    assert (log.rows, log.missing_steps) == (ROWS - 30, 30)
    assert not np.any(np.isnan(log.values[:, POINT_INDEX["chw_supply_temp"]]))
    cells = pq.read_table(tmp_path / "out" / "cells.parquet")
    mine = cells.filter(pc.field("point_id") == "chws")
    assert mine["value"].null_count == 30
    assert set(mine["quality"].to_pylist()) == {"GOOD", "MISSING"}
    assert [c for c in mine["coverage"].to_pylist() if 0.0 < c < 1.0] == []


def test_the_regular_log_is_what_a_shadow_run_reads(tmp_path: Path) -> None:
    export = made_export()
    bring_in(export.write(tmp_path), made_map(), tmp_path / "out")
    log = read_log(tmp_path / "out" / "log.parquet")
    assert (log.rows, log.step_s, log.missing_steps) == (ROWS, 600, 0)
    assert log.observable == (
        "chw_supply_temp",
        "chw_return_temp",
        "chiller_power",
        "chw_supply_setpoint",
    )
    made = numbers()
    supply = log.values[:, POINT_INDEX["chw_supply_temp"]]
    np.testing.assert_allclose(supply, (made["CHWS"] - 32) / 1.8, atol=1e-4)
    applied = log.applied[:, CHANNEL_NAMES.index("chw_supply_setpoint")]
    np.testing.assert_allclose(applied, (made["SP"] - 32) / 1.8, atol=1e-4)
    assert np.all(log.quality[:, POINT_INDEX["chiller_power"]] == Quality.GOOD)


def test_a_shadow_run_is_told_all_that_was_counted(tmp_path: Path) -> None:
    export = made_export()
    export.columns["CHWS"][5:9] = ["150"] * 4
    export.times[3] = ""
    bring_in(export.write(tmp_path), made_map(), tmp_path / "out")
    for path in (tmp_path / "out", tmp_path / "out" / "log.parquet"):
        assert is_imported(path)
        log = read_imported(path)
        assert log.rejected == {"no_time": 1}
        assert log.flagged["chws"] == {"out_of_range": 4}
        assert log.zone == "Europe/Berlin"
        assert log.sources[0].name == "plant.csv"
        assert (log.episodes[0].point, log.episodes[0].readings) == ("chws", 4)
    assert not is_imported(tmp_path)
    (tmp_path / "out" / "ingestion.json").write_text("{}")
    with pytest.raises(InputError, match="found no whole import"):
        read_imported(tmp_path / "out")


def test_the_same_import_gives_the_same_bytes(tmp_path: Path) -> None:
    export = made_export()
    export.columns["kW"][5:9] = ["x"] * 4
    path = export.write(tmp_path)
    for name in ("one", "two"):
        bring_in(path, made_map(), tmp_path / name)
    for file in (tmp_path / "one").iterdir():
        assert file.read_bytes() == (tmp_path / "two" / file.name).read_bytes()


def test_blocks_leave_no_trace_in_what_is_imported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    export = made_export()
    export.columns["kW"][200:210] = ["x"] * 10
    path = export.write(tmp_path, [*export.lines(), "footer"])
    whole = bring_in(path, made_map(), tmp_path / "whole")
    monkeypatch.setattr(text_blocks, "BLOCK", 997)
    assert bring_in(path, made_map(), tmp_path / "parts") == whole
    for name in ("canonical.parquet", "log.parquet", "cells.parquet"):
        one, other = (pq.read_table(tmp_path / f / name) for f in ("whole", "parts"))
        assert one.equals(other)


def test_overlapping_files_that_agree_are_joined_once(tmp_path: Path) -> None:
    export = made_export()
    lines = export.lines()
    first = tmp_path / "a.csv"
    first.write_text("\n".join(lines[:300]) + "\n")
    second = tmp_path / "b.csv"
    second.write_text("\n".join([lines[0], *lines[250:]]) + "\n")
    data = bring_in([second, first], made_map(), tmp_path / "out")
    assert data["log"]["rows"] == ROWS
    assert data["rows"]["read"] == ROWS + 50
    assert kinds_of(data)["duplicate"][0]["count"] == 50
    assert canonical(tmp_path / "out", "kw").num_rows == ROWS + 50
    log = read_log(tmp_path / "out" / "log.parquet")
    assert np.all(log.quality[:, POINT_INDEX["chiller_power"]] == Quality.GOOD)


def test_a_blank_beside_a_reading_of_the_same_instant_is_no_gap(tmp_path: Path) -> None:
    export, other = made_export(), made_export()
    export.columns["CHWS"][40:60] = [""] * 20
    other.columns["kW"][40:60] = [""] * 20
    other.name = "other.csv"
    paths = [export.write(tmp_path), other.write(tmp_path)]
    data = bring_in(paths, made_map(), tmp_path / "out")
    assert "missing" not in kinds_of(data)
    log = read_log(tmp_path / "out" / "log.parquet")
    assert not np.any(np.isnan(log.values[:, POINT_INDEX["chw_supply_temp"]]))


def test_a_shadow_run_of_a_site_without_a_map_loads_the_log(tmp_path: Path) -> None:
    bring_in(made_export().write(tmp_path), made_map(), tmp_path / "out")
    log = load_log(load_site(), tmp_path / "out" / "log.parquet")
    assert (log.rows, log.step_s) == (ROWS, 600)


def test_conflicts_of_two_files_are_flagged_where_the_map_allows_it(
    tmp_path: Path,
) -> None:
    first = made_export().write(tmp_path)
    other = made_export()
    other.name, other.columns["CHWS"][100] = "other.csv", "43.21"
    text = made_map('on_overlap = "flag"')
    data = bring_in([first, other.write(tmp_path)], text, tmp_path / "out")
    assert kinds_of(data)["conflict"][0]["count"] == 2
    log = read_log(tmp_path / "out" / "log.parquet")
    column = log.quality[:, POINT_INDEX["chw_supply_temp"]]
    assert np.sum(column == Quality.BAD) == 1


def test_several_machines_become_one_point(tmp_path: Path) -> None:
    export = made_export()
    export.columns["kW2"] = ["100"] * ROWS
    export.columns["kW2"][50:60] = [""] * 10
    block = '[[point]]\nid = "kw2"\nsource = { column = "kW2" }\nunit_in = "kW"\n'
    text = made_map(points=[block + 'feeds = "chiller_power"'])
    bring_in(export.write(tmp_path), text, tmp_path / "out")
    power = read_log(tmp_path / "out" / "log.parquet").values[
        :, POINT_INDEX["chiller_power"]
    ]
    both = np.delete(np.arange(ROWS), np.arange(50, 60))
    np.testing.assert_allclose(power[both], numbers()["kW"][both] + 100, atol=1e-4)
    # A sum of which a part is missing is no sum.
    assert np.all(np.isnan(power[50:60]))


def test_an_energy_counter_becomes_the_mean_power(tmp_path: Path) -> None:
    export = made_export()
    export.columns["kWh"] = [f"{1000 + 25 * i}" for i in range(ROWS)]
    text = made_map(
        kW='=unit_in = "kW"\nfeeds = ""',
        points=[
            '[[point]]\nid = "e"\nsource = { column = "kWh" }\nunit_in = "kWh"\n'
            'kind = "counter"\nfeeds = "chiller_power"'
        ],
    )
    bring_in(export.write(tmp_path), text, tmp_path / "out")
    power = read_log(tmp_path / "out" / "log.parquet").values[
        :, POINT_INDEX["chiller_power"]
    ]
    np.testing.assert_allclose(power[1:], 150.0)
    assert np.isnan(power[0])


def test_a_source_that_changed_is_followed(tmp_path: Path) -> None:
    export = made_export()
    half = ROWS // 2
    old = export.columns["kW"][:half] + [""] * (ROWS - half)
    new = [""] * half + [f"{float(x) * 1000:g}" for x in export.columns["kW"][half:]]
    export.columns["kW"] = old
    export.columns["W"] = new
    turn = (datetime(2024, 5, 1) + half * timedelta(minutes=10)).isoformat()
    text = made_map(
        kW=f"valid = [{{ to = {turn}+02:00 }}, {{ from = {turn}+02:00, "
        "source = { column = 'W' }, unit_in = 'W' }]\nsampling = 'event'"
    )
    bring_in(export.write(tmp_path), text, tmp_path / "out")
    found = np.asarray(canonical(tmp_path / "out", "kw")["value"])
    np.testing.assert_allclose(found, numbers()["kW"], rtol=1e-5)


def test_columns_by_place_need_the_header_they_were_counted_in(tmp_path: Path) -> None:
    export = made_export()
    export.header = ["Time", "Value", "Value", "Value", "Value"]
    path = export.write(tmp_path)
    places = {n: f'"{n}"' for n in ("CHWS", "CHWR", "kW", "SP")}
    text = made_map(file='on_duplicate_header = "by_position"')
    for i, name in enumerate(places, 1):
        text = text.replace(f'{{ column = "{name}" }}', f"{{ position = {i} }}")
    with pytest.raises(InputError, match="found no `header_sha256`") as refused:
        bring_in(path, text, tmp_path / "out")
    digest = re.findall(r"[0-9a-f]{64}", str(refused.value))[0]
    named = text.replace("[[file]]", f'[[file]]\nheader_sha256 = "{digest}"')
    assert bring_in(path, named, tmp_path / "out")["rows"]["accepted"] == ROWS


def test_a_report_zone_tells_the_time_of_a_log_kept_in_utc(tmp_path: Path) -> None:
    path = made_export().write(tmp_path)
    text = made_map('stamps = "utc"').replace(
        'id = "made"', 'id = "made", report_zone = "Asia/Tokyo"'
    )
    data = bring_in(path, text, tmp_path / "out")
    assert data["period"]["start"] == "2024-05-01T09:00:00+09:00"


def test_the_page_is_one_offline_file_that_counts_everything(tmp_path: Path) -> None:
    export = made_export()
    export.columns["CHWS"][5:9] = ["<b>150</b>"] * 4
    data = bring_in(export.write(tmp_path), made_map(), tmp_path / "out")
    page = (tmp_path / "out" / "ingestion.html").read_text("utf-8")
    assert len(page) < 2_000_000
    assert not re.search(r"https?:|<script|<link|@import", page)
    assert "<b>150</b>" not in page
    assert "&lt;b&gt;150&lt;/b&gt;" in page
    for file in data["files"]:
        assert file["sha256"] in page
    for each in data["findings"]:
        assert each["kind"] in page
    for point in data["points"]:
        assert point["id"] in page
    assert "428 + 4 + 0 = 432 read" in page


def test_an_earlier_import_is_replaced_and_anything_else_is_left_alone(
    tmp_path: Path,
) -> None:
    path = made_export().write(tmp_path)
    out = tmp_path / "out"
    bring_in(path, made_map(), out)
    bring_in(path, made_map(), out)
    mine = tmp_path / "mine"
    mine.mkdir()
    (mine / "notes.txt").write_text("keep")
    with pytest.raises(InputError, match="without ingestion"):
        bring_in(path, made_map(), mine)
    assert (mine / "notes.txt").read_text() == "keep"


def test_an_error_leaves_an_earlier_import_as_it_was(tmp_path: Path) -> None:
    path = made_export().write(tmp_path)
    out = tmp_path / "out"
    bring_in(path, made_map(), out)
    before = (out / "canonical.parquet").read_bytes()
    with pytest.raises(InputError):
        bring_in(path, made_map('on_ambiguous = "refuse"\nzone = "Nowhere"'), out)
    path.write_text("Time,CHWS,CHWR,kW,SP\n")
    with pytest.raises(InputError):
        bring_in(path, made_map(), out)
    assert (out / "canonical.parquet").read_bytes() == before
    assert [p.name for p in tmp_path.iterdir() if p.name.startswith(".")] == []


def test_memory_does_not_grow_with_the_number_of_points(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(text_blocks, "BLOCK", 1 << 16)
    monkeypatch.setattr(text_blocks, "HEAD", 1 << 14)
    peaks = []
    for count in (10, 80):
        names = [f"p{i}" for i in range(count)]
        wave = np.round(20 + np.sin(np.arange(2000)), 2).astype(str).tolist()
        times = stamps(2000, step=timedelta(minutes=1))
        rows = [
            ["Time", *names],
            *([t, *[w] * count] for t, w in zip(times, wave, strict=True)),
        ]
        path = write_rows(tmp_path / f"wide{count}.csv", rows)
        blocks = [
            f'[[point]]\nid = "{n}"\nsource = {{ column = "{n}" }}\nunit_in = "degC"\n'
            for n in names
        ]
        head = made_map().split("[[point]]")[0]
        text = head + "\n".join(
            [blocks[0] + 'feeds = "chw_supply_temp"\n', *blocks[1:]]
        )
        tracemalloc.start()
        bring_in(path, text, tmp_path / f"out{count}")
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    # Eight times the readings, in the memory of one point and a few blocks.
    assert peaks[1] < 2.0 * peaks[0]


def test_made_exports_are_imported_as_of_a_fixed_day(tmp_path: Path) -> None:
    data = bring_in(made_export().write(tmp_path), made_map(), tmp_path / "out")
    assert data["ingested_utc"] == "2025-06-15T15:06:40Z"
    assert NOW_S == 1_750_000_000
    assert dataclasses.is_dataclass(made_export())

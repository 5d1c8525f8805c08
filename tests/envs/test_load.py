"""Load traces: shipped ones are the sources', bad ones are refused in words."""

import gzip
from pathlib import Path

import jax.numpy as jnp
import numpy as np
import pytest

from coolbound_envs.load import SHIPPED, load_names, load_trace, utilisation_at
from coolbound_envs.tables import InputError

HEADER = "time_s,utilisation"


def written(folder: Path, *lines: str) -> Path:
    path = folder / "trace.csv"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


@pytest.mark.parametrize(
    ("name", "count", "total"),
    [("google2019", 8064, 3812.84616015848), ("azure2019", 8640, 6839.78002400732)],
)
def test_shipped_trace_has_the_count_and_sum_of_its_source(
    name: str, count: int, total: float
) -> None:
    trace = load_trace(name)
    assert trace.utilisation.shape == (count,)
    assert trace.utilisation.dtype == jnp.float32
    values = np.asarray(trace.utilisation, np.float64)
    assert np.sum(values) == pytest.approx(total, rel=1e-7)


def test_frontier_is_the_summed_heat_averaged_and_scaled_by_its_peak() -> None:
    trace = np.asarray(load_trace("frontier").utilisation, np.float64)
    with gzip.open(SHIPPED["frontier"], "rt") as file:
        rows = np.loadtxt(file, delimiter=",", skiprows=1)
    heat = rows[:-1, 1:26].sum(axis=1).reshape(288, 20).mean(axis=1)
    np.testing.assert_allclose(trace, heat / heat.max(), rtol=1e-6)
    assert heat.max() == pytest.approx(25e6, rel=0.1)


def test_every_shipped_trace_is_a_share() -> None:
    for name in load_names():
        values = np.asarray(load_trace(name).utilisation)
        assert np.all((values > 0.0) & (values <= 1.0))


def test_trace_repeats_and_holds_each_interval() -> None:
    trace = jnp.asarray([0.1, 0.2, 0.3], jnp.float32)
    times = jnp.asarray([0.0, 299.0, 300.0, 899.0, 900.0, 1500.0], jnp.float32)
    found = utilisation_at(trace, times)
    np.testing.assert_allclose(found, [0.1, 0.1, 0.2, 0.3, 0.1, 0.3])


def test_finer_trace_is_averaged_to_300_s(tmp_path: Path) -> None:
    rows = [f"{150 * i},{i / 10}" for i in range(5)]
    trace = load_trace(written(tmp_path, "time_s,utilisation", *rows))
    np.testing.assert_allclose(trace.utilisation, [0.05, 0.25], rtol=1e-6)
    assert trace.name == "trace.csv"


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        (["time_s,load", "0,0.5"], r"line 1: found no column 'utilisation'"),
        (["time_s,utilisation,x", "0,0.5,1"], r"unknown column 'x'"),
        ([HEADER, "0,0.5", "300,0.5", "600,50"], r"line 4.*'50'.*not percent"),
        ([HEADER, "0,0.5", "300,nan"], r"line 3.*'utilisation'.*'nan'"),
        ([HEADER, "0,0.5", "300,"], r"line 3.*'utilisation'.*''"),
        ([HEADER, "x,0.5", "300,0.5"], r"line 2, column 'time_s'.*'x'"),
        (
            [HEADER, "0,0.5", "300,0.5", "600,0.5", "1200,0.5"],
            r"line 5.*'1200', expected 300 s after.* about 1 rows are missing",
        ),
        (
            [HEADER, "0,0.5", "300,0.5", "600,0.5", "600,0.5"],
            r"line 5, column 'time_s': found '600'.*stands there twice",
        ),
        (
            [HEADER, "0,1", "300,1", "900,1", "600,1", "900,1", "1200,1"],
            r"line 4, column 'time_s': found '900', expected 300 s after the row be",
        ),
        (
            [HEADER, "300,0.5", "600,0.5", "0,0.5", "300,0.5"],
            r"line 4, column 'time_s': found '0', .*sort the rows",
        ),
        ([HEADER, "0,0.5", "0,0.5"], r"line 3, column 'time_s'.*stands there twice"),
        ([HEADER, "900,0.5", "600,0.5", "300,0.5"], r"line 3.*sort the rows"),
        ([HEADER, "0,0.5", "inf,0.5"], r"line 3, column 'time_s': found 'inf'"),
        (
            [HEADER, "0,50", "300,62", "600,"],
            r"line 2.*'50'.*percent: divide it by 100",
        ),
        ([HEADER, "0,2900", "300,3100"], r"line 2.*'2900'.*by the installed capacity"),
        ([HEADER, "0,0", "300,0.0"], r"found 0 in all 2 rows, expected a load"),
        ([HEADER, "0,0.5", "300,-0.1"], r"line 3.*'-0.1', expected 0 to 1"),
        ([], r"found 0 lines, expected a header and rows"),
        ([HEADER, "0,0.5", "400,0.5"], r"step of 400 s.*divides 300 s"),
        ([HEADER, "0,0.5", "300"], r"line 3: found 1 cells, expected 2"),
        ([HEADER], r"found 1 lines, expected a header and rows"),
        ([HEADER, "0,0.5", "100,0.5"], r"found 2 rows.*at least 3"),
    ],
)
def test_bad_trace_is_refused_with_place_found_and_expected(
    tmp_path: Path, lines: list[str], expected: str
) -> None:
    with pytest.raises(InputError, match=expected) as refused:
        load_trace(written(tmp_path, *lines))
    assert "trace.csv" in str(refused.value)


def test_unknown_name_lists_the_shipped_ones() -> None:
    with pytest.raises(InputError, match="one of azure2019, frontier, google2019"):
        load_trace("gogle2019")


def test_absent_or_broken_file_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"absent\.csv: cannot be read"):
        load_trace(tmp_path / "absent.csv")
    broken = tmp_path / "broken.csv.gz"
    broken.write_bytes(b"not gzip")
    with pytest.raises(InputError, match=r"broken\.csv\.gz: cannot be read"):
        load_trace(broken)

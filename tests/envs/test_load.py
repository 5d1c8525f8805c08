"""Load traces: shipped ones are the sources', bad ones are refused in words."""

import gzip
from pathlib import Path

import jax.numpy as jnp
import numpy as np
import pytest

from coolbound_envs.load import SHIPPED, load_names, load_trace, utilisation_at
from coolbound_envs.tables import InputError


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
        (["time_s,utilisation", "0,0.5", "300,50"], r"line 3.*'50'.*not percent"),
        (["time_s,utilisation", "0,0.5", "300,nan"], r"line 3.*'utilisation'.*'nan'"),
        (["time_s,utilisation", "0,0.5", "300,"], r"line 3.*'utilisation'.*''"),
        (["time_s,utilisation", "x,0.5", "300,0.5"], r"line 2, column 'time_s'.*'x'"),
        (["time_s,utilisation", "0,0.5", "300,0.5", "900,0.5"], r"line 4.*300 s after"),
        (["time_s,utilisation", "0,0.5", "0,0.5"], r"line 3.*increasing"),
        (["time_s,utilisation", "0,0.5", "400,0.5"], r"step of 400 s.*divides 300 s"),
        (["time_s,utilisation", "0,0.5", "300"], r"line 3: found 1 cells, expected 2"),
        (["time_s,utilisation"], r"found 1 lines, expected a header and rows"),
        (["time_s,utilisation", "0,0.5", "100,0.5"], r"found 2 rows.*at least 3"),
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

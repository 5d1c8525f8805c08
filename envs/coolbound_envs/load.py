"""IT load as utilisation, shipped traces or a user's file.

The format is CSV, plain or gzipped, with the columns `time_s` and `utilisation`
(a share, 0 to 1), at 300 s or at a finer step that divides 300 s and is then
averaged. A trace repeats cyclically where more is needed than it holds.

Sources and licences of the shipped files: `data/ATTRIBUTION.md`.
"""

from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
from flax import struct

from coolbound_envs.csv_files import (
    Columns,
    cell_place,
    read_columns,
    read_numbers,
    to_numbers,
)
from coolbound_envs.tables import InputError

DATA = Path(__file__).parent / "data" / "load"
STEP = 300.0
"""Interval of a trace. [s]"""

SHIPPED = {
    "google2019": DATA / "google2019_cpu_28d_300s.csv.gz",
    "azure2019": DATA / "azure2019v2_cpu_30d_300s.csv.gz",
    "frontier": DATA / "frontier_24h_15s.csv.gz",
}
RAW_COLUMNS = ("raw_avg_cpu", "raw_cpu_usage")
FRONTIER_UNITS = tuple(f"cdu{n:02d}_heat_w" for n in range(1, 26))


@struct.dataclass
class Load:
    """A trace of IT utilisation at 300 s. The array is dynamic.

    Attributes:
        utilisation: Mean of each interval, float32, shape (n,). [1]
        name: Shipped name or file name.
    """

    utilisation: jax.Array
    name: str = struct.field(pytree_node=False)


def load_names() -> tuple[str, ...]:
    """Return the names of the shipped traces, sorted."""
    return tuple(sorted(SHIPPED))


def load_trace(name_or_path: str | Path) -> Load:
    """Return a shipped trace by name, or a user's from a CSV file.

    `google2019` is a share of the machines' capacity; `azure2019` and
    `frontier` are shares of their own peak: scale them to the load you need.
    `frontier` is the summed heat of its 25 coolant distribution units.

    Raises:
        InputError: The file cannot be read or does not keep to the format.
    """
    name = str(name_or_path)
    if name == "frontier":
        return _trace(name, _read_frontier(SHIPPED[name]))
    if name in SHIPPED:
        return _trace(name, _read_trace(SHIPPED[name]))
    path = Path(name_or_path)
    if not path.suffix:
        raise InputError(
            f"load: found {name!r}, expected a CSV file or one of "
            f"{', '.join(load_names())}; correct the name"
        )
    return _trace(path.name, _read_trace(path))


def utilisation_at(utilisation: jax.Array, time: jax.Array) -> jax.Array:
    """Return the utilisation in force at any time, held over each 300 s [1].

    Args:
        utilisation: A trace, shape (n,); it repeats cyclically.
        time: Seconds since its start, any shape. [s]
    """
    step = jnp.floor(time.astype(jnp.float32) / STEP).astype(jnp.int32)
    return utilisation[step % utilisation.shape[-1]]


def _trace(name: str, values: np.ndarray) -> Load:
    return Load(utilisation=jnp.asarray(values, jnp.float32), name=name)


def _read_trace(path: Path) -> np.ndarray:
    columns = read_columns(path, ("time_s", "utilisation"), RAW_COLUMNS)
    rows = _rows_per_step(path, columns)
    cells = columns["utilisation"]
    _check_unit(path, cells)
    values = read_numbers(
        path, "utilisation", cells, 0.0, 1.0, "(a share, not percent)"
    )
    if not np.any(values):
        raise InputError(
            f"{path}: column 'utilisation': found 0 in all {len(cells)} rows, expected "
            "a load, since a trace is scaled to its own peak; give a trace with one"
        )
    return _average(path, values, rows)


def _check_unit(path: Path, cells: list[str]) -> None:
    """Refuse a whole column that is percent or power and not a share."""
    values = to_numbers(cells)
    known = values[np.isfinite(values)]
    if not known.size or np.median(known) <= 1.0:
        return
    row = int(np.argmax(values > 1.0))
    is_percent = known.max() <= 100.0
    advice = (
        "the column looks like percent: divide it by 100"
        if is_percent
        else "divide the column by the installed capacity"
    )
    raise InputError(
        f"{cell_place(path, 'utilisation', row)}: found {cells[row]!r}, expected a "
        f"share from 0 to 1; {advice}"
    )


def _read_frontier(path: Path) -> np.ndarray:
    columns = read_columns(path, ("time_s", *FRONTIER_UNITS, "wet_bulb_c"))
    heat = sum(
        read_numbers(path, unit, columns[unit], 0.0, 1e7, "W")
        for unit in FRONTIER_UNITS
    )
    average = _average(path, np.asarray(heat), _rows_per_step(path, columns))
    return average / np.max(average)


def _rows_per_step(path: Path, columns: Columns) -> int:
    """Return how many rows make 300 s, after a check of every time."""
    cells = columns["time_s"]
    times = read_numbers(path, "time_s", cells, -np.inf, np.inf, "s")
    wrong = np.flatnonzero(~np.isfinite(times))
    steps = np.diff(np.where(np.isfinite(times), times, 0.0))
    rising = steps[steps > 0.0]
    step = float(np.quantile(rising, 0.5, method="lower")) if rising.size else STEP
    if not wrong.size:
        wrong = np.flatnonzero(np.abs(steps - step) > 1e-6) + 1
    if wrong.size:
        row = int(wrong[0])
        raise InputError(
            f"{cell_place(path, 'time_s', row)}: found {cells[row]!r}, expected "
            f"{step:g} s after the row before; {_step_advice(steps, row, step)}"
        )
    rows = round(STEP / step)
    if rows < 1 or abs(rows * step - STEP) > 1e-6:
        raise InputError(
            f"{path}: found a step of {step:g} s, expected 300 s or one that "
            "divides 300 s; resample the trace"
        )
    return rows


def _step_advice(steps: np.ndarray, row: int, step: float) -> str:
    """Return what to do about a wrong step before a row."""
    before = steps[row - 1] if row else np.nan
    if before == 0.0:
        return "that time stands there twice: remove one of the two rows"
    if before < 0.0:
        return "sort the rows by increasing time"
    if before > 1.5 * step:
        return f"about {before / step - 1.0:.0f} rows are missing: fill the gap"
    return "give increasing times at one step"


def _average(path: Path, values: np.ndarray, rows: int) -> np.ndarray:
    """Return the means of whole 300 s intervals; rows left over are dropped."""
    count = len(values) // rows
    if count == 0:
        raise InputError(
            f"{path}: found {len(values)} rows, expected at least {rows} for one "
            "interval of 300 s; give a longer trace"
        )
    return values[: count * rows].reshape(count, rows).mean(axis=1)

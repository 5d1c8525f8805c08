"""Training as it goes on: the latest figures and an estimate of the time left."""

import contextlib
import time
from collections.abc import Callable, Iterator, Mapping

from rich.console import Console, Group
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from coolbound.console import is_watched
from coolbound_envs.accounts import REWARD_POWER

Row = Mapping[str, float]


@contextlib.contextmanager
def training_view(
    limits: Mapping[str, float], first_update: int
) -> Iterator[Callable[[Row], None]]:
    """Give a function that shows each update; silent without a terminal.

    Args:
        limits: Largest mean cost per control step, by constraint. [1]
        first_update: Updates done before this run. [1]
    """
    if not is_watched():
        yield lambda row: None
        return
    begun: list[float] = []

    waiting = Text("compiling the first update: a minute, less from the cache")
    with Live(waiting, console=Console(stderr=True), transient=True) as live:

        def show(row: Row) -> None:
            # The clock starts with the first update: compilation is over then.
            begun.append(time.monotonic())
            done = row["update"] - first_update - 1
            left = row["updates"] - row["update"]
            seconds = (begun[-1] - begun[0]) / done * left if done else None
            del begun[1:]
            live.update(_panel(row, limits, seconds))

        yield show


def _panel(row: Row, limits: Mapping[str, float], left: float | None) -> Group:
    figures = Table.grid(padding=(0, 2))
    power = row["power"] * REWARD_POWER / 1e3
    figures.add_row("reward of a step", f"{row['reward']:.3f}")
    figures.add_row("power above IT work", f"{power:,.1f} kW")
    figures.add_row("interventions", f"{100.0 * row['intervention']:.1f} % of steps")
    figures.add_row("speed", f"{row['steps_per_second']:,.0f} steps/s")
    figures.add_row("time left", _duration(left))
    costs = Table("cost", "mean", "limit", "multiplier", box=None, padding=(0, 2))
    for name, limit in limits.items():
        cost = row[f"cost_{name}"]
        style = "red" if cost > limit else ""
        price = f"{row[f'multiplier_{name}']:.3f}"
        costs.add_row(name, Text(f"{cost:.4f}", style), f"{limit:.4f}", price)
    bar = Table.grid()
    bar.add_row(ProgressBar(total=row["updates"], completed=row["update"], width=50))
    title = f"update {row['update']:,.0f} of {row['updates']:,.0f}"
    return Group(title, bar, figures, costs)


def _duration(seconds: float | None) -> str:
    if seconds is None:
        return "unknown yet"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest:02d} s"

"""What the user sees: answers on standard output, all else on standard error."""

import contextlib
import dataclasses
import json
import math
import sys
from collections.abc import Callable, Iterator, Mapping
from typing import Any

Progress = Callable[[str, int, int], None]
"""Told what is being done, how many of its parts are done, and how many there are."""


@dataclasses.dataclass(frozen=True)
class Answer:
    """What a verb found out. Static.

    Attributes:
        data: For programs; printed by `--json`.
        text: For people; printed otherwise.
        exit_code: 0, or 1 where what was asked came out badly. [1]
    """

    data: Mapping[str, Any]
    text: str
    exit_code: int = 0


def give(answer: Answer, as_json: bool) -> None:
    """Print an answer: one JSON object, or the text."""
    print(json_text(answer.data) if as_json else answer.text)


def json_text(data: Mapping[str, Any]) -> str:
    """Return JSON without NaN: what is not a finite number is null."""
    return json.dumps(finite(data), indent=2, allow_nan=False)


def finite(value: Any) -> Any:
    """Return the value with every number that is not finite as None."""
    if isinstance(value, Mapping):
        return {key: finite(entry) for key, entry in value.items()}
    if isinstance(value, list | tuple):
        return [finite(entry) for entry in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value


def complain(sentence: str) -> None:
    """Print one sentence on standard error."""
    print(f"coolbound: {sentence}", file=sys.stderr)


def is_watched() -> bool:
    """Return whether somebody looks at standard error."""
    return sys.stderr.isatty()


@contextlib.contextmanager
def progress_bar() -> Iterator[Progress]:
    """Give a function that shows how far the work is; silent without a terminal."""
    if not is_watched():
        yield lambda what, done, total: None
        return
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeRemainingColumn,
    )

    bar = Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        console=Console(stderr=True),
        transient=True,
    )
    with bar:
        numbers: dict[str, Any] = {}

        def show(what: str, done: int, total: int) -> None:
            if what not in numbers:
                numbers[what] = bar.add_task(what, total=total)
            bar.update(numbers[what], completed=done, total=total)

        yield show


def table(header: tuple[str, ...], rows: list[tuple[str, ...]]) -> str:
    """Return a Markdown table, numbers to the right."""
    cells = [header, *rows]
    widths = [max(len(row[i]) for row in cells) for i in range(len(header))]
    rule = ["-" * widths[0], *("-" * (w - 1) + ":" for w in widths[1:])]

    def line(row: tuple[str, ...]) -> str:
        first = row[0].ljust(widths[0])
        rest = [cell.rjust(w) for cell, w in zip(row[1:], widths[1:], strict=True)]
        return "| " + " | ".join([first, *rest]) + " |"

    return "\n".join([line(header), line(tuple(rule)), *map(line, rows)])

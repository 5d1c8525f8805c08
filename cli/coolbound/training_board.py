"""A run's metrics for TensorBoard, beside `metrics.csv`."""

import contextlib
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from coolbound_envs.tables import InputError

Row = Mapping[str, float]


@contextlib.contextmanager
def board(folder: Path | None) -> Iterator[Callable[[Row], None]]:
    """Give a function that writes each update's line; silent without a folder.

    Args:
        folder: Of the event files, made where it is absent.

    Raises:
        InputError: The extra is not installed.
    """
    if folder is None:
        yield lambda row: None
        return
    try:
        from tensorboardX import SummaryWriter
    except ImportError as error:
        raise InputError(
            "--tensorboard: found no tensorboardX, expected it installed; run pip "
            "install 'coolbound[tensorboard]' or leave the option out"
        ) from error
    with SummaryWriter(str(folder)) as writer:

        def write(row: Row) -> None:
            for name, value in row.items():
                writer.add_scalar(name, value, int(row["steps"]))

        yield write

"""Results appear at once and whole, or not at all."""

import contextlib
import json
import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path

from coolbound_envs.tables import InputError

MARKER = "summary.json"
"""A folder that holds this is an earlier result and may be replaced."""


@contextlib.contextmanager
def output_folder(target: Path, marker: str = MARKER) -> Iterator[Path]:
    """Give a temporary folder beside the target; rename it when all is written.

    On any error, Ctrl-C included, the temporary folder is removed and an earlier
    result stays as it was.

    Args:
        target: Where the results shall stand.
        marker: A folder that holds this file is an earlier result.

    Raises:
        InputError: The target is a file, or a folder that is no earlier result.
    """
    target = target.absolute()
    check_target(target, marker)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        staging = Path(tempfile.mkdtemp(prefix=f".{target.name}-", dir=target.parent))
    except OSError as error:
        raise InputError(
            f"{target}: cannot be written ({error.__class__.__name__}), expected a "
            "folder that may be created; choose another --out"
        ) from error
    try:
        yield staging
        os.chmod(staging, 0o755)
        _replace(staging, target)
    finally:
        shutil.rmtree(staging, ignore_errors=True)


def check_target(target: Path, marker: str = MARKER) -> None:
    """Refuse to replace anything that is not an earlier result.

    Raises:
        InputError: The target is a file, or a folder that is no earlier result.
    """
    if not target.exists():
        return
    if not target.is_dir():
        raise InputError(
            f"{target}: found a file, expected a folder for the results; choose "
            "another --out"
        )
    if any(target.iterdir()) and not (target / marker).is_file():
        raise InputError(
            f"{target}: found a folder without {marker}, expected an earlier result or "
            "nothing; choose another --out, or empty the folder"
        )


def _replace(staging: Path, target: Path) -> None:
    """Rename the folder; an earlier result gives way only at the last moment."""
    if not target.exists():
        staging.rename(target)
        return
    old = Path(tempfile.mkdtemp(prefix=f".{target.name}-old-", dir=target.parent))
    target.rename(old / "result")
    try:
        staging.rename(target)
    except OSError:
        (old / "result").rename(target)
        raise
    finally:
        shutil.rmtree(old, ignore_errors=True)


def write_json(data: Mapping[str, object], path: Path) -> None:
    """Write JSON with a fixed order; NaN is refused, unknown is null."""
    text = json.dumps(data, indent=2, allow_nan=False)
    path.write_text(text + "\n", encoding="utf-8")

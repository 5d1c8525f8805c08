"""Writing a file so that a reader finds the old one or the new one, whole."""

import os
import tempfile
from pathlib import Path


def write_atomic(path: Path, data: bytes) -> None:
    """Write aside, then rename; the folder must exist."""
    handle, aside = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        Path(aside).chmod(0o644)  # mkstemp makes a file that only its owner reads
        os.replace(aside, path)
    finally:
        Path(aside).unlink(missing_ok=True)

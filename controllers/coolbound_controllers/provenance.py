"""Which code made an artefact: git revision and library versions."""

import importlib.metadata
import subprocess
from pathlib import Path

LIBRARIES = ("coolbound", "flax", "jax", "jaxlib", "numpy", "optax", "safetensors")
UNKNOWN = "unknown"


def git_revision() -> str:
    """Return the commit of this source, "-dirty" if changed, or "unknown"."""
    here = Path(__file__)
    try:
        _git(here.parent, "ls-files", "--error-unmatch", here.name)
        return _git(
            here.parent, "describe", "--always", "--abbrev=40", "--exclude=*", "--dirty"
        )
    except (OSError, subprocess.CalledProcessError):
        return UNKNOWN


def versions() -> dict[str, str]:
    """Return the installed version of every library that training uses."""
    return {name: _version(name) for name in LIBRARIES}


def _git(folder: Path, *arguments: str) -> str:
    command = ["git", "-C", str(folder), *arguments]
    found = subprocess.run(command, check=True, capture_output=True, text=True)
    return found.stdout.strip()


def _version(name: str) -> str:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return UNKNOWN

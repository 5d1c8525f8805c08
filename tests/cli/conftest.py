"""Running command lines: in this process for speed, in another for truth."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from typing import NamedTuple

import pytest

from coolbound.main import main


class Ran(NamedTuple):
    code: int
    out: str
    err: str


Coolbound = Callable[..., Ran]


@pytest.fixture(autouse=True)
def same_environment() -> Iterator[None]:
    before = dict(os.environ)
    yield
    os.environ.clear()
    os.environ.update(before)


@pytest.fixture
def coolbound(capsys: pytest.CaptureFixture[str]) -> Coolbound:
    def run(*words: object) -> Ran:
        capsys.readouterr()
        code = main([str(word) for word in words])
        captured = capsys.readouterr()
        return Ran(code, captured.out, captured.err)

    return run


@pytest.fixture(scope="session")
def python() -> Callable[..., Ran]:
    """Run Python code with arguments in a fresh process."""

    # jax, imported here, leaves its own setting behind; a shell has none.
    inherited = {k: v for k, v in os.environ.items() if k != "TF_CPP_MIN_LOG_LEVEL"}
    # Compiles in half the time, to the same program but slower.
    quick = {"XLA_FLAGS": "--xla_backend_optimization_level=0"}

    def run(code: str, *words: object) -> Ran:
        command = [sys.executable, "-c", code, *map(str, words)]
        found = subprocess.run(
            command,
            capture_output=True,
            text=True,
            check=False,
            env=inherited | quick,
        )
        return Ran(found.returncode, found.stdout, found.stderr)

    return run

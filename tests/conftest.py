"""Strict JAX on the CPU, and no test writes outside its own folders."""

import os
from collections.abc import Iterator
from pathlib import Path

import jax
import pytest

jax.config.update("jax_platforms", "cpu")
jax.config.update("jax_numpy_rank_promotion", "raise")
jax.config.update("jax_numpy_dtype_promotion", "strict")


@pytest.fixture(scope="session", autouse=True)
def cache_folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Point the project's cache at a temporary folder, for child processes too."""
    folder = tmp_path_factory.mktemp("cache")
    before = os.environ.get("COOLBOUND_CACHE_DIR")
    os.environ["COOLBOUND_CACHE_DIR"] = str(folder)
    yield folder
    if before is None:
        del os.environ["COOLBOUND_CACHE_DIR"]
    else:
        os.environ["COOLBOUND_CACHE_DIR"] = before

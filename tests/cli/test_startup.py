"""The cache folder and the check of the linear algebra."""

import os
from importlib import metadata
from pathlib import Path

import pytest

from coolbound import startup
from coolbound_envs import numerics


def test_programs_are_kept_in_the_named_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(startup.CACHE_VARIABLE, str(tmp_path))
    monkeypatch.delenv("JAX_COMPILATION_CACHE_DIR", raising=False)
    startup.prepare_environment()
    assert Path(os.environ["JAX_COMPILATION_CACHE_DIR"]).is_relative_to(tmp_path)


def test_what_the_user_has_set_is_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("JAX_COMPILATION_CACHE_DIR", "mine")
    monkeypatch.setenv(startup.CACHE_VARIABLE, str(tmp_path))
    startup.prepare_environment()
    assert os.environ["JAX_COMPILATION_CACHE_DIR"] == "mine"


def test_a_folder_that_cannot_be_made_is_done_without(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    in_the_way = tmp_path / "file"
    in_the_way.write_text("")
    monkeypatch.setenv(startup.CACHE_VARIABLE, str(in_the_way / "cache"))
    monkeypatch.delenv("JAX_COMPILATION_CACHE_DIR", raising=False)
    startup.prepare_environment()
    assert "JAX_COMPILATION_CACHE_DIR" not in os.environ


def test_only_a_pass_of_the_numerics_check_is_remembered(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(startup.CACHE_VARIABLE, str(tmp_path))
    answers = [["sums are off"], ["sums are off"], []]
    monkeypatch.setattr(numerics, "self_test", lambda: answers.pop(0))
    for _ in range(2):
        with pytest.raises(numerics.NumericsError, match="sums are off"):
            startup.require_sound_numerics()
    startup.require_sound_numerics()
    startup.require_sound_numerics()
    assert answers == []


def test_another_jaxlib_is_checked_again(monkeypatch: pytest.MonkeyPatch) -> None:
    before = startup.fingerprint()
    monkeypatch.setattr(metadata, "version", lambda _: "0.0.0")
    assert startup.fingerprint() != before

"""Exit codes, sentences and streams: what a script or a person can rely on."""

import sys
from argparse import Namespace
from collections.abc import Callable
from pathlib import Path

import pytest

from coolbound import main as entry
from coolbound.arguments import VERBS
from coolbound.console import Answer, finite, json_text

UNKNOWN = "--controllers", "legaci"


def is_one_sentence(text: str) -> bool:
    return text.startswith("coolbound: ") and text.count("\n") == 1


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ((), "expected one of simulate, train"),
        (("polish",), "expected one of simulate, train"),
        (("shadwo",), "did you mean 'shadow'?"),
        (("simulate", "--days", "0"), "expected a whole number from 1 to 366"),
        (("simulate", "--colour"), "unrecognized arguments: --colour"),
        (("simulate", "--operator", "lqr"), "'lqr'"),
        (("simulate", "--site", "nowhere.toml"), "nowhere.toml: no such site"),
        (("simulate", "--weather", "atlantis"), "found 'atlantis', expected a CSV"),
        (("simulate", "--load", "gogle2019"), "found 'gogle2019', expected a CSV"),
        (("train", "ppo-lagrangan"), "did you mean 'ppo-lagrangian'?"),
        (("train", "--set", "gama=0.9"), "did you mean 'gamma'?"),
        (("train", "--set", "gamma=2"), "expected 0 to 0.99999"),
        (("train", "--resume", "--out", "no-such-run"), "no-such-run"),
        (("evaluate", *UNKNOWN), "did you mean 'legacy'?"),
        (("evaluate", "--controllers", "g36", "g36"), "found 'g36' twice"),
        (("evaluate", "--controllers", "g36", "--weather", "gone.csv"), "gone.csv: "),
        (("shadow", "--log", "gone.csv", "--policy", "start"), "gone.csv: no such"),
        (("bench", "everything"), "'everything'"),
    ],
)
def test_the_users_mistake_is_one_sentence_and_exit_code_2(
    words: tuple[str, ...],
    said: str,
    coolbound: Callable,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    ran = coolbound(*words)
    assert ran.code == 2
    assert said in ran.err
    assert is_one_sentence(ran.err)
    assert ran.out == ""
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("verb", ["simulate", "train", "evaluate", "shadow"])
def test_a_folder_with_other_files_is_refused_and_left_alone(
    verb: str, coolbound: Callable, tmp_path: Path
) -> None:
    kept = tmp_path / "metrics.csv"
    kept.write_text("mine")
    ran = coolbound(verb, "--out", tmp_path)
    assert ran.code == 2
    assert str(tmp_path) in ran.err
    assert is_one_sentence(ran.err)
    assert kept.read_text() == "mine"
    assert list(tmp_path.iterdir()) == [kept]


def answer_with(monkeypatch: pytest.MonkeyPatch, result: object) -> None:
    def answer(options: Namespace) -> Answer:
        if isinstance(result, BaseException):
            raise result
        assert isinstance(result, Answer)
        return result

    monkeypatch.setattr(entry, "_answer", answer)


def test_our_mistake_is_exit_code_1_and_says_how_to_get_the_trace(
    coolbound: Callable, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("COOLBOUND_TRACE", raising=False)
    answer_with(monkeypatch, RuntimeError("two\nlines"))
    ran = coolbound("simulate")
    assert ran.code == 1
    assert "RuntimeError: two lines" in ran.err
    assert "COOLBOUND_TRACE=1" in ran.err
    assert is_one_sentence(ran.err)
    monkeypatch.setenv("COOLBOUND_TRACE", "1")
    assert "Traceback" in coolbound("simulate").err


def test_ctrl_c_is_exit_code_130(
    coolbound: Callable, monkeypatch: pytest.MonkeyPatch
) -> None:
    answer_with(monkeypatch, KeyboardInterrupt())
    ran = coolbound("simulate")
    assert ran.code == 130
    assert is_one_sentence(ran.err)


def test_json_and_text_are_never_mixed(
    coolbound: Callable, monkeypatch: pytest.MonkeyPatch
) -> None:
    answer_with(monkeypatch, Answer({"rows": float("nan")}, "three rows"))
    assert coolbound("simulate", "--json").out == '{\n  "rows": null\n}\n'
    assert coolbound("simulate").out == "three rows\n"


def test_json_holds_no_number_that_json_does_not_know() -> None:
    assert finite({"a": [float("inf"), 1.0], "b": ({"c": float("nan")},)}) == {
        "a": [None, 1.0],
        "b": [{"c": None}],
    }
    with pytest.raises(TypeError):
        json_text({"a": object()})


def test_help_is_there_for_every_verb_without_importing_jax(python: Callable) -> None:
    code = (
        "import sys\n"
        "from coolbound.main import main\n"
        "try:\n    main(sys.argv[1:])\n"
        "finally:\n    assert 'jax' not in sys.modules and 'numpy' not in sys.modules"
    )
    for words in ((), *((verb,) for verb in VERBS)):
        ran = python(code, *words, "--help")
        assert (ran.code, ran.err) == (0, "")
        assert "usage: coolbound" in ran.out


def test_the_module_runs_as_the_command_does(python: Callable) -> None:
    code = "import runpy, sys; runpy.run_module('coolbound', run_name='__main__')"
    ran = python(code, "nonsense")
    assert ran.code == 2
    assert is_one_sentence(ran.err)
    assert sys.executable not in ran.err

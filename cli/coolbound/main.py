"""The entry point: one verb, one answer, one exit code.

0: done. 2: the user's mistake, said in one sentence. 1: ours, or a failed audit.
130: Ctrl-C.
"""

import importlib
import os
import sys
import traceback
from argparse import Namespace
from collections.abc import Sequence

from coolbound.arguments import parse
from coolbound.console import Answer, complain, give
from coolbound.grammar.common import UsageError
from coolbound.startup import prepare_environment, require_sound_numerics
from coolbound.verb_choice import answering_verb

TRACE_VARIABLE = "COOLBOUND_TRACE"
"""Environment variable that asks for the trace of an error."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command line and return its exit code."""
    given = sys.argv[1:] if arguments is None else list(arguments)
    try:
        options = parse(given)
        answer = _answer(options)
        give(answer, options.json)
        sys.stdout.flush()
    except KeyboardInterrupt as stop:
        complain(str(stop) or "stopped; nothing half-written is left")
        return 130
    except BrokenPipeError:
        # The reader has seen enough; what it did not take is not an error.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except Exception as error:
        return _report(error)
    return answer.exit_code


def _answer(options: Namespace) -> Answer:
    name = answering_verb(options)
    prepare_environment()
    require_sound_numerics()
    verb = importlib.import_module(f"coolbound.verbs.{name}")
    return verb.run(options)


def _report(error: Exception) -> int:
    """Say what went wrong and return the exit code."""
    if os.environ.get(TRACE_VARIABLE):
        traceback.print_exception(error)
    if _is_the_users(error):
        complain(_sentence(error))
        return 2
    hint = f"set {TRACE_VARIABLE}=1 and run it again to see where"
    complain(f"{type(error).__name__}: {_sentence(error)}; {hint}")
    return 1


def _is_the_users(error: Exception) -> bool:
    if isinstance(error, UsageError):
        return True
    from coolbound_envs.tables import InputError

    return isinstance(error, InputError)


def _sentence(error: Exception) -> str:
    return " ".join(str(error).split()) or "no further word"

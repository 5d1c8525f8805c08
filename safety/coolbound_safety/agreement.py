"""A projected candidate, and whether the nonlinear model agrees with it."""

import dataclasses
import time
from collections.abc import Callable
from typing import Any, Final

import jax
import numpy as np

from coolbound_envs.types import Observation
from coolbound_safety.backcheck import back_check
from coolbound_safety.candidates import Candidate, check, safe_candidate
from coolbound_safety.conclusion import conclude
from coolbound_safety.envelope import tangent
from coolbound_safety.filter import SafetyFilter
from coolbound_safety.guard import Memory, Options, prepare
from coolbound_safety.margins import SafetyModel
from coolbound_safety.packing import pack, unpack
from coolbound_safety.types import (
    Envelope,
    FilterResult,
    FilterStatus,
    as_float64,
    find_faults,
    to_unit64,
)
from coolbound_safety.verify import Verifier

SLACK_TIE: Final = 1e-6
"""Slacks that differ by less are alike. [1]"""


@dataclasses.dataclass(frozen=True)
class Tools:
    """What a decision is made with; each can be replaced in a test.

    Attributes:
        prepare: `guard.prepare` with its model, compiled; the options in numpy, but
            for the estimate, which goes back into programs as it is.
        back_check: `backcheck.back_check` with its model, compiled.
        tangent: `envelope.tangent` with its model, compiled.
        safety_filter: Both solvers and their certificates.
        verifier: The second check.
    """

    prepare: Callable[..., Any]
    back_check: Callable[..., Any]
    tangent: Callable[..., Any]
    safety_filter: SafetyFilter
    verifier: Verifier


def make_tools(model: SafetyModel, safety_filter: SafetyFilter | None = None) -> Tools:
    """Return what decisions are made with, for one plant, to be compiled once."""
    return Tools(
        prepare=_prepared(model),
        back_check=jax.jit(
            lambda unit, backup, slack, now, machines: back_check(
                unit, backup, slack, now, model, machines
            )
        ),
        tangent=jax.jit(
            lambda unit, now, machines: tangent(unit, now, model, machines)
        ),
        safety_filter=safety_filter or SafetyFilter(),
        verifier=Verifier(model.plant, model.limits),
    )


@dataclasses.dataclass(frozen=True)
class _Prepare:
    """`guard.prepare`, what is read here fetched in one piece. Static.

    Attributes:
        program: The compiled part: packed options, estimate and memory.
    """

    program: Any

    def __call__(
        self, memory: Memory, seen: Observation, asked: np.ndarray
    ) -> tuple[Options, Memory]:
        """Return what there is to choose from, and the memory after it."""
        packed, estimate, after = self.program(memory, seen, asked)
        return dataclasses.replace(unpack(packed), estimate=estimate), after


def _prepared(model: SafetyModel) -> _Prepare:
    @jax.jit
    def run(memory: Memory, seen: Observation, asked: jax.Array) -> tuple[Any, ...]:
        options, after = prepare(memory, seen, asked, model)
        parts = dataclasses.replace(options, estimate=options.estimate.stale)
        return pack(parts), options.estimate, after

    return _Prepare(run)


@dataclasses.dataclass(frozen=True)
class Choice:
    """A candidate number of machines with its projection.

    Attributes:
        envelope: What was projected onto, float64.
        result: The projection.
        machines: Machines asked for. [1]
        asked: What was projected, in coordinates, shape (10,). [1]
    """

    envelope: Envelope
    result: FilterResult
    machines: float
    asked: np.ndarray


def back_checked(
    tools: Tools, options: Options, choice: Choice, notes: list[str]
) -> Choice:
    """Return the choice that the nonlinear model agrees with.

    Where it does not, the rows are taken again at the answer and the proposal is
    projected once more; what is still beyond moves towards the backup.
    """
    if choice.result.status == FilterStatus.FALLBACK:
        return choice
    if _share(tools, options, choice) >= 1.0:
        return choice
    again = _projected_again(tools, options, choice)
    if again.result.status == FilterStatus.FALLBACK:
        again = choice
    share = _share(tools, options, again)
    return again if share >= 1.0 else _towards_backup(again, share, notes)


def _share(tools: Tools, options: Options, choice: Choice) -> float:
    """Return how much of the way from the backup the nonlinear model allows [1]."""
    slack = choice.result.certificate.slack * choice.envelope.scale
    found = tools.back_check(
        np.asarray(to_unit64(choice.result.action), np.float32),
        np.asarray(choice.envelope.backup, np.float32),
        np.asarray(slack, np.float32),
        options.estimate,
        np.float32(choice.machines),
    )
    return float(found.share)


def _projected_again(tools: Tools, options: Options, choice: Choice) -> Choice:
    unit = np.asarray(to_unit64(choice.result.action), np.float32)
    machines = np.float32(choice.machines)
    rows = jax.device_get(tools.tangent(unit, options.estimate, machines))
    fields = dict(zip(("G", "h", "scale"), rows, strict=True))
    envelope = as_float64(dataclasses.replace(choice.envelope, **fields), choice.asked)
    result = tools.safety_filter.decide_unit(envelope, choice.asked)
    return dataclasses.replace(choice, envelope=envelope, result=result)


def _towards_backup(choice: Choice, share: float, notes: list[str]) -> Choice:
    """Return the choice moved towards the backup, certified or the backup itself."""
    envelope, result = choice.envelope, choice.result
    unit = to_unit64(result.action)
    point = envelope.backup + share * (unit - envelope.backup)
    point = np.clip(point, envelope.lower, envelope.upper)
    notes.append(f"the nonlinear model allows {share:.2f} of the way from the backup")
    rung = "backup" if share <= 0.0 else "shrunk"
    moved = concluded(choice, rung, point)
    gave_way = max(result.slack_by_priority, default=0.0) > SLACK_TIE
    if moved.certificate.is_certified or gave_way:
        return dataclasses.replace(choice, result=moved)
    return dataclasses.replace(choice, result=safe_result(envelope, choice.asked))


def concluded(choice: Choice, rung: str, unit: np.ndarray) -> FilterResult:
    """Return a point that no solver made as a result, checked in float64."""
    start = time.perf_counter()
    found: Candidate = check(choice.envelope, choice.asked, rung, unit, np.inf)
    return conclude(choice.envelope, choice.asked, found, [], start)


def safe_result(
    envelope: Envelope, asked: np.ndarray, safe: Candidate | None = None
) -> FilterResult:
    """Return the backup as a result, for a caller that cannot wait.

    Args:
        envelope: Float64.
        asked: What was to be projected, in coordinates, shape (10,). [1]
        safe: What `safe_candidate` says of the envelope, where that is known.
    """
    start, notes = time.perf_counter(), find_faults(envelope, asked)
    return conclude(envelope, asked, safe or safe_candidate(envelope), notes, start)

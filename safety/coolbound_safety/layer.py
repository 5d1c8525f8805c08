"""The safety layer at control time: an observation and a proposal in, an action out.

Every decision ends in an action, whatever breaks. The ladder of one decision is in
`coolbound_safety.ladder`; here stand the watchdog around it, the memory between
decisions, and the last rung:

    neutral     the rule-based controller, moved bumplessly (`takeover`)

While it drives, its set-points go through the same ladder whenever that works, and
its certified decisions count towards handing back. Data that are missing are those of
before, older: inlets and loads older than 600 s hold the action in force, older than
900 s call the neutral rule at once.
"""

import dataclasses
import time
from typing import Any, Final, final

import jax
import numpy as np

from coolbound_envs.interval import CONTROL_INTERVAL
from coolbound_envs.spec import ACTION_SIZE
from coolbound_envs.types import Controller, Observation, action_to_vector
from coolbound_safety.agreement import Tools, make_tools
from coolbound_safety.guard import NEUTRAL_AGE, Memory, first_memory
from coolbound_safety.ladder import Evaluation, Progress, evaluate
from coolbound_safety.layer_border import bare, checked, nothing, plausible, shaped
from coolbound_safety.margins import SafetyModel
from coolbound_safety.rows import ROW_NAMES
from coolbound_safety.start_up import settle_memory, warm_up
from coolbound_safety.takeover import Mode, Takeover, Worth, advance, move_towards
from coolbound_safety.types import FilterResult, FilterStatus
from coolbound_safety.verify_record import Record, empty_record
from coolbound_safety.verify_rule import Verification
from coolbound_safety.watchdog import LIMIT_S, Outcome, Watchdog

NEUTRAL: Final = "neutral"
"""Name of the last rung."""

FULL_COOLING: Final = np.array([16.0, 16.0, 1.0, 1.0, 7.0, 120.0, 1.0, 1.0, 3.0, 0.0])
"""Taken by channels of which nobody knows what is in force. [each channel's unit]"""


@dataclasses.dataclass(frozen=True)
class Decision:
    """One decision and all that is recorded about it.

    Attributes:
        result: Action, status, certificate and reasons.
        mode: Who drives after it.
        verification: The second check; None where it was not reached.
        machines: Machines asked for; NaN where not known. [1]
        estimate_age_s: Age of the oldest of inlets and loads; NaN where not known.
            [s]
        is_late: True where the watchdog cut it short.
        stuck: Workers of the watchdog that hang. [1]
        number: Counts decisions from 1: the heartbeat. [1]
        timing_s: Wall-clock time of the whole decision. [s]
    """

    result: FilterResult
    mode: Mode
    verification: Verification | None
    machines: float
    estimate_age_s: float
    is_late: bool
    stuck: int
    number: int
    timing_s: float

    @property
    def action(self) -> np.ndarray:
        """The action to apply, shape (10,) [each channel's unit]."""
        return self.result.action


@final
class SafetyLayer:
    """Turns proposals into actions that may be applied, one after the other."""

    def __init__(
        self,
        model: SafetyModel,
        neutral: Controller,
        tools: Tools | None = None,
        limit_s: float = LIMIT_S,
    ) -> None:
        """Set up; nothing is compiled before `warm_up` or the first decision.

        Args:
            model: Plant, limits and margins.
            neutral: The rule-based controller of the last rung; jit-able.
            tools: What decisions are made with; of the model if not given.
            limit_s: Time for one decision. [s]
        """
        self._tools = tools or make_tools(model)
        self._watchdog = Watchdog(limit_s)
        self._neutral = neutral
        self._rule = jax.jit(lambda state, seen: _ruled(neutral, state, seen))
        self._reset()

    def _reset(self) -> None:
        self._memory: Memory = first_memory()
        self._record: Record = empty_record()
        self._rule_state: Any = self._neutral.init(())
        self._takeover = Takeover()
        self._last: Observation | None = None
        self._issued = np.full(ACTION_SIZE, np.nan)
        self._number = 0

    @property
    def mode(self) -> Mode:
        """Who drives now."""
        return self._takeover.mode

    def warm_up(self) -> None:
        """Compile everything, check both solvers on known answers, settle memory.

        Raises:
            SolverFailureError: A known answer was missed.
        """
        warm_up(self._tools.safety_filter, len(ROW_NAMES))
        limit_s, self._watchdog.limit_s = self._watchdog.limit_s, 600.0
        observation = plausible()
        for _ in range(2):
            self.decide(observation, np.asarray(observation.applied))
        self._compile_tangent(observation)
        self._tools.verifier.warm_up()
        self._watchdog.limit_s = limit_s
        self._reset()
        settle_memory()

    def _compile_tangent(self, observation: Observation) -> None:
        """Take rows at an answer, which only a decision gone wrong asks for."""
        asked = np.asarray(observation.applied, np.float32)
        found, _ = self._tools.prepare(self._memory, checked(observation), asked)
        unit = np.asarray(found.asked, np.float32)
        machines = np.float32(found.staging.machines[0])
        jax.block_until_ready(self._tools.tangent(unit, found.estimate, machines))

    def decide(self, observation: Observation | None, proposed: np.ndarray) -> Decision:
        """Return the decision on one proposal.

        Args:
            observation: One plant; None where none came, which ages the last.
            proposed: What the controller asks for, shape (10,); anything that is not
                finite counts as no proposal. [each channel's unit]

        Raises:
            ValueError: An array has the wrong shape.
        """
        start = time.perf_counter()
        proposed = shaped(proposed, (ACTION_SIZE,), "proposed")
        seen = self._seen(observation)
        in_force = np.asarray(seen.applied, np.float64)
        rule = self._neutral_action(seen, in_force)
        asks = rule if self.mode == Mode.NEUTRAL else proposed
        is_sane = bool(np.all(np.isfinite(proposed)))
        asks = np.where(np.isfinite(asks), asks, in_force)
        progress = Progress()
        memory, record = self._memory, self._record
        outcome = self._watchdog.run(
            lambda: evaluate(self._tools, memory, record, seen, asks, progress)
        )
        found: Evaluation | None = outcome.value if outcome.is_ok else None
        if found is not None:
            self._memory, self._record = found.memory, found.record
        self._count(found, is_sane)
        result = self._act(found, progress, outcome, rule, in_force)
        result = _about(result, proposed, is_sane, start)
        self._last, self._issued = seen, result.action
        self._number += 1
        return Decision(
            result=result,
            mode=self.mode,
            verification=None if found is None else found.verification,
            machines=np.nan if found is None else found.machines,
            estimate_age_s=np.nan if found is None else found.estimate_age_s,
            is_late=outcome.is_late,
            stuck=self._watchdog.stuck,
            number=self._number,
            timing_s=time.perf_counter() - start,
        )

    def _seen(self, observation: Observation | None) -> Observation:
        """Return the observation in numpy, or the last one, one step older."""
        if observation is not None:
            found = checked(observation)
        elif self._last is not None:
            found = dataclasses.replace(
                self._last,
                age=self._last.age + np.float32(CONTROL_INTERVAL),
                time=self._last.time + np.float32(CONTROL_INTERVAL),
                applied=np.asarray(self._issued, np.float32),
            )
        else:
            found = nothing()
        # Where the BAS does not say what is in force, it is what was issued last.
        known = np.where(np.isfinite(found.applied), found.applied, self._issued)
        return dataclasses.replace(found, applied=np.asarray(known, np.float32))

    def _neutral_action(self, seen: Observation, in_force: np.ndarray) -> np.ndarray:
        """Return where the rule moves the set-points; it is kept up to date always."""
        state = self._rule_state
        outcome = self._watchdog.run(
            lambda: jax.block_until_ready(self._rule(state, seen))
        )
        if not outcome.is_ok:
            return in_force
        action, self._rule_state = outcome.value
        return move_towards(np.asarray(action), in_force)

    def _count(self, found: Evaluation | None, is_sane: bool) -> None:
        """Let the decision count towards a change of who drives."""
        worth = Worth.BAD if found is None else found.worth
        if not is_sane:
            in_agent = self.mode == Mode.AGENT
            worth = Worth.BAD if in_agent else min(worth, Worth.FAIR)
        is_old = found is not None and found.estimate_age_s > NEUTRAL_AGE
        self._takeover = advance(self._takeover, worth, is_urgent=is_old)

    def _act(
        self,
        found: Evaluation | None,
        progress: Progress,
        outcome: Outcome,
        rule: np.ndarray,
        in_force: np.ndarray,
    ) -> FilterResult:
        """Return the lowest rung that is needed and no lower."""
        reason = _reason(outcome)
        is_neutral = self.mode == Mode.NEUTRAL
        if found is not None and found.is_usable:
            return _as_neutral(found.result) if is_neutral else found.result
        if is_neutral:
            why = reason if found is None else found.result.reason
            return bare(rule, NEUTRAL, f"the neutral rule drives; {why}")
        if found is not None:
            return dataclasses.replace(found.result, status=FilterStatus.FALLBACK)
        safe = _safe(progress)
        if safe is not None and safe.certificate.is_certified:
            return dataclasses.replace(
                safe, status=FilterStatus.FALLBACK, reason=reason
            )
        return bare(move_towards(in_force, in_force), "hold", reason)


def _ruled(neutral: Controller, state: Any, seen: Observation) -> tuple[jax.Array, Any]:
    """Return the rule's action as a vector, and its memory after it."""
    action, state = neutral.act(jax.random.key(0), state, seen)
    return action_to_vector(action), state


def _safe(progress: Progress) -> FilterResult | None:
    """Return the backup as a result; None where there is none."""
    try:
        return progress.safe
    except Exception:  # Whatever broke the decision, the ladder goes on.
        return None


def _reason(outcome: Outcome) -> str:
    if outcome.is_late:
        return f"the decision was not ready after {outcome.seconds:.3g} s"
    if outcome.error is not None:
        return f"the decision failed: {type(outcome.error).__name__}: {outcome.error}"
    return ""


def _as_neutral(result: FilterResult) -> FilterResult:
    reason = "; ".join(x for x in ("the neutral rule drives", result.reason) if x)
    status = FilterStatus.FALLBACK
    return dataclasses.replace(result, status=status, rung=NEUTRAL, reason=reason)


def _about(
    result: FilterResult, proposed: np.ndarray, is_sane: bool, start: float
) -> FilterResult:
    """Return the result about what the agent proposed, and the whole time it took."""
    result = dataclasses.replace(
        result, proposed=proposed, timing_s=time.perf_counter() - start
    )
    is_known = np.isfinite(result.action)
    if not np.all(is_known):
        action = np.where(is_known, result.action, FULL_COOLING)
        note = f"what is in force is not known; {result.reason}"
        result = dataclasses.replace(
            result,
            action=action,
            status=FilterStatus.FALLBACK,
            rung="full_cooling",
            reason=note,
        )
    if is_sane:
        return result
    note = "the proposal is not finite; the action in force stands in for it"
    reason = f"{note}; {result.reason}" if result.reason else note
    return dataclasses.replace(result, status=FilterStatus.FALLBACK, reason=reason)

"""Does every actuator move what physics says, that way, and nothing else?"""

import dataclasses
from collections.abc import Iterator, Sequence
from typing import Any, Final

import numpy as np

from coolbound_envs.audit.lab import (
    LOWER,
    UPPER,
    Lab,
    Step,
    host,
)
from coolbound_envs.audit.moves import MOVES
from coolbound_envs.audit.places import at_conditions, constant_conditions
from coolbound_envs.audit.records import Check, judged, task_state
from coolbound_envs.audit.sign_table import POINTS, QUANTITIES, Move, Response
from coolbound_envs.spec import CHANNEL_NAMES

SETTLE_STEPS: Final = 96
"""Control steps before a move: eight hours. [1]"""

ANSWER_STEPS: Final = 12
"""Control steps after it: one hour. [1]"""


UNMOVED: Final = 1e-5
"""Another channel that differs by more of its range has been moved as well. [1]"""


@dataclasses.dataclass(frozen=True)
class Trial:
    """One lane: a move by some change at one operating point. Static.

    Attributes:
        point: Index of the operating point. [1]
        move: What is moved; none for the lane that is compared with.
        change: By how much. [the channel's unit]
        mirrored: True where hall 2 stands for hall 1.
    """

    point: int
    move: Move | None = None
    change: float = 0.0
    mirrored: bool = False


@dataclasses.dataclass(frozen=True)
class Row:
    """One entry of the sign-and-size table. Static.

    Attributes:
        channel: What was moved.
        change: By how much. [the channel's unit]
        point: Operating point.
        quantity: What was watched.
        wanted: Sign that physics wants: 1, -1, or 0 for still. [1]
        least: Smallest change that counts, 0 where still. [the quantity's unit]
        most: Largest change that is credible. [the quantity's unit]
        found: Change measured. [the quantity's unit]
        unit: Of the quantity.
        verdict: "right", "wrong sign", "too small", "too large", "moved" or "not
            reached".
        reason: Why it must.
    """

    channel: str
    change: float
    point: str
    quantity: str
    wanted: int
    least: float
    most: float
    found: float
    unit: str
    verdict: str
    reason: str


def trials() -> list[Trial]:
    """Return all lanes: one at rest for each operating point, then the moves."""
    names = [point.name for point in POINTS]
    found = [Trial(i) for i in range(len(POINTS))]
    for move in MOVES:
        ways = (move.change, -move.change) if move.both_ways else (move.change,)
        halls = (False, True) if "_hall1" in move.channel else (False,)
        found += [
            Trial(names.index(point), move, change, mirrored)
            for point in move.points
            for change in ways
            for mirrored in halls
        ]
    return found


def _channel(trial: Trial) -> str:
    assert trial.move is not None
    return _mirror(trial.move.channel, trial.mirrored)


def _mirror(name: str, mirrored: bool) -> str:
    """Return the name of the other hall's twin, where it is asked for."""
    if not mirrored:
        return name
    swapped = {"_hall1": "_hall2", "_hall2": "_hall1"}
    return next(
        (name.replace(a, b) for a, b in swapped.items() if name.endswith(a)), name
    )


def _actions(lanes: Sequence[Trial], is_moved: bool) -> np.ndarray:
    rows = []
    for trial in lanes:
        row = POINTS[trial.point].actions()
        if is_moved and trial.move is not None:
            row[CHANNEL_NAMES.index(_channel(trial))] += trial.change
        rows.append(np.clip(row, LOWER, UPPER))
    return np.asarray(rows, np.float32)


def check_actuators(lab: Lab) -> Check:
    """Move one channel at a time for an hour and compare with the plant at rest."""
    rows = sign_table(lab)
    wrong = [row for row in rows if row.verdict not in ("right", "not reached")]
    lost = [row for row in rows if row.verdict == "not reached"]
    channels = {row.channel for row in rows if row.verdict == "right"}
    silent = sorted(set(CHANNEL_NAMES) - channels)
    shown = "; ".join(
        f"{row.channel} {row.change:+g} at {row.point}: {row.quantity} "
        f"{row.found:+.3g} {row.unit} ({row.verdict})"
        for row in wrong[:3]
    )
    sentence = (
        f"{len(rows) - len(wrong) - len(lost)} of {len(rows)} responses of "
        f"{len(CHANNEL_NAMES)} channels at {len(POINTS)} operating points have the "
        "sign and size that physics wants, those that must not move included"
        + (f"; wrong: {shown}" if wrong else "")
        + (f"; not reached: {len(lost)}" if lost else "")
        + (f"; nothing to show for {', '.join(silent)}" if silent else "")
        + "."
    )
    details = {"rows": [dataclasses.asdict(row) for row in rows]}
    check = judged(
        "actuators", len(wrong), 0.0, "responses", sentence, details, not silent
    )
    is_hidden = lab.subject.changes_actions and silent and not wrong
    # A layer that keeps a move from the plant leaves nothing to judge.
    return dataclasses.replace(check, passed=None) if is_hidden else check


def sign_table(lab: Lab) -> list[Row]:
    """Return every response that the table asks for, as measured."""
    lanes = trials()
    count = lab.sizes.lanes
    if len(lanes) > count:
        raise ValueError(f"{len(lanes)} lanes needed, {count} there")
    padded = lanes + [lanes[0]] * (count - len(lanes))
    params = constant_conditions(lab.quiet, [p.condition for p in POINTS])
    _, state = lab.reset(params, 51)
    state = at_conditions(state, np.asarray([trial.point for trial in padded]))
    step = _hold(lab, params, state, _actions(padded, False), SETTLE_STEPS)
    step = _hold(lab, params, step.state, _actions(padded, True), ANSWER_STEPS)
    values = _measure(step)
    applied = np.asarray(step.observation.applied, np.float64)
    return [
        row
        for i, trial in enumerate(lanes)
        if trial.move is not None
        for row in _rows(trial, i, values, applied)
    ]


def _hold(lab: Lab, params: Any, state: Any, actions: np.ndarray, steps: int) -> Step:
    step = lab.step(params, state, actions, 0)
    for number in range(1, steps):
        step = lab.step(params, step.state, actions, number)
    return step


def _measure(step: Step) -> dict[str, np.ndarray]:
    plant = host(task_state(step.state).plant)
    mean = host(step.info["summary"].mean)
    read = {name: q.read(plant, mean) for name, q in QUANTITIES.items()}
    return {name: np.asarray(value, np.float64) for name, value in read.items()}


def _rows(
    trial: Trial, lane: int, values: dict[str, np.ndarray], applied: np.ndarray
) -> Iterator[Row]:
    """Yield the rows of one lane, against the lane at rest of the same point."""
    move, point = trial.move, POINTS[trial.point].name
    assert move is not None
    reached = _is_reached(trial, applied[lane] - applied[trial.point])
    up = float(np.sign(trial.change))
    still = [Response(name, 0, 0.0, 0.0, move.points, "no path") for name in move.still]
    for response in (*move.responses, *still):
        if point not in response.points:
            continue
        name = _mirror(response.quantity, trial.mirrored)
        quantity = QUANTITIES[name]
        found = _change(values, name, lane, trial.point)
        verdict = _verdict(response, up * found, quantity.still)
        most = response.most if response.sign else quantity.still
        yield Row(
            channel=_channel(trial),
            change=trial.change,
            point=point,
            quantity=name,
            wanted=int(response.sign * up),
            least=response.least,
            most=most,
            found=found,
            unit=quantity.unit,
            verdict=verdict if reached else "not reached",
            reason=response.reason,
        )


def _change(values: dict[str, np.ndarray], name: str, lane: int, rest: int) -> float:
    after, before = values[name][lane], values[name][rest]
    if QUANTITIES[name].unit == "%":
        return float(100.0 * (after - before) / max(abs(before), 1e-9))
    return float(after - before)


def _is_reached(trial: Trial, moved: np.ndarray) -> bool:
    """Return whether the move, and nothing else, reached the plant."""
    index = CHANNEL_NAMES.index(_channel(trial))
    others = np.abs(np.delete(moved / (UPPER - LOWER), index))
    return abs(moved[index]) >= 0.5 * abs(trial.change) and bool(
        np.all(others <= UNMOVED)
    )


def _verdict(response: Response, found: float, still: float) -> str:
    """Judge a change per rise of the channel."""
    if not np.isfinite(found):
        return "not a number"
    if response.sign == 0:
        return "right" if abs(found) <= still else "moved"
    size = response.sign * found
    slack = 1e-4
    if size < 0.0 and abs(found) > still:
        return "wrong sign"
    if size < response.least - slack:
        return "too small"
    return "right" if size <= response.most + slack else "too large"

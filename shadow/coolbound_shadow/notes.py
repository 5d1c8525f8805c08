"""What a reader of the report must know first, one sentence each."""

import numpy as np

from coolbound_envs.spec import CHANNEL_NAMES, channel_array
from coolbound_shadow.log_types import Log
from coolbound_shadow.replay import Replay
from coolbound_shadow.twin import Twin


def replay_notes(found: Replay, log: Log) -> tuple[str, ...]:
    """Return what was held, assumed or scaled when the rows were replayed."""
    notes = []
    own = int(np.sum(found.inputs.is_own))
    held = int(np.sum(found.inputs.is_held))
    if held:
        notes.append(
            f"{held:,} missing readings were held from a row before, 10 min at most."
        )
    if own > 1:
        notes.append(
            f"{own:,} rows follow a gap: their own set-points stand for those before."
        )
    low, high = channel_array("lower"), channel_array("upper")
    outside = (log.applied < low - 1e-6) | (log.applied > high + 1e-6)
    rows = int(np.sum(np.any(outside, axis=1)))
    if rows:
        names = [n for n, x in zip(CHANNEL_NAMES, outside.T, strict=True) if np.any(x)]
        notes.append(
            f"{rows:,} rows hold set-points outside the range of {', '.join(names)} (a "
            "pump that stands still, say): the way back into it counts as a rate."
        )
    if found.sample is not None and found.sample.differing:
        notes.append(
            f"\u25b2 {found.sample.differing:,} of {found.sample.decisions:,} "
            "decisions taken again by the sequence of control time differ from those "
            "made in batches: do not rely on this run."
        )
    if log.step_s != 300:
        notes.append(f"The log steps {log.step_s} s: ramps per 300 s are scaled to it.")
    return tuple(notes)


def model_notes(twin: Twin) -> tuple[str, ...]:
    """Return what the rollouts in the model rest on; nothing where none was run."""
    if not twin.operator:
        return ()
    notes = [f"The operator in the model: {twin.operator}."]
    if twin.replay_percent is not None:
        notes.append(
            "The operator in the policy's place differs from itself by "
            f"{twin.replay_percent:g} % of the energy (must be exactly 0)."
        )
    if twin.limits:
        notes.append(
            f"At the end the policy's plant holds {twin.stored_heat_percent:+.3f} % of "
            "the operator's facility energy more heat in servers, structure and "
            f"water. To remove it takes {twin.charge_percent:+.3f} %, which is "
            "taken off the potential."
        )
    if twin.parts > 1:
        notes.append(
            f"The log was simulated in {twin.parts} parts of four weeks side by side, "
            "each but the first begun two days before it counts."
        )
    if any(twin.trips):
        notes.append(
            f"Servers were too hot to run in {twin.trips[0]:,} steps of the operator "
            f"and {twin.trips[1]:,} of the policy."
        )
    return tuple(notes)

"""Every decision goes on record once, and the report names what it rests on."""

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from made_logs import made_decisions, made_log

from coolbound_envs.tables import InputError
from coolbound_shadow.controller_calls import plain_view
from coolbound_shadow.ledger.keys import make_key
from coolbound_shadow.ledger.reader import LedgerReader
from coolbound_shadow.ledger.records import Kind
from coolbound_shadow.proposals import logged_operator
from coolbound_shadow.recording import (
    LedgerChoice,
    record_decisions,
    require_recordable,
    require_same_policy,
    run_name,
)
from coolbound_shadow.records import Decisions
from coolbound_shadow.replay import Policy, Replay
from coolbound_shadow.replay_inputs import replay_inputs

LOG = made_log(40)
POLICY = Policy(logged_operator(LOG.applied), "test", "ab" * 32, plain_view())


@pytest.fixture
def choice(tmp_path: Path) -> LedgerChoice:
    make_key(tmp_path / "key.pem")
    return LedgerChoice(tmp_path / "ledger", tmp_path / "key.pem")


def replayed(decisions: Decisions) -> Replay:
    inputs = replay_inputs(LOG, "Europe/Berlin")
    return Replay(decisions, (), inputs, np.full(decisions.rows, 1e-3))


def first(decisions: Decisions, rows: int) -> Decisions:
    """Return the decisions of a run that was killed."""

    def cut(value: Any) -> Any:
        if isinstance(value, dict):
            return {name: column[:rows] for name, column in value.items()}
        return value if isinstance(value, str) else value[:rows]

    fields = {f.name for f in dataclasses.fields(decisions)} - {"policy_digest"}
    return dataclasses.replace(
        decisions, **{name: cut(getattr(decisions, name)) for name in fields}
    )


def test_a_run_that_was_killed_goes_on_after_its_last_tick(
    choice: LedgerChoice,
) -> None:
    signer = require_recordable(choice, choice.folder.parent / "out")
    decisions = made_decisions(LOG)
    before = record_decisions(
        choice, signer, POLICY, LOG, replayed(first(decisions, 25))
    )
    after = record_decisions(choice, signer, POLICY, LOG, replayed(decisions))
    again = record_decisions(choice, signer, POLICY, LOG, replayed(decisions))
    assert (before.appended, after.appended, again.appended) == (25, 15, 0)
    assert (before.ticks, after.ticks, again.ticks) == (25, 40, 40)
    with LedgerReader(choice.folder) as reader:
        seen = [x.data["time"] for x in reader.entries(kinds=[Kind.TICK])]
    assert len(seen) == len(set(seen)) == 40


def test_a_run_has_one_name_for_one_policy_and_one_log(choice: LedgerChoice) -> None:
    other = dataclasses.replace(POLICY, digest="cd" * 32)
    assert run_name(choice, POLICY, LOG) == run_name(choice, POLICY, LOG)
    assert run_name(choice, POLICY, LOG) != run_name(choice, other, LOG)
    named = dataclasses.replace(choice, run="week 14")
    assert run_name(named, POLICY, LOG) == "week 14"


def test_a_run_of_another_policy_is_not_gone_on_with(choice: LedgerChoice) -> None:
    named = dataclasses.replace(choice, run="week 14")
    signer = require_recordable(named, choice.folder.parent / "out")
    record_decisions(named, signer, POLICY, LOG, replayed(made_decisions(LOG)))
    require_same_policy(named, POLICY, LOG)
    other = dataclasses.replace(POLICY, digest="cd" * 32)
    with pytest.raises(InputError, match=r"'week 14' of policy abab.*another --run"):
        require_same_policy(named, other, LOG)


@pytest.mark.parametrize("out", ["ledger", "ledger/out", "."])
def test_results_that_would_replace_the_ledger_are_refused(
    out: str, choice: LedgerChoice
) -> None:
    with pytest.raises(InputError, match="choose another --ledger or --out"):
        require_recordable(choice, choice.folder.parent / out)


def test_without_a_key_nothing_is_begun(choice: LedgerChoice, tmp_path: Path) -> None:
    keyless = dataclasses.replace(choice, key=tmp_path / "none.pem")
    with pytest.raises(InputError, match="coolbound ledger key"):
        require_recordable(keyless, tmp_path / "out")
    assert not choice.folder.exists()

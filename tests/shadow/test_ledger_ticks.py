"""The decisions of a run become ticks that say the same."""

import json
from pathlib import Path

import numpy as np
from made_ledgers import new_key

from coolbound_envs.spec import CHANNEL_NAMES, POINT_NAMES
from coolbound_envs.types import Quality
from coolbound_shadow.ledger.opening import open_ledger
from coolbound_shadow.ledger.reader import LedgerReader
from coolbound_shadow.ledger.records import Kind
from coolbound_shadow.ledger.ticks import active_margins, ticks
from coolbound_shadow.records import Decisions

ROWS = 7


def made_decisions() -> Decisions:
    chance = np.random.default_rng(3)

    def numbers(names: tuple[str, ...]) -> np.ndarray:
        found = chance.normal(20.0, 5.0, (ROWS, len(names)))
        found[chance.random(found.shape) < 0.1] = np.nan
        return found

    texts = ("PASSED", "PROJECTED", "RELAXED", "FALLBACK", "PASSED", "PASSED", "PASSED")
    return Decisions(
        time_utc=1_764_000_000 + 300 * np.arange(ROWS),
        offset=np.full(ROWS, -12_600),
        observed=numbers(POINT_NAMES),
        quality=chance.integers(0, 4, (ROWS, len(POINT_NAMES))).astype(np.int8),
        applied=numbers(CHANNEL_NAMES),
        proposed=numbers(CHANNEL_NAMES),
        certified=numbers(CHANNEL_NAMES),
        status=texts,
        rung=("",) * 3 + ("hold",) + ("",) * 3,
        reason=("",) * 3 + ("the policy timed out",) + ("",) * 3,
        active=("inlet_hall1=0.25; a=b=-1.5e-05",) + ("",) * 6,
        limit=("inlet_hall1",) + ("",) * 6,
        kind=("limit",) + ("",) * 6,
        margins={},
        extra={},
        policy_digest="ab" * 32,
    )


def unknown_as_none(values: np.ndarray) -> list[float | None]:
    return [None if np.isnan(value) else float(value) for value in values]


def test_every_decision_is_on_record_bit_for_bit(tmp_path: Path) -> None:
    decisions = made_decisions()
    latency = np.linspace(0.001, 0.007, ROWS)
    with open_ledger(tmp_path / "ledger", new_key(tmp_path)) as writer:
        writer.append_many(ticks(decisions, "december", latency))
    with LedgerReader(tmp_path / "ledger") as reader:
        stored = [json.loads(e.body) for e in reader.entries(kinds=[Kind.TICK])]
        assert reader.last_tick("december") == "2025-11-24T16:30:00Z"
    assert len(stored) == ROWS
    for i, tick in enumerate(stored):
        assert tick["local"].endswith("-03:30")
        for name in ("observed", "applied", "proposed", "certified"):
            names = POINT_NAMES if name == "observed" else CHANNEL_NAMES
            found = [tick[name][each] for each in names]
            assert found == unknown_as_none(getattr(decisions, name)[i])
        codes = [tick["quality"].get(name, int(Quality.GOOD)) for name in POINT_NAMES]
        assert codes == decisions.quality[i].tolist()
        for name in ("status", "rung", "reason"):
            assert tick[name] == getattr(decisions, name)[i]
        assert tick["latency_s"] == latency[i]
        assert tick["policy_digest"] == decisions.policy_digest
    assert stored[0]["active"] == {"inlet_hall1": 0.25, "a=b": -1.5e-05}
    assert stored[0]["extra"] == {"limit": "inlet_hall1", "kind": "limit"}
    assert stored[3]["reason"] == "the policy timed out"


def test_a_tick_without_a_latency_says_so() -> None:
    assert {tick.latency_s for tick in ticks(made_decisions(), "r")} == {None}
    assert active_margins("") == {}

"""The decisions of a shadow run as ticks of the ledger."""

from collections.abc import Iterator, Mapping

import numpy as np

from coolbound_envs.spec import CHANNEL_NAMES, POINT_NAMES
from coolbound_envs.types import Quality
from coolbound_shadow.ledger.records import Numbers, Tick
from coolbound_shadow.records import Decisions

Row = list[float | None]


def ticks(
    decisions: Decisions, run: str, latency: np.ndarray | None = None
) -> Iterator[Tick]:
    """Yield one tick for each decision, in order.

    Good readings carry no quality code: it is written where it says something.

    Args:
        decisions: The run.
        run: Its name.
        latency: Time of each decision, shape (T,). [s]
    """
    observed = _rows(decisions.observed)
    applied, proposed = _rows(decisions.applied), _rows(decisions.proposed)
    certified, quality = _rows(decisions.certified), decisions.quality.tolist()
    seconds = _known(np.asarray(latency)) if latency is not None else None
    for i in range(decisions.rows):
        yield Tick(
            run=run,
            time_utc=int(decisions.time_utc[i]),
            offset=int(decisions.offset[i]),
            observed=_named(POINT_NAMES, observed[i]),
            quality=_not_good(quality[i]),
            applied=_named(CHANNEL_NAMES, applied[i]),
            proposed=_named(CHANNEL_NAMES, proposed[i]),
            certified=_named(CHANNEL_NAMES, certified[i]),
            status=decisions.status[i],
            rung=decisions.rung[i],
            reason=decisions.reason[i],
            active=active_margins(decisions.active[i]),
            policy_digest=decisions.policy_digest,
            latency_s=seconds[i] if seconds else None,
            extra={"limit": decisions.limit[i], "kind": decisions.kind[i]},
        )


def active_margins(text: str) -> Mapping[str, float]:
    """Return what a decision's `active` column says, by limit."""
    pairs = (part.rpartition("=") for part in text.split("; ") if part)
    return {name: float(margin) for name, _, margin in pairs}


def _rows(values: np.ndarray) -> list[Row]:
    return [_known(row) for row in values]


def _known(values: np.ndarray) -> Row:
    finite = np.isfinite(values).tolist()
    return [v if ok else None for v, ok in zip(values.tolist(), finite, strict=True)]


def _named(names: tuple[str, ...], row: Row) -> Numbers:
    return dict(zip(names, row, strict=True))


def _not_good(codes: list[int]) -> Mapping[str, int]:
    pairs = zip(POINT_NAMES, codes, strict=True)
    return {name: code for name, code in pairs if code != Quality.GOOD}

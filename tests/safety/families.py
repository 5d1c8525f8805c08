"""The projection test family: instances shaped like a hall's envelope.

Ten actions (4 fans, 4 supply-air set points, chilled-water set point, pump) and
25 rows: 8 couplings, 15 zone temperatures over three horizons, dew point,
over-cooling. Instances are drawn around a previous action, so that most are
feasible and some need slack.
"""

import dataclasses

import numpy as np

from coolbound_safety.types import Envelope

N, M = 10, 25
RAMP = np.array([0.10] * 4 + [0.08] * 4 + [0.05, 0.10])
ZONE_FANS = ((0, 1), (1,), (2,), (3,), (0, 3))
RESPONSE = np.array([[0.55, 0.85, 0.98], [0.30, 0.65, 0.92], [0.10, 0.40, 0.80]])
GAMMA = np.array([0.45, 0.8, 1.0])
ARRAYS = tuple(f.name for f in dataclasses.fields(Envelope) if f.name != "names")


def make_family(
    count: int,
    seed: int,
    tight: float = 1.0,
    locked_share: float = 0.0,
    shift: float = 0.0,
) -> tuple[Envelope, np.ndarray]:
    """Return stacked envelopes (count leading) and proposals (count, 10)."""
    rng = np.random.default_rng(seed)
    lanes = [_one(rng, tight, locked_share) for _ in range(count)]
    stacked = {name: np.stack([lane[0][name] for lane in lanes]) for name in ARRAYS}
    stacked["h"] = stacked["h"] - shift
    names = tuple(f"row{i}" for i in range(M))
    return Envelope(**stacked, names=names), np.stack([lane[1] for lane in lanes])


def lane(envelopes: Envelope, i: int) -> Envelope:
    """Return one envelope of a stack."""
    fields = {name: getattr(envelopes, name)[i] for name in ARRAYS}
    return dataclasses.replace(envelopes, **fields)


def take(envelopes: Envelope, index: np.ndarray) -> Envelope:
    """Return some envelopes of a stack, in that order."""
    fields = {name: getattr(envelopes, name)[index] for name in ARRAYS}
    return dataclasses.replace(envelopes, **fields)


def _one(
    rng: np.random.Generator, tight: float, locked_share: float
) -> tuple[dict[str, np.ndarray], np.ndarray]:
    previous = rng.uniform(0.25, 0.85, N)
    lower, upper = _bounds(rng, previous)
    locked = rng.random(N) < locked_share
    lower, upper = (np.where(locked, previous, x) for x in (lower, upper))
    rows, h = _coupling(rng, previous)
    hot, hot_h = _predictive(rng, previous, tight)
    rows, h = np.vstack([rows, hot]), np.concatenate([h, hot_h])
    norm = np.linalg.norm(rows, axis=1)
    spread = 0.15 if rng.random() < 0.7 else 0.35
    priority = np.repeat([1, 2], [8, 17]).astype(np.int32)
    fields = {
        "lower": lower,
        "upper": upper,
        "G": rows / norm[:, None],
        "h": h / norm,
        "price": np.where(priority == 1, 1e3, 1e2),
        "scale": norm,
        "priority": priority,
        "held": previous,
        "backup": previous,
    }
    return fields, previous + rng.normal(0.0, spread, N)


def _bounds(
    rng: np.random.Generator, previous: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    low = np.where(np.arange(N) < 4, 0.2, 0.0)
    high = 1.0 - 0.1 * (rng.random(N) < 0.05)
    ramp = RAMP * rng.uniform(0.7, 1.3, N)
    return np.maximum(low, previous - ramp), np.minimum(high, previous + ramp)


def _coupling(
    rng: np.random.Generator, previous: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    rows, h = np.zeros((8, N)), np.zeros(8)
    weight = rng.uniform(0.6, 1.4, 4)
    rows[0, :4] = -weight
    h[0] = -rng.uniform(0.80, 1.02) * (weight @ previous[:4])
    for k, (a, b) in enumerate(((0, 1), (2, 3))):
        room = abs(previous[a] - previous[b]) + rng.uniform(-0.015, 0.10)
        for s, sign in enumerate((1.0, -1.0)):
            rows[1 + 2 * k + s, [a, b]] = sign, -sign
            h[1 + 2 * k + s] = room
    for k in range(3):
        rows[5 + k, 8], rows[5 + k, 4 + k] = 1.0, -1.0
        h[5 + k] = previous[8] - previous[4 + k] + rng.uniform(-0.01, 0.12)
    return rows, h


def _predictive(
    rng: np.random.Generator, previous: np.ndarray, tight: float
) -> tuple[np.ndarray, np.ndarray]:
    rows, h = np.zeros((17, N)), np.zeros(17)
    for zone, fans in enumerate(ZONE_FANS):
        influence = np.where(np.isin(np.arange(4), fans), 1.0, 0.15)
        gain = influence * rng.uniform(0.7, 1.3, 4)
        chw, pump = 3.0 * rng.uniform(0.6, 1.4), 2.0 * rng.uniform(0.6, 1.4)
        headroom = rng.gamma(1.6, 0.8) * tight
        drift = rng.normal(0.3, 0.8)
        for k in range(3):
            fan, sat, slow = RESPONSE[:, k]
            row = np.concatenate(
                [-8.0 * gain * fan, 10.0 * gain * sat, [chw * slow, -pump * slow]]
            )
            rows[3 * zone + k] = row
            margin = GAMMA[k] * headroom - 0.5 * (fan + sat) * drift
            h[3 * zone + k] = margin + row @ previous
    rows[15, 4:8] = -0.25 * rng.uniform(0.8, 1.2, 4)
    h[15] = rows[15] @ previous + rng.uniform(-0.005, 0.05)
    rows[16] = -0.9 * rows[3 * 1 + 2]
    h[16] = rows[16] @ previous + rng.uniform(0.1, 4.0)
    return rows, h

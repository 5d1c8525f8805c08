"""A valve that does not answer its loop is found; one that does is not suspected."""

import jax.numpy as jnp
import numpy as np

from coolbound_safety.valves import LASTS, Valves, sound_valves, watch_valves

STEP = 300.0


def watched(
    positions: list[float], below: list[float], valves: Valves | None = None
) -> tuple[list[bool], Valves]:
    """Return whether the first hall's valve is suspected at each step."""
    memory, found = sound_valves() if valves is None else valves, []
    for position, error in zip(positions, below, strict=True):
        given = jnp.asarray([position, 0.5], jnp.float32)
        is_stuck, memory = watch_valves(
            memory, given, jnp.asarray([error, 0.0], jnp.float32), STEP
        )
        assert not is_stuck[1], "the other hall has its own valve"
        found.append(bool(is_stuck[0]))
    return found, memory


def test_a_valve_that_stays_open_under_a_warmer_set_point_is_found() -> None:
    found, _ = watched([0.88] * 8, [0.9] * 8)
    assert not found[0]
    assert found[3]
    assert all(found[3:])


def test_a_small_error_is_found_when_it_only_adds_up() -> None:
    found, _ = watched([0.88] * 40, [0.2] * 40)
    assert not any(found[:5])
    assert found[-1]


def test_a_valve_that_closes_is_sound() -> None:
    positions = list(np.linspace(0.9, 0.5, 9))
    assert not any(watched(positions, [0.9] * 9)[0])


def test_noise_about_the_set_point_is_no_evidence() -> None:
    noise = np.random.default_rng(0).normal(0.0, 0.08, 2000)
    assert not any(watched([0.7] * 2000, list(noise))[0])


def test_a_shut_valve_has_nothing_left_to_close() -> None:
    assert not any(watched([0.05] * 12, [2.0] * 12)[0])


def test_suspicion_ends_when_the_valve_moves_or_after_a_while() -> None:
    _, stuck = watched([0.88] * 8, [0.9] * 8)
    assert watched([0.8], [0.0], stuck)[0] == [False]
    steps = int(LASTS / STEP)
    later, _ = watched([0.88] * (steps + 12), [-0.4] * (steps + 12), stuck)
    assert later[steps - 8]
    assert not later[-1]


def test_without_a_reading_nothing_is_suspected_anew() -> None:
    nothing = [float("nan")] * 8
    assert not any(watched(nothing, [0.9] * 8)[0])
    _, stuck = watched([0.88] * 8, [0.9] * 8)
    assert all(watched([float("nan")] * 3, [0.0] * 3, stuck)[0])

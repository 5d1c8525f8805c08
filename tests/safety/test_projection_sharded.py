"""Several devices give the answers of one."""

import dataclasses
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from families import lane, make_family
from sharded_program import COUNT, SEED

from coolbound_safety.active_set import solve_active_set
from coolbound_safety.kernel import ProjectConfig
from coolbound_safety.sharded import lane_mesh


@pytest.fixture(scope="module", name="found")
def found_fixture(tmp_path_factory: pytest.TempPathFactory) -> dict[str, np.ndarray]:
    """Return what a program on two host devices found."""
    out = tmp_path_factory.mktemp("sharded") / "found.npz"
    program = Path(__file__).with_name("sharded_program.py")
    flags = os.environ.get("XLA_FLAGS", "")
    two = f"{flags} --xla_force_host_platform_device_count=2".strip()
    environment = os.environ | {"XLA_FLAGS": two, "JAX_PLATFORMS": "cpu"}
    subprocess.run([sys.executable, program, out], env=environment, check=True)
    return dict(np.load(out))


def test_one_device_and_two_give_the_same_answers(found) -> None:
    assert found["devices"] == 2
    assert found["u2"].shape == (COUNT, 10)
    np.testing.assert_allclose(found["u1"], found["u2"], rtol=0, atol=1e-6)
    np.testing.assert_allclose(found["slack1"], found["slack2"], rtol=0, atol=1e-6)
    np.testing.assert_array_equal(found["ok1"], found["ok2"])


def test_both_are_the_projection(found) -> None:
    envelopes, c = make_family(COUNT, SEED)
    assert np.all(found["ok2"])
    margin = ProjectConfig().margin
    inward = dataclasses.replace(envelopes, h=np.asarray(envelopes.h) - margin)
    for i, proposed in enumerate(c):
        exact, _ = solve_active_set(lane(inward, i), proposed)
        np.testing.assert_allclose(found["u2"][i], exact, rtol=0, atol=1e-4)


def test_more_devices_than_there_are_is_an_error_that_says_what_to_do() -> None:
    with pytest.raises(ValueError, match="xla_force_host_platform_device_count"):
        lane_mesh(4096)

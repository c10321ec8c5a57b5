"""A machine that is none."""

import pytest

from msw2.benchmarks.machine import Machine


@pytest.fixture
def machine():
    """Two cores, no GPU, PyTorch but no pretty_midi."""
    versions = {"Python": "3.11", "PyTorch": "2.9", "pretty_midi": "not installed"}
    return Machine("Some CPU", 2, 8 * 2**30, (), versions, 0.25)

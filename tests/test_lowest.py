import pytest

from .lowest import SETUP, pins

CONFIG = """
[options]
install_requires =
    numpy>=2.0
    pretty_midi>=0.2.11

[options.extras_require]
test =
    {}
"""


def test_each_requirement_becomes_a_pin():
    assert pins(CONFIG.format("pytest>=8")) == ["numpy==2.0", "pretty_midi==0.2.11", "pytest==8"]


@pytest.mark.parametrize("line", ["pytest", "pytest>=8,<9", "pytest==8"])
def test_other_requirements_are_refused(line):
    with pytest.raises(ValueError, match=f"setup.cfg: '{line}' is not a name and a lower bound"):
        pins(CONFIG.format(line))


def test_setup_cfg_has_lower_bounds_alone():
    found = dict(pin.split("==") for pin in pins(SETUP.read_text("utf-8")))
    assert {"keras", "numpy", "pypianoroll", "pretty_midi", "scipy", "pandas", "tensorflow"} <= set(found)

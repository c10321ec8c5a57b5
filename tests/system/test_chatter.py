"""Start-up chatter in processes of their own, with a TensorFlow that only talks, and with the real one."""

import os
import signal
import subprocess
import sys

import pytest

NEWS = [
    "WARNING: All log messages before absl::InitializeLog() is called are written to STDERR",
    "I0000 00:00:1795637478.126780    2686 cudart_stub.cc:31] Could not find cuda drivers on your machine.",
    "W0000 00:00:1795637478.126780 2686 computation_placer.cc:177] computation placer already registered.",
    "E0000 00:00:1746.99 12 cuda_fft.cc:485] Unable to register cuFFT factory: Attempting to register",
]
ERRORS = [
    "E0000 00:00:1795637478.126780    2686 cuda_platform.cc:52] failed call to cuInit",
    "F0000 00:00:1795637478.126780    2686 cpu_feature_guard.cc:1] was compiled to use AVX2",
    "WARNING: All log messages are wrong",
    "Traceback I0000",
]
TALKING = """
import os, sys
os.write(2, ({text!r}).encode())
{more}
"""


@pytest.fixture
def start(tmp_path):
    """Returns a function that imports a TensorFlow which prints lines, and then does some more."""

    def run(more="", level=None):
        lines = [line for pair in zip(NEWS, ERRORS, strict=True) for line in pair]
        source = TALKING.format(text="\n".join(lines) + "\n", more=more)
        (tmp_path / "tensorflow.py").write_text(source)
        environment = {name: value for name, value in os.environ.items() if name != "TF_CPP_MIN_LOG_LEVEL"}
        environment |= {"PYTHONPATH": os.pathsep.join([str(tmp_path), *sys.path])}
        environment |= {} if level is None else {"TF_CPP_MIN_LOG_LEVEL": level}
        code = (
            "import msw2.cli, os, sys; import tensorflow; import tensorflow as tf; "
            "print(tf.__spec__.name, os.environ['TF_CPP_MIN_LOG_LEVEL']); "
            f"print({NEWS[1]!r}, file=sys.stderr)"
        )
        return subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, env=environment, check=False
        )

    return run


def test_news_is_left_out_while_tensorflow_is_imported_and_nothing_else_is(start):
    done = start()
    assert done.stderr.splitlines() == [*ERRORS, NEWS[1]]  # after the import nothing is filtered
    assert (done.returncode, done.stdout) == (0, "tensorflow 3\n")


def test_an_exception_in_the_import_comes_out(start):
    done = start("raise ImportError('no such instruction')")
    assert done.returncode == 1
    assert done.stderr.splitlines()[: len(ERRORS)] == ERRORS
    assert done.stderr.endswith("ImportError: no such instruction\n")


def test_what_is_said_before_a_crash_comes_out(start):
    done = start("os.abort()")
    assert done.returncode == -signal.SIGABRT
    assert done.stderr.splitlines() == ERRORS


def test_everything_is_shown_at_level_0(start):
    shown = start(level="0").stderr.splitlines()
    assert len(shown) == len(NEWS) + len(ERRORS) + 1
    assert set(NEWS) <= set(shown)
    assert start(level="1").stdout == "tensorflow 1\n"


def test_a_command_that_imports_tensorflow_prints_only_its_own_error(tmp_path):
    environment = {name: value for name, value in os.environ.items() if name != "TF_CPP_MIN_LOG_LEVEL"}
    environment |= {"PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, "-m", "msw2.cli.export", f"--run={tmp_path / 'none'}"]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    assert done.returncode == 1
    assert done.stdout == ""
    assert len(done.stderr.splitlines()) == 1
    assert done.stderr.startswith("error: ")


def test_asked_twice_it_filters_once_and_with_tensorflow_there_not_at_all(tmp_path):
    (tmp_path / "tensorflow.py").write_text("")
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(tmp_path), *sys.path])}
    code = (
        "import sys; from msw2.system import chatter\n"
        "def there(): return sum(type(each).__name__ == '_Finder' for each in sys.meta_path)\n"
        "chatter.hold_back(); chatter.hold_back(); print(there())\n"
        "import tensorflow; chatter.hold_back(); print(there())"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env=environment, check=True
    )
    assert done.stdout.split() == ["1", "0"]

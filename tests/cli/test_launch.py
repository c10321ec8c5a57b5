"""How commands start, and how they end: what the user can mend, the machine's errors and Ctrl-C are one sentence."""

import errno
import os
import pathlib
import signal
import subprocess
import sys

import numpy as np
import pytest
import tensorflow as tf
from absl import flags

import msw2
from msw2.cli import machine_errors
from msw2.cli.launch import OptionError, check_numbers, take_positional

ROOT = str(pathlib.Path(msw2.__file__).parents[1])
WAITING = """
import time
from msw2.cli.launch import launch

def main():
    print("begun", flush=True)
    try:
        time.sleep(60)
    except KeyboardInterrupt:
        {then}

launch(lambda: None, main, stopped="stopped; nothing is written")
"""


@pytest.fixture
def values():
    """Flags of a command: a text and a list."""
    found = flags.FlagValues()
    flags.DEFINE_string("folder", None, "", flag_values=found)
    flags.DEFINE_list("answers", [], "", flag_values=found)
    found(["msw2"])
    return found


def test_a_word_goes_to_its_flag(values):
    take_positional(["songs"], "folder", values)
    assert values.folder == "songs"


def test_words_go_to_a_list(values):
    take_positional(["a.json", "b,c.json"], "answers", values)
    assert values.answers == ["a.json", "b,c.json"]


def test_no_word_changes_nothing(values):
    take_positional([], "folder", values)
    assert (values.folder, values.answers) == (None, [])


def test_words_that_have_no_place_are_refused(values):
    with pytest.raises(OptionError, match="unexpected 'songs': options begin with --"):
        take_positional(["songs"], None, values)
    with pytest.raises(OptionError, match="unexpected 'more': the command takes one folder"):
        take_positional(["songs", "more"], "folder", values)
    values(["msw2", "--folder=mine"])
    with pytest.raises(OptionError, match="unexpected 'songs': --folder is given, too"):
        take_positional(["songs"], "folder", values)


@pytest.mark.parametrize("then", ["raise", "raise RuntimeError('what a library makes of it')"])
def test_ctrl_c_is_one_sentence_and_status_130(then):
    command = [sys.executable, "-c", WAITING.format(then=then)]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    process = subprocess.Popen(command, env=os.environ | {"PYTHONPATH": ROOT}, **pipes)
    assert process.stdout.readline() == "begun\n"
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=60)
    assert (process.returncode, said) == (130, "stopped; nothing is written\n")


def test_ctrl_c_during_the_imports_of_a_command_has_no_traceback(tmp_path):
    """A module of NumPy's name, which the command imports, presses it."""
    (tmp_path / "numpy.py").write_text("import os, signal\nos.kill(os.getpid(), signal.SIGINT)\n")
    environment = os.environ | {"PYTHONPATH": f"{tmp_path}{os.pathsep}{ROOT}"}
    command = [sys.executable, "-m", "msw2.cli.data"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment, cwd=tmp_path)
    assert (done.returncode, done.stderr) == (130, "stopped\n")


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ("--count=2147483648", "--count=2147483648 is above 2147483647"),
        ("--count=-99999999999999999999", "--count=-99999999999999999999 is above 2147483647"),
        ("--share=nan", "--share=nan is not a finite number of at most 1e+38"),
        ("--share=1e39", "--share=1e+39 is not a finite number of at most 1e+38"),
    ],
)
def test_numbers_that_no_computation_can_hold_are_refused(given, message):
    found = flags.FlagValues()
    where = {"flag_values": found, "module_name": "msw2.cli.some"}
    flags.DEFINE_integer("count", 1, "", **where)
    flags.DEFINE_float("share", 1.0, "", **where)
    flags.DEFINE_integer("port", 2**40, "", upper_bound=2**50, **where)
    found(["msw2"])
    check_numbers(found)
    found(["msw2", given])
    with pytest.raises(OptionError) as refused:
        check_numbers(found)
    assert str(refused.value) == message


def test_the_machines_errors_are_one_sentence(tmp_path):
    told = machine_errors.sentence
    full = told(OSError(errno.ENOSPC, "No space left on device", str(tmp_path / "none" / "a.h5")))
    assert full.startswith(f"{tmp_path}/none/a.h5 cannot be written: the disk is full (")
    assert full.endswith(" MB are free): make room, and the same command goes on")
    assert told(PermissionError(errno.EACCES, "Permission denied", "a")) == "a: Permission denied"
    assert told(OSError("no sound")) == "no sound"
    assert told(ValueError("a bug")) is None
    try:
        np.zeros(2**50, np.int8)
    except MemoryError as error:
        assert told(error).startswith("the memory does not suffice: ask for less, or close other programs (")
    memory = tf.errors.ResourceExhaustedError(
        None, None, "{{function_node __x}} OOM when allocating tensor\nmore"
    )
    assert told(memory).endswith("close other programs (OOM when allocating tensor)")
    disk = tf.errors.ResourceExhaustedError(None, None, f"{tmp_path}/x.tfrecord; No space left on device")
    assert told(disk).startswith(f"{tmp_path}/x.tfrecord cannot be written: the disk is full (")
    where = f"{tmp_path}/msw2/.msw2-host-1-2-00000000/variables/part"
    disk = tf.errors.ResourceExhaustedError(
        None,
        None,
        f"{{{{function_node __x/job:a/device:CPU:0}}}} {where}; No space left on device [Op:SaveV2]",
    )
    assert told(disk).startswith(f"{tmp_path}/msw2 cannot be written: the disk is full (")
    assert told(tf.errors.InvalidArgumentError(None, None, "a bug")) is None

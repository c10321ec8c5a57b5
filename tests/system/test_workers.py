import os
import pathlib
import signal
import subprocess
import sys

import pytest

import msw2
from msw2.system.workers import map_in_order

# Tasks are built-in functions: worker processes do not know this file.
DIE = "__import__('os')._exit(1)"


@pytest.mark.parametrize("workers", [0, 2])
def test_results_come_in_order(workers):
    assert list(map_in_order(bin, range(40), workers)) == [(n, bin(n)) for n in range(40)]


def test_a_dying_worker_costs_only_the_item_it_died_on():
    items = [DIE if number in {3, 17} else f"{number} * 7" for number in range(20)]
    results = [None if number in {3, 17} else number * 7 for number in range(20)]
    assert list(map_in_order(eval, items, 2)) == list(zip(items, results, strict=True))


def test_items_are_taken_a_few_at_a_time():
    taken = []

    def items():
        for number in range(100):
            taken.append(number)
            yield number

    results = map_in_order(bin, items(), 1)
    assert next(results) == (0, "0b0")
    assert len(taken) < 20
    results.close()


def test_workers_leave_ctrl_c_to_their_parent_and_end_with_it(tmp_path):
    """The parent kills itself while a worker sleeps; the worker's pipe ends with the worker."""
    script = tmp_path / "parent.py"
    script.write_text(
        "import os, signal, sys, time\n"
        "from msw2.system.workers import map_in_order\n"
        "def tasks():\n"
        "    yield 'print(__import__(\"os\").getpid(), flush=True)'\n"
        "    yield '__import__(\"time\").sleep(60)'\n"
        "    time.sleep(1)\n"
        "    os.kill(os.getpid(), signal.SIGKILL)\n"
        "if __name__ == '__main__':\n"
        "    list(map_in_order(eval, tasks(), 1))\n"
    )
    environment = os.environ | {"PYTHONPATH": str(pathlib.Path(msw2.__file__).parents[1])}
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True, "env": environment}
    parent = subprocess.Popen([sys.executable, script], **pipes)
    os.kill(int(parent.stdout.readline()), signal.SIGINT)  # which it ignores
    said = parent.communicate(timeout=30)[1]
    assert parent.returncode == -signal.SIGKILL
    assert "Traceback" not in said


def test_workers_that_cannot_start_are_an_error_and_not_the_fault_of_a_file(tmp_path):
    script = tmp_path / "unguarded.py"  # spawned processes run it again, which multiprocessing forbids
    script.write_text("from msw2.system.workers import map_in_order\nlist(map_in_order(abs, range(9), 2))\n")
    environment = os.environ | {"PYTHONPATH": str(pathlib.Path(msw2.__file__).parents[1])}
    done = subprocess.run(
        [sys.executable, script], capture_output=True, text=True, check=False, env=environment
    )
    assert done.returncode == 1
    assert "RuntimeError: worker processes cannot start" in done.stderr

import os
import pathlib
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


def test_workers_that_cannot_start_are_an_error_and_not_the_fault_of_a_file(tmp_path):
    script = tmp_path / "unguarded.py"  # spawned processes run it again, which multiprocessing forbids
    script.write_text("from msw2.system.workers import map_in_order\nlist(map_in_order(abs, range(9), 2))\n")
    environment = os.environ | {"PYTHONPATH": str(pathlib.Path(msw2.__file__).parents[1])}
    done = subprocess.run(
        [sys.executable, script], capture_output=True, text=True, check=False, env=environment
    )
    assert done.returncode == 1
    assert "RuntimeError: worker processes cannot start" in done.stderr

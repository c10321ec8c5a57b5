import os
import pathlib
import subprocess
import sys

import pytest

import msw2
from msw2.data.workers import map_in_order


def _square_or_die(number):
    if number in {3, 7}:
        os._exit(1)
    return number * number


def _square(number):
    return number * number


@pytest.mark.parametrize("workers", [0, 2])
def test_results_come_in_order(workers):
    assert list(map_in_order(_square, range(40), workers)) == [(n, n * n) for n in range(40)]


def test_a_dying_worker_costs_only_the_item_it_died_on():
    found = dict(map_in_order(_square_or_die, range(20), 2))
    assert found == {n: None if n in {3, 7} else n * n for n in range(20)}


def test_items_are_taken_a_few_at_a_time():
    taken = []

    def items():
        for number in range(100):
            taken.append(number)
            yield number

    results = map_in_order(_square, items(), 1)
    assert next(results) == (0, 0)
    assert len(taken) < 20
    results.close()


def test_workers_that_cannot_start_are_an_error_and_not_the_fault_of_a_file(tmp_path):
    script = tmp_path / "unguarded.py"  # spawned processes run it again, which multiprocessing forbids
    script.write_text("from msw2.data.workers import map_in_order\nlist(map_in_order(abs, range(9), 2))\n")
    environment = os.environ | {"PYTHONPATH": str(pathlib.Path(msw2.__file__).parents[1])}
    done = subprocess.run(
        [sys.executable, script], capture_output=True, text=True, check=False, env=environment
    )
    assert done.returncode == 1
    assert "RuntimeError: worker processes cannot start" in done.stderr

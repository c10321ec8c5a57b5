"""The process of a contender: `python -m msw2.benchmarks.worker JOB`, with JOB an object in JSON.

Each contender has processes of its own. So thread settings are made before a library starts, and one library's
threads do not spin in another's turn. A job names its `task`, `module:function`: a function from the
job to the slice function (amount, **call) -> (units, samples). The worker warms up, says "ready", and then
for each line {"amount": ..., "call": {...}} on its input runs one slice and answers with a line of JSON:
seconds, units, samples, memory. It ends with its input. Starts without TensorFlow: some tasks need none.
"""

import importlib
import json
import os
import resource
import sys
import time

READY = "ready"


def main(argument: str) -> None:
    """Prepares the job and serves slices until the input ends."""
    # Whatever a library prints must not come between the answers.
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "w", buffering=1, encoding="utf-8")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    job = json.loads(argument)
    module, function = job["task"].split(":")
    run = getattr(importlib.import_module(module), function)(job)
    run(1)
    print(READY, file=answers)
    for line in sys.stdin:
        order = json.loads(line)
        start = time.perf_counter()
        units, samples = run(order["amount"], **order["call"])
        answer = {"seconds": time.perf_counter() - start, "units": units, "samples": list(samples)}
        print(json.dumps(answer | {"memory": _memory()}), file=answers)


def _memory() -> int:
    """Returns the most bytes that this process, or one that it waited for, has held."""
    who = (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
    return 1024 * max(resource.getrusage(each).ru_maxrss for each in who)


if __name__ == "__main__":
    main(sys.argv[1])

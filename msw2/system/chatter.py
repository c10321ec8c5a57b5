"""Keeps TensorFlow's start-up chatter off standard error.

TensorFlow's C++ prints lines such as `I0000 ... cudart_stub.cc:31] Could not find cuda drivers` while it is imported,
before it reads TF_CPP_MIN_LOG_LEVEL. So standard error passes through a filter while that import runs. The filter is
a process of its own: what TensorFlow says before a crash still comes out. Later lines obey TF_CPP_MIN_LOG_LEVEL.
"""

import contextlib
import importlib.abc
import importlib.util
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator

LEVEL = "TF_CPP_MIN_LOG_LEVEL"
# News and warnings of absl's log, and the errors that CUDA plug-ins report at every start. Other errors pass.
CHATTER = re.compile(
    rb"WARNING: All log messages before absl::InitializeLog\(\) is called are written to STDERR$"
    rb"|[IW]\d{4} [\d:.]+ +\d+ \S+:\d+\] "
    rb"|E\d{4} [\d:.]+ +\d+ \S+:\d+\] Unable to register cu\w+ factory"
)


class _Finder(importlib.abc.MetaPathFinder):
    """Lets the next finders find TensorFlow, and puts the filter around what its loader does."""

    def find_spec(self, name, path=None, target=None):
        """Returns TensorFlow's spec with a quiet loader; None for any other module."""
        if name != "tensorflow":
            return None
        sys.meta_path.remove(self)  # the next finders are asked, and TensorFlow is imported once
        spec = importlib.util.find_spec(name)
        if spec is not None and os.environ.setdefault(LEVEL, "3") != "0":
            execute = spec.loader.exec_module

            def execute_quietly(module):
                with filtered():
                    execute(module)

            spec.loader.exec_module = execute_quietly
        return spec


def hold_back() -> None:
    """Makes the first import of TensorFlow quiet; TF_CPP_MIN_LOG_LEVEL=0 shows everything."""
    if "tensorflow" not in sys.modules and not any(isinstance(finder, _Finder) for finder in sys.meta_path):
        sys.meta_path.insert(0, _Finder())


@contextlib.contextmanager
def filtered() -> Iterator[None]:
    """Passes on what the block writes to standard error, without the chatter."""
    sieve = subprocess.Popen([sys.executable, "-I", "-S", __file__], stdin=subprocess.PIPE)
    before = os.dup(2)
    os.dup2(sieve.stdin.fileno(), 2)
    try:
        yield
    finally:
        os.dup2(before, 2)
        os.close(before)
        sieve.stdin.close()
        sieve.wait()


def main() -> None:
    """Copies standard input to standard error, without the chatter, until it ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C ends the command, whose last words still pass
    for line in sys.stdin.buffer:
        if not CHATTER.match(line):
            sys.stderr.buffer.write(line)
            sys.stderr.buffer.flush()


if __name__ == "__main__":
    main()

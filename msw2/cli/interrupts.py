"""Ctrl-C: one sentence and status 130, whatever the command was doing. Imports nothing but the standard library."""

import os
import signal
import sys

STATUS = 128 + signal.SIGINT
GOES_ON = "stopped; the same command goes on from here"


class Interrupts:
    """What is known of Ctrl-C in this process.

    Attributes:
        happened: whether it was pressed. Libraries may turn the KeyboardInterrupt into an error of their own.
    """

    happened = False

    def watch(self) -> None:
        """Raises KeyboardInterrupt where Ctrl-C is pressed; a second one ends the process at once."""
        if (
            signal.getsignal(signal.SIGINT) is not signal.SIG_IGN
        ):  # a parent has told this process to ignore it
            signal.signal(signal.SIGINT, self._raise)

    def end(self, sentence: str) -> None:
        """Says a sentence and exits; a further Ctrl-C must not make a traceback of that."""
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        print(sentence, file=sys.stderr, flush=True)
        sys.exit(STATUS)

    def _raise(self, *_: object) -> None:
        if self.happened:
            os._exit(STATUS)
        self.happened = True
        raise KeyboardInterrupt


def end_imports() -> None:
    """Ends the process on Ctrl-C until a command begins: its imports take seconds, and have nothing to clean up."""
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, _end_now)


def _end_now(*_: object) -> None:
    os.write(2, b"stopped\n")
    os._exit(STATUS)

"""Runs a training command that kills itself by SIGKILL after an epoch, if its environment says so.

`MSW2_TEST_DIES` is that epoch, from 0. The state is kept after every epoch, not every few seconds.
"""

import os
import signal
import sys

from msw2.cli import options, stage1, stage2
from msw2.cli.launch import launch
from msw2.training import fit


def main():
    kept, dies = fit.Resume.on_epoch_end, os.environ.get("MSW2_TEST_DIES", "")

    def on_epoch_end(self, epoch, logs=None):
        kept(self, epoch, logs)
        if dies and epoch == int(dies):
            os.kill(os.getpid(), signal.SIGKILL)

    fit.CHECKPOINT_EVERY, fit.Resume.on_epoch_end = 0.0, on_epoch_end
    command = {"stage1": stage1, "stage2": stage2}[sys.argv.pop(1)]
    launch(command.define_flags, command.main, *options.USER_ERRORS)


if __name__ == "__main__":
    main()

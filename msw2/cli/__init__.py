"""The commands: one file each, and the only layer that defines or reads flags.

This is the one import of msw2 with effects: the first import of TensorFlow in the process becomes quiet; and where the
process is a command, Ctrl-C ends its imports without a traceback. Python runs this file before `python -m
msw2.cli.<name>` runs the command, so before any of the command's own imports. A variable in the Makefile would not
reach commands that are run by hand. Importing msw2 without its commands changes nothing.
"""

import sys

from msw2.cli import interrupts
from msw2.system import chatter

chatter.hold_back()
if sys.argv[0] == "-m":  # what Python puts there until it has found the module to run
    interrupts.end_imports()

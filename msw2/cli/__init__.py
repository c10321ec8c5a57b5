"""The commands: one file each, and the only layer that defines or reads flags.

This is the one import of msw2 with an effect: the first import of TensorFlow in the process becomes quiet. Python
runs this file before `python -m msw2.cli.<name>` runs the command, so before any of the command's own imports. A
variable in the Makefile would not reach commands that are run by hand. Importing msw2 without its commands changes
nothing.
"""

from msw2.system import chatter

chatter.hold_back()

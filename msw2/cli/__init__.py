"""The commands: one file each, and the only layer that defines or reads flags."""

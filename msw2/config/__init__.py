"""Every number of a run: one frozen dataclass made of parts, and the presets."""

from msw2.config.config import CHOICES, RANGES, Config, fields_of
from msw2.config.presets import ADAPTING, DEMO, PAPER, PRESETS, RELEASED, SMOKE, TUNED, preset

__all__ = [
    "ADAPTING",
    "CHOICES",
    "DEMO",
    "PAPER",
    "PRESETS",
    "RANGES",
    "RELEASED",
    "SMOKE",
    "TUNED",
    "Config",
    "fields_of",
    "preset",
]

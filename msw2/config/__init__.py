"""Every number of a run: one frozen dataclass made of parts, and the presets."""

from msw2.config.config import CHOICES, RANGES, Config, fields_of
from msw2.config.presets import DEMO, PAPER, PRESETS, RELEASED, SMOKE, TUNED, adapting, preset

__all__ = [
    "CHOICES",
    "DEMO",
    "PAPER",
    "PRESETS",
    "RANGES",
    "RELEASED",
    "SMOKE",
    "TUNED",
    "Config",
    "adapting",
    "fields_of",
    "preset",
]

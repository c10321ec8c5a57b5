"""The grid of the music."""

import dataclasses

from msw2.config.fields import Part, number
from msw2.music.grid import Grid


@dataclasses.dataclass(frozen=True, kw_only=True)
class GridPart(Part):
    """Sizes of a phrase; `music.grid.Grid` has their bounds."""

    bars: int = number("Bars a phrase.")
    steps: int = number("Time steps a bar.")
    pitches: int = number("Semitones on the pitch axis.")
    lowest_pitch: int = number("MIDI number of the lowest pitch.")
    beat_resolution: int = number("Time steps a beat.")

    @property
    def grid(self) -> Grid:
        """The grid of the music."""
        return Grid(self.bars, self.steps, self.pitches, self.lowest_pitch, self.beat_resolution)

    def check(self) -> None:
        """Lets the grid check itself."""
        _ = self.grid

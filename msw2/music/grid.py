"""The grid that music is laid on: four bars of 4/4, twelve steps a beat, seven octaves (as released)."""

import dataclasses

BEATS_PER_BAR = 4  # 4/4 throughout: LPD's "cleansed" rule
LONGEST = {"bars": 1024, "beat_resolution": 960}  # a phrase of more does not fit into any memory


@dataclasses.dataclass(frozen=True)
class Grid:
    """Sizes of a phrase.

    Attributes:
        bars: bars a phrase.
        steps: time steps a bar; a multiple of `beat_resolution`, four beats of it.
        pitches: semitones on the pitch axis.
        lowest_pitch: MIDI number, 0..127, of pitch 0 on that axis.
        beat_resolution: time steps a beat (a quarter note).

    Raises:
        ValueError: if sizes do not fit one another or MIDI's 128 pitches.
    """

    bars: int = 4
    steps: int = 48
    pitches: int = 84
    lowest_pitch: int = 24
    beat_resolution: int = 12

    def __post_init__(self):
        for name in ("bars", "steps", "pitches", "beat_resolution"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} {getattr(self, name)} is below 1")
        for name, most in LONGEST.items():
            if getattr(self, name) > most:
                raise ValueError(f"{name} {getattr(self, name)} is above {most}")
        if self.steps != BEATS_PER_BAR * self.beat_resolution:
            raise ValueError(
                f"steps {self.steps} is not {BEATS_PER_BAR} beats of beat_resolution {self.beat_resolution}"
            )
        if self.lowest_pitch < 0 or self.lowest_pitch + self.pitches > 128:
            raise ValueError(
                f"pitches {self.lowest_pitch}..{self.lowest_pitch + self.pitches - 1} do not lie in MIDI's 0..127"
            )

    @property
    def phrase_shape(self) -> tuple[int, int, int]:
        """(bars, steps, pitches) of one track's phrase."""
        return (self.bars, self.steps, self.pitches)

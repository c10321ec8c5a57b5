"""What became of every file (report.csv) and the sums over a store (manifest.json)."""

import collections
import csv
import pathlib

import numpy as np

from msw2.data.packing import Phrases
from msw2.data.song_files import Outcome
from msw2.music.grid import Grid
from msw2.music.tracks import TRACK_NAMES

COLUMNS = ("name", "sha256", "split", "phrases", "tune", "reason")
SAME_TUNE = "same tune as a listed validation or test song"


class Report:
    """Collects a row for every file of a source."""

    def __init__(self):
        self.rows: list[tuple[str, str, str, int, str, str]] = []

    def add_unusable(self, outcome: Outcome) -> None:
        """Adds a file that gave no phrases, with the reason."""
        self.rows.append((outcome.name, outcome.digest, "", 0, "", outcome.reason))

    def add_song(self, outcome: Outcome, tune: str, split: str) -> None:
        """Adds a song.

        Args:
            outcome: of its file.
            tune: the SHA-256 that stands for its tune.
            split: where the phrases are; empty where the song is left out, as its tune is in another split.
        """
        row = (outcome.name, outcome.digest, split, outcome.place.count if split else 0, tune[:16])
        self.rows.append((*row, "" if split else SAME_TUNE))

    def joined(self) -> dict[str, int]:
        """Returns how many songs share a tune with others (`songs`), of how many tunes, and the most of one tune."""
        sizes = collections.Counter(tune for *_, tune, _ in self.rows if tune)
        several = [size for size in sizes.values() if size > 1]
        return {"songs": sum(several), "tunes": len(several), "largest": max(several, default=0)}

    def left_out(self) -> dict[str, int]:
        """Returns how many files were left out for each reason, most frequent first, details cut off."""
        reasons = collections.Counter(reason.split(":")[0] for *_, reason in self.rows if reason)
        return dict(reasons.most_common())

    def write(self, path: pathlib.Path) -> None:
        """Writes the rows in the order of names; names that are not text show their bytes escaped."""
        with path.open("w", encoding="utf-8", errors="backslashreplace", newline="") as file:
            writer = csv.writer(file, lineterminator="\n")
            writer.writerow(COLUMNS)
            writer.writerows(sorted(self.rows))


class Tally:
    """Sums over the songs of one split."""

    def __init__(self, grid: Grid):
        self._grid = grid
        self.songs = self.phrases = 0
        self.sounding_bars = np.zeros(len(TRACK_NAMES), np.int64)
        self.cells = np.zeros((len(TRACK_NAMES), grid.pitches), np.int64)

    def add(self, phrases: Phrases) -> None:
        """Adds a song."""
        self.songs += 1
        self.phrases += len(phrases)
        self.sounding_bars += phrases.sounding_bars
        self.cells += phrases.cells

    def join(self, other: "Tally") -> None:
        """Adds the songs of another tally."""
        self.songs += other.songs
        self.phrases += other.phrases
        self.sounding_bars += other.sounding_bars
        self.cells += other.cells

    def summary(self) -> dict:
        """Returns the sums as JSON knows them; `steps` counts those of one track."""
        bars = self.phrases * self._grid.bars
        return {
            "songs": self.songs,
            "phrases": self.phrases,
            "bars": bars,
            "steps": bars * self._grid.steps,
            "sounding_bars": dict(zip(TRACK_NAMES, self.sounding_bars.tolist(), strict=True)),
        }

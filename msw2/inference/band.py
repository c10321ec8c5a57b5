"""A trained sandwich for people who program: songs go in and come out as objects of pypianoroll or pretty_midi."""

import os
from typing import TYPE_CHECKING

import keras
import numpy as np

from msw2.config import Config
from msw2.inference.model_file import write_model_file
from msw2.inference.sampling import Sampler
from msw2.inference.trained import PACKAGED, open_trained
from msw2.models.prior import Prior
from msw2.music.multitrack import from_multitrack, from_pretty_midi, to_multitrack, to_pretty_midi
from msw2.music.pianoroll import DEFAULT_TEMPO, cut_phrases, join_phrases

if TYPE_CHECKING:
    from pretty_midi import PrettyMIDI
    from pypianoroll import Multitrack

    Song = Multitrack | PrettyMIDI


class Band:
    """A trained sandwich at work on songs.

    Attributes:
        model: the sandwich, see `models.sandwich.build_sandwich`.
        config: what it was built from.
        prior: what `generate` draws from.
        preset: name of the preset that the config began with, empty where nothing says so.
    """

    def __init__(self, model: keras.Model, config: Config, prior: Prior, preset: str = ""):
        self.model = model
        self.config = config
        self.prior = prior
        self.preset = preset
        self._sampler = Sampler(model, config, prior)

    @classmethod
    def load(cls, path: str | os.PathLike = PACKAGED[0]) -> "Band":
        """Opens packaged weights by their name, a finished run's directory, or a .keras file that `save` wrote.

        Raises:
            RunError: if there is no such thing, a stage is missing, or a file is damaged.
        """
        trained = open_trained(path)
        sandwich, prior = trained.load_sandwich()
        return cls(sandwich, trained.config, prior, trained.preset)

    def save(self, path: str | os.PathLike, *, half: bool = False) -> None:
        """Writes one .keras file, whole or not at all; `load` and `keras.models.load_model` read it.

        Args:
            path: ends in .keras.
            half: whether weights are stored in half precision.

        Raises:
            ValueError: if it does not.
        """
        write_model_file(path, self.model, self.config, self.prior, preset=self.preset, half=half)

    def summary(self) -> None:
        """Prints the parts of the sandwich, their shapes and their weights."""
        self.model.summary()

    def restore(self, song: "Song", *, progress: bool = False) -> "Song":
        """Takes a song through the whole sandwich and back.

        Args:
            song: a `pypianoroll.Multitrack` or `pretty_midi.PrettyMIDI` in 4/4; not changed.
            progress: whether to show on standard error how far it is.

        Returns:
            The restored song, an object of the same kind, in whole bars, with the tempo of the song.

        Raises:
            SongError: if it does not fit the grid.
            TypeError: for an object of another kind.
        """
        grid, kind = self.config.grid, type(song).__name__
        if kind not in _KINDS:
            raise TypeError(f"{kind} is not one of {', '.join(_KINDS)}")
        read, write = _KINDS[kind]
        cells, tempo = read(song, grid)
        restored = join_phrases(self._sampler.restore(cut_phrases(cells, grid), progress=progress))
        return write(restored[: len(cells)], grid, tempo)  # the last phrase was padded

    def generate(
        self,
        songs: int = 1,
        *,
        phrases: int = 4,
        seed: int = 0,
        temperature: float = 1.0,
        tempo: float = DEFAULT_TEMPO,
        progress: bool = False,
    ) -> "list[Multitrack]":
        """Makes songs from nothing; the same seed gives the same songs.

        Args:
            songs: how many.
            phrases: phrases a song, of four bars each.
            seed: of the first phrase; the others count on from it.
            temperature: spread of the prior; 1 as fitted, 0 for its centres.
            tempo: quarter notes a minute.
            progress: whether to show on standard error how far it is.

        Raises:
            SilenceError: if too many phrases have a silent bar.
        """
        made, _ = self._sampler.compose(songs, phrases, seed=seed, temperature=temperature, progress=progress)
        return [to_multitrack(join_phrases(np.asarray(song)), self.config.grid, tempo) for song in made]


_KINDS = {
    "Multitrack": (from_multitrack, to_multitrack),
    "PrettyMIDI": (from_pretty_midi, to_pretty_midi),
}

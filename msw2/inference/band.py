"""A trained sandwich for people who program: songs go in and come out as objects of pypianoroll or pretty_midi."""

import dataclasses
import io
import json
import os
import pathlib
import zipfile
from typing import TYPE_CHECKING

import keras
import numpy as np

from msw2.config import Config
from msw2.inference.sampling import Sampler
from msw2.models.prior import Prior
from msw2.music.multitrack import from_multitrack, from_pretty_midi, to_multitrack, to_pretty_midi
from msw2.music.pianoroll import DEFAULT_TEMPO, cut_phrases, join_phrases
from msw2.system.files import replacing
from msw2.training.runs import Run, RunError

if TYPE_CHECKING:
    from pretty_midi import PrettyMIDI
    from pypianoroll import Multitrack

    Song = Multitrack | PrettyMIDI

CONFIG, PRIOR = "msw2/config.json", "msw2/prior.npz"  # members of a .keras file, beside Keras's own


class Band:
    """A trained sandwich at work on songs.

    Attributes:
        model: the sandwich, see `models.sandwich.build_sandwich`.
        config: what it was built from.
        prior: what `generate` draws from.
    """

    def __init__(self, model: keras.Model, config: Config, prior: Prior):
        self.model = model
        self.config = config
        self.prior = prior
        self._sampler = Sampler(model, config, prior)

    @classmethod
    def load(cls, path: str | os.PathLike) -> "Band":
        """Opens a finished run's directory, or a .keras file that `save` wrote.

        Raises:
            RunError: if there is neither, a stage is missing, or a file is damaged.
        """
        path = pathlib.Path(path)
        if path.suffix != ".keras":
            run = Run.open(path)
            sandwich, prior = run.load_sandwich()
            return cls(sandwich, run.config, prior)
        try:
            with zipfile.ZipFile(path) as archive:
                config = Config.restored(json.loads(archive.read(CONFIG)))
                prior = Prior.read(io.BytesIO(archive.read(PRIOR)))
            model = keras.models.load_model(path, compile=False)
        except FileNotFoundError as error:
            raise RunError(f"no model at {path}: `make export` writes one") from error
        except (OSError, KeyError, TypeError, ValueError, zipfile.BadZipFile) as error:
            raise RunError(f"{path} is damaged, or no .keras file of msw2") from error
        return cls(model, config, prior)

    def save(self, path: str | os.PathLike) -> None:
        """Writes one .keras file, whole or not at all; `load` and `keras.models.load_model` read it.

        Args:
            path: ends in .keras.

        Raises:
            ValueError: if it does not.
        """
        if pathlib.Path(path).suffix != ".keras":
            raise ValueError(f"{path} does not end in .keras")
        prior = io.BytesIO()
        self.prior.write(prior)
        with replacing(path) as temporary:
            self.model.save(temporary)
            with zipfile.ZipFile(temporary, "a") as archive:
                archive.writestr(CONFIG, json.dumps(dataclasses.asdict(self.config)))
                archive.writestr(PRIOR, prior.getvalue())

    def summary(self) -> None:
        """Prints the parts of the sandwich, their shapes and their weights."""
        self.model.summary()

    def restore(self, song: "Song") -> "Song":
        """Takes a song through the whole sandwich and back.

        Args:
            song: a `pypianoroll.Multitrack` or `pretty_midi.PrettyMIDI` in 4/4; not changed.

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
        restored = join_phrases(self._sampler.restore(cut_phrases(cells, grid)))
        return write(restored[: len(cells)], grid, tempo)  # the last phrase was padded

    def generate(
        self,
        songs: int = 1,
        *,
        phrases: int = 4,
        seed: int = 0,
        temperature: float = 1.0,
        tempo: float = DEFAULT_TEMPO,
    ) -> "list[Multitrack]":
        """Makes songs from nothing; the same seed gives the same songs.

        Args:
            songs: how many.
            phrases: phrases a song, of four bars each.
            seed: of the first phrase; the others count on from it.
            temperature: spread of the prior; 1 as fitted, 0 for its centres.
            tempo: quarter notes a minute.

        Raises:
            SilenceError: if too many phrases have a silent bar.
        """
        made, _ = self._sampler.compose(songs, phrases, seed=seed, temperature=temperature)
        return [to_multitrack(join_phrases(np.asarray(song)), self.config.grid, tempo) for song in made]


_KINDS = {
    "Multitrack": (from_multitrack, to_multitrack),
    "PrettyMIDI": (from_pretty_midi, to_pretty_midi),
}

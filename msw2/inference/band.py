"""A trained sandwich for people who program: songs go in and come out as objects of pypianoroll or pretty_midi."""

import os
import pathlib
from typing import TYPE_CHECKING

import keras
import numpy as np

from msw2.config import Config
from msw2.inference import verbs
from msw2.inference.band_verbs import BandVerbs
from msw2.inference.model_file import write_model_file
from msw2.inference.pictures import draw_pianorolls
from msw2.inference.plans import draw_all
from msw2.inference.sampling import Sampler
from msw2.inference.song_files import write_file
from msw2.inference.song_objects import object_like, read_object
from msw2.inference.songs import composes
from msw2.inference.trained import PACKAGED, open_trained
from msw2.models.prior_file import AnyPrior
from msw2.music.multitrack import to_multitrack
from msw2.music.pianoroll import DEFAULT_TEMPO, cut_phrases, join_phrases

if TYPE_CHECKING:
    from pypianoroll import Multitrack

    from msw2.inference.song_objects import AnySong, Song

PICTURE = ".png"


class Band(BandVerbs):
    """A trained sandwich at work on songs.

    Where its prior has learnt songs, it has the verbs of `BandVerbs`, too: `continue_`, `infill`, `accompany`,
    `interpolate`, `vary`.

    Attributes:
        model: the sandwich, see `models.sandwich.build_sandwich`.
        config: what it was built from.
        prior: what `generate` draws from.
        preset: name of the preset that the config began with, empty where nothing says so.
    """

    def __init__(self, model: keras.Model, config: Config, prior: AnyPrior, preset: str = ""):
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
        grid = self.config.grid
        cells, tempo = self._read(song)
        restored = join_phrases(self._sampler.restore(cut_phrases(cells, grid), progress=progress))
        return object_like(song, restored[: len(cells)], grid, tempo)  # the last phrase was padded

    def generate(
        self,
        songs: int = 1,
        *,
        bars: int | None = None,
        phrases: int | None = None,
        seed: int = 0,
        temperature: float = 1.0,
        tempo: float = DEFAULT_TEMPO,
        progress: bool = False,
    ) -> "list[Multitrack]":
        """Makes songs from nothing; the same seed gives the same songs.

        A prior that has learnt songs draws each as a whole, with a begin and an end. Others draw phrases one by one,
        and those with a silent bar are left out.

        Args:
            songs: how many, at least 1.
            bars: bars a song, at least 1; for priors that have learnt songs.
            phrases: instead of bars, phrases a song, of four bars each, at least 1. Without both, it is 4.
            seed: of the first song, or of the first phrase; the others count on from it.
            temperature: spread of the prior; 1 as learnt, 0 for its centres.
            tempo: quarter notes a minute.
            progress: whether to show on standard error how far it is.

        Raises:
            NoComposerError: if bars are asked for, and the prior has not learnt songs.
            SilenceError: if too many phrases have a silent bar.
            ValueError: for fewer than one song, bar or phrase, or for bars and phrases together.
        """
        if bars is not None and phrases is not None:
            raise ValueError(f"{bars} bars and {phrases} phrases are both given: one of them is enough")
        phrases = 4 if phrases is None else phrases
        if songs < 1 or phrases < 1:
            raise ValueError(f"{songs} songs of {phrases} phrases cannot be made: at least 1 of each")
        grid = self.config.grid
        if bars is None and not composes(self.config):
            made, _ = self._sampler.compose(
                songs, phrases, seed=seed, temperature=temperature, progress=progress
            )
            return [to_multitrack(join_phrases(song), grid, tempo) for song in made]
        sketch = verbs.from_nothing(phrases * grid.bars if bars is None else bars, grid)
        drawn = draw_all(
            self._composer, [sketch] * songs, seed=seed, temperature=temperature, progress=progress
        )
        return [to_multitrack(song, grid, tempo) for song in drawn]

    def encode(self, song: "AnySong") -> np.ndarray:
        """Returns the latents of a song: the means of the MFG-VAE. `decode` makes music of them.

        Args:
            song: as for `restore`. Silence pads its last phrase.

        Returns:
            float32 [phrase, unit, latent]. A unit is a bar, or a phrase where the BVAEs read phrases.

        Raises:
            SongError, TypeError: as `restore`.
        """
        cells, _ = self._read(song)
        return self._sampler.encode(cut_phrases(cells, self.config.grid))

    def decode(self, latents: np.ndarray, *, tempo: float = DEFAULT_TEMPO) -> "Multitrack":
        """Makes a song of latents; `decode(encode(song))` is what `restore` makes, in whole phrases.

        Args:
            latents: [phrase, unit, latent], finite numbers, at least one phrase.
            tempo: quarter notes a minute.

        Raises:
            ValueError: if their shape is another one, or a number is not finite.
        """
        latents = np.asarray(latents, np.float32)
        units, width = self._sampler.latent_shape
        if latents.ndim != 3 or latents.shape[1:] != (units, width) or not len(latents):
            raise ValueError(
                f"latents of shape {latents.shape} are not [1 or more phrases, {units}, {width}]"
            )
        if not np.isfinite(latents).all():
            raise ValueError("latents are not all finite numbers")
        return to_multitrack(join_phrases(self._sampler.decode(latents)), self.config.grid, tempo)

    def write(self, path: str | os.PathLike, song: "AnySong") -> None:
        """Writes a song as a file to play or to compute with, whole or not at all.

        Args:
            path: ends in `.mid`, `.ogg`, `.wav` or `.npz` (pypianoroll); missing folders are made.
            song: as for `restore`; what lies off the grid is left out. Notes on the beat are louder.

        Raises:
            SongError, TypeError: as `restore`.
            SoundError: if its sound is asked for, and the song is too long for it.
            ValueError: for another suffix.
        """
        cells, tempo = self._read(song)
        write_file(path, cells, self.config.grid, tempo)

    def draw(self, path: str | os.PathLike, songs: "dict[str, AnySong]") -> None:
        """Draws the pianorolls of songs side by side, as a PNG, whole or not at all.

        Args:
            path: ends in `.png`; missing folders are made.
            songs: title -> song, as for `restore`, at least one.

        Raises:
            SongError, TypeError: as `restore`.
            ValueError: for another suffix, or without songs.
        """
        if pathlib.Path(path).suffix.lower() != PICTURE:
            raise ValueError(f"{path} does not end in {PICTURE}")
        if not isinstance(songs, dict):
            raise TypeError(f"{type(songs).__name__} is not a dict of titles and songs")
        cells = {title: self._read(song)[0] for title, song in songs.items()}
        draw_pianorolls(path, cells, self.config.grid)

    def _read(self, song: "AnySong") -> tuple[np.ndarray, float]:
        """Returns a song on the grid, bool [step, pitch, track], and its tempo."""
        return read_object(song, self.config.grid)

"""The verbs of a `Band`: each takes a song, and returns one of the same kind, with the tempo of the song."""

import functools
from collections.abc import Sequence
from typing import TYPE_CHECKING

import keras

from msw2.config import Config
from msw2.inference import verbs
from msw2.inference.song_objects import object_like, read_object
from msw2.inference.songs import Composer
from msw2.models.prior_file import AnyPrior

if TYPE_CHECKING:
    from msw2.inference.song_objects import AnySong, Song


class BandVerbs:
    """What a sandwich whose prior has learnt songs does with a song.

    What is given comes back untouched, cell for cell. The same seed gives the same song. Every verb raises:

    * NoComposerError: if the prior has learnt phrases, not songs.
    * SongError: if a song does not fit the grid, or has no notes.
    * TypeError: for an object of another kind.
    * VerbError, a ValueError: if what is asked does not fit the song.

    Attributes:
        model: the sandwich.
        config: what it was built from.
        prior: what is drawn from.
    """

    model: keras.Model
    config: Config
    prior: AnyPrior

    def continue_(self, song: "Song", bars: int = 16, *, seed: int = 0, temperature: float = 1.0) -> "Song":
        """Returns a song and the bars after it.

        Args:
            song: a `pypianoroll.Multitrack` or `pretty_midi.PrettyMIDI` in 4/4; not changed.
            bars: to write after its last one, at least 1. The song ends with them.
            seed: of the draw.
            temperature: 1 as learnt; less is likelier, and more alike.
        """
        return self._complete(song, verbs.continuation, bars, seed=seed, temperature=temperature)

    def infill(
        self, song: "Song", first_bar: int, last_bar: int, *, seed: int = 0, temperature: float = 1.0
    ) -> "Song":
        """Returns a song with a range of bars written anew, in all tracks.

        Args:
            song: as for `continue_`.
            first_bar: counted as musicians count, from 1.
            last_bar: the last one to write: `infill(song, 5, 8)` writes four bars.
            seed: of the draw.
            temperature: as for `continue_`.
        """
        return self._complete(song, verbs.gap, first_bar, last_bar, seed=seed, temperature=temperature)

    def accompany(
        self, song: "Song", tracks: Sequence[str], *, seed: int = 0, temperature: float = 1.0
    ) -> "Song":
        """Returns a song with some tracks written anew, in all bars, to go with the others.

        Args:
            song: as for `continue_`. Its notes in these tracks are dropped.
            tracks: names of `music.tracks.TRACK_NAMES`: `["bass", "drums"]`.
            seed: of the draw.
            temperature: as for `continue_`.
        """
        return self._complete(song, verbs.without_tracks, tracks, seed=seed, temperature=temperature)

    def interpolate(self, first: "Song", second: "AnySong", points: int = 7, *, seed: int = 0) -> "Song":
        """Returns a path from the first phrase of a song to that of another, as one song.

        Args:
            first: as for `continue_`, of at least four bars, which are a phrase. It gives the tempo.
            second: as `first`.
            points: phrases of the path. It begins with the first phrase restored, and ends with the second restored.
            seed: nothing is drawn, so it changes nothing.
        """
        start, tempo = read_object(first, self.config.grid)
        end, _ = read_object(second, self.config.grid)
        path = verbs.path(start, end, points, self.config.grid)
        return object_like(first, path.drawn(self._composer, seed=seed), self.config.grid, tempo)

    def vary(self, song: "Song", amount: float = 0.3, *, seed: int = 0) -> "Song":
        """Returns a song with some bars of each track written anew, around the others, which stay as they are.

        Args:
            song: as for `continue_`.
            amount: the share of the bars of each track that is written anew, 0 to 1.
            seed: of the draw.
        """
        cells, tempo = read_object(song, self.config.grid)
        made = verbs.variation(cells, amount, self.config.grid).drawn(self._composer, seed=seed)
        return object_like(song, made, self.config.grid, tempo)

    @functools.cached_property
    def _composer(self) -> Composer:
        """Built when it is needed: the network takes seconds."""
        return Composer(self.model, self.config, self.prior)

    def _complete(self, song: "Song", sketched, *asked, seed: int, temperature: float) -> "Song":
        """Returns a song completed as a function of `verbs` sketches it."""
        cells, tempo = read_object(song, self.config.grid)
        sketch = sketched(cells, *asked, self.config.grid)
        made = sketch.drawn(self._composer, seed=seed, temperature=temperature)
        return object_like(song, made, self.config.grid, tempo)

"""Songs of any length: what is not given of them is drawn by the diffusion prior, around what is.

Bars enter by the BVAEs' encoders and leave by the MFG-VAE and the BVAEs' decoders. What is given comes back untouched.
"""

from collections.abc import Callable

import keras
import numpy as np
import tensorflow as tf

from msw2.config import Config
from msw2.inference.sampling import PhraseFunctions, in_chunks
from msw2.inference.trained import Trained
from msw2.inference.windows import complete_in_windows, shares, to_nobody, vary_in_windows
from msw2.models.diffusion import SIGMAS, DiffusionPrior, SongDraws, places
from msw2.models.prior_file import AnyPrior
from msw2.models.sandwich import encoding_view
from msw2.music.tracks import TRACK_NAMES

CHUNK = 4  # phrases that are computed together
BETWEEN = 2.0  # noise in the middle between two songs: without it, there is half of the notes of both
NEAREST = 0.5  # noise of the smallest variation; `SIGMAS[0]` leaves nothing
NO_SONGS = "the prior {!r} of this model has learnt phrases, not songs: train one with the recipe songs"


class NoComposerError(Exception):
    """A model that cannot compose; the message is one sentence for the user."""


class SongFunctions:
    """What the verbs need, as tensors of songs of one length, in whole phrases, at most `windows.WINDOW` bars.

    What they share is traced once.

    Args:
        sandwich: the trained whole.
        config: what it was built from.
        prior: has learnt songs; or what it draws with, where that is there already.
    """

    def __init__(self, sandwich: keras.Model, config: Config, prior: DiffusionPrior | SongDraws):
        self.config = config
        self.phrase_shape = (*config.grid.phrase_shape, len(TRACK_NAMES))
        self._encode = encoding_view(sandwich)
        self._draws = prior.on(sandwich)
        self._phrases = PhraseFunctions(sandwich, config, self._draws, chunk=CHUNK)
        song = tf.TensorSpec([None, None, *self.phrase_shape[1:]], tf.bool)
        codes = tf.TensorSpec([None, None, len(TRACK_NAMES), config.bvae_latent])
        self._codes = tf.function(self._encoded, [song], autograph=False)
        self._made = tf.function(self._decoded, [codes], autograph=False)

    def complete(self, pianoroll, given, where, seed, temperature):
        """Draws the bars and tracks of songs that are not given.

        Args:
            pianoroll: bool [song, bar, step, pitch, track]; what is not given is not looked at.
            given: bool [song, bar, track].
            where: int32 [song, 2], the number in the song of the first of these bars, and the bars of the song.
            seed: int64 [song].
            temperature: float32 [song].

        Returns:
            bool, the shape of `pianoroll`; its own cells where it is given.
        """

        def one(*song):
            cells, given, where, seed, temperature = (each[None] for each in song)
            seen = given[:, :, None, None]
            codes = self._codes(cells & seen)
            units = tf.reshape(given, [1, -1, self.config.unit_bars, len(TRACK_NAMES)])
            units = tf.cast(tf.reduce_all(units, axis=2), tf.float32)
            drawn = self._draws.complete(codes, units, self._places(cells, where), seed, temperature)
            return tf.where(seen, cells, self._made(drawn))[0]

        return self._each(one, pianoroll, given, where, seed, temperature)

    def vary(self, pianoroll, amount, seed, where=None):
        """Draws songs that are like given ones.

        Args:
            pianoroll: bool [song, bar, step, pitch, track].
            amount: float32 [song], 0 for hardly another, 1 for nothing in common.
            seed: int64 [song].
            where: as for `complete`; None: these are whole songs.

        Returns:
            bool, the shape of `pianoroll`.
        """

        def one(*song):
            cells, amount, seed, where = (each[None] for each in song)
            sigma = NEAREST * (SIGMAS[0] / NEAREST) ** amount
            drawn = self._draws.vary(self._codes(cells), sigma, self._places(cells, where), seed)
            return self._made(drawn)[0]

        return self._each(one, pianoroll, amount, seed, _whole(pianoroll) if where is None else where)

    def between(self, first, second, share, seed):
        """Draws what lies between two songs of one length.

        Args:
            first: bool [song, bar, step, pitch, track].
            second: of the same shape.
            share: float32 [song], of the second: 0 restores the first, 1 the second.
            seed: int64 [song]; with the same seed, near shares give like music.

        Returns:
            bool, the shape of `first`.
        """

        def one(*song):
            first, second, share, seed = (each[None] for each in song)
            weight = share[:, None, None, None]
            codes = (1 - weight) * self._codes(first) + weight * self._codes(second)
            sigma = tf.maximum(BETWEEN * tf.sqrt(4 * share * (1 - share)), NEAREST)
            drawn = self._draws.vary(codes, sigma, self._places(first, _whole(first)), seed)
            end = (share == 0) | (share == 1)
            return self._made(tf.where(end[:, None, None, None], codes, drawn))[0]

        return self._each(one, first, second, share, seed)

    def _each(self, one, *rows):
        """Applies a function to one song after the other, so that none depends on its batch."""
        cells = tf.TensorSpec([None, *self.phrase_shape[1:]], tf.bool)
        return tf.map_fn(lambda song: one(*song), rows, fn_output_signature=cells)

    def _encoded(self, cells):
        """Maps bool [song, bar, step, pitch, track] to codes [song, unit, track, number]."""
        phrases = tf.reshape(cells, [-1, *self.phrase_shape])
        width = self.config.bvae_latent

        def means(phrases):
            made = self._encode(phrases)[..., :width]
            return tf.reshape(made, [-1, self.config.units, len(TRACK_NAMES), width])

        made = in_chunks(means, phrases, size=CHUNK, dtype=tf.float32)
        units = tf.shape(cells)[1] // self.config.unit_bars
        return self._draws.codes_of(tf.reshape(made, [tf.shape(cells)[0], units, len(TRACK_NAMES), width]))

    def _decoded(self, codes):
        """Maps codes to bool [song, bar, step, pitch, track]."""
        latents = self._draws.latents(codes)
        phrases = tf.reshape(latents, [-1, self.config.units, self.config.fusion_latent])
        cells = self._phrases.decode(phrases)
        return tf.reshape(cells, [tf.shape(codes)[0], -1, *self.phrase_shape[1:]])

    def _places(self, cells, where):
        """Returns where the units of a window lie in their songs, float32 [song, unit, 2]; see `diffusion.places`."""
        begin, length = where[:, :1], where[:, 1:]
        bars = begin + tf.range(0, tf.shape(cells)[1], self.config.unit_bars)[None]
        after = tf.maximum(length - self.config.unit_bars - bars, 0)
        return places(tf.cast(bars, tf.float32), tf.cast(after, tf.float32))


def _whole(cells):
    """Returns where whole songs lie, int32 [song, 2]; see `SongFunctions.complete`."""
    rows, bars = tf.shape(cells)[0], tf.shape(cells)[1]
    return tf.stack([tf.zeros([rows], tf.int32), tf.fill([rows], bars)], axis=1)


class Composer:
    """`SongFunctions` for a song as an array, of any length.

    Args:
        sandwich: the trained whole.
        config: what it was built from.
        prior: what it draws from.

    Raises:
        NoComposerError: if the prior has not learnt songs.
    """

    def __init__(self, sandwich: keras.Model, config: Config, prior: AnyPrior):
        if not isinstance(prior, DiffusionPrior):
            raise NoComposerError(NO_SONGS.format(config.prior))
        self.grid, self.config = config.grid, config
        functions = SongFunctions(sandwich, config, prior)
        song = tf.TensorSpec([None, None, *functions.phrase_shape[1:]], tf.bool)
        where, wide = tf.TensorSpec([None, 2], tf.int32), tf.TensorSpec([None], tf.int64)
        real, mask = tf.TensorSpec([None], tf.float32), tf.TensorSpec([None, None, len(TRACK_NAMES)], tf.bool)
        self._complete = tf.function(functions.complete, [song, mask, where, wide, real])
        self._vary = tf.function(functions.vary, [song, real, wide, where])
        self._between = tf.function(functions.between, [song, song, real, wide])

    @classmethod
    def of(cls, trained: Trained) -> "Composer":
        """Returns the composer of a finished run, or of a .keras file.

        Raises:
            NoComposerError: if its prior has not learnt songs.
            RunError: if a stage is missing, or a file is damaged.
        """
        check_composes(trained.config)  # first: to read the weights takes seconds
        sandwich, prior = trained.load_sandwich()
        return cls(sandwich, trained.config, prior)

    def complete(
        self,
        song: np.ndarray,
        given: np.ndarray,
        *,
        seed: int,
        temperature: float = 1.0,
        told: Callable[[int], None] = to_nobody,
    ) -> np.ndarray:
        """Draws the bars and tracks of a song that are not given.

        A long song is drawn in windows; see `windows`.

        Args:
            song: bool [bar, step, pitch, track]; what is not given is not looked at.
            given: bool [bar, track].
            seed: the same one draws the same.
            temperature: 1 as learnt; less is likelier, and more alike.
            told: is called with the bars that are done, after each window.

        Returns:
            bool, the shape of `song`; its own cells where it is given.
        """
        heat = np.float32([temperature])

        def draw(cells, known, where, seed):
            drawn = self._complete(cells[None], known[None], np.int32([where]), np.int64([seed]), heat)
            return drawn[0].numpy()

        return complete_in_windows(draw, song, given, phrase=self.grid.bars, seed=seed, told=told)

    def vary(
        self, song: np.ndarray, amount: float, *, seed: int, told: Callable[[int], None] = to_nobody
    ) -> np.ndarray:
        """Draws a song that is like a given one.

        Args:
            song: bool [bar, step, pitch, track].
            amount: 0 for hardly another, 1 for nothing in common.
            seed: the same one draws the same.
            told: is told after each window how many bars are drawn.

        Returns:
            bool, the shape of `song`.
        """
        share = np.float32([amount])

        def draw(cells, where, seed):
            return self._vary(cells[None], share, np.int64([seed]), np.int32([where]))[0].numpy()

        return vary_in_windows(draw, song, phrase=self.grid.bars, seed=seed, told=told)

    def between(self, first: np.ndarray, second: np.ndarray, points: int, *, seed: int) -> np.ndarray:
        """Draws a path from one phrase to another.

        Args:
            first: bool [bar, step, pitch, track].
            second: of the same shape.
            points: of the path; the first and the last are the restorations of the two phrases.
            seed: the same one draws the same.

        Returns:
            bool [point, bar, step, pitch, track].
        """
        ends = (np.repeat(each[None], points, axis=0) for each in (first, second))
        return self._between(*ends, shares(points), np.full(points, seed, np.int64)).numpy()


def composes(config: Config) -> bool:
    """Returns whether the prior of a model learns songs, and not phrases alone."""
    return config.prior == "diffusion"


def check_composes(config: Config) -> None:
    """Refuses models whose prior learns phrases alone.

    Raises:
        NoComposerError: naming the prior, and what to take instead.
    """
    if not composes(config):
        raise NoComposerError(NO_SONGS.format(config.prior))

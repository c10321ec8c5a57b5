"""Songs of any length: what is not given of them is written by the notes prior, around what is.

Bars enter by the BVAEs' encoders and leave by the MFG-VAE and the BVAEs' decoders. What is given comes back untouched.
"""

from collections.abc import Callable

import keras
import numpy as np
import tensorflow as tf

from msw2.config import Config
from msw2.inference.sampling import PhraseFunctions
from msw2.inference.trained import Trained
from msw2.inference.windows import complete_in_windows, shares, to_nobody, vary_in_windows
from msw2.models.notes_prior import NotesDraws, NotesPrior, places
from msw2.models.prior_file import AnyPrior
from msw2.music.tracks import TRACK_NAMES

CHUNK = 4  # phrases that are computed together
LOTS = -1  # number of the draw of what is varied: none of a unit
NO_SONGS = (
    "the prior {!r} of this model has learnt phrases, not songs: take the packaged weights tuned, or train a model "
    "with --prior=notes"
)


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

    def __init__(self, sandwich: keras.Model, config: Config, prior: NotesPrior | NotesDraws):
        self.config = config
        self.phrase_shape = (*config.grid.phrase_shape, len(TRACK_NAMES))
        self._draws = prior.on(sandwich)
        self._phrases = PhraseFunctions(sandwich, config, self._draws, chunk=CHUNK)
        song = tf.TensorSpec([None, None, *self.phrase_shape[1:]], tf.bool)
        latents = tf.TensorSpec([None, None, config.fusion_latent])
        self._latents = tf.function(self._encoded, [song], autograph=False)
        self._cells = tf.function(self._decoded, [latents], autograph=False)

    def complete(self, pianoroll, given, where, seed, temperature):
        """Writes the bars and tracks of songs that are not given.

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
            return self._written(cells, given, where, seed, temperature)[0]

        return self._each(one, pianoroll, given, where, seed, temperature)

    def vary(self, pianoroll, amount, seed, where=None):
        """Writes some of the bars of each track anew, around the others.

        Args:
            pianoroll: bool [song, bar, step, pitch, track].
            amount: float32 [song], the share of the bars of each track that is written anew: 0 for none, 1 for all.
            seed: int64 [song].
            where: as for `complete`; None: these are whole songs.

        Returns:
            bool, the shape of `pianoroll`.
        """

        def one(*song):
            cells, amount, seed, where = (each[None] for each in song)
            units = [tf.shape(cells)[1] // self.config.unit_bars, len(TRACK_NAMES)]
            lots = tf.random.stateless_uniform(units, tf.stack([seed[0], LOTS]))
            kept = tf.repeat(lots >= amount[:, None], self.config.unit_bars, axis=0)
            return self._written(cells, kept[None], where, seed, tf.ones_like(amount))[0]

        return self._each(one, pianoroll, amount, seed, _whole(pianoroll) if where is None else where)

    def between(self, first, second, share, seed):
        """Makes what lies between two songs of one length: on the arc between their latents, which keeps their length.

        Args:
            first: bool [song, bar, step, pitch, track].
            second: of the same shape.
            share: float32 [song], of the second: 0 restores the first, 1 the second.
            seed: int64 [song]; nothing is drawn, so it changes nothing.

        Returns:
            bool, the shape of `first`.
        """

        def one(*song):
            first, second, share, _ = (each[None] for each in song)
            ends = self._latents(first), self._latents(second)
            return self._cells(_arc(*ends, share[:, None, None]))[0]

        return self._each(one, first, second, share, seed)

    def _each(self, one, *rows):
        """Applies a function to one song after the other, so that none depends on its batch."""
        cells = tf.TensorSpec([None, *self.phrase_shape[1:]], tf.bool)
        return tf.map_fn(lambda song: one(*song), rows, fn_output_signature=cells)

    def _written(self, cells, given, where, seed, temperature):
        """Returns what `complete` does."""
        config = self.config
        seen, tracks = given[:, :, None, None], len(TRACK_NAMES)
        songs = tf.shape(cells)[0]
        by_unit = tf.reshape(cells & seen, [songs, -1, config.unit_steps, config.pitches, tracks])
        by_unit = tf.transpose(by_unit, [0, 1, 4, 2, 3])
        by_unit = tf.reshape(by_unit, [songs, -1, tracks, config.unit_steps * config.pitches])
        whole = tf.reduce_all(tf.reshape(given, [songs, -1, config.unit_bars, tracks]), axis=2)
        drawn = self._draws.complete(by_unit, whole, self._places(cells, where), seed, temperature)
        return tf.where(seen, cells, self._cells(self._draws.latents(drawn)))

    def _encoded(self, cells):
        """Maps bool [song, bar, step, pitch, track] to latents, float32 [song, unit, latent]."""
        phrases = tf.reshape(cells, [-1, *self.phrase_shape])
        latents = self._phrases.encode(phrases)
        return tf.reshape(latents, [tf.shape(cells)[0], -1, self.config.fusion_latent])

    def _decoded(self, latents):
        """Maps latents, float32 [song, unit, latent], to bool [song, bar, step, pitch, track]."""
        phrases = tf.reshape(latents, [-1, self.config.units, self.config.fusion_latent])
        cells = self._phrases.decode(phrases)
        return tf.reshape(cells, [tf.shape(latents)[0], -1, *self.phrase_shape[1:]])

    def _places(self, cells, where):
        """Returns where the units of a window lie in their songs, float32 [song, unit, 2]; see `notes_prior.places`."""
        begin, length = where[:, :1], where[:, 1:]
        bars = begin + tf.range(0, tf.shape(cells)[1], self.config.unit_bars)[None]
        after = tf.maximum(length - self.config.unit_bars - bars, 0)
        return places(tf.cast(bars, tf.float32), tf.cast(after, tf.float32))


def _arc(first, second, share):
    """Returns what lies between vectors on the arc from one to the other, float32 [song, unit, latent].

    On the straight line the vectors in the middle would be shorter, and notes would go missing.
    """
    sizes = [tf.norm(each, axis=-1, keepdims=True) for each in (first, second)]
    cosine = tf.reduce_sum(first * second, axis=-1, keepdims=True) / tf.maximum(sizes[0] * sizes[1], 1e-6)
    angle = tf.acos(tf.clip_by_value(cosine, -1.0 + 1e-6, 1.0 - 1e-6))
    weights = [tf.sin((1 - share) * angle) / tf.sin(angle), tf.sin(share * angle) / tf.sin(angle)]
    return weights[0] * first + weights[1] * second


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
        if not isinstance(prior, NotesPrior):
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
        """Writes some of the bars of each track of a song anew, around the others.

        Args:
            song: bool [bar, step, pitch, track].
            amount: the share of the bars of each track that is written anew.
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
        """Makes a path from one phrase to another.

        Args:
            first: bool [bar, step, pitch, track].
            second: of the same shape.
            points: of the path; the first and the last are the restorations of the two phrases.
            seed: nothing is drawn, so it changes nothing.

        Returns:
            bool [point, bar, step, pitch, track].
        """
        ends = (np.repeat(each[None], points, axis=0) for each in (first, second))
        return self._between(*ends, shares(points), np.full(points, seed, np.int64)).numpy()


def composes(config: Config) -> bool:
    """Returns whether the prior of a model learns songs, and not phrases alone."""
    return config.prior == "notes"


def check_composes(config: Config) -> None:
    """Refuses models whose prior learns phrases alone.

    Raises:
        NoComposerError: naming the prior, and what to take instead.
    """
    if not composes(config):
        raise NoComposerError(NO_SONGS.format(config.prior))

"""A trained sandwich at work on phrases: generate, encode, decode, restore.

Every function treats a phrase by itself: the same phrase gives the same bytes alone or in any batch. A matrix product
may add up a row in another order when the batch has another size, and flip a cell at the threshold. So phrases pass
through in chunks of one fixed size, the last one padded.
"""

import keras
import numpy as np
import tensorflow as tf

from msw2.config import Config
from msw2.inference.trained import Trained
from msw2.models.losses import THRESHOLD
from msw2.models.prior_file import AnyPrior
from msw2.models.sandwich import decoding_view, latent_view
from msw2.music.tracks import TRACK_NAMES
from msw2.system.progress import Progress

CHUNK = 16  # phrases: 64 bars keep two cores busy
BATCH = 256  # phrases in memory at a time as tensors
ATTEMPTS = 8  # phrases drawn for each wanted one, before generation gives up


class SilenceError(Exception):
    """A model whose phrases nearly all have a silent bar; the message is one sentence for the user."""


class PhraseFunctions:
    """The functions that the SavedModel serves, as tensors of phrases; see `Sampler` for arrays.

    Latents are float32 [phrase, unit, MFG latent], pianorolls bool [phrase, bar, step, pitch, track].

    Args:
        sandwich: the trained whole.
        config: what it was built from.
        prior: what `generate` draws from.
        chunk: phrases that are computed together.
    """

    def __init__(self, sandwich: keras.Model, config: Config, prior: AnyPrior, *, chunk: int = CHUNK):
        self.config = config
        self._restore = sandwich
        self._encode = latent_view(sandwich)
        self._decoding = decoding_view(sandwich)
        self._prior = prior.on(sandwich)
        self._chunk = chunk

    @property
    def phrase_shape(self) -> tuple[int, int, int, int]:
        """(bars, steps, pitches, tracks) of a phrase."""
        return (*self.config.grid.phrase_shape, len(TRACK_NAMES))

    @property
    def latent_shape(self) -> tuple[int, int]:
        """(units, MFG latent) of a phrase's latents."""
        return (self.config.units, self.config.fusion_latent)

    def generate(self, seed, temperature, *, refined: bool = True):
        """Maps seeds, int64 [phrase], and temperatures, float32 [phrase], to pianorolls."""

        def make(seed, temperature):
            return self._decode(self._prior.sample(seed, temperature), refined)

        return in_chunks(make, seed, temperature, size=self._chunk, dtype=tf.bool)

    def encode(self, pianoroll):
        """Maps pianorolls to latents, the means of the MFG-VAE."""
        return in_chunks(self._encode, pianoroll, size=self._chunk, dtype=tf.float32)

    def decode(self, latent, *, refined: bool = True):
        """Maps latents to pianorolls."""
        return in_chunks(lambda x: self._decode(x, refined), latent, size=self._chunk, dtype=tf.bool)

    def restore(self, pianoroll, *, refined: bool = True):
        """Maps pianorolls to pianorolls, through the means of both levels."""

        def make(pianoroll):
            return self._binary(self._restore(pianoroll), refined)

        return in_chunks(make, pianoroll, size=self._chunk, dtype=tf.bool)

    def _decode(self, latent, refined: bool):
        return self._binary(self._decoding(tf.reshape(latent, [-1, self.config.fusion_latent])), refined)

    def _binary(self, made, refined: bool):
        """Returns which cells of the sandwich's output sound."""
        return made["pianoroll" if refined else "unrefined"] >= THRESHOLD


def in_chunks(function, *rows, size: int, dtype):
    """Applies a function of batches in chunks of one fixed size, in the graph.

    Args:
        function: from tensors [size, ...] to one tensor [size, ...].
        *rows: tensors [row, ...] of the same number of rows, any number.
        size: rows a chunk.
        dtype: of the result.

    Returns:
        [row, ...], what `function` makes of each row.
    """
    count = tf.shape(rows[0])[0]
    missing = -count % size

    def chunked(tensor):
        padded = tf.pad(tensor, [[0, missing]] + [[0, 0]] * (len(tensor.shape) - 1))
        return tf.reshape(padded, [-1, size, *tensor.shape[1:]])

    chunks = tuple(chunked(tensor) for tensor in rows)
    made = tf.map_fn(lambda chunk: function(*chunk), chunks, fn_output_signature=dtype)
    return tf.reshape(made, [-1, *made.shape[2:]])[:count]


class Sampler:
    """`PhraseFunctions` for NumPy arrays of any length.

    Args:
        sandwich: the trained whole.
        config: what it was built from.
        prior: what `generate` draws from.
    """

    def __init__(self, sandwich: keras.Model, config: Config, prior: AnyPrior):
        functions = PhraseFunctions(sandwich, config, prior)
        self.sandwich = sandwich
        self.grid = functions.config.grid
        self.latent_shape = functions.latent_shape
        self._shape = functions.phrase_shape
        specs = tf.TensorSpec([None], tf.int64), tf.TensorSpec([None], tf.float32)
        self._generate = {
            refined: tf.function(lambda s, t, r=refined: functions.generate(s, t, refined=r), specs)
            for refined in (True, False)
        }
        spec = (tf.TensorSpec([None, *self._shape], tf.bool),)
        self._restore = {
            refined: tf.function(lambda p, r=refined: functions.restore(p, refined=r), spec)
            for refined in (True, False)
        }
        self._encode = tf.function(functions.encode, spec)
        latents = (tf.TensorSpec([None, *self.latent_shape], tf.float32),)
        self._decode = tf.function(functions.decode, latents)

    @classmethod
    def of(cls, trained: Trained) -> "Sampler":
        """Returns the sampler of a finished run, or of a .keras file.

        Raises:
            RunError: if a stage is missing, or a file is damaged.
        """
        sandwich, prior = trained.load_sandwich()
        return cls(sandwich, trained.config, prior)

    def generate(
        self, phrases: int, *, seed: int, temperature: float, refined: bool = True, progress: bool = True
    ) -> np.ndarray:
        """Makes phrases from nothing; the i-th has seed `seed + i` and does not depend on the others.

        Args:
            phrases: how many.
            seed: of the first phrase.
            temperature: 1 for the fitted prior; less draws nearer to its centres.
            refined: whether the refiners have the last word (MSG2 of Table I), or the BVAEs (MSG1).
            progress: whether to show how far it is.

        Returns:
            bool [phrase, bar, step, pitch, track].
        """
        seeds = np.arange(seed, seed + phrases, dtype=np.int64)
        temperatures = np.full(phrases, temperature, np.float32)
        return self._batched("generating" if progress else "", self._generate[refined], seeds, temperatures)

    def restore(self, phrases: np.ndarray, *, refined: bool = True, progress: bool = True) -> np.ndarray:
        """Takes phrases through the whole sandwich, by posterior means.

        Args:
            phrases: bool [phrase, bar, step, pitch, track].
            refined: as for `generate`.
            progress: whether to show how far it is.

        Returns:
            bool, same shape.
        """
        return self._batched("restoring" if progress else "", self._restore[refined], phrases)

    def encode(self, phrases: np.ndarray) -> np.ndarray:
        """Returns the latents of phrases: the means of the MFG-VAE.

        Args:
            phrases: bool [phrase, bar, step, pitch, track].

        Returns:
            float32 [phrase, unit, MFG latent].
        """
        return self._batched("", self._encode, phrases)

    def decode(self, latents: np.ndarray) -> np.ndarray:
        """Returns the phrases of latents, refined.

        Args:
            latents: float32 [phrase, unit, MFG latent].

        Returns:
            bool [phrase, bar, step, pitch, track].
        """
        return self._batched("", self._decode, latents)

    def compose(
        self,
        songs: int,
        phrases: int,
        *,
        seed: int,
        temperature: float,
        refined: bool = True,
        progress: bool = True,
    ) -> tuple[np.ndarray, np.ndarray]:
        """Makes songs of phrases without a silent bar: some track sounds in every bar.

        Phrases are drawn with the seeds `seed`, `seed + 1`, ...; those with a silent bar are left out.

        Args:
            songs: how many.
            phrases: phrases a song.
            seed: of the first phrase.
            temperature: as for `generate`.
            refined: as for `generate`.
            progress: whether to show how far it is.

        Returns:
            bool [song, phrase, bar, step, pitch, track] and the seeds, int64 [song, phrase].

        Raises:
            SilenceError: if too many phrases have a silent bar.
        """
        wanted, drawn = songs * phrases, 0
        made, seeds = [np.zeros((0, *self._shape), bool)], np.zeros(0, np.int64)
        while len(seeds) < wanted:
            if drawn >= ATTEMPTS * wanted:
                raise SilenceError(
                    f"only {len(seeds)} of {drawn} generated phrases have no silent bar, {wanted} are needed: "
                    "train longer, or give another --temperature"
                )
            count = -(-(wanted - len(seeds)) // CHUNK) * CHUNK
            batch = self.generate(
                count, seed=seed + drawn, temperature=temperature, refined=refined, progress=progress
            )
            sounding = batch.any(axis=(2, 3, 4)).all(axis=1)
            made.append(batch[sounding])
            seeds = np.append(seeds, seed + drawn + np.flatnonzero(sounding))
            drawn += count
        result = np.concatenate(made)[:wanted]
        return result.reshape(songs, phrases, *self._shape), seeds[:wanted].reshape(songs, phrases)

    def _batched(self, what: str, function, *rows: np.ndarray) -> np.ndarray:
        """Applies a function to rows, a batch at a time; shows how far it is, as `what`, unless that is empty."""
        made = []
        progress = Progress(len(rows[0]), "phrases", label=what) if what else None
        for start in range(0, len(rows[0]), BATCH) or [0]:  # the result of no rows has a shape, too
            made.append(function(*(array[start : start + BATCH] for array in rows)).numpy())
            if progress:
                progress.update(min(start + BATCH, len(rows[0])))
        if progress:
            progress.close()
        return np.concatenate(made)

"""What the notes prior trains on: stretches of songs, and which of their bars and tracks are given."""

import dataclasses

import numpy as np
import tensorflow as tf

from msw2.config import Config
from msw2.config.prior import BARS
from msw2.data.song_bars import SongBars
from msw2.data.store import Store
from msw2.models.notes_prior import places
from msw2.models.sandwich import part_seed
from msw2.music.tracks import TRACK_NAMES
from msw2.training.note_rows import LENGTH, repeats_of, rows_of

SONGS = 8  # stretches a step
PLACES_A_BAR = 32  # of the rows: bars have 47 notes and ends on average, and many are given or repeats
# What is given of a stretch: nothing up to the first of these shares of all stretches, whole bars up to the second,
# whole tracks up to the third, bars and tracks up to the fourth, and then any units.
NOTHING, WHOLE_BARS, WHOLE_TRACKS, BOTH = 0.3, 0.55, 0.8, 0.9
MAX_HELD_OUT = 16  # batches of validation songs


@dataclasses.dataclass(frozen=True, eq=False)
class SongFeed:
    """Random stretches of songs.

    A batch is a dictionary of the inputs of `writing.Surprise`, and what is learnt of it, float32 [row, place, 2]. Each
    step draws from its own seed. So a training that is continued reads what it would have read.

    Attributes:
        config: sizes, seed, transposition.
        train: training songs.
        validation: validation songs.
        steps: batches an epoch.
    """

    config: Config
    train: SongBars
    validation: SongBars
    steps: int

    @classmethod
    def of(cls, config: Config, store: Store) -> "SongFeed":
        """Reads the songs of a store.

        Raises:
            StoreError: if it is damaged.
        """
        bars = store.count("train") * config.bars
        train, validation = (SongBars.of(store, split) for split in ("train", "validation"))
        return cls(config, train, validation, -(-bars // (SONGS * BARS)))

    def batches(self, first_epoch: int, epochs: int) -> tf.data.Dataset:
        """Returns the batches from an epoch on, up to `epochs` in all."""
        return self._dataset(self.train, "train", first_epoch * self.steps, epochs * self.steps)

    def held_out(self) -> tf.data.Dataset | None:
        """Returns batches of validation songs, always the same; None if there are no such songs."""
        if not len(self.validation):
            return None
        count = min(MAX_HELD_OUT, -(-len(self.validation) // SONGS))
        return self._dataset(self.validation, "validation", 0, count).cache()

    def _dataset(self, songs: SongBars, split: str, first: int, end: int) -> tf.data.Dataset:
        seed = part_seed(self.config, f"prior_{split}")
        transpose = self.config.transpose if split == "train" else 0

        def made(step: int) -> dict[str, np.ndarray]:
            return song_batch(self.config, songs, np.random.default_rng([seed, step]), transpose)

        example = made(0)
        kinds = [tf.as_dtype(array.dtype) for array in example.values()]

        def load(step):
            arrays = tf.numpy_function(
                lambda step: list(made(int(step)).values()), [step], kinds, stateful=False
            )
            batch = {
                name: tf.ensure_shape(array, example[name].shape)
                for name, array in zip(example, arrays, strict=True)
            }
            return batch, batch["weight"]

        return tf.data.Dataset.range(first, end).map(load).prefetch(4)


def song_batch(
    config: Config, songs: SongBars, rng: np.random.Generator, transpose: int
) -> dict[str, np.ndarray]:
    """Draws a batch.

    A long song is drawn more often: as often as it has phrases.

    Args:
        config: sizes.
        songs: at least one.
        rng: draws.
        transpose: semitones that a song is moved at most, up or down.

    Returns:
        `cells`, uint8 [song, unit, track, cell]; `given`, float32 [song, unit, track]; `place`, float32
        [song, unit, 2]; `repeats` of `repeats_of`; `open`, float32 [song, unit, track], 1 for what is to be written;
        and the arrays of `rows_of`.
    """
    shares = np.array([len(rows) for rows in songs.songs], np.float64)
    drawn = rng.choice(len(songs), SONGS, p=shares / shares.sum())
    stretches = [_stretch(config, songs, song, rng, transpose) for song in drawn]
    cells, place, there = (np.stack(each) for each in zip(*stretches, strict=True))
    units = cells.shape[1]
    given = np.stack([_given(units, len(TRACK_NAMES), rng) for _ in range(SONGS)]) & there[..., None]
    rows = -(-SONGS * units * PLACES_A_BAR * config.unit_bars // LENGTH)
    told = given.astype(np.float32)
    repeats, open_ = repeats_of(cells, told), there[..., None] & ~given
    batch = {
        "cells": cells.reshape(*cells.shape[:3], -1).astype(np.uint8),
        "given": told,
        "place": place,
        "repeats": repeats,
        "open": open_.astype(np.float32),
    }
    return batch | rows_of(cells, told, open_ & ~repeats.any(axis=3), rows, rng)


def _stretch(
    config: Config, songs: SongBars, song: int, rng: np.random.Generator, transpose: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Draws a stretch of a song, up to where phrases of it are missing. What a short one lacks is silent at its end.

    Returns:
        Cells, bool [unit, track, step, pitch]; their places in the song, float32 [unit, 2]; and which are there, bool
        [unit].
    """
    rows, first_bars = songs.songs[song], songs.bars[song]
    phrases, tracks = BARS // config.bars, len(TRACK_NAMES)
    begin = int(rng.integers(max(1, len(rows) - phrases + 1)))
    last = first_bars[-1] + config.bars - config.unit_bars  # where the song's last unit begins
    starts = first_bars[begin : begin + phrases]
    starts = starts[: 1 + np.argmin(np.append(np.diff(starts) == config.bars, False))]
    moved = songs.cells(rows[begin : begin + len(starts)], int(rng.integers(-transpose, transpose + 1)))
    units = len(starts) * config.units
    bars = (starts[:, None] + np.arange(0, config.bars, config.unit_bars)).ravel()
    cells = np.zeros((phrases * config.units, tracks, config.unit_steps, config.pitches), bool)
    cells[:units] = moved.reshape(units, config.unit_steps, config.pitches, tracks).transpose(0, 3, 1, 2)
    place = np.zeros((len(cells), 2), np.float32)
    place[:units] = places(np.float32(bars - first_bars[0]), np.float32(last - bars))
    return cells, place, np.arange(len(cells)) < units


def _given(units: int, tracks: int, rng: np.random.Generator) -> np.ndarray:
    """Draws what is given of a stretch, as the verbs give it: bool [unit, track]."""
    kind = rng.random()
    if kind < NOTHING:  # generate
        return np.zeros((units, tracks), bool)
    some_tracks = rng.random(tracks) < rng.random()
    if kind < WHOLE_BARS:  # continue, infill
        return np.repeat(_given_bars(units, rng)[:, None], tracks, axis=1)
    if kind < WHOLE_TRACKS:  # accompany
        return np.repeat(some_tracks[None], units, axis=0)
    if kind < BOTH:
        return some_tracks[None] | (rng.random(units) < rng.random())[:, None]
    return rng.random((units, tracks)) < rng.random()  # vary


def _given_bars(units: int, rng: np.random.Generator) -> np.ndarray:
    """Draws which units are given: the first ones (continue), all but a range (infill), or any. Bool [unit]."""
    kind, given = rng.integers(3), np.zeros(units, bool)
    if kind == 0:
        given[: rng.integers(1, units + 1)] = True
    elif kind == 1:
        begin, end = np.sort(rng.integers(0, units + 1, 2))
        given[:] = True
        given[begin:end] = False
    else:
        given[:] = rng.random(units) < rng.random()
    return given

"""What the diffusion prior trains on: stretches of songs, and which of their bars and tracks are given."""

import dataclasses

import numpy as np
import tensorflow as tf

from msw2.config import Config
from msw2.config.prior import BARS
from msw2.data.song_bars import SongBars
from msw2.data.store import Store
from msw2.models.diffusion import places
from msw2.models.sandwich import part_seed
from msw2.music.tracks import TRACK_NAMES

SONGS = 4  # stretches a step
SEGMENTS = {4: 0.1, 8: 0.1, 16: 0.15, 32: 0.25, 64: 0.4}  # bars of a stretch's segments -> how often
# What is given of a segment: nothing up to the first of these shares of all segments, whole bars up to the second,
# whole tracks up to the third, and then bars and tracks.
NOTHING, WHOLE_BARS, WHOLE_TRACKS = 0.3, 0.6, 0.85
NOISE = (1.1, 0.9)  # mean and deviation of the logarithm of the noise
MAX_HELD_OUT = 16  # batches of validation songs
NO_SEGMENT = -1  # of the units that a short song lacks


@dataclasses.dataclass(frozen=True, eq=False)
class SongFeed:
    """Random stretches of songs.

    A batch is a dictionary of the inputs of `diffusion.denoising_view`, its cells, and weights, float32 [song, unit,
    track]: 0 for what is given, and for what is not there. Each step draws from its own seed. So a training that is
    continued reads what it would have read.

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
        bars = config.epoch_bars or store.count("train") * config.bars
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
            return _batch(self.config, songs, np.random.default_rng([seed, step]), transpose)

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
            return batch, batch["cells"], batch.pop("weight")

        return tf.data.Dataset.range(first, end).map(load).prefetch(4)


def _batch(
    config: Config, songs: SongBars, rng: np.random.Generator, transpose: int
) -> dict[str, np.ndarray]:
    """Draws a batch: a dictionary of `_stretch`'s arrays, with a song axis before the others.

    A long song is drawn more often: as often as it has phrases.
    """
    shares = np.array([len(rows) for rows in songs.songs], np.float64)
    drawn = rng.choice(len(songs), SONGS, p=shares / shares.sum())
    examples = [_stretch(config, songs, song, rng, transpose) for song in drawn]
    return {name: np.stack([example[name] for example in examples]) for name in examples[0]}


def _stretch(
    config: Config, songs: SongBars, song: int, rng: np.random.Generator, transpose: int
) -> dict[str, np.ndarray]:
    """Draws a stretch of a song, its segments, and what is given of them.

    Units that a short song lacks are silent, see each other alone, and have no weight.

    Returns:
        `cells`, uint8 [unit, track, cell]; the inputs of `build_denoiser` without the song axis; and `weight`, float32
        [unit, track].
    """
    rows, first_bars = songs.songs[song], songs.bars[song]
    phrases, tracks = BARS // config.bars, len(TRACK_NAMES)
    begin = int(rng.integers(max(1, len(rows) - phrases + 1)))
    end = first_bars[-1] + config.bars - config.unit_bars  # where the song's last unit begins
    rows, starts = rows[begin : begin + phrases], first_bars[begin : begin + phrases]
    moved = songs.cells(rows, int(rng.integers(-transpose, transpose + 1)))
    by_unit = moved.reshape(len(rows) * config.units, -1, tracks).swapaxes(1, 2)
    bars = (starts[:, None] + np.arange(0, config.bars, config.unit_bars)).ravel()
    place = places(np.float32(bars - first_bars[0]), np.float32(end - bars))
    segment, log_sigma, given = _segments(config, len(bars), phrases * config.units, rng)
    weight = 1.0 - given
    weight[len(bars) :] = 0.0

    def padded(array: np.ndarray, kind: type) -> np.ndarray:
        made = np.zeros((phrases * config.units, *array.shape[1:]), kind)
        made[: len(array)] = array
        return made

    return {
        "cells": padded(by_unit, np.uint8),
        "given": given,
        "place": padded(np.asarray(place), np.float32),
        "position": padded((bars - bars[0]) // config.unit_bars, np.int32),
        "segment": segment,
        "log_sigma": log_sigma,
        "weight": weight,
    }


def _segments(
    config: Config, used: int, units: int, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Cuts a stretch into segments of one length, the first and the last of which may be shorter.

    Args:
        config: bars of a unit.
        used: units that the song has.
        units: of the stretch.
        rng: draws.

    Returns:
        The segment of each unit, int32 [unit]; the logarithm of its noise, float32 [unit], one a segment; and what is
        given, float32 [unit, track] of 0 and 1.
    """
    segment, log_sigma = np.full(units, NO_SEGMENT, np.int32), np.zeros(units, np.float32)
    given = np.zeros((units, len(TRACK_NAMES)), np.float32)
    length = max(1, int(rng.choice(list(SEGMENTS), p=list(SEGMENTS.values()))) // config.unit_bars)
    offset = int(rng.integers(length)) if length < units else 0
    for start in range(-offset, used, length):
        part = slice(max(start, 0), min(start + length, used))
        segment[part] = start + length
        log_sigma[part] = rng.normal(*NOISE)
        given[part] = _given(part.stop - part.start, len(TRACK_NAMES), rng)
    return segment, log_sigma, given


def _given(units: int, tracks: int, rng: np.random.Generator) -> np.ndarray:
    """Draws what is given of a segment, as the verbs give it: bool [unit, track]."""
    kind = rng.random()
    if kind < NOTHING:  # generate
        return np.zeros((units, tracks), bool)
    some_tracks = rng.random(tracks) < rng.random()
    if kind < WHOLE_BARS:  # continue, infill
        return np.repeat(_given_bars(units, rng)[:, None], tracks, axis=1)
    if kind < WHOLE_TRACKS:  # accompany
        return np.repeat(some_tracks[None], units, axis=0)
    return some_tracks[None] | (rng.random(units) < rng.random())[:, None]


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

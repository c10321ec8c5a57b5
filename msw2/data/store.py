"""Reading a store: what `make data` wrote, phrase by phrase or song by song.

A store is a folder: TFRecord shards of each split (`shards` has the format), manifest.json, report.csv.
"""

import dataclasses
import itertools
import json
import os
import pathlib
from collections.abc import Iterator

import numpy as np

from msw2.data import packing
from msw2.data.untuned import untuned
from msw2.music.grid import Grid
from msw2.music.tracks import TRACK_NAMES

FORMAT = 1  # raised when an older reader would misread a newer store
SPLITS = ("train", "validation", "test")
MANIFEST = "manifest.json"
REPORT = "report.csv"
BATCH = 256


class StoreError(Exception):
    """A store or source that cannot be used; the message is one sentence for the user."""


@dataclasses.dataclass(frozen=True, eq=False)
class StoredSong:
    """A song as far as it is in a store.

    Attributes:
        name: 16 hexadecimal digits, the beginning of the SHA-256 of the song's file.
        bars: int64 [phrase], the bar of the song in which each phrase begins.
        phrases: bool [phrase, bar, step, pitch, track].
        tempo: beats per minute.
    """

    name: str
    bars: np.ndarray
    phrases: np.ndarray
    tempo: float


@dataclasses.dataclass(frozen=True, eq=False)
class Store:
    """An opened store.

    Attributes:
        path: its folder.
        grid: the grid of its phrases.
        manifest: the content of manifest.json; `build` says what is in it.
    """

    path: pathlib.Path
    grid: Grid
    manifest: dict

    @classmethod
    def open(cls, path: str | os.PathLike) -> "Store":
        """Opens a store.

        Raises:
            StoreError: if there is none, or it has another format or tracks than this version reads.
        """
        path = pathlib.Path(path)
        try:
            manifest = json.loads((path / MANIFEST).read_text("utf-8"))
        except FileNotFoundError as error:
            raise StoreError(f"no store at {path}: make one with `make data` or msw2.cli.data") from error
        except (OSError, ValueError) as error:
            raise StoreError(f"the manifest of the store {path} cannot be read: {error}") from error
        if not isinstance(manifest, dict) or manifest.get("format") != FORMAT:
            found = manifest.get("format") if isinstance(manifest, dict) else None
            raise StoreError(
                f"the store {path} has format {found}, this version reads format {FORMAT}: make it anew"
            )
        if manifest["tracks"] != list(TRACK_NAMES):
            raise StoreError(f"the store {path} has tracks {manifest['tracks']}, not {list(TRACK_NAMES)}")
        try:
            grid = Grid(**manifest["grid"])
        except (TypeError, ValueError) as error:
            raise StoreError(f"the store {path} has an impossible grid: {error}") from error
        return cls(path, grid, manifest)

    def files(self, split: str) -> list[str]:
        """Returns the paths of a split's shards, in order; empty for an empty split."""
        return [str(self.path / name) for name in self._split(split)["files"]]

    def count(self, split: str) -> int:
        """Returns the number of phrases of a split."""
        return self._split(split)["phrases"]

    def load(self, split: str, limit: int | None = None) -> np.ndarray:
        """Returns the first `limit` phrases of a split, or all of them, in the order of the files.

        Returns:
            bool [phrase, bar, step, pitch, track]: 80,640 bytes a phrase on the default grid.
        """
        count = self.count(split) if limit is None else min(limit, self.count(split))
        phrases = np.zeros((count, *self.grid.phrase_shape, len(TRACK_NAMES)), bool)
        filled = 0
        for batch in self._batches(split):
            take = min(count - filled, len(batch["bar"]))
            phrases[filled : filled + take] = packing.unpack(batch["packed"][:take], self.grid)
            filled += take
            if filled == count:
                break
        return phrases

    def song_names(self, split: str, limit: int | None = None) -> np.ndarray:
        """Returns of which song each of `load`'s phrases is: `StoredSong.name`, str [phrase]."""
        names = np.concatenate([np.zeros(0, "S16"), *(batch["song"] for batch in self._batches(split))])
        return names[:limit].astype(str)

    def songs(self, split: str) -> Iterator[StoredSong]:
        """Yields the songs of a split in the order of the files."""
        records = (
            (
                batch["song"][row].decode(),
                int(batch["bar"][row]),
                float(batch["tempo"][row]),
                batch["packed"][row],
            )
            for batch in self._batches(split)
            for row in range(len(batch["bar"]))
        )
        for name, group in itertools.groupby(records, key=lambda record: record[0]):
            _, bars, tempos, packed = zip(*group, strict=True)
            phrases = packing.unpack(np.stack(packed), self.grid)
            yield StoredSong(name, np.array(bars, np.int64), phrases, tempos[0])

    def _split(self, split: str) -> dict:
        if split not in SPLITS:
            raise ValueError(f"split {split!r} is not one of {', '.join(SPLITS)}")
        return self.manifest["splits"][split]

    def _batches(self, split: str) -> Iterator[dict[str, np.ndarray]]:
        """Yields song (bytes), bar, tempo [row] and packed uint8 [row, track, byte] of BATCH records."""
        import tensorflow as tf  # noqa: PLC0415 - worker processes import this module, and need no TensorFlow

        spec = {name: tf.io.FixedLenFeature([], tf.string) for name in (*TRACK_NAMES, "song")}
        spec |= {"bar": tf.io.FixedLenFeature([], tf.int64), "tempo": tf.io.FixedLenFeature([], tf.float32)}
        try:
            for records in untuned(tf.data.TFRecordDataset(self.files(split)).batch(BATCH)):
                batch = {key: value.numpy() for key, value in tf.io.parse_example(records, spec).items()}
                rows = [np.frombuffer(b"".join(batch.pop(name)), np.uint8) for name in TRACK_NAMES]
                shape = (len(batch["bar"]), packing.bytes_per_track(self.grid))
                yield batch | {"packed": np.stack([row.reshape(shape) for row in rows], axis=1)}
        except tf.errors.OpError as error:
            raise StoreError(f"the store {self.path} is damaged: {error.message}") from error

"""Reading a store: what `make data` wrote, phrase by phrase or song by song.

A store is a folder: TFRecord shards of each split (`shards` has the format), manifest.json, report.csv.
"""

import dataclasses
import itertools
import os
import pathlib
from collections.abc import Iterator, Sequence

import numpy as np

from msw2.data import packing, shards
from msw2.data.autotune import without_autotune
from msw2.music.grid import Grid
from msw2.music.tracks import TRACK_NAMES
from msw2.system.records import RecordError, checked, read_json

FORMAT = 1  # raised when an older reader would misread a newer store
SPLITS = ("train", "validation", "test")
OPEN_SPLITS = SPLITS[:2]  # what anyone may read: whoever chooses by the test songs has no test any more
MANIFEST = "manifest.json"
REPORT = "report.csv"
BATCH = 256
# What reading takes of the manifest, and what it says beside that; `build` says what it means.
READ = {
    "tracks": [str],
    "grid": {...: int},
    "splits": {split: {"files": [str], "phrases": int} for split in SPLITS},
}
SAID = {
    "files": int,
    "unit": str,
    "request": {"source": str, "fingerprint": str, "splits": str},
    "left_out": {...: int},
    "joined": {"songs": int, "tunes": int, "largest": int},
    "splits": {split: {"songs": int} for split in SPLITS},
}
FIELDS = {"song": "string", "bar": "int64", "tempo": "float32"}  # of a record, beside the tracks


class StoreError(Exception):
    """A store or source that cannot be used; the message is one sentence for the user."""


def folder_of(path: str | os.PathLike) -> pathlib.Path:
    """Returns the folder of a store.

    Raises:
        StoreError: if it is an address of a bucket, or of anything else that is no file system.
    """
    if "://" in os.fspath(path):
        raise StoreError(
            f"{path} is no folder: give one that all machines share, and copy the finished store from there"
        )
    return pathlib.Path(path)


@dataclasses.dataclass(frozen=True, eq=False)
class StoredSong:
    """The phrases of one song that are in a store.

    Attributes:
        name: 16 hexadecimal digits, the beginning of the SHA-256 of the song's file.
        bars: int64 [phrase], the first bar of each phrase in the song.
        phrases: bool [phrase, bar, step, pitch, track].
        tempo: beats per minute.
    """

    name: str
    bars: np.ndarray
    phrases: np.ndarray
    tempo: float

    def without_overlap(self, bars: int) -> np.ndarray:
        """Returns the phrases that are left when none may overlap, in the order of their bars.

        Args:
            bars: of a phrase.
        """
        chosen, end = [], 0
        for index in np.argsort(self.bars, kind="stable"):
            if self.bars[index] >= end:
                chosen.append(index)
                end = self.bars[index] + bars
        return self.phrases[chosen]


@dataclasses.dataclass(frozen=True, eq=False)
class Store:
    """An opened store.

    Attributes:
        path: its folder.
        grid: the grid of its phrases.
        manifest: the content of manifest.json; `build` says what is in it.
        measuring: whether the phrases of test songs may be read: to measure what is finished, and for nothing else.
    """

    path: pathlib.Path
    grid: Grid
    manifest: dict
    measuring: bool = False

    @classmethod
    def open(cls, path: str | os.PathLike, *, measuring: bool = False) -> "Store":
        """Opens a store.

        Args:
            path: its folder.
            measuring: whether the phrases of test songs may be read. A test lists who may ask for it.

        Raises:
            StoreError: if `path` holds no store, or one of another format or other tracks.
        """
        path = folder_of(path)
        try:
            manifest = read_json(path / MANIFEST, {})
            if manifest.get("format") != FORMAT:
                found = f"{manifest.get('format')!s:.60}"
                raise StoreError(
                    f"the store {path} has format {found}, this version reads format {FORMAT}: make it anew"
                )
            checked(manifest, READ)
        except FileNotFoundError as error:
            raise StoreError(f"no store at {path}: make one with `make data` or msw2.cli.data") from error
        except RecordError as error:
            raise StoreError(f"the store {path} is damaged, {MANIFEST}: {error}") from error
        for name in itertools.chain.from_iterable(manifest["splits"][split]["files"] for split in SPLITS):
            if pathlib.PurePath(name).name != name:
                raise StoreError(f"the store {path} is damaged, {MANIFEST}: {name!r:.60} is no file of it")
        if manifest["tracks"] != list(TRACK_NAMES):
            raise StoreError(f"the store {path} has tracks {manifest['tracks']}, not {list(TRACK_NAMES)}")
        try:
            grid = Grid(**manifest["grid"])
        except (TypeError, ValueError) as error:
            raise StoreError(f"the store {path} has an impossible grid: {error}") from error
        return cls(path, grid, manifest, measuring)

    def summary(self) -> dict:
        """Returns the manifest, with all that `SAID` names.

        Raises:
            StoreError: if it lacks some of that.
        """
        try:
            return checked(self.manifest, SAID)
        except RecordError as error:
            raise StoreError(f"the store {self.path} is damaged, {MANIFEST}: {error}") from error

    def files(self, split: str) -> list[str]:
        """Returns the paths of a split's shards, in order; empty for an empty split.

        Raises:
            ValueError: for an unknown split, or for the test songs in a store that is not for measuring.
        """
        if not self.measuring and split not in OPEN_SPLITS and split in SPLITS:
            raise ValueError(f"the split {split} is for measuring alone: open the store with measuring=True")
        return [str(self.path / name) for name in self._split(split)["files"]]

    def count(self, split: str) -> int:
        """Returns the number of phrases of a split."""
        return self._split(split)["phrases"]

    def batches(
        self,
        split: str,
        names: Sequence[str],
        *,
        size: int,
        limit: int | None = None,
        evenly: int | None = None,
    ) -> Iterator[dict[str, np.ndarray]]:
        """Yields what is asked for of a split's phrases, or of some of them, in the order of the files.

        Args:
            split: `train`, `validation` or `test`.
            names: of tracks, as `packing.pack` has them, uint8 [phrase, byte]; `song`, bytes [phrase]; `bar`, int64
                [phrase]; `tempo`, float32 [phrase].
            size: phrases at a time; the last may be fewer.
            limit: only so many phrases, the first ones; None: all.
            evenly: number of these to keep, spread evenly over all songs; None: all.

        Raises:
            ValueError: for an unknown split.
            StoreError: if the store is damaged.
        """
        import tensorflow as tf  # noqa: PLC0415 - worker processes import this module, and need no TensorFlow

        spec = {name: tf.io.FixedLenFeature([], FIELDS.get(name, "string")) for name in names}
        width = packing.bytes_per_track(self.grid)
        for batch in self._read(
            split, lambda records: tf.io.parse_example(records, spec), size, limit, evenly
        ):
            for name in batch.keys() - FIELDS.keys():
                batch[name] = np.frombuffer(b"".join(batch[name]), np.uint8).reshape(-1, width)
            yield batch

    def located(self, split: str, track: str, *, size: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Yields where one track's bits lie, and the bits, of all phrases of a split in the order of the files.

        Args:
            split: `train`, `validation` or `test`.
            track: name of the track.
            size: phrases at a time; the last may be fewer.

        Yields:
            First bytes, int64 [phrase], counted through the files of the split as if they were one; bits as
            `packing.pack` has them, uint8 [phrase, byte].

        Raises:
            ValueError: for an unknown split or track.
            StoreError: if the store is damaged, or was not written by this package.
        """
        import tensorflow as tf  # noqa: PLC0415 - as above

        spec = {track: tf.io.FixedLenFeature([], "string")}
        distance, width = shards.distance_from_end(self.grid, track), packing.bytes_per_track(self.grid)

        def locate(records):
            parsed = tf.io.parse_example(records, spec)[track]
            found = tf.strings.substr(records, -distance, width)
            return {
                "length": tf.strings.length(records),
                "bits": tf.io.decode_raw(parsed, tf.uint8),
                "agree": tf.reduce_all(parsed == found),
            }

        end = 0
        for batch in self._read(split, locate, size):
            if not batch["agree"]:
                raise StoreError(
                    f"the store {self.path} is damaged: a record does not have {track} in its place"
                )
            ends = end + np.cumsum(batch["length"].astype(np.int64) + shards.FRAME_HEAD + shards.FRAME_TAIL)
            yield ends - shards.FRAME_TAIL - distance, batch["bits"]
            end = ends[-1]

    def _read(
        self, split: str, convert, size: int, limit: int | None = None, evenly: int | None = None
    ) -> Iterator[dict[str, np.ndarray]]:
        """Yields what `convert` makes, in the graph, of `size` serialised records at a time.

        Raises:
            StoreError: if the store is damaged, or there are not as many records as its manifest says.
        """
        import tensorflow as tf  # noqa: PLC0415 - as above

        dataset = tf.data.TFRecordDataset(self.files(split)).take(-1 if limit is None else limit)
        count = self.count(split) if limit is None else min(limit, self.count(split))
        records = count if evenly is None else min(evenly, count)
        if records < count:
            # i * evenly / count grows evenly. A phrase is kept where that passes a whole number.
            kept = dataset.enumerate().filter(lambda i, _: (i + 1) * evenly // count > i * evenly // count)
            dataset = kept.map(lambda _, record: record)
        dataset, found = dataset.batch(size), 0
        dataset = dataset.map(lambda records: (tf.shape(records)[0], convert(records)))
        try:
            for length, batch in without_autotune(dataset.prefetch(1)):
                found += int(length)
                yield {name: value.numpy() for name, value in batch.items()}
            if found != records:
                raise StoreError(
                    f"the store {self.path} is damaged: {found:,} phrases of {split}, not {records:,}"
                )
        except tf.errors.OpError as error:
            raise StoreError(f"the store {self.path} is damaged: {error.message}") from error

    def packed(
        self, split: str, *, size: int, limit: int | None = None, evenly: int | None = None
    ) -> Iterator[np.ndarray]:
        """Yields phrases as `packing.pack` has them, uint8 [phrase, track, byte]; else like `batches`."""
        for batch in self.batches(split, TRACK_NAMES, size=size, limit=limit, evenly=evenly):
            yield np.stack([batch[name] for name in TRACK_NAMES], axis=1)

    def load(self, split: str, limit: int | None = None, *, evenly: bool = False) -> np.ndarray:
        """Returns `limit` phrases of a split, or all of them, in the order of the files.

        Args:
            split: `train`, `validation` or `test`.
            limit: most phrases; None: all.
            evenly: whether to spread them over all songs, rather than take the first ones.

        Returns:
            bool [phrase, bar, step, pitch, track]: 80,640 bytes a phrase on the default grid.
        """
        count = self.count(split) if limit is None else min(limit, self.count(split))
        phrases = np.zeros((count, *self.grid.phrase_shape, len(TRACK_NAMES)), bool)
        filled = 0
        which = {"evenly" if evenly else "limit": count}
        for packed in self.packed(split, size=BATCH, **which):
            phrases[filled : filled + len(packed)] = packing.unpack(packed, self.grid)
            filled += len(packed)
        return phrases

    def song_names(self, split: str, limit: int | None = None, *, evenly: bool = False) -> np.ndarray:
        """Returns the song of each of `load`'s phrases: `StoredSong.name`, str [phrase]."""
        batches = self.batches(split, ["song"], size=BATCH, **{"evenly" if evenly else "limit": limit})
        return np.concatenate([np.zeros(0, "S16"), *(batch["song"] for batch in batches)]).astype(str)

    def songs(self, split: str) -> Iterator[StoredSong]:
        """Yields the songs of a split in the order of the files."""
        names = (*FIELDS, *TRACK_NAMES)
        batches = self.batches(split, names, size=BATCH)
        records = (record for batch in batches for record in zip(*map(batch.get, names), strict=True))
        for song, group in itertools.groupby(records, key=lambda record: record[0]):
            _, bars, tempos, *tracks = zip(*group, strict=True)
            phrases = packing.unpack(np.stack([np.stack(track) for track in tracks], axis=1), self.grid)
            yield StoredSong(song.decode(), np.array(bars, np.int64), phrases, float(tempos[0]))

    def _split(self, split: str) -> dict:
        if split not in SPLITS:
            raise ValueError(f"split {split!r} is not one of {', '.join(SPLITS)}")
        return self.manifest["splits"][split]

"""Writing a store: a record for each phrase, a bytes feature for each track, in TFRecord shards."""

import pathlib

import numpy as np

from msw2.data.packing import Phrases, bytes_per_track
from msw2.music.grid import Grid
from msw2.music.tracks import TRACK_NAMES, track_index

SHARD_PHRASES = 4096  # 41 MB on the default grid
FRAME_HEAD, FRAME_TAIL = 12, 4  # bytes that TFRecord puts before and after a record: length, two checksums


class ShardWriter:
    """Writes the phrases of one split to <split>-00000.tfrecord, <split>-00001.tfrecord and on.

    Attributes:
        files: names of the shards so far.
    """

    def __init__(self, folder: pathlib.Path, split: str, shard_phrases: int = SHARD_PHRASES):
        self.files: list[str] = []
        self._folder, self._split, self._shard_phrases = folder, split, shard_phrases
        self._writer, self._room = None, 0

    def add(self, song: str, phrases: Phrases) -> None:
        """Appends the phrases of one song, whose name (16 hexadecimal digits) each record carries."""
        for first_bar, packed in zip(phrases.first_bars, phrases.packed, strict=True):
            if self._room == 0:
                self._next_shard()
            self._writer.write(encode(song, int(first_bar), phrases.tempo, packed))
            self._room -= 1

    def close(self) -> None:
        """Closes the last shard."""
        if self._writer is not None:
            self._writer.close()
            self._writer, self._room = None, 0

    def _next_shard(self) -> None:
        import tensorflow as tf  # noqa: PLC0415 - worker processes import this package, and need no TensorFlow

        self.close()
        self.files.append(f"{self._split}-{len(self.files):05d}.tfrecord")
        self._writer, self._room = (
            tf.io.TFRecordWriter(str(self._folder / self.files[-1])),
            self._shard_phrases,
        )


def encode(song: str, first_bar: int, tempo: float, packed: np.ndarray) -> bytes:
    """Returns a serialised tf.train.Example of one phrase.

    Args:
        song: name of the song, 16 hexadecimal digits.
        first_bar: the phrase's first bar in the song.
        tempo: beats per minute.
        packed: uint8 [track, byte], see `packing.pack`.
    """
    import tensorflow as tf  # noqa: PLC0415 - as above

    example = tf.train.Example()
    feature = example.features.feature
    for name, row in zip(TRACK_NAMES, packed, strict=True):
        feature[name].bytes_list.value.append(row.tobytes())
    feature["song"].bytes_list.value.append(song.encode())
    feature["bar"].int64_list.value.append(first_bar)
    feature["tempo"].float_list.value.append(tempo)
    return example.SerializeToString(deterministic=True)


def distance_from_end(grid: Grid, track: str) -> int:
    """Returns how many bytes before the end of a record the bits of a track begin.

    The distance is the same in every record of a grid. The features are sorted by name, and `bar`, the only one
    whose length varies, comes first.

    Raises:
        ValueError: for a name that is not a track's.
    """
    packed = np.zeros((len(TRACK_NAMES), bytes_per_track(grid)), np.uint8)
    without = np.frombuffer(encode("0" * 16, 0, 100.0, packed), np.uint8)
    packed[track_index(track)] = 255
    different = np.flatnonzero(without != np.frombuffer(encode("0" * 16, 0, 100.0, packed), np.uint8))
    return len(without) - int(different[0])

"""Writing a store: a record for each phrase, a bytes feature for each track, in TFRecord shards."""

import pathlib
from collections.abc import Iterable

import numpy as np

from msw2.data.packing import Phrases, bytes_per_track
from msw2.music.grid import Grid
from msw2.music.tracks import TRACK_NAMES, track_index
from msw2.system.files import replacing

SHARD_PHRASES = 4096  # 41 MB on the default grid
FRAME_HEAD, FRAME_TAIL = 12, 4  # bytes that TFRecord puts before and after a record: length, two checksums


def shard_name(split: str, number: int) -> str:
    """Returns the file name of a shard: <split>-00000.tfrecord, <split>-00001.tfrecord and on."""
    return f"{split}-{number:05d}.tfrecord"


def write_shard(path: pathlib.Path, songs: Iterable[tuple[str, Phrases]]) -> None:
    """Writes a shard, whole or not at all.

    Args:
        path: where it belongs.
        songs: name (16 hexadecimal digits, which each record carries) and phrases of each.
    """
    import tensorflow as tf  # noqa: PLC0415 - worker processes import this package, and need no TensorFlow

    with replacing(path) as temporary, tf.io.TFRecordWriter(str(temporary)) as writer:
        for song, phrases in songs:
            for first_bar, packed in zip(phrases.first_bars, phrases.packed, strict=True):
                writer.write(encode(song, int(first_bar), phrases.tempo, packed))


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

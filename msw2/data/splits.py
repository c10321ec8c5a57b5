"""Splits by song, by hash of its content: the same song is in the same split of every store.

Or with a list of test songs, for a comparison on songs that are agreed on; the others keep to their hash.
"""

import os
import pathlib
from collections.abc import Collection, Iterable, Iterator

from msw2.data.song_files import Outcome
from msw2.data.store import SPLITS, StoreError

TRAIN, VALIDATION, TEST = SPLITS
TRAIN_SHARE, VALIDATION_SHARE = 0.8, 0.1
HELD = 2


def split_of(digest: str) -> str:
    """Returns the split of a song: its SHA-256, read as a fraction of 1, against 80, 10 and 10 %."""
    fraction = int(digest[:16], 16) / 16**16
    if fraction < TRAIN_SHARE:
        return TRAIN
    return VALIDATION if fraction < TRAIN_SHARE + VALIDATION_SHARE else TEST


def read_test_songs(path: str | os.PathLike) -> frozenset[str]:
    """Reads a list of test songs: a file name a line, folders and suffix left out.

    In the Lakh datasets, MIDI and pianoroll alike, that is the MD5 sum of the MIDI file.

    Raises:
        StoreError: if the list is missing or empty.
    """
    try:
        lines = pathlib.Path(path).read_text("utf-8").split()
    except (OSError, UnicodeDecodeError) as error:
        raise StoreError(f"the list of test songs {path} cannot be read: {error}") from error
    if not lines:
        raise StoreError(f"the list of test songs {path} is empty")
    return frozenset(lines)


def with_test_songs(songs: Iterable[Outcome], listed: Collection[str]) -> Iterator[tuple[str, Outcome]]:
    """Yields (split, song) in order: the listed songs are the test split, the others train or validate.

    What the hash would have given to the test split is for training.
    """
    for song in songs:
        by_hash = split_of(song.digest)
        if pathlib.PurePath(song.name).stem in listed:
            yield TEST, song
        else:
            yield VALIDATION if by_hash == VALIDATION else TRAIN, song


def assigned(songs: Iterable[Outcome]) -> Iterator[tuple[str, Outcome]]:
    """Yields (split, song) in order, and sees to it that three songs are enough for three splits.

    The first song is for training wherever its hash falls, and the last two stay in hand until the end: a
    split that is still empty then gets one of them. So only stores of a few songs bend the rule of the hash.
    """
    written: set[str] = set()
    held: list[tuple[str, Outcome]] = []
    for song in songs:
        held.append((split_of(song.digest) if written or held else TRAIN, song))
        if len(held) > HELD:
            written.add(held[0][0])
            yield held.pop(0)
    if written:
        _fill(TEST, written, held)
        _fill(VALIDATION, written, held)
    yield from held


def _fill(split: str, written: set[str], held: list[tuple[str, Outcome]]) -> None:
    """Moves a held song into a split that nothing is in, unless that would empty another split."""
    splits = [each for each, _ in held]
    if split in written or split in splits:
        return
    for index in reversed(range(len(held))):
        if splits[index] in written or splits.count(splits[index]) > 1:
            held[index] = (split, held[index][1])
            return

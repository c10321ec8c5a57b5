"""Splits by song, by hash of its content: the same song is in the same split of every store."""

from collections.abc import Iterable, Iterator

from msw2.data.songs import Outcome
from msw2.data.store import SPLITS

TRAIN, VALIDATION, TEST = SPLITS
TRAIN_SHARE, VALIDATION_SHARE = 0.8, 0.1
HELD = 2


def split_of(digest: str) -> str:
    """Returns the split of a song: its SHA-256, read as a fraction of 1, against 80, 10 and 10 %."""
    fraction = int(digest[:16], 16) / 16**16
    if fraction < TRAIN_SHARE:
        return TRAIN
    return VALIDATION if fraction < TRAIN_SHARE + VALIDATION_SHARE else TEST


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

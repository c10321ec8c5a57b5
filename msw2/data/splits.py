"""Splits by tune: songs that are one tune (`tunes`) lie in one split of every store.

The content decides: the hash of the tune's first song, or a list of songs with their splits, such as
experiments/lists has.
"""

import collections
import csv
import os
import pathlib
from collections.abc import Mapping, Sequence

from msw2.data.store import SPLITS, StoreError

TRAIN, VALIDATION, TEST = SPLITS
TRAIN_SHARE, VALIDATION_SHARE = 0.8, 0.1
LIST_COLUMNS = ["song", "split"]


def split_of(digest: str) -> str:
    """Returns the split of a tune: the SHA-256 of its first song, read as a fraction of 1, against 80, 10 and 10 %."""
    fraction = int(digest[:16], 16) / 16**16
    if fraction < TRAIN_SHARE:
        return TRAIN
    return VALIDATION if fraction < TRAIN_SHARE + VALIDATION_SHARE else TEST


def by_tune(tunes: Sequence[str]) -> list[str]:
    """Returns the split of each song by its tune. Three tunes are enough for three splits.

    The first tune is for training wherever its hash falls. A split that is still empty gets the last tune of a split
    that has several. So only stores of a few songs bend the rule of the hash.

    Args:
        tunes: of each song, the SHA-256 that stands for its tune.
    """
    splits = {tune: split_of(tune) for tune in sorted(set(tunes))}
    if splits:
        splits[min(splits)] = TRAIN
    for empty in (TEST, VALIDATION):
        counts = collections.Counter(splits.values())
        if empty not in counts:
            spare = [tune for tune, split in splits.items() if counts[split] > 1]
            splits |= dict.fromkeys(spare[-1:], empty)
    return [splits[tune] for tune in tunes]


def by_list(names: Sequence[str], tunes: Sequence[str], listed: Mapping[str, str]) -> list[str]:
    """Returns the split of each song where a list has the last word.

    A listed song is in the split that the list gives it. All others are for training, except those of a tune that
    has a listed validation or test song: they are left out.

    Args:
        names: of the songs, without folders and suffix.
        tunes: of each song, what stands for its tune.
        listed: splits by name.

    Returns:
        The split of each song; empty for a song that is left out.
    """
    held_out = {tune for name, tune in zip(names, tunes, strict=True) if listed.get(name, TRAIN) != TRAIN}
    return [
        listed.get(name, "" if tune in held_out else TRAIN) for name, tune in zip(names, tunes, strict=True)
    ]


def read_list(path: str | os.PathLike) -> dict[str, str]:
    """Reads a list of songs: a CSV with the columns `song` and `split`.

    A song is named by its file, without folders and suffix. In the Lakh datasets, MIDI and pianoroll alike, that is
    the MD5 sum of the MIDI file.

    Returns:
        The split of each song, in the order of the list.

    Raises:
        StoreError: if the list cannot be read, is empty, names a song twice or a split that does not exist.
    """
    try:
        with pathlib.Path(path).open(encoding="utf-8", newline="") as file:
            header, *rows = [row for row in csv.reader(file) if row] or [[]]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise StoreError(f"the list of songs {path} cannot be read: {error}") from error
    if header != LIST_COLUMNS:
        raise StoreError(f"the list of songs {path} begins with {','.join(header)!r}, not with 'song,split'")
    if not rows:
        raise StoreError(f"the list of songs {path} is empty")
    for row in rows:
        if len(row) != len(LIST_COLUMNS) or row[1] not in SPLITS:
            raise StoreError(
                f"the list of songs {path} has the line {','.join(row)!r}, not a song and one of {', '.join(SPLITS)}"
            )
    name, count = collections.Counter(name for name, _ in rows).most_common(1)[0]
    if count > 1:
        raise StoreError(f"the list of songs {path} has {name} {count} times")
    return dict(rows)

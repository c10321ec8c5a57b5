"""Music for a listening test: of a trained run, of songs that it did not hear, of others' MIDI files."""

import dataclasses
import hashlib
import heapq
import os
import pathlib
from collections.abc import Iterator

import numpy as np

from msw2.data.store import Store, StoredSong
from msw2.inference.sampling import Sampler
from msw2.music.grid import Grid
from msw2.music.midi import SongError, read_song
from msw2.music.pianoroll import join_phrases
from msw2.page.folder import midi_files
from msw2.page.listening_key import ListeningError
from msw2.page.listening_sound import Clip
from msw2.page.songs import clean

SPLIT = "test"  # songs that no training saw


@dataclasses.dataclass(frozen=True, eq=False)
class Excerpt:
    """Phrases of a song that follow one another.

    Attributes:
        song: name of the song in its store.
        bar: of the song, where they begin, from 0.
        phrases: bool [phrase, bar, step, pitch, track].
        tempo: beats a minute.
    """

    song: str
    bar: int
    phrases: np.ndarray
    tempo: float

    def clip(self) -> Clip:
        """Returns it as the song has it."""
        return Clip(join_phrases(self.phrases), self.tempo, self._source())

    def restored(self, sampler: Sampler) -> Clip:
        """Returns what a run makes of it."""
        return Clip(join_phrases(sampler.restore(self.phrases)), self.tempo, self._source())

    def _source(self) -> str:
        return f"song {self.song} of the store, from bar {self.bar + 1}"


def excerpts(store: Store, count: int, phrases: int, *, seed: int) -> list[Excerpt]:
    """Returns excerpts of different songs that were not trained on; the seed chooses songs and places.

    Songs whose phrases in the store do not follow one another are passed over. Only the chosen songs stay in memory.

    Args:
        store: with a split `test`.
        count: most excerpts; fewer if the split has fewer songs.
        phrases: of an excerpt.
        seed: of the choice.
    """
    found = (excerpt for song in store.songs(SPLIT) if (excerpt := _excerpt(song, phrases, store.grid, seed)))
    return heapq.nsmallest(count, found, key=lambda excerpt: _rank(seed, excerpt.song))


def generated(
    sampler: Sampler, tempos: list[float], phrases: int, *, seed: int, refined: bool = True
) -> list[Clip]:
    """Returns clips made from nothing, one a tempo: a model of pianorolls knows none.

    Args:
        sampler: of a run.
        tempos: beats a minute of each clip.
        phrases: of a clip.
        seed: of the first phrase.
        refined: whether the refiners have the last word.

    Raises:
        SilenceError: as `Sampler.compose`.
    """
    songs, seeds = sampler.compose(len(tempos), phrases, seed=seed, temperature=1.0, refined=refined)
    return [
        Clip(join_phrases(song), tempo, f"seeds {', '.join(map(str, used))}")
        for song, tempo, used in zip(songs, tempos, seeds, strict=True)
    ]


def folder_clips(
    folder: str | os.PathLike, grid: Grid, count: int, phrases: int, *, seed: int
) -> tuple[list[Clip], list[str]]:
    """Returns clips of a folder's MIDI files, each from its first bar that sounds and at the file's own tempo.

    Args:
        folder: its sub-folders count, too; hidden files do not.
        grid: to lay the notes on.
        count: files to take; the seed chooses them.
        phrases: most phrases of a clip.
        seed: of the choice.

    Returns:
        The clips, and a sentence for each chosen file that cannot be read, in whose place another one was taken.

    Raises:
        ListeningError: if the folder is missing, or has too few files that can be read.
    """
    folder = pathlib.Path(folder)
    if not folder.is_dir():
        raise ListeningError(f"folder {folder} does not exist")
    names = [path.relative_to(folder).as_posix() for path in midi_files(folder)]
    clips, left_out = [], []
    for name in sorted(names, key=lambda name: _rank(seed, name)):
        if len(clips) == count:
            break
        try:
            song = read_song(folder / name, grid)
        except SongError as error:
            left_out.append(clean(f"{folder / name}: {error}"))
            continue
        first = int(song.pianoroll.any(axis=(1, 2)).argmax()) // grid.steps * grid.steps
        cells = song.pianoroll[first : first + phrases * grid.bars * grid.steps]
        clips.append(Clip(cells, song.tempo, clean(name)))
    if len(clips) < count:
        raise ListeningError(
            f"folder {folder} has {len(clips)} MIDI files that can be read, and {count} are needed: "
            "give fewer --clips"
        )
    return clips, left_out


def _excerpt(song: StoredSong, phrases: int, grid: Grid, seed: int) -> Excerpt | None:
    """Returns phrases of a song that follow one another; None where there are too few."""
    where = {int(bar): row for row, bar in enumerate(song.bars)}
    starts = list(_starts(where, phrases, grid.bars))
    if not starts:
        return None
    bar = starts[_rank(seed, f"{song.name} place") % len(starts)]
    rows = [where[bar + grid.bars * index] for index in range(phrases)]
    return Excerpt(song.name, bar, song.phrases[rows], song.tempo)


def _starts(where: dict[int, int], phrases: int, bars: int) -> Iterator[int]:
    for bar in sorted(where):
        if all(bar + bars * index in where for index in range(phrases)):
            yield bar


def _rank(seed: int, name: str) -> int:
    """Returns a number that orders names by chance, the same in every process."""
    content = f"{seed} {name}".encode("utf-8", "surrogateescape")
    return int.from_bytes(hashlib.sha256(content).digest()[:8], "big")

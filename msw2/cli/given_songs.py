"""What the commands on songs share: a MIDI file, or songs of the store, what is made of them, and where it goes.

A song of the store gives its phrases that do not overlap, in the order of their bars. A MIDI file is read whole.
"""

import os
import pathlib
from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np
from absl import flags

from msw2.cli import options, sound_options
from msw2.cli.launch import OptionError
from msw2.cli.samples import samples_folder, write_samples
from msw2.data.store import OPEN_SPLITS
from msw2.inference.song_files import MadeSong
from msw2.inference.trained import Trained
from msw2.music.grid import Grid
from msw2.music.midi import SongError, read_song
from msw2.music.pianoroll import join_phrases
from msw2.page.folder import ORIGINAL
from msw2.training.device import set_up_device

LONGEST_NAME = 220  # bytes; file systems allow 255, and `-original-strings.ogg` comes behind


class Verb(NamedTuple):
    """A command on songs, in words.

    Attributes:
        name: `restore`.
        done: `restored`, also the name of its folder.
    """

    name: str
    done: str


class GivenSong(NamedTuple):
    """A song to work on.

    Attributes:
        name: of the files that are made of it.
        pianoroll: bool [step, pitch, track], whole bars.
        tempo: beats a minute.
    """

    name: str
    pianoroll: np.ndarray
    tempo: float


def define_given(verb: Verb) -> None:
    """Defines the flags of the run, of the songs to work on, and of the sound."""
    options.define_trained()
    options.define_store()
    flags.DEFINE_string("midi", None, f"A MIDI file to {verb.name}, instead of songs of the store.")
    flags.DEFINE_integer("songs", 8, f"Most songs of the store to {verb.name}.", lower_bound=1)
    flags.DEFINE_enum("split", "validation", OPEN_SPLITS, "Split of the store to take them from.")
    sound_options.define_sound()


def work_on_songs(
    verb: Verb, make: Callable[[Trained, list[GivenSong]], list[MadeSong]], *midi_flags: str
) -> None:
    """Writes `<run>/samples/<done>/<name>.mid`, `<name>-original.mid` and so on, their sound, and a page of them.

    Args:
        verb: the command.
        make: function of the run and the songs; returns the songs to write.
        *midi_flags: names of further flags that name a MIDI file.
    """
    sound_options.check_sound()
    set_up_device(flags.FLAGS.threads)
    run = options.open_run()
    folder = samples_folder(run, verb.done)
    with options.writing(folder):
        songs = list(_songs(run, folder, verb, ("midi", *midi_flags)))
        rendering = sound_options.asked_sound(len(songs))
        made = make(run, songs)
        summary = f"{len(made)} song{'s' if len(made) != 1 else ''} {verb.done}: {folder}"
        write_samples(folder, made, run.config.grid, rendering, summary)


def _songs(
    run: Trained, folder: pathlib.Path, verb: Verb, midi_flags: tuple[str, ...]
) -> Iterator[GivenSong]:
    """Yields the songs that the flags name, to be worked on; what is made of them goes to a folder."""
    values = flags.FLAGS
    if values.midi:
        for name in midi_flags:
            yield _read(pathlib.Path(values[name].value), folder, verb, run.config.grid)
        return
    if not pathlib.Path(values.store).exists():
        raise OptionError(
            f"nothing to {verb.name}: give a MIDI file, or a --store; there is no {values.store}"
        )
    store = options.open_fitting_store(run)
    if not store.count(values.split):
        raise OptionError(
            f"the store {store.path} has no songs in its split {values.split}: give another --split"
        )
    for _, song in zip(range(values.songs), store.songs(values.split), strict=False):
        yield GivenSong(song.name, join_phrases(song.without_overlap(run.config.grid.bars)), song.tempo)


def _read(path: pathlib.Path, folder: pathlib.Path, verb: Verb, grid: Grid) -> GivenSong:
    """Returns the song of a MIDI file, unless what is made of it would take the place of another song's files."""
    check_name(path.stem, path, verb)
    if path.stem.endswith(f"-{ORIGINAL}"):
        raise OptionError(
            f"{path}: a name that ends in -{ORIGINAL} is for what a song was made from: "
            f"{verb.name} a copy of another name"
        )
    if path.resolve().parent == folder.resolve():
        raise OptionError(
            f"{path} lies where {verb.done} songs go, and would be overwritten: {verb.name} a copy elsewhere"
        )
    try:
        song = read_song(path, grid)
    except SongError as error:
        raise OptionError(f"{path}: {error}") from error
    return GivenSong(path.stem, song.pianoroll, song.tempo)


def check_name(name: str, path: pathlib.Path | str, verb: Verb) -> None:
    """Refuses the name of a song that is too long for its files.

    Args:
        name: of the files.
        path: what is named, for people.
        verb: the command.

    Raises:
        OptionError: if it is.
    """
    if (size := len(os.fsencode(name))) > LONGEST_NAME:
        raise OptionError(
            f"{path}: its name has {size} bytes, at most {LONGEST_NAME}: {verb.name} a copy of another name"
        )

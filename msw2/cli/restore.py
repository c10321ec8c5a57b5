"""`make restore`: takes songs through the whole model and back, and writes what comes out.

A song of the store gives its phrases that do not overlap, in the order of their bars. A MIDI file is restored whole.
"""

import os
import pathlib
from collections.abc import Iterator

import numpy as np
from absl import flags

from msw2.cli import options, sound_options
from msw2.cli.launch import OptionError, launch
from msw2.cli.samples import samples_folder, write_samples
from msw2.data.store import OPEN_SPLITS
from msw2.inference.sampling import Sampler
from msw2.inference.song_files import MadeSong
from msw2.inference.trained import Trained
from msw2.music.metrics import f1_scores
from msw2.music.midi import SongError, read_song
from msw2.music.note_metrics import note_f1
from msw2.music.pianoroll import cut_phrases, join_phrases
from msw2.page.about import About, AboutError
from msw2.page.folder import ORIGINAL
from msw2.system.progress import say
from msw2.training.device import set_up_device

LONGEST_NAME = 220  # bytes; file systems allow 255, and `-original-strings.ogg` comes behind


def define_flags() -> None:
    """Defines the command's flags."""
    options.define_trained()
    options.define_store()
    flags.DEFINE_string("midi", None, "A MIDI file to restore, instead of songs of the store.")
    flags.DEFINE_integer("songs", 8, "Most songs of the store to restore.", lower_bound=1)
    flags.DEFINE_enum("split", "validation", OPEN_SPLITS, "Split of the store to take them from.")
    sound_options.define_sound()


def main() -> None:
    """Writes `<run>/samples/restored/<name>.mid`, `<name>-original.mid` and so on, their sound, and a page of them."""
    sound_options.check_sound()
    set_up_device(flags.FLAGS.threads)
    run = options.open_run()
    folder = samples_folder(run, "restored")
    with options.writing(folder):
        songs = list(_songs(run, folder))
        rendering = sound_options.asked_sound(len(songs))
        say(f"{run.path}: restoring")
        sampler = Sampler.of(run)
        made = [_made(sampler, run.preset, *song) for song in songs]
        write_samples(folder, made, sampler.grid, rendering, f"{len(songs)} songs restored: {folder}")


def _made(sampler: Sampler, preset: str, name: str, original: np.ndarray, tempo: float) -> MadeSong:
    """Returns what comes out of the model for a song, bool [step, pitch, track]."""
    given = cut_phrases(original, sampler.grid)
    restored = sampler.restore(given)
    about = About("restored", preset=preset, figures=_figures(given, restored))
    cells = join_phrases(restored)[: len(original)]  # the last phrase is padded
    return MadeSong(name, cells, tempo, "restored", about, original)


def _figures(given: np.ndarray, made: np.ndarray) -> dict[str, float]:
    """Returns how much of a song came back: F1 in percent, the mean of the tracks that sound."""
    scores = {"notes": note_f1(given, made), "cells": f1_scores(given, made)[2]}
    known = {name: score.pooled() for name, score in scores.items()}
    return {
        f"F1 of {name}, %": round(100 * float(np.nanmean(values)), 1)
        for name, values in known.items()
        if not np.isnan(values).all()
    }


def _songs(run: Trained, folder: pathlib.Path) -> Iterator[tuple[str, np.ndarray, float]]:
    """Yields (name, bool [step, pitch, track], tempo) of each song that the flags name, to be restored to a folder."""
    values, grid = flags.FLAGS, run.config.grid
    if values.midi:
        path = pathlib.Path(values.midi)
        _check_place(path, folder)
        try:
            song = read_song(path, grid)
        except SongError as error:
            raise OptionError(f"{path}: {error}") from error
        yield path.stem, song.pianoroll, song.tempo
        return
    if not pathlib.Path(values.store).exists():
        raise OptionError(f"nothing to restore: give a MIDI file, or a --store; there is no {values.store}")
    store = options.open_fitting_store(run)
    if not store.count(values.split):
        raise OptionError(
            f"the store {store.path} has no songs in its split {values.split}: give another --split"
        )
    for _, song in zip(range(values.songs), store.songs(values.split), strict=False):
        yield song.name, join_phrases(song.without_overlap(grid.bars)), song.tempo


def _check_place(path: pathlib.Path, folder: pathlib.Path) -> None:
    """Refuses a file whose name is too long, or takes the place of another song's files in a folder."""
    if (size := len(os.fsencode(path.stem))) > LONGEST_NAME:
        raise OptionError(
            f"{path}: its name has {size} bytes, at most {LONGEST_NAME}: restore a copy of another name"
        )
    if path.stem.endswith(f"-{ORIGINAL}"):
        raise OptionError(
            f"{path}: a name that ends in -{ORIGINAL} is for what a song was made from: restore a copy of another name"
        )
    if path.resolve().parent == folder.resolve():
        raise OptionError(
            f"{path} lies where restored songs go, and would be overwritten: restore a copy elsewhere"
        )


if __name__ == "__main__":
    launch(define_flags, main, AboutError, OSError, *options.USER_ERRORS, positional="midi")

"""`make restore`: takes songs through the whole model and back, and writes what comes out.

A song of the store gives its phrases that do not overlap, in the order of their bars. A MIDI file is restored whole.
"""

import pathlib
from collections.abc import Iterator

import numpy as np
from absl import flags

from msw2.cli import options, sound_options
from msw2.cli.launch import OptionError, launch
from msw2.cli.page import write_page
from msw2.data.store import SPLITS
from msw2.inference.sampling import Sampler
from msw2.inference.song_files import write_files
from msw2.inference.trained import Trained
from msw2.music.metrics import f1_scores, note_f1
from msw2.music.midi import SongError, read_song
from msw2.music.pianoroll import cut_phrases, join_phrases
from msw2.page.about import About
from msw2.sound.rendering import render_songs
from msw2.system.progress import say
from msw2.training.device import set_up_device


def define_flags() -> None:
    """Defines the command's flags."""
    options.define_trained()
    options.define_store()
    flags.DEFINE_string("midi", None, "A MIDI file to restore, instead of songs of the store.")
    flags.DEFINE_integer("songs", 8, "Most songs of the store to restore.", lower_bound=1)
    flags.DEFINE_enum("split", "test", SPLITS, "Split of the store to take them from.")
    sound_options.define_sound()


def main() -> None:
    """Writes `<run>/samples/restored/<name>.mid`, `<name>-original.mid` and so on, their sound, and a page of them."""
    set_up_device(flags.FLAGS.threads)
    run = options.open_run()
    songs = list(_songs(run))
    rendering = sound_options.asked_sound(len(songs))
    say(f"{run.path}: restoring")
    sampler = Sampler.of(run)
    folder = run.path / "samples" / "restored"
    midis = []
    for name, original, tempo in songs:
        given = cut_phrases(original, sampler.grid)
        made = sampler.restore(given)
        restored = join_phrases(made)[: len(original)]  # the last phrase is padded
        midis += write_files(
            folder,
            name,
            restored,
            sampler.grid,
            tempo,
            title="restored",
            about=About("restored", preset=run.preset, figures=_figures(given, made)),
            original=original,
            flat=rendering.flat,
        )
    render_songs(midis, sampler.grid, rendering)
    print(f"{len(songs)} songs restored: {folder}")
    write_page(run.path / "samples", rendering)


def _figures(given: np.ndarray, made: np.ndarray) -> dict[str, float]:
    """Returns how much of a song came back: F1 in percent, the mean of the tracks that sound."""
    scores = {"notes": note_f1(given, made), "cells": f1_scores(given, made)[2]}
    known = {name: score.pooled() for name, score in scores.items()}
    return {
        f"F1 of {name}, %": round(100 * float(np.nanmean(values)), 1)
        for name, values in known.items()
        if not np.isnan(values).all()
    }


def _songs(run: Trained) -> Iterator[tuple[str, np.ndarray, float]]:
    """Yields (name, bool [step, pitch, track], tempo) of each song that the flags name."""
    values, grid = flags.FLAGS, run.config.grid
    if values.midi:
        path = pathlib.Path(values.midi)
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


if __name__ == "__main__":
    launch(define_flags, main, *options.USER_ERRORS, positional="midi")

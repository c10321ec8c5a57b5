"""Songs in numbers, for the page."""

import numpy as np

from msw2.music.grid import Grid
from msw2.music.metrics import f1_scores
from msw2.music.note_metrics import note_f1
from msw2.music.notes import runs
from msw2.music.pianoroll import cut_phrases
from msw2.music.tracks import TRACK_NAMES, TRACKS


def music_figures(song: np.ndarray, grid: Grid) -> dict[str, float | str]:
    """Returns how many notes a song has, and how long each track plays.

    Args:
        song: bool [step, pitch, track], whole bars, at least one.
        grid: of the song.
    """
    notes = sum(len(runs(song[..., index], track.is_drum)[0]) for index, track in enumerate(TRACKS))
    bars = song.reshape(-1, grid.steps, *song.shape[1:]).any(axis=(1, 2))
    shares = np.rint(100 * bars.mean(axis=0)).astype(int).tolist()
    return {
        "notes a bar": round(notes / len(bars), 1),
        "bars with each track, %": ", ".join(
            f"{name} {share}" for name, share in zip(TRACK_NAMES, shares, strict=True)
        ),
    }


def likeness_figures(given: np.ndarray, made: np.ndarray, grid: Grid) -> dict[str, float]:
    """Returns how much of a song another one has: F1 in percent, the mean of the tracks that sound.

    Args:
        given: bool [step, pitch, track].
        made: bool, same shape.
        grid: of the songs.
    """
    pair = cut_phrases(given, grid), cut_phrases(made, grid)
    scores = {"notes": note_f1(*pair), "cells": f1_scores(*pair)[2]}
    known = {name: score.pooled() for name, score in scores.items()}
    return {
        f"F1 of {name}, %": round(100 * float(np.nanmean(values)), 1)
        for name, values in known.items()
        if not np.isnan(values).all()
    }

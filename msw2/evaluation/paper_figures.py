"""Figures 1 and 4 to 9 of the paper, made anew from a run's own histories and music."""

import pathlib
import shutil
from collections.abc import Iterator

import keras
import numpy as np

from msw2.data.store import Store
from msw2.evaluation.figures import draw_curves, read_history
from msw2.inference.pictures import draw_pianorolls
from msw2.inference.sampling import Sampler
from msw2.inference.trained import Trained
from msw2.music.pianoroll import join_phrases
from msw2.music.tracks import TRACK_NAMES
from msw2.system.files import replacing
from msw2.training.runs import Run
from msw2.training.stage1 import SHARED

SEED, TEMPERATURE = 0, 1.0  # of the generated phrases in Figure 9


def fullest(store: Store, split: str) -> tuple[int, np.ndarray]:
    """Finds the first phrase with the most sounding bars, added up over the five tracks.

    Args:
        store: where to look.
        split: which of its splits; it has at least one phrase.

    Returns:
        The number of the phrase within the split, and the phrase, bool [1, bar, step, pitch, track].
    """
    best, most, begin = None, -1, 0
    for song in store.songs(split):
        sounding = song.phrases.any(axis=(2, 3)).sum(axis=(1, 2))
        index = int(sounding.argmax())
        if sounding[index] > most:
            best, most = (begin + index, song.phrases[index : index + 1].copy()), sounding[index]
        if most == store.grid.bars * len(TRACK_NAMES):  # none can have more
            break
        begin += len(sounding)
    return best


def architecture(run: Trained, sandwich: keras.Model) -> pathlib.Path | None:
    """Draws Figure 1, the sandwich as it is built, or nothing where graphviz is not installed.

    Args:
        run: of the folder.
        sandwich: see `models.sandwich.build_sandwich`.
    """
    if not shutil.which("dot"):
        return None
    with replacing(_path(run, "figure1_sandwich")) as temporary:
        keras.utils.plot_model(sandwich, temporary, show_shapes=True, show_layer_names=True, dpi=60)
    return _path(run, "figure1_sandwich")


def curves(run: Run) -> Iterator[pathlib.Path]:
    """Draws Figures 4 to 7, each if the run has its histories; yields their paths."""
    bvaes = {"BVAE of all tracks": SHARED} if run.config.shared else _by_track("bvae")
    figures = {
        "figure5_bvae": (bvaes, ("loss",)),
        "figure6_mfg_vae": ({f"MFG-VAE ({run.config.fusion})": "mfg_vae"}, ("loss",)),
    }
    if run.config.refine == "notes":
        figures = {"figure4_refine_in_notes": (_by_track("refiner"), ("loss",))} | figures
    if run.config.refine == "bars":
        figures["figure7_refine_in_bars"] = (_by_track("refiner"), ("loss", "accuracy"))
    for name, (stages, columns) in figures.items():
        paths = {title: run.history(stage) for title, stage in stages.items()}
        histories = {title: read_history(path) for title, path in paths.items() if path.exists()}
        if histories:
            draw_curves(_path(run, name), histories, columns)
            yield _path(run, name)


def refined(run: Trained, sampler: Sampler, phrase: np.ndarray, title: str) -> pathlib.Path:
    """Draws Figure 8: an original phrase, restored without refine, and restored.

    Args:
        run: whose figure it is.
        sampler: of the run.
        phrase: bool [1, bar, step, pitch, track].
        title: above the original.

    Returns:
        The path of the figure.
    """
    pictures = {
        title: phrase,
        "restored without refine": sampler.restore(phrase, refined=False),
        "restored": sampler.restore(phrase),
    }
    return _draw_phrases(_path(run, "figure8_refined"), pictures, sampler)


def side_by_side(run: Trained, sampler: Sampler, shared: Sampler, phrase: np.ndarray) -> pathlib.Path:
    """Draws Figure 9: what independent BVAEs and a shared one restore, and what they generate.

    Args:
        run: whose figure it is.
        sampler: of the run, with a BVAE for each track.
        shared: of a run with one BVAE for all tracks.
        phrase: to restore, bool [1, bar, step, pitch, track].

    Returns:
        The path of the figure.
    """
    samplers = {"independent BVAEs": sampler, "shared BVAE": shared}
    pictures = {f"restored, {kind}": each.restore(phrase) for kind, each in samplers.items()}
    for kind, each in samplers.items():
        pictures[f"generated, {kind}"] = each.generate(1, seed=SEED, temperature=TEMPERATURE)
    return _draw_phrases(_path(run, "figure9_shared"), pictures, sampler)


def _by_track(kind: str) -> dict[str, str]:
    return {track: f"{track}_{kind}" for track in TRACK_NAMES}


def _draw_phrases(path: pathlib.Path, pictures: dict[str, np.ndarray], sampler: Sampler) -> pathlib.Path:
    draw_pianorolls(path, {title: join_phrases(made) for title, made in pictures.items()}, sampler.grid)
    return path


def _path(run: Trained, name: str) -> pathlib.Path:
    return run.path / "figures" / f"{name}.png"

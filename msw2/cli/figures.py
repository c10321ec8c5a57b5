"""`make figures`: Figures 4 to 9 of the paper, made anew from a run's own histories and music.

A history that is not there, for there was nothing to learn, gives no figure.
"""

import pathlib
from collections.abc import Iterator

import numpy as np
from absl import flags

from msw2.cli import options
from msw2.cli.launch import OptionError, launch
from msw2.data.store import SPLITS, Store
from msw2.evaluation.figures import draw_curves, draw_pianorolls, read_history
from msw2.inference.sampling import Sampler
from msw2.music.pianoroll import join_phrases
from msw2.music.tracks import TRACK_NAMES
from msw2.training.device import set_up_device
from msw2.training.runs import Run
from msw2.training.stage1 import SHARED

SEED, TEMPERATURE = 0, 1.0  # of the phrases that Figure 9 has from nothing


def define_flags() -> None:
    """Defines the command's flags."""
    options.define_run()
    options.define_store()
    flags.DEFINE_enum("split", "test", SPLITS, "Split of the store to take the phrase from.")
    flags.DEFINE_integer(
        "phrase",
        None,
        "Which phrase of the split to draw; without it, the first with the most sounding bars of tracks.",
        lower_bound=0,
    )
    flags.DEFINE_string(
        "shared_run", None, "A run with one BVAE for all tracks, to set beside it in Figure 9."
    )


def main() -> None:
    """Writes `<run>/figures/figure4_refine_in_notes.png` and so on, and prints what is drawn."""
    set_up_device(flags.FLAGS.threads)
    run = options.open_run()
    shared, store = _shared_run(run), options.open_fitting_store(run)
    number, phrase = _phrase(store)
    drawn = [*curves(run)]
    sampler = Sampler.of(run)
    drawn.append(_refined(run, sampler, number, phrase))
    if shared:
        drawn.append(_side_by_side(run, sampler, Sampler.of(shared), phrase))
    print(f"figures: {', '.join(map(str, drawn))}")


def _shared_run(run: Run) -> Run | None:
    """Returns the run that `--shared_run` names, if any.

    Raises:
        OptionError: if its BVAE is not shared, that of `run` is, or their grids differ.
    """
    path = flags.FLAGS.shared_run
    if path is None:
        return None
    shared = Run.open(path)
    if not shared.config.shared:
        raise OptionError(
            f"the run {shared.path} has a BVAE for each track: --shared_run is for one with --shared"
        )
    if run.config.shared:
        raise OptionError(
            f"the run {run.path} has one BVAE for all tracks itself: give --run one without --shared"
        )
    if shared.config.grid != run.config.grid:
        raise OptionError(
            f"the run {shared.path} has {shared.config.grid}, the run {run.path} {run.config.grid}"
        )
    return shared


def _phrase(store: Store) -> tuple[int, np.ndarray]:
    """Returns the number within `--split` of the phrase to draw, and it, bool [1, bar, step, pitch, track]."""
    split, number = flags.FLAGS.split, flags.FLAGS.phrase
    if not store.count(split):
        raise OptionError(f"the store {store.path} has no phrases in its split {split}: give another --split")
    if number is None:
        return fullest(store, split)
    if number >= store.count(split):
        raise OptionError(
            f"phrase {number} is not below {store.count(split)}, "
            f"the phrases of the split {split} of {store.path}"
        )
    return number, store.load(split, number + 1)[number:]


def fullest(store: Store, split: str) -> tuple[int, np.ndarray]:
    """Returns the first phrase with the most sounding bars, counted over the five tracks; see `_phrase`."""
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


def curves(run: Run) -> Iterator[pathlib.Path]:
    """Draws Figures 4 to 7 as far as there are histories; yields where they are."""
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


def _by_track(kind: str) -> dict[str, str]:
    return {track: f"{track}_{kind}" for track in TRACK_NAMES}


def _refined(run: Run, sampler: Sampler, number: int, phrase: np.ndarray) -> pathlib.Path:
    """Draws Figure 8: a phrase as it was, restored without refine, and restored."""
    pictures = {
        f"original (phrase {number} of {flags.FLAGS.split})": phrase,
        "restored without refine": sampler.restore(phrase, refined=False),
        "restored": sampler.restore(phrase),
    }
    return _draw_phrases(_path(run, "figure8_refined"), pictures, sampler)


def _side_by_side(run: Run, sampler: Sampler, shared: Sampler, phrase: np.ndarray) -> pathlib.Path:
    """Draws Figure 9: what independent BVAEs and a shared one make of a phrase, and from nothing."""
    samplers = {"independent BVAEs": sampler, "shared BVAE": shared}
    pictures = {f"restored, {kind}": each.restore(phrase) for kind, each in samplers.items()}
    for kind, each in samplers.items():
        pictures[f"generated, {kind}"] = each.generate(1, seed=SEED, temperature=TEMPERATURE)
    return _draw_phrases(_path(run, "figure9_shared"), pictures, sampler)


def _draw_phrases(path: pathlib.Path, pictures: dict[str, np.ndarray], sampler: Sampler) -> pathlib.Path:
    draw_pianorolls(path, {title: join_phrases(made) for title, made in pictures.items()}, sampler.grid)
    return path


def _path(run: Run, name: str) -> pathlib.Path:
    return run.path / "figures" / f"{name}.png"


if __name__ == "__main__":
    launch(define_flags, main, *options.USER_ERRORS)

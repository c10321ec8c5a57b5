"""Stage 1: the BVAE of a track, or one that all tracks share."""

from collections.abc import Sequence

from msw2.data.store import Store
from msw2.models import bvae
from msw2.models.sandwich import build_parts, track_vae
from msw2.music.tracks import TRACK_NAMES, track_index
from msw2.training.optimizers import build_optimizer
from msw2.training.runs import Run, stage1_parts
from msw2.training.stages import compile_stage, fit_units
from msw2.training.store_check import check_fit
from msw2.training.unit_counts import epoch_steps, read_units

SHARED = "shared_bvae"  # the stage that trains one BVAE for all tracks


def train_bvae(run: Run, store: Store, track: str) -> bool:
    """Stage 1 for one track. Continues where it was killed.

    Where the BVAE is shared, one is trained on the units of all five tracks, whichever is named, and its weights
    are written as those of each.

    Returns:
        False if the BVAE was trained already.

    Raises:
        RunError: if the run and the store do not fit.
        ValueError: for a name that is not a track's.
    """
    track_index(track)
    check_fit(run, store)
    tracks = TRACK_NAMES if run.config.shared else (track,)
    if run.has(*[part for each in tracks for part in stage1_parts(each)]):
        return False
    first, *others = map(stage1_parts, tracks)
    if not run.has(*first):  # it is there where a shared run was killed between its files
        _train_bvae(run, store, tracks)
    for names in others:
        for trained, part in zip(first, names, strict=True):
            run.copy_weights(trained, part)
    return True


def _train_bvae(run: Run, store: Store, tracks: Sequence[str]) -> None:
    """Trains the BVAE of the first of some tracks on the units of all of them, and writes it."""
    config, first = run.config, tracks[0]
    stage = SHARED if config.shared else f"{first}_bvae"
    parts, units = build_parts(config, [first]), read_units(run, store, "train", tracks)
    if config.output_bias:
        bvae.set_output_bias(parts.models[f"{first}_decoder"], units.sounding_share())
    vae = track_vae(parts, first)
    steps = config.bvae_epochs * epoch_steps(run, store, tracks)
    compile_stage(vae, build_optimizer(config, steps), parts, stage1_parts(first))
    resume = fit_units(run, store, vae, tracks, units, stage=stage, epochs=config.bvae_epochs)
    for part in stage1_parts(first):
        run.save_weights(parts.models[part], part)
    resume.finish()

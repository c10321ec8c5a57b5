"""Stage 1: the BVAE of a track, or one that all tracks share."""

from msw2.data.store import Store
from msw2.models.bvae import set_output_bias
from msw2.models.sandwich import build_sandwich
from msw2.music.tracks import TRACK_NAMES
from msw2.training.feeds import UnitFeed
from msw2.training.fit import fit
from msw2.training.jobs import ALONE, Job
from msw2.training.runs import Run
from msw2.training.stages import set_stage, stage_parts
from msw2.training.store_check import check_fit, resume_of

SHARED = "shared_bvae"  # the stage that trains one BVAE for all tracks


def train_bvae(run: Run, store: Store, track: str, job: Job = ALONE) -> bool:
    """Trains the BVAE of one track, from where it was killed.

    A shared BVAE is trained on the units of all five tracks, whichever is named. Its weights are written as those of
    each track.

    Args:
        run: any run; where it is only read, this process helps another one.
        store: of the units.
        track: name.
        job: the devices that train.

    Returns:
        False if the BVAE was trained already.

    Raises:
        RunError: if the run and the store do not fit, or a process of the job has ended.
        ValueError: for a name that is not a track's.
    """
    parts = stage_parts("stage1", track)
    config, tracks, name = run.config, (track,), f"{track}_bvae"
    if config.shared:
        tracks, name, parts = TRACK_NAMES, SHARED, stage_parts("stage1", TRACK_NAMES[0])
    check_fit(run, store)
    if run.has_bvaes(tracks):
        return False
    if not run.has(*parts):  # it is there where a shared run was killed between its files
        _train(run, store, UnitFeed.of(config, store, tracks, name), parts, job)
    if run.writes:
        run.copy_bvae(tracks)
    return True


def _train(run: Run, store: Store, feed: UnitFeed, parts: tuple[str, str], job: Job) -> None:
    """Trains one BVAE on all that a feed has, and writes its encoder and its decoder."""
    config, (encoder, decoder) = run.config, parts
    with job.scope():
        sandwich = build_sandwich(config)
    if not run.begin(sandwich, *parts) and config.output_bias:
        set_output_bias(sandwich.get_layer(decoder), feed.train.sounding_share())
    track = encoder.split("_")[0]
    with job.scope():
        view = set_stage(sandwich, "stage1", config, track=track, steps=config.bvae_epochs * feed.steps)
    resume = fit(
        view, feed, resume_of(run, store, feed.stage), epochs=config.bvae_epochs, label=feed.stage, job=job
    )
    if not run.writes:
        return
    for part in parts:
        run.save_weights(sandwich.get_layer(part), part)
    resume.finish()

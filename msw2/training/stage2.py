"""Stage 2: the MFG-VAE over the five frozen BVAEs, and the prior of its latents."""

import keras
import numpy as np
import tensorflow as tf

from msw2.config import Config
from msw2.data import packing
from msw2.data.augmentation import transpose_phrases
from msw2.data.store import Store
from msw2.models.mfg_vae import set_statistics
from msw2.models.prior import Prior
from msw2.models.sandwich import FUSION_PARTS, build_sandwich, encoding_view, stage1_parts
from msw2.music.tracks import TRACK_NAMES
from msw2.system.progress import Progress
from msw2.system.rows import RowFile
from msw2.training.feeds import ArrayFeed, most_units
from msw2.training.fit import Resume, fit
from msw2.training.jobs import ALONE, Job
from msw2.training.notes_prior import train_prior
from msw2.training.prior import blended, fit_prior
from msw2.training.runs import Run
from msw2.training.stages import set_stage
from msw2.training.store_check import check_fit, resume_of
from msw2.training.thresholds import choose_thresholds

MAX_FUSION_UNITS = 200_000  # stage 2 encodes fewer transpositions, then fewer phrases, rather than more units
ENCODE_PHRASES = 32  # phrases encoded at a time: of 256 the LSTMs of five tracks take a gigabyte


def train_fusion(run: Run, store: Store, job: Job = ALONE) -> bool:
    """Trains the MFG-VAE on the moments of the frozen BVAEs, then fits or trains the prior.

    The frozen encoders are deterministic. So each phrase is encoded once, and the MFG-VAE is trained on the moments
    alone: its loss and gradients are those through the whole sandwich.

    If the MFG-VAE is the last part of the run, the thresholds are chosen, see `thresholds`.

    Without fusion nothing is trained. Weight files that hold nothing are written all the same, so that
    every later step finds what it looks for. The prior is then that of the BVAEs' means.

    Args:
        run: of stage 1 trained; where it is only read, this process helps another one.
        store: of the phrases. Every process of a job encodes all of them.
        job: the devices that train.

    Returns:
        False if it was trained already.

    Raises:
        RunError: if stage 1 is missing for a track, run and store do not fit, or a process of the job has ended.
    """
    check_fit(run, store)
    missing = not run.has(*FUSION_PARTS) or not run.prior.exists()
    if missing:
        _train(run, store, job)
    choose_thresholds(run, store)
    return missing


def _train(run: Run, store: Store, job: Job) -> None:
    config, missing = run.config, not run.has(*FUSION_PARTS)
    with job.scope():
        sandwich = build_sandwich(config)
    run.load_weights(sandwich, *[part for track in TRACK_NAMES for part in stage1_parts(track)])
    if not missing:  # only the prior is missing: runs that differ in it share the rest
        run.load_weights(sandwich, *FUSION_PARTS)
    fitted = config.fusion != "none" and missing
    resume = None
    if fitted or config.prior != "notes":
        copies = config.mfg_transpositions if fitted else 1
        moments, own_key = encode_moments(sandwich, config, store, "train", copies=copies)
    if fitted:
        resume = _fit_fusion(run, store, sandwich, moments, job)
    if not run.writes:
        return
    for name in FUSION_PARTS if missing else ():
        run.save_weights(sandwich.get_layer(name), name)
    if config.prior == "notes":
        if resume:
            resume.finish()  # the prior takes hours, and has a checkpoint of its own
        train_prior(run, store, sandwich, run.prior_before(), path=run.prior)
        return
    fit_run_prior(run, phrase_latents(sandwich, config, moments, own_key)).save(run.prior)
    if resume:
        resume.finish()


def encode_moments(
    sandwich: keras.Model, config: Config, store: Store, split: str, *, copies: int
) -> tuple[RowFile, int]:
    """Encodes the units of a split once for each transposition.

    Of the training split it takes the phrases from the first on that `train_bars` allows; of others, a few, because
    their loss is measured after every epoch; in all at most `MAX_FUSION_UNITS` units. Where that leaves phrases out,
    those that it takes are spread evenly over all songs.

    Args:
        sandwich: with trained encoders.
        config: what it was built from.
        store: the store.
        split: of the store.
        copies: transpositions of each phrase: 0, +1, -1, +2, ... semitones.

    Returns:
        Moments, float32 [unit, track, `mfg_moments`], and how many of them, from the first on, are of the songs' own
        keys. The other transpositions follow, one after another, each of the same units.
    """
    limit = config.train_units if split == "train" else 0
    there = min(store.count(split) * config.units, limit or 2**31)
    units = min(there, most_units(config, split) or MAX_FUSION_UNITS, MAX_FUSION_UNITS)
    copies = max(1, min(copies, MAX_FUSION_UNITS // max(units, 1)))
    encode, phrases = tf.function(encoding_view(sandwich)), -(-units // config.units)
    own_key = phrases * config.units
    moments = RowFile(copies * own_key, (len(TRACK_NAMES), config.mfg_moments))
    progress, filled = Progress(copies * phrases, "phrases", label=f"encoding {split}"), 0
    for packed in store.packed(split, size=ENCODE_PHRASES, limit=-(-there // config.units), evenly=phrases):
        batch = packing.unpack(packed, store.grid)
        for copy in range(copies):
            moved = transpose_phrases(batch, (copy + 1) // 2 * (1 if copy % 2 else -1))
            moments.write(copy * own_key + filled * config.units, encode(moved).numpy())
            progress.update(copies * filled + (copy + 1) * len(batch))
        filled += len(batch)
    progress.close()
    return moments, own_key


def fit_run_prior(run: Run, latents: np.ndarray) -> Prior:
    """Fits the prior of a run to latents, float32 [phrase, unit, latent].

    Where the run began with trained weights, the prior keeps a share of theirs, if that is one of Gaussians.
    """
    own, before = fit_prior(run.config, latents), run.prior_before()
    return blended(own, before) if isinstance(before, Prior) else own


def phrase_latents(sandwich: keras.Model, config: Config, moments: RowFile, end: int) -> np.ndarray:
    """Returns the MFG-VAE's means, float32 [phrase, unit, latent], of the first `end` units' moments."""
    encode = tf.function(sandwich.get_layer("mfg_encoder"))
    means = [encode(block)[:, : config.fusion_latent] for block in moments.blocks(1024, end)]
    return np.reshape(np.concatenate(means), (-1, config.units, config.fusion_latent))


def scale_of(moments: RowFile) -> tuple[np.ndarray, np.ndarray]:
    """Returns mean and standard deviation over the rows, float64, each of the shape of a row."""
    sums = np.zeros((2, *moments.shape[1:]))
    for block in moments.blocks(4096):
        wide = block.astype(np.float64)
        sums += wide.sum(axis=0), (wide**2).sum(axis=0)
    mean, square = sums / len(moments)
    return mean, np.sqrt(np.maximum(square - mean**2, 0.0))


def _fit_fusion(run: Run, store: Store, sandwich: keras.Model, moments: RowFile, job: Job) -> Resume:
    """Fits the MFG-VAE to moments, and to their scale."""
    config = run.config
    # The scale of the moments is a weight too: a trained MFG-VAE keeps the one that it has learnt with.
    if not run.begin(sandwich, *FUSION_PARTS) and config.standardise:
        mean, deviation = scale_of(moments)
        # A latent unit that the BVAE does not use is constant: it must not be blown up to deviation 1.
        deviation = np.maximum(deviation, 1e-2)
        set_statistics(*(sandwich.get_layer(name) for name in FUSION_PARTS), mean, deviation)
    validation, held_out = encode_moments(sandwich, config, store, "validation", copies=1)
    rows = -(-config.epoch_bars // config.unit_bars) or len(moments)
    validation = validation.read(np.arange(held_out))
    feed = ArrayFeed(config, (moments, moments), (validation, validation), rows)
    with job.scope():
        view = set_stage(sandwich, "stage2", config, steps=config.mfg_epochs * feed.steps)
    resume = resume_of(run, store, "mfg_vae")
    return fit(view, feed, resume, epochs=config.mfg_epochs, label="mfg_vae", job=job)

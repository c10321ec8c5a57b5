"""Stage 2: the MFG-VAE over the five frozen BVAEs, and the prior of its latents."""

import keras
import numpy as np
import tensorflow as tf

from msw2.config import Config
from msw2.data import packing
from msw2.data.store import Store
from msw2.models.mfg_vae import set_statistics
from msw2.models.sandwich import FUSION_PARTS, build_sandwich, encoding_view, stage1_parts
from msw2.music.tracks import TRACK_NAMES
from msw2.music.transposition import transpose
from msw2.system.progress import Progress
from msw2.training.feeds import ArrayFeed, most_units
from msw2.training.fit import Resume, fit
from msw2.training.prior import fit_prior
from msw2.training.runs import Run
from msw2.training.stages import set_stage
from msw2.training.store_check import check_fit, resume_of

MAX_FUSION_UNITS = 200_000  # stage 2 encodes fewer transpositions, then fewer phrases, rather than more units
ENCODE_PHRASES = 256  # phrases encoded at a time


def train_fusion(run: Run, store: Store) -> bool:
    """Trains the MFG-VAE on the moments of the frozen BVAEs, then fits the prior of its latents.

    The frozen encoders are deterministic. So each phrase is encoded once, and the MFG-VAE is trained on the moments
    alone: its loss and gradients are those through the whole sandwich.

    Without fusion there is nothing to train. Weight files that hold nothing are written all the same, so that
    every later step finds what it looks for. The prior is then that of the BVAEs' means.

    Returns:
        False if it was trained already.

    Raises:
        RunError: if stage 1 is missing for a track, or run and store do not fit.
    """
    check_fit(run, store)
    missing = not run.has(*FUSION_PARTS)
    if not missing and run.prior.exists():
        return False
    config, sandwich = run.config, build_sandwich(run.config)
    run.load_weights(sandwich, *[part for track in TRACK_NAMES for part in stage1_parts(track)])
    if not missing:  # only the prior is missing: it is cheap, and runs that differ in it share the rest
        run.load_weights(sandwich, *FUSION_PARTS)
    fitted = config.fusion != "none" and missing
    copies = config.mfg_transpositions if fitted else 1
    moments = encode_moments(sandwich, config, store, "train", copies=copies)
    resume = None
    if fitted:
        resume = _fit_fusion(run, store, sandwich, moments.reshape(-1, *moments.shape[3:]))
    own_key = moments[0].reshape(-1, *moments.shape[3:])
    latents = posterior_means(sandwich, config, own_key)
    fit_prior(config, latents.reshape(-1, config.units, config.fusion_latent)).save(run.prior)
    for name in FUSION_PARTS if missing else ():
        run.save_weights(sandwich.get_layer(name), name)
    if resume:
        resume.finish()
    return True


def encode_moments(
    sandwich: keras.Model, config: Config, store: Store, split: str, *, copies: int
) -> np.ndarray:
    """Encodes the units of a split once for each transposition.

    Of the training split it takes the phrases from the first on that `train_bars` allows; of others, as many as a
    loss after every epoch is worth; in all at most `MAX_FUSION_UNITS` units.

    Args:
        sandwich: with trained encoders.
        config: what it was built from.
        store: the store.
        split: of the store.
        copies: transpositions of each phrase: 0, +1, -1, +2, ... semitones.

    Returns:
        float32 [copy, phrase, unit, track, 2 x BVAE latent].
    """
    there = store.count(split) * config.units
    units = min(there, most_units(config, split) or MAX_FUSION_UNITS, MAX_FUSION_UNITS)
    copies = max(1, min(copies, MAX_FUSION_UNITS // max(units, 1)))
    encode = tf.function(encoding_view(sandwich))
    shape = (copies, -(-units // config.units), config.units, len(TRACK_NAMES), 2 * config.bvae_latent)
    moments, filled = np.empty(shape, np.float32), 0
    progress = Progress(copies * shape[1], "phrases", label=f"encoding {split}")
    for packed in store.packed(split, size=ENCODE_PHRASES, limit=shape[1]):
        phrases = packing.unpack(packed, store.grid)
        for copy in range(copies):
            moved = transpose(phrases, (copy + 1) // 2 * (1 if copy % 2 else -1))
            moments[copy, filled : filled + len(moved)] = np.reshape(encode(moved), (len(moved), *shape[2:]))
            progress.update(copies * filled + (copy + 1) * len(moved))
        filled += len(phrases)
    progress.close()
    return moments


def posterior_means(sandwich: keras.Model, config: Config, moments: np.ndarray) -> np.ndarray:
    """Returns the MFG-VAE's means, float32 [unit, latent], of moments [unit, track, 2 x BVAE latent]."""
    encode = tf.function(sandwich.get_layer("mfg_encoder"))
    batches = [encode(moments[i : i + 1024]) for i in range(0, len(moments), 1024)]
    return np.concatenate(batches)[:, : config.fusion_latent]


def _fit_fusion(run: Run, store: Store, sandwich: keras.Model, moments: np.ndarray) -> Resume:
    """Fits the MFG-VAE to moments, float32 [unit, track, 2 x BVAE latent], and to their scale."""
    config = run.config
    if config.standardise:
        # A latent unit that the BVAE does not use is constant: it must not be blown up to deviation 1.
        deviation = np.maximum(moments.std(axis=0), 1e-2)
        set_statistics(*(sandwich.get_layer(name) for name in FUSION_PARTS), moments.mean(axis=0), deviation)
    validation = encode_moments(sandwich, config, store, "validation", copies=1)
    validation = validation.reshape(-1, *moments.shape[1:])
    rows = -(-config.epoch_bars // config.unit_bars) or len(moments)
    feed = ArrayFeed(config, (moments, moments), (validation, validation), rows)
    view = set_stage(sandwich, "stage2", config, steps=config.mfg_epochs * feed.steps)
    return fit(view, feed, resume_of(run, store, "mfg_vae"), epochs=config.mfg_epochs, label="mfg_vae")

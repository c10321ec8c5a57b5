"""Stage 2: the MFG-VAE over the five frozen BVAEs, and the prior of its latents."""

import numpy as np
import tensorflow as tf

from msw2.data import packing, pipeline
from msw2.data.augmentation import transpose_phrases
from msw2.data.store import Store
from msw2.models import mfg_vae
from msw2.models.sandwich import Parts, Sandwich, build_parts, fusion_vae
from msw2.music.tracks import TRACK_NAMES
from msw2.training.fit import Resume
from msw2.training.optimizers import build_optimizer
from msw2.training.prior import fit_prior
from msw2.training.runs import FUSION_PARTS, Run, stage1_parts
from msw2.training.stages import compile_stage, fit_arrays
from msw2.training.store_check import check_fit
from msw2.training.unit_counts import most_units

MAX_FUSION_UNITS = 200_000  # stage 2 encodes fewer transpositions, then fewer phrases, rather than more units
ENCODE_PHRASES = 256  # phrases encoded at a time


def train_fusion(run: Run, store: Store) -> bool:
    """Stage 2: the MFG-VAE on the moments of the frozen BVAEs, then the prior of its latents.

    Without fusion there is nothing to train: weight files that hold nothing are written all the same, so that
    every later step finds what it looks for, and the prior is that of the BVAEs' means.

    Returns:
        False if it was trained already.

    Raises:
        RunError: if stage 1 is missing for a track, or run and store do not fit.
    """
    check_fit(run, store)
    missing = [name for name in FUSION_PARTS if not run.has(name)]
    if not missing and run.prior.exists():
        return False
    config, parts = run.config, build_parts(run.config)
    run.load_weights(parts, *[part for track in TRACK_NAMES for part in stage1_parts(track)])
    if not missing:  # only the prior is missing: it is cheap, and runs that differ in it share the rest
        run.load_weights(parts, *FUSION_PARTS)
    fitted = config.fusion != "none" and bool(missing)
    copies = config.mfg_transpositions if fitted else 1
    moments = encode_moments(Sandwich(parts), store, "train", copies=copies)
    resume = _fit_fusion(run, store, parts, moments.reshape(-1, *moments.shape[3:])) if fitted else None
    own_key = moments[0].reshape(-1, *moments.shape[3:])
    latents = _posterior_means(parts, own_key).reshape(-1, config.units, config.fusion_latent)
    fit_prior(config, latents).save(run.prior)
    for name in FUSION_PARTS if missing else ():
        run.save_weights(parts.models[name], name)
    if resume:
        resume.finish()
    return True


def encode_moments(sandwich: Sandwich, store: Store, split: str, *, copies: int) -> np.ndarray:
    """Encodes the units of a split once for each transposition.

    Of the training split, the phrases from the first on that `train_bars` allows; of others, as many as a loss
    after every epoch is worth; in all at most `MAX_FUSION_UNITS` units.

    Args:
        sandwich: with trained encoders.
        store: the store.
        split: of the store.
        copies: transpositions of each phrase: 0, +1, -1, +2, ... semitones.

    Returns:
        float32 [copy, phrase, unit, track, 2 x BVAE latent].
    """
    config = sandwich.config
    units = min(
        store.count(split) * config.units, most_units(config, split) or MAX_FUSION_UNITS, MAX_FUSION_UNITS
    )
    copies = max(1, min(copies, MAX_FUSION_UNITS // max(units, 1)))
    encode = tf.function(sandwich.moments)
    shape = (copies, -(-units // config.units), config.units, len(TRACK_NAMES), 2 * config.bvae_latent)
    moments, filled = np.empty(shape, np.float32), 0
    for packed in store.packed(split, size=ENCODE_PHRASES, limit=shape[1]):
        phrases = packing.unpack(packed, store.grid)
        for copy in range(copies):
            moved = transpose_phrases(phrases, (copy + 1) // 2 * (1 if copy % 2 else -1))
            encoded = encode(pipeline.to_signed(moved.reshape(-1, config.unit_steps, *moved.shape[3:])))
            moments[copy, filled : filled + len(moved)] = np.reshape(encoded, (len(moved), *shape[2:]))
        filled += len(phrases)
    return moments


def _fit_fusion(run: Run, store: Store, parts: Parts, moments: np.ndarray) -> Resume:
    """Fits the MFG-VAE to moments, float32 [bar, track, 2 x BVAE latent], and to their scale."""
    config = run.config
    if config.standardise:
        # A latent unit that the BVAE does not use is constant: it must not be blown up to deviation 1.
        deviation = np.maximum(moments.std(axis=0), 1e-2)
        mfg_vae.set_statistics(
            *(parts.models[name] for name in FUSION_PARTS), moments.mean(axis=0), deviation
        )
    rows = -(-config.epoch_bars // config.unit_bars) or len(moments)
    vae, steps = fusion_vae(parts), -(-rows // config.batch_size)
    optimizer = build_optimizer(config, config.mfg_epochs * steps, learning_rate=config.mfg_learning_rate)
    compile_stage(vae, optimizer, parts, FUSION_PARTS)
    validation = encode_moments(Sandwich(parts), store, "validation", copies=1)
    validation = validation.reshape(-1, *moments.shape[1:])
    return fit_arrays(
        run,
        store,
        vae,
        (moments, moments),
        rows=rows,
        validation=(validation, validation) if len(validation) else None,
        stage="mfg_vae",
        epochs=config.mfg_epochs,
    )


def _posterior_means(parts: Parts, moments: np.ndarray) -> np.ndarray:
    encode = tf.function(parts.models["mfg_encoder"])
    batches = [encode(moments[i : i + 1024]) for i in range(0, len(moments), 1024)]
    return np.concatenate(batches)[:, : parts.config.fusion_latent]

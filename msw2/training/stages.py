"""The three trainings: a track's BVAE (stage 1), its refiner, and the MFG-VAE over the five (stage 2)."""

import hashlib
import json
from collections.abc import Sequence

import keras
import numpy as np
import tensorflow as tf
from keras import ops

from msw2.config import Config
from msw2.data import packing, pipeline
from msw2.data.store import Store
from msw2.models import bvae, mfg_vae
from msw2.models.layers import Sampling
from msw2.models.refine import THRESHOLD
from msw2.models.sandwich import Parts, Sandwich, build_parts, fusion_vae, part_seed, track_vae
from msw2.music.files import replacing
from msw2.music.tracks import TRACK_NAMES, track_index
from msw2.music.transposition import transpose
from msw2.training.annealing import SlopeAnnealing
from msw2.training.fit import Resume, fit
from msw2.training.optimizers import build_optimizer
from msw2.training.prior import fit_prior
from msw2.training.runs import FUSION_PARTS, Run, RunError, stage1_parts

SHARED = "shared_bvae"  # the stage that trains one BVAE for all tracks
MAX_FUSION_UNITS = 200_000  # stage 2 encodes fewer transpositions, then fewer phrases, rather than more units
MAX_VALIDATION_UNITS = 4096  # of a track, for a loss that is measured after every epoch
ENCODE_PHRASES = 256  # phrases encoded at a time
MAX_MADE_BARS = 20_000  # bars that a refiner's training holds in memory as floats, 32 KiB each


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


def train_refiner(run: Run, store: Store, track: str) -> bool:
    """Trains a track's refiner on what its frozen BVAE makes of the training units.

    Where `refine` is `none` there is nothing to train: a file without weights is written, and no history.

    Returns:
        False if the refiner was trained already.

    Raises:
        RunError: if stage 1 is missing, or run and store do not fit.
        ValueError: for a name that is not a track's.
    """
    track_index(track)
    check_fit(run, store)
    name = f"{track}_refiner"
    if run.has(name):
        return False
    config, parts = run.config, build_parts(run.config, [track])
    run.load_weights(parts, *stage1_parts(track))
    refiner = parts.models[name]
    if config.refine == "none":
        run.save_weights(refiner, name)
        return True
    units = _units(run, store, "train", [track])
    if config.transpose or config.mixed_bars or len(units) * config.unit_bars > MAX_MADE_BARS:
        model, annealing = refine_view(parts, track), [SlopeAnnealing(refiner)]
        compile_refiner(model, parts, name)
        resume = _fit_units(
            run, store, model, [track], units, stage=name, epochs=config.refine_epochs, callbacks=annealing
        )
    else:  # every epoch has the same units: what the BVAE makes of them is made once
        compile_refiner(refiner, parts, name)
        resume = _fit_made(run, store, parts, track, units)
    run.save_weights(refiner, name)
    resume.finish()
    return True


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


def refine_view(parts: Parts, track: str) -> keras.Model:
    """Returns the model from a track's unit to what its refiner makes of what its BVAE makes of it."""
    made = made_view(parts, track)
    return keras.Model(made.input, parts.models[f"{track}_refiner"](made.output), name=f"{track}_refine")


def made_view(parts: Parts, track: str) -> keras.Model:
    """Returns the model from a track's unit, float [batch, step, pitch] of -1/+1, to its BVAE's output in -1..1."""
    config = parts.config
    encoder, decoder = (parts.models[f"{track}_{kind}"] for kind in ("encoder", "decoder"))
    sampling = Sampling(
        config.sigma, config.epsilon_std, part_seed(config, f"{track}_refiner_sampling"), name="sampling"
    )
    made = decoder(sampling(encoder(encoder.input, training=False)), training=False)
    return keras.Model(encoder.input, bvae.to_signed(config, made), name=f"{track}_made")


def compile_refiner(model: keras.Model, parts: Parts, name: str) -> None:
    """Compiles a view for the training of the refiner `name` alone."""
    loss = refine_loss(parts.config.refine_weight, parts.config.refine_output)
    compile_stage(model, keras.optimizers.Adam(), parts, [name], loss=loss, metrics=[refine_accuracy()])


def compile_stage(model: keras.Model, optimizer, parts: Parts, trained, *, loss=None, metrics=None) -> None:
    """Sets which parts a stage trains, and compiles: Keras ignores, silently, a flag set after compiling.

    Args:
        model: a view over some of the parts.
        optimizer: fresh.
        parts: all parts of the view, and perhaps more.
        trained: names of the parts to train; all others are frozen.
        loss: for a model without a `compute_loss` of its own.
        metrics: that the history also has.
    """
    for name, part in parts.models.items():
        part.trainable = name in trained
    # Recurrences are compiled already. XLA's products are slower than oneDNN's, and starting it takes seconds.
    model.compile(optimizer=optimizer, loss=loss, metrics=metrics, jit_compile=False)


def check_grid(run: Run, store: Store) -> None:
    """Holds a store to the grid of a run.

    Raises:
        RunError: if the grids differ.
    """
    if store.grid != run.config.grid:
        raise RunError(f"the store {store.path} has {store.grid}, the run {run.path} {run.config.grid}")


def check_fit(run: Run, store: Store) -> None:
    """Binds a run to the store that it is first trained on, and holds it to that.

    Raises:
        RunError: if the grids differ, or the run was trained on another store, or there is nothing to train on.
    """
    check_grid(run, store)
    if not store.count("train"):
        raise RunError(f"the store {store.path} has no training phrases")
    bound, digest = run.bound(), _digest(store)
    if bound is None:
        with replacing(run.data) as temporary:
            temporary.write_text(
                json.dumps({"store": str(store.path), "digest": digest}, indent=2) + "\n", "utf-8"
            )
        return
    if bound["digest"] != digest:
        raise RunError(
            f"the run {run.path} was trained on the store {bound['store']} as it was then, "
            f"not on {store.path} as it is now: use another run"
        )


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
        store.count(split) * config.units, _most_units(config, split) or MAX_FUSION_UNITS, MAX_FUSION_UNITS
    )
    copies = max(1, min(copies, MAX_FUSION_UNITS // max(units, 1)))
    encode = tf.function(sandwich.moments)
    shape = (copies, -(-units // config.units), config.units, len(TRACK_NAMES), 2 * config.bvae_latent)
    moments, filled = np.empty(shape, np.float32), 0
    for packed in pipeline.packed_phrases(store, split, batch_size=ENCODE_PHRASES, limit=shape[1]):
        phrases = packing.unpack(packed, store.grid)
        for copy in range(copies):
            moved = transpose(phrases, (copy + 1) // 2 * (1 if copy % 2 else -1))
            encoded = encode(pipeline.to_signed(moved.reshape(-1, config.unit_steps, *moved.shape[3:])))
            moments[copy, filled : filled + len(moved)] = np.reshape(encoded, (len(moved), *shape[2:]))
        filled += len(phrases)
    return moments


def refine_loss(weight: float, output: str = "sigmoid"):
    """Returns a refiner's loss against (bar + 1) / 2 (Eq. 3), a mean over cells, sounding ones weighted.

    Args:
        weight: of a sounding cell, beside 1 for a silent one.
        output: `refine_output` of the config: binary cross-entropy (Eq. 4) for `sigmoid`, else squared error.
            (What the history calls the loss of a refiner "in bars" also has the L2 of its kernels.)
    """

    def loss(bar, probability):
        target = 0.5 * (bar + 1.0)
        weights = 1.0 + (weight - 1.0) * target
        if output == "sigmoid":
            return ops.mean(weights * ops.binary_crossentropy(target, probability))
        return ops.mean(weights * ops.square(target - probability))

    return loss


def refine_accuracy() -> keras.metrics.Metric:
    """Returns the share of the cells, 0..1, that are right at the threshold of 0.5 (Fig. 7)."""

    def right(bar, probability):
        return ops.mean(ops.cast((bar > 0) == (probability >= THRESHOLD), "float32"), axis=(1, 2))

    return keras.metrics.MeanMetricWrapper(right, name="accuracy")


def _train_bvae(run: Run, store: Store, tracks: Sequence[str]) -> None:
    """Trains the BVAE of the first of some tracks on the units of all of them, and writes it."""
    config, first = run.config, tracks[0]
    stage = SHARED if config.shared else f"{first}_bvae"
    parts, units = build_parts(config, [first]), _units(run, store, "train", tracks)
    if config.output_bias:
        bvae.set_output_bias(parts.models[f"{first}_decoder"], units.sounding_share())
    vae = track_vae(parts, first)
    steps = config.bvae_epochs * -(-_epoch_units(run, store, tracks) // config.batch_size)
    compile_stage(vae, build_optimizer(config, steps), parts, stage1_parts(first))
    resume = _fit_units(run, store, vae, tracks, units, stage=stage, epochs=config.bvae_epochs)
    for part in stage1_parts(first):
        run.save_weights(parts.models[part], part)
    resume.finish()


def _units(run: Run, store: Store, split: str, tracks: Sequence[str]) -> pipeline.PackedUnits:
    """Returns what a BVAE of these tracks reads of a split, track after track."""
    config, parts = run.config, []
    for track in tracks:
        parts.append(
            pipeline.load_units(
                store,
                split,
                track,
                unit_bars=config.unit_bars,
                silent_share=config.silent_bars,
                limit=_most_units(config, split),
                seed=part_seed(config, f"{track}_{split}"),
            )
        )
        if split == "train" and not len(parts[-1]):
            raise RunError(f"the store {store.path} has no bars of {track} to train on")
    return pipeline.PackedUnits.together(parts)


def epoch_steps(run: Run, store: Store) -> int:
    """Returns the steps of an epoch of a BVAE or a refiner of one track."""
    return -(-_epoch_units(run, store, TRACK_NAMES[:1]) // run.config.batch_size)


def _most_units(config: Config, split: str) -> int:
    """Returns how many units of a track are read of a split, from the first on (0: all)."""
    if split == "train":
        return config.train_units
    return min(config.train_units or MAX_VALIDATION_UNITS, MAX_VALIDATION_UNITS)


def _epoch_units(run: Run, store: Store, tracks: Sequence[str]) -> int:
    """Returns the units of an epoch: as many for every track, so that each gets the same number of steps.

    A track that is often silent, whose silent units are left out, passes over the others more often. The epoch of
    a BVAE that several tracks share is as long as theirs together.
    """
    config = run.config
    there = min(store.count("train") * config.units, config.train_units or 2**31)
    return len(tracks) * (-(-config.epoch_bars // config.unit_bars) or there)


def _fit_units(
    run: Run,
    store: Store,
    model: keras.Model,
    tracks: Sequence[str],
    units,
    *,
    stage: str,
    epochs: int,
    callbacks=(),
) -> Resume:
    """Fits a compiled view whose input and target are the units of some tracks."""
    config, resume = run.config, _resume(run, store, stage)
    validation = _units(run, store, "validation", tracks)
    epoch_units = _epoch_units(run, store, tracks)
    fit(
        model,
        lambda first: pipeline.training_batches(
            units,
            batch_size=config.batch_size,
            epoch_units=epoch_units,
            seed=part_seed(config, stage),
            first_epoch=first,
            epochs=epochs,
            max_shift=config.transpose,
            mixed=config.mixed_bars,
        ),
        epochs=epochs,
        steps=-(-epoch_units // config.batch_size),
        validation=pipeline.evaluation_batches(validation, batch_size=256) if len(validation) else None,
        resume=resume,
        label=stage,
        callbacks=callbacks,
    )
    return resume


def _fit_made(run: Run, store: Store, parts: Parts, track: str, train: pipeline.PackedUnits) -> Resume:
    """Fits a compiled refiner to units that the frozen BVAE decodes once, in memory."""
    config, name = run.config, f"{track}_refiner"
    made = tf.function(made_view(parts, track))

    def decode(units):
        batches = [(made(unit), unit) for unit, _ in pipeline.evaluation_batches(units, batch_size=256)]
        return tuple(np.concatenate(arrays) for arrays in zip(*batches, strict=True))

    validation = _units(run, store, "validation", [track])
    pairs, rows, resume = decode(train), _epoch_units(run, store, [track]), _resume(run, store, name)
    fit(
        parts.models[name],
        lambda first: _array_batches(config, *pairs, rows=rows, epochs=range(first, config.refine_epochs)),
        epochs=config.refine_epochs,
        steps=-(-rows // config.batch_size),
        validation=decode(validation) if len(validation) else None,
        resume=resume,
        label=name,
        callbacks=[SlopeAnnealing(parts.models[name])],
    )
    return resume


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
    compile_stage(vae, build_optimizer(config, config.mfg_epochs * steps), parts, FUSION_PARTS)
    validation = encode_moments(Sandwich(parts), store, "validation", copies=1)
    validation = validation.reshape(-1, *moments.shape[1:])
    resume = _resume(run, store, "mfg_vae")
    fit(
        vae,
        lambda first: _array_batches(
            config, moments, moments, rows=rows, epochs=range(first, config.mfg_epochs)
        ),
        epochs=config.mfg_epochs,
        steps=steps,
        validation=(validation, validation) if len(validation) else None,
        resume=resume,
        label="mfg_vae",
    )
    return resume


def _resume(run: Run, store: Store, stage: str) -> Resume:
    return Resume(run.checkpoint(stage), run.history(stage), f"{run.config} {_digest(store)}")


def _digest(store: Store) -> str:
    return hashlib.sha256(json.dumps(store.manifest, sort_keys=True).encode()).hexdigest()[:16]


def _array_batches(
    config: Config, inputs: np.ndarray, targets: np.ndarray, *, rows: int, epochs: range
) -> tf.data.Dataset:
    """Returns shuffled batches (input, target) of the rows of two arrays, so many rows an epoch."""

    def order(epoch):
        shuffled = pipeline.epoch_order(len(inputs), rows, epoch, config.seed)
        return tf.data.Dataset.from_tensor_slices(shuffled).batch(config.batch_size)

    def look_up(array, indices):
        # Looked up by NumPy: as a tensor, a gigabyte of moments would be there twice.
        found = tf.numpy_function(lambda index: array[index], [indices], tf.float32, stateful=False)
        return tf.ensure_shape(found, [None, *array.shape[1:]])

    def load(indices):
        batch = look_up(inputs, indices)
        return batch, batch if targets is inputs else look_up(targets, indices)

    return tf.data.Dataset.range(epochs.start, epochs.stop).flat_map(order).map(load).prefetch(4)


def _posterior_means(parts: Parts, moments: np.ndarray) -> np.ndarray:
    encode = tf.function(parts.models["mfg_encoder"])
    batches = [encode(moments[i : i + 1024]) for i in range(0, len(moments), 1024)]
    return np.concatenate(batches)[:, : parts.config.fusion_latent]

"""The three trainings: a track's BVAE (stage 1), its refiner, and the MFG-VAE over the five (stage 2)."""

import hashlib
import json

import keras
import numpy as np
import tensorflow as tf
from keras import ops

from msw2.config import Config
from msw2.data import packing, pipeline
from msw2.data.store import Store
from msw2.models import bvae, mfg_vae
from msw2.models.layers import Sampling
from msw2.models.sandwich import Parts, Sandwich, build_parts, fusion_vae, part_seed, track_vae
from msw2.music.files import replacing
from msw2.music.tracks import TRACK_NAMES, track_index
from msw2.music.transposition import transpose
from msw2.training.fit import Resume, fit
from msw2.training.optimizers import build_optimizer
from msw2.training.prior import fit_prior
from msw2.training.runs import Run, RunError, stage1_parts

MAX_FUSION_BARS = 500_000  # stage 2 encodes fewer transpositions rather than more bars than this
ENCODE_PHRASES = 256  # phrases encoded at a time
MAX_MADE_BARS = 20_000  # bars that a refiner's training holds in memory as floats, 32 KiB each


def train_bvae(run: Run, store: Store, track: str) -> bool:
    """Stage 1 for one track. Continues where it was killed.

    Returns:
        False if the BVAE was trained already.

    Raises:
        RunError: if the run and the store do not fit.
        ValueError: for a name that is not a track's.
    """
    track_index(track)
    check_fit(run, store)
    if run.has(*stage1_parts(track)):
        return False
    parts, bars = build_parts(run.config, [track]), _bars(run, store, "train", track)
    if run.config.output_bias:
        bvae.set_output_bias(parts.models[f"{track}_decoder"], bars.sounding_share())
    vae = track_vae(parts, track)
    steps = run.config.bvae_epochs * -(-_epoch_bars(run, store, bars) // run.config.batch_size)
    compile_stage(vae, build_optimizer(run.config, steps), parts, stage1_parts(track))
    resume = _fit_bars(run, store, vae, track, bars, stage=f"{track}_bvae", epochs=run.config.bvae_epochs)
    for part in stage1_parts(track):
        run.save_weights(parts.models[part], part)
    resume.finish()
    return True


def train_refiner(run: Run, store: Store, track: str) -> bool:
    """Trains a track's refiner on what its frozen BVAE makes of the training bars.

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
    refiner, bars = parts.models[name], _bars(run, store, "train", track)
    if config.transpose or config.mixed_bars or len(bars) > MAX_MADE_BARS:
        model = refine_view(parts, track)
        compile_refiner(model, parts, name)
        resume = _fit_bars(run, store, model, track, bars, stage=name, epochs=config.refine_epochs)
    else:  # every epoch has the same bars: what the BVAE makes of them is made once
        compile_refiner(refiner, parts, name)
        resume = _fit_made(run, store, parts, track, bars)
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
    names = ("mfg_encoder", "mfg_decoder")
    if run.has(*names) and run.prior.exists():
        return False
    config, parts = run.config, build_parts(run.config)
    run.load_weights(parts, *[part for track in TRACK_NAMES for part in stage1_parts(track)])
    trained = config.fusion != "none"
    copies = config.mfg_transpositions if trained else 1
    moments = encode_moments(Sandwich(parts), store, "train", copies=copies)
    resume = _fit_fusion(run, store, parts, moments.reshape(-1, *moments.shape[3:])) if trained else None
    own_key = moments[0].reshape(-1, *moments.shape[3:])
    latents = _posterior_means(parts, own_key).reshape(-1, config.bars, config.fusion_latent)
    fit_prior(config, latents).save(run.prior)
    for name in names:
        run.save_weights(parts.models[name], name)
    if resume:
        resume.finish()
    return True


def refine_view(parts: Parts, track: str) -> keras.Model:
    """Returns the model from a track's bar to what its refiner makes of what its BVAE makes of it."""
    made = made_view(parts, track)
    return keras.Model(made.input, parts.models[f"{track}_refiner"](made.output), name=f"{track}_refine")


def made_view(parts: Parts, track: str) -> keras.Model:
    """Returns the model from a track's bar, float [batch, step, pitch] of -1/+1, to its BVAE's output in -1..1."""
    config = parts.config
    encoder, decoder = (parts.models[f"{track}_{kind}"] for kind in ("encoder", "decoder"))
    sampling = Sampling(
        config.sigma, config.epsilon_std, part_seed(config, f"{track}_refiner_sampling"), name="sampling"
    )
    made = decoder(sampling(encoder(encoder.input, training=False)), training=False)
    return keras.Model(encoder.input, bvae.to_signed(config, made), name=f"{track}_made")


def compile_refiner(model: keras.Model, parts: Parts, name: str) -> None:
    """Compiles a view for the training of the refiner `name` alone."""
    compile_stage(model, keras.optimizers.Adam(), parts, [name], loss=refine_loss(parts.config.refine_weight))


def compile_stage(model: keras.Model, optimizer, parts: Parts, trained, *, loss=None) -> None:
    """Sets which parts a stage trains, and compiles: Keras ignores, silently, a flag set after compiling.

    Args:
        model: a view over some of the parts.
        optimizer: fresh.
        parts: all parts of the view, and perhaps more.
        trained: names of the parts to train; all others are frozen.
        loss: for a model without a `compute_loss` of its own.
    """
    for name, part in parts.models.items():
        part.trainable = name in trained
    # Recurrences are compiled already. XLA's products are slower than oneDNN's, and starting it takes seconds.
    model.compile(optimizer=optimizer, loss=loss, jit_compile=False)


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
    path, digest = run.path / "data.json", _digest(store)
    if not path.exists():
        with replacing(path) as temporary:
            temporary.write_text(
                json.dumps({"store": str(store.path), "digest": digest}, indent=2) + "\n", "utf-8"
            )
        return
    bound = json.loads(path.read_text("utf-8"))
    if bound["digest"] != digest:
        raise RunError(
            f"the run {run.path} was trained on the store {bound['store']} as it was then, "
            f"not on {store.path} as it is now: use another run"
        )


def encode_moments(sandwich: Sandwich, store: Store, split: str, *, copies: int) -> np.ndarray:
    """Encodes every bar of a split once for each transposition.

    Args:
        sandwich: with trained encoders.
        store: the store.
        split: of the store.
        copies: transpositions of each phrase: 0, +1, -1, +2, ... semitones.

    Returns:
        float32 [copy, phrase, bar, track, 2 x BVAE latent].
    """
    bars = store.count(split) * store.grid.bars
    copies = max(1, min(copies, MAX_FUSION_BARS // max(bars, 1)))
    encode = tf.function(sandwich.moments)
    shape = (copies, store.count(split), store.grid.bars, len(TRACK_NAMES), 2 * sandwich.config.bvae_latent)
    moments, filled = np.empty(shape, np.float32), 0
    for packed in pipeline.packed_phrases(store, split, batch_size=ENCODE_PHRASES):
        phrases = packing.unpack(packed, store.grid)
        for copy in range(copies):
            moved = transpose(phrases, (copy + 1) // 2 * (1 if copy % 2 else -1))
            encoded = encode(pipeline.to_signed(moved.reshape(-1, *moved.shape[2:])))
            moments[copy, filled : filled + len(moved)] = np.reshape(encoded, (len(moved), *shape[2:]))
        filled += len(phrases)
    return moments


def refine_loss(weight: float):
    """Returns Eq. 4 against Eq. 3: mean binary cross-entropy of (bar + 1) / 2, sounding cells weighted."""

    def loss(bar, probability):
        target = 0.5 * (bar + 1.0)
        weights = 1.0 + (weight - 1.0) * target
        return ops.mean(weights * ops.binary_crossentropy(target, probability))

    return loss


def _bars(run: Run, store: Store, split: str, track: str) -> pipeline.PackedBars:
    config = run.config
    seed = part_seed(config, f"{track}_{split}")
    bars = pipeline.load_bars(
        store, split, track, silent_share=config.silent_bars, limit=config.train_bars, seed=seed
    )
    if split == "train" and not len(bars):
        raise RunError(f"the store {store.path} has no bars of {track} to train on")
    return bars


def _epoch_bars(run: Run, store: Store, bars: pipeline.PackedBars) -> int:
    """Returns the bars of an epoch: as many for every track, so that each gets the same number of steps.

    A track that is often silent, whose silent bars are left out, passes over the others more often.
    """
    return max(len(bars), min(store.count("train") * store.grid.bars, run.config.train_bars or 2**31))


def _fit_bars(
    run: Run, store: Store, model: keras.Model, track: str, bars, *, stage: str, epochs: int
) -> Resume:
    """Fits a compiled view whose input and target are a track's bars."""
    config, resume = run.config, _resume(run, store, stage)
    validation = _bars(run, store, "validation", track)
    epoch_bars = _epoch_bars(run, store, bars)
    fit(
        model,
        lambda first: pipeline.training_batches(
            bars,
            track,
            batch_size=config.batch_size,
            epoch_bars=epoch_bars,
            seed=part_seed(config, stage),
            first_epoch=first,
            epochs=epochs,
            max_shift=config.transpose,
            mixed=config.mixed_bars,
        ),
        epochs=epochs,
        steps=-(-epoch_bars // config.batch_size),
        validation=pipeline.evaluation_batches(validation, batch_size=256) if len(validation) else None,
        resume=resume,
        label=stage,
    )
    return resume


def _fit_made(run: Run, store: Store, parts: Parts, track: str, train: pipeline.PackedBars) -> Resume:
    """Fits a compiled refiner to bars that the frozen BVAE decodes once, in memory."""
    config, name = run.config, f"{track}_refiner"
    made = tf.function(made_view(parts, track))

    def decode(bars):
        batches = [(made(bar), bar) for bar, _ in pipeline.evaluation_batches(bars, batch_size=256)]
        return tuple(np.concatenate(arrays) for arrays in zip(*batches, strict=True))

    validation = _bars(run, store, "validation", track)
    pairs, rows, resume = decode(train), _epoch_bars(run, store, train), _resume(run, store, name)
    fit(
        parts.models[name],
        lambda first: _array_batches(config, *pairs, rows=rows, epochs=range(first, config.refine_epochs)),
        epochs=config.refine_epochs,
        steps=-(-rows // config.batch_size),
        validation=decode(validation) if len(validation) else None,
        resume=resume,
        label=name,
    )
    return resume


def _fit_fusion(run: Run, store: Store, parts: Parts, moments: np.ndarray) -> Resume:
    """Fits the MFG-VAE to moments, float32 [bar, track, 2 x BVAE latent], and to their scale."""
    config, names = run.config, ("mfg_encoder", "mfg_decoder")
    if config.standardise:
        # A latent unit that the BVAE does not use is constant: it must not be blown up to deviation 1.
        deviation = np.maximum(moments.std(axis=0), 1e-2)
        mfg_vae.set_statistics(*(parts.models[name] for name in names), moments.mean(axis=0), deviation)
    vae, steps = fusion_vae(parts), -(-len(moments) // config.batch_size)
    compile_stage(vae, build_optimizer(config, config.mfg_epochs * steps), parts, names)
    validation = encode_moments(Sandwich(parts), store, "validation", copies=1)
    validation = validation.reshape(-1, *moments.shape[1:])
    resume = _resume(run, store, "mfg_vae")
    fit(
        vae,
        lambda first: _array_batches(
            config, moments, moments, rows=len(moments), epochs=range(first, config.mfg_epochs)
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
        shuffled = tf.range(rows) % len(inputs)
        shuffled = tf.random.experimental.stateless_shuffle(shuffled, seed=[config.seed, epoch])
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

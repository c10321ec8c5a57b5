"""Training of the diffusion prior: the space of the codes, then the denoiser."""

import pathlib

import keras
import numpy as np
import tensorflow as tf
from keras import ops

from msw2.config import Config
from msw2.data import packing
from msw2.data.store import Store
from msw2.models.codes import Codes
from msw2.models.denoiser import build_denoiser, weight_shapes
from msw2.models.diffusion import DiffusionPrior, noisy_inputs
from msw2.models.precision import building_in
from msw2.models.prior_file import AnyPrior
from msw2.models.sandwich import encoding_view, part_seed
from msw2.music.tracks import TRACKS
from msw2.system.progress import Progress, say
from msw2.training.fit import fit
from msw2.training.optimizers import FINAL_SHARE, Adam
from msw2.training.runs import Run
from msw2.training.song_feed import SongFeed
from msw2.training.store_check import resume_of

FITTED_PHRASES = 6_000  # that the space of the codes is fitted to
ENCODE_PHRASES = 32  # at a time
PER = 50.0  # nats that the loss counts as one: a bar's cells are 4,032
WARM_UP = 0.02  # share of the steps in which the learning rate rises
CLIP_NORM = 1.0


def train_prior(
    run: Run,
    store: Store,
    sandwich: keras.Model,
    before: AnyPrior | None,
    *,
    stage: str = "prior",
    path: pathlib.Path,
) -> None:
    """Trains a diffusion prior on the songs of a store, and writes it.

    Args:
        run: its config says how long; its checkpoint lets a training that was killed go on.
        store: the store.
        sandwich: with trained encoders and decoders.
        before: the prior that the training begins with; None, or one of another kind or size: with fresh weights.
        stage: name of the history and of the checkpoint.
        path: where the prior is written. After that the checkpoint is forgotten.

    Raises:
        RunError: if the checkpoint is damaged.
        StoreError: if the store is.
    """
    config = run.config
    say(f"{run.path}: fitting the space of the codes")
    begun = before if isinstance(before, DiffusionPrior) and _fits(before, config) else None
    # What a network has learnt is of its own axes: those of other encoders may be turned in any way.
    codes = fit_codes(sandwich, config, store, like=begun and begun.codes)
    network = denoiser_of(config, codes)
    if begun:
        network.set_weights(begun.weights)
    feed = SongFeed.of(config, store)
    view = denoising_view(config, network, codes, codes.decoding(sandwich))
    rate = _rate(config, config.prior_epochs * feed.steps)
    with building_in(config.precision):
        view.compile(Adam(rate, global_clipnorm=CLIP_NORM), loss=cells_loss, jit_compile=False)
    resume = fit(view, feed, resume_of(run, store, stage), epochs=config.prior_epochs, label=stage)
    DiffusionPrior.of(config, codes, network).save(path)
    resume.finish()


def _rate(config: Config, steps: int) -> keras.optimizers.schedules.LearningRateSchedule:
    """Returns a learning rate that rises from 0, then falls along a cosine."""
    warm_up = int(WARM_UP * steps)
    return keras.optimizers.schedules.CosineDecay(
        0.0,
        steps - warm_up,
        alpha=FINAL_SHARE,
        warmup_target=config.prior_learning_rate,
        warmup_steps=warm_up,
    )


def _fits(prior: DiffusionPrior, config: Config) -> bool:
    """Returns whether a config's network has the sizes of a prior's."""
    shapes = weight_shapes(
        tracks=len(TRACKS),
        code=config.bvae_latent,
        cells=config.unit_steps * config.pitches,
        width=config.prior_width,
        layers=config.prior_layers,
    )
    return [weight.shape for weight in prior.weights] == shapes


def fit_codes(sandwich: keras.Model, config: Config, store: Store, like: Codes | None = None) -> Codes:
    """Fits the space of the codes to phrases of the training songs, spread evenly over all.

    Args:
        sandwich: with trained encoders.
        config: what it was built from.
        store: the store.
        like: see `Codes.fit`.
    """
    encode, means, packed = tf.function(encoding_view(sandwich)), [], []
    phrases = min(store.count("train"), FITTED_PHRASES)
    progress = Progress(phrases, "phrases", label="encoding train")
    for block in store.packed("train", size=ENCODE_PHRASES, evenly=FITTED_PHRASES):
        packed.append(block)
        means.append(encode(packing.unpack(block, store.grid)).numpy()[..., : config.bvae_latent])
        progress.update(sum(map(len, packed)))
    progress.close()
    packed = np.concatenate(packed)

    def cells():
        for track in range(len(TRACKS)):
            of_track = packing.unpack_cells(packed[:, track], store.grid.phrase_shape)
            yield of_track.reshape(len(packed) * config.units, -1)

    return Codes.fit(np.concatenate(means), cells(), like)


def denoiser_of(config: Config, codes: Codes) -> keras.Model:
    """Returns the denoiser of a config with fresh weights."""
    with building_in(config.precision):
        return build_denoiser(
            tracks=len(TRACKS),
            code=codes.size,
            cells=codes.cells,
            width=config.prior_width,
            layers=config.prior_layers,
            seed=part_seed(config, "prior"),
        )


def denoising_view(
    config: Config, network: keras.Model, codes: Codes, draft: tuple[np.ndarray, np.ndarray]
) -> keras.Model:
    """Returns the model that is trained: from a batch of `SongFeed` to logits of the cells."""
    units, tracks = None, len(TRACKS)
    inputs = {
        "cells": keras.Input((units, tracks, codes.cells), dtype="uint8", name="cells"),
        "log_sigma": keras.Input((units,), name="log_sigma"),
        **{name: network.input[name] for name in ("given", "place", "position", "segment")},
    }
    with building_in(config.precision):
        noisy = Noisy(codes, draft, part_seed(config, "prior_noise"), name="noisy")
        made = noisy([inputs["cells"], inputs["log_sigma"], inputs["given"]])
        rest = {name: inputs[name] for name in ("given", "place", "position", "segment")}
        logits = network(made | rest)
    return keras.Model(inputs, logits, name="denoising")


class Noisy(keras.layers.Layer):
    """Makes codes of cells, and noise around them: what the denoiser reads.

    Codes are sums over cells. So no song is encoded in training, whatever its transposition. What such sums leave out
    is drawn at random where a code is given.

    Args:
        codes: their space.
        draft: what `Codes.decoding` returns.
        seed: of the noise.
    """

    def __init__(self, codes: Codes, draft: tuple[np.ndarray, np.ndarray], seed: int, **kwargs):
        super().__init__(**{**kwargs, "autocast": False})
        self._codes, self._draft = codes, draft
        self.generator = keras.random.SeedGenerator(seed)

    def call(self, inputs):
        """Maps cells, noise levels and what is given to a dictionary; see `diffusion.noisy_inputs`."""
        cells, log_sigma, given = inputs
        clean = self._codes.of_cells(ops.cast(cells, self.compute_dtype))
        noise = keras.random.normal(ops.shape(clean), seed=self.generator)
        sigma = ops.exp(ops.cast(log_sigma, "float32"))
        noisy = clean + sigma[..., None, None] * noise
        left_out = clean + self._codes.residual[:, None] * noise
        return noisy_inputs(self._codes, self._draft, noisy, left_out, sigma=sigma, given=given)

    def compute_output_spec(self, inputs):
        """Returns what `call` makes."""
        cells, log_sigma, _ = inputs
        shape = (*cells.shape[:3], self._codes.size)
        return {
            "codes": keras.KerasTensor(shape, "float32"),
            "draft": keras.KerasTensor(cells.shape, "float32"),
            "log_sigma": keras.KerasTensor(log_sigma.shape, "float32"),
        }


def cells_loss(cells, logits):
    """Binary cross-entropy, summed over the cells of a unit, in `PER` nats: [song, unit, track]."""
    cells, logits = ops.cast(cells, "float32"), ops.cast(logits, "float32")
    return ops.sum(ops.softplus(logits) - cells * logits, axis=-1) / PER

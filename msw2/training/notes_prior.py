"""Training of the notes prior: how cells make codes, then the network that writes notes."""

import pathlib

import keras
import numpy as np
import tensorflow as tf
from keras import ops

from msw2.config import Config
from msw2.data import packing
from msw2.data.store import Store
from msw2.models.codes import Codes
from msw2.models.notes_prior import NotesPrior
from msw2.models.precision import building_in
from msw2.models.prior_file import AnyPrior
from msw2.models.sandwich import encoding_view, part_seed
from msw2.models.writer import Writer, weight_shapes
from msw2.models.writing import Surprise
from msw2.music.tracks import TRACKS
from msw2.system.progress import Progress, say
from msw2.training.fit import fit
from msw2.training.optimizers import FINAL_SHARE, Adam
from msw2.training.runs import Run
from msw2.training.song_feed import SongFeed
from msw2.training.store_check import resume_of

FITTED_PHRASES = 6_000  # that the codes are fitted to
ENCODE_PHRASES = 32  # at a time
WARM_UP = 0.02  # share of the steps in which the learning rate rises
MEMORY = 0.99  # of Adam's squares: the gradients of pitches that are rare change fast
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
    """Trains a notes prior on the songs of a store, and writes it.

    Args:
        run: its config says how long; its checkpoint lets a training that was killed go on.
        store: the store.
        sandwich: with trained encoders.
        before: the prior that the training begins with; None, or one of another kind or size: with fresh weights.
        stage: name of the history and of the checkpoint.
        path: where the prior is written. After that the checkpoint is forgotten.

    Raises:
        RunError: if the checkpoint is damaged.
        StoreError: if the store is.
    """
    config = run.config
    begun = before if isinstance(before, NotesPrior) and _fits(before, config) else None
    # A network has learnt with its own codes. They are of cells, so those of other encoders do as well.
    codes = begun.codes if begun else fit_codes(sandwich, config, store)
    writer = writer_of(config)
    for name, variable in writer.variables().items() if begun else ():
        variable.assign(begun.weights[name])
    feed = SongFeed.of(config, store)
    view = writing_view(config, writer, codes, feed)
    rate = _rate(config, config.prior_epochs * feed.steps)
    with building_in(config.precision):
        view.compile(
            Adam(rate, beta_2=MEMORY, global_clipnorm=CLIP_NORM), loss=nats_a_note, jit_compile=False
        )
    resume = fit(view, feed, resume_of(run, store, stage), epochs=config.prior_epochs, label=stage)
    NotesPrior.of(config, codes, writer).save(path)
    resume.finish()


def writer_of(config: Config) -> Writer:
    """Returns the network of a config with fresh weights."""
    with building_in(config.precision):
        return Writer(**_sizes(config), seed=part_seed(config, "prior"))


def writing_view(config: Config, writer: Writer, codes: Codes, feed: SongFeed) -> keras.Model:
    """Returns the model that is trained: from a batch of the feed to the nats of its notes."""
    (batch, _), *_ = feed.batches(0, 1).take(1)
    inputs = {
        name: keras.Input(array.shape[1:], array.shape[0], dtype=array.dtype.name, name=name)
        for name, array in batch.items()
    }
    with building_in(config.precision):
        return keras.Model(inputs, Surprise(writer, codes, name="surprise")(inputs), name="writing")


def nats_a_note(weight, nats):
    """Returns the cross-entropy of songs, in nats a note; arguments as `SongFeed` and `Surprise` have them."""
    return ops.sum(nats) / ops.maximum(ops.sum(weight[..., 1]), 1.0)


def fit_codes(sandwich: keras.Model, config: Config, store: Store) -> Codes:
    """Fits codes to phrases of the training songs, spread evenly over all.

    Args:
        sandwich: with trained encoders.
        config: what it was built from.
        store: the store.
    """
    say("fitting the codes of cells")
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

    return Codes.fit(np.concatenate(means), cells())


def _sizes(config: Config) -> dict[str, int]:
    """Returns the arguments of `Writer`."""
    sizes = {"tracks": len(TRACKS), "code": config.bvae_latent, "steps": config.unit_steps}
    return sizes | {"pitches": config.pitches, "width": config.prior_width}


def _fits(prior: NotesPrior, config: Config) -> bool:
    """Returns whether a config's network has the sizes of a prior's."""
    return {name: weight.shape for name, weight in prior.weights.items()} == weight_shapes(**_sizes(config))


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

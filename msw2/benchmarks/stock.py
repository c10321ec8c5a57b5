"""The networks as everybody would write them: plain Keras layers, one compiled model, `fit`.

Only for comparison: the same parameters, the same maths and the same loss as `msw2.models`, none of its layers
but the refiner, which has no recurrence.
"""

import keras
import numpy as np
from keras import ops

from msw2.config import Config
from msw2.kernels.lstm import GATES
from msw2.models import losses, refine
from msw2.models.sandwich import assemble, part_seed
from msw2.music.tracks import TRACK_NAMES, TRACKS
from msw2.training.optimizers import build_optimizer


class Latent(keras.layers.Layer):
    """Draws the latent vector from [batch, 2 x latent] moments, and adds the weighted KL term to the loss."""

    def __init__(self, config: Config, kl_weight: float, **kwargs):
        super().__init__(**kwargs)
        self._config = config
        self._kl_weight = kl_weight
        self._generator = keras.random.SeedGenerator(config.seed)

    def call(self, moments):
        """Maps moments to the latent vector."""
        self.add_loss(self._kl_weight * losses.kl_divergence(moments))
        mean, s = ops.split(moments, 2, axis=-1)
        spread = s if self._config.sigma == "multiplier" else ops.exp(0.5 * s)
        deviation = self._config.epsilon_std
        return mean + spread * keras.random.normal(ops.shape(mean), stddev=deviation, seed=self._generator)


class Position(keras.layers.Layer):
    """Appends to each step of [batch, step, feature] one-hot its place in the beat, and its beat."""

    def __init__(self, beat_resolution: int, **kwargs):
        super().__init__(**kwargs)
        self._beat_resolution = beat_resolution

    def build(self, shape):
        """Makes the table, [step, place in the beat and beat]."""
        step, size = np.arange(shape[1]), self._beat_resolution
        places, beats = np.eye(size, dtype="float32"), np.eye(-(-shape[1] // size), dtype="float32")
        self._table = np.concatenate([places[step % size], beats[step // size]], axis=-1)

    def call(self, sequences):
        """Appends the table's rows."""
        table = ops.broadcast_to(self._table[None], (ops.shape(sequences)[0], *self._table.shape))
        return ops.concatenate([sequences, table], axis=-1)


def build_encoder(config: Config, name: str = "encoder") -> keras.Model:
    """Returns a BVAE's encoder: bar [batch, step, pitch] to moments [batch, 2 x latent]."""
    bar = keras.Input((config.unit_steps, config.pitches))
    states = _states(config, bar, config.bvae_hidden, config.encoder_states)
    return keras.Model(bar, _moments(states, config.bvae_latent), name=name)


def build_decoder(config: Config, name: str = "decoder") -> keras.Model:
    """Returns a BVAE's decoder: latent vector to tanh or logits, [batch, step, pitch]."""
    latent = keras.Input((config.bvae_latent,))
    if config.decoding == "draft":
        bar = _drafted(config, latent, config.bvae_hidden, (config.unit_steps, config.pitches))
        return keras.Model(latent, bar, name=name)
    repeated = keras.layers.RepeatVector(config.unit_steps)(latent)
    if config.position:
        repeated = Position(config.beat_resolution)(repeated)
    states = _sequence(config, config.bvae_hidden)(repeated)
    gaussian = config.likelihood == "gaussian"
    output = _sequence(config, config.pitches) if gaussian else keras.layers.Dense(config.pitches)
    return keras.Model(latent, output(states), name=name)


def build_mfg_encoder(config: Config) -> keras.Model:
    """Returns the MFG-VAE's encoder: moments of the tracks [batch, track, `mfg_moments`] to its own.

    Raises:
        ValueError: for a fusion without a recurrence: that is of stock layers already.
    """
    if config.fusion != "vrae":
        raise ValueError(f"the stock MFG-VAE is of fusion vrae, not {config.fusion}")
    band = keras.Input((len(TRACKS), config.mfg_moments))
    scaled = _scale(config)(band) if config.standardise else band
    states = _states(config, scaled, config.mfg_hidden, "all" if config.decoding == "draft" else "last")
    return keras.Model(band, _moments(states, config.mfg_latent), name="mfg_encoder")


def build_mfg_decoder(config: Config) -> keras.Model:
    """Returns the MFG-VAE's decoder: latent vector to moments of the tracks."""
    latent = keras.Input((config.mfg_latent,))
    width = config.mfg_moments
    if config.decoding == "draft":
        band = _drafted(config, latent, config.mfg_hidden, (len(TRACKS), width))
    else:
        states = _sequence(config, config.mfg_hidden)(keras.layers.RepeatVector(len(TRACKS))(latent))
        output = _sequence(config, width) if config.mfg_output == "tanh" else keras.layers.Dense(width)
        band = output(states)
    if config.standardise:
        band = _scale(config, invert=True)(band)
    return keras.Model(latent, band, name="mfg_decoder")


def build_sandwich(config: Config) -> keras.Model:
    """Returns `msw2.models.sandwich.build_sandwich` of stock layers."""
    models = {}
    for track in TRACK_NAMES:
        models[f"{track}_encoder"] = build_encoder(config, f"{track}_encoder")
        models[f"{track}_decoder"] = build_decoder(config, f"{track}_decoder")
        models[f"{track}_refiner"] = refine.build_refiner(
            config, track, seed=part_seed(config, f"{track}_refiner")
        )
    whole = {"mfg_encoder": build_mfg_encoder(config), "mfg_decoder": build_mfg_decoder(config)}
    return assemble(config, models | whole)


def bvae(config: Config, encoder: keras.Model, decoder: keras.Model) -> keras.Model:
    """Returns the compiled VAE of stage 1."""
    gaussian = config.likelihood == "gaussian"
    nll = losses.gaussian_nll if gaussian else losses.bernoulli_nll
    return _compiled_vae(config, encoder, decoder, nll, config.bvae_kl)


def mfg_vae(config: Config, encoder: keras.Model, decoder: keras.Model) -> keras.Model:
    """Returns the compiled VAE of stage 2, for moments that are on one scale already."""
    return _compiled_vae(config, encoder, decoder, losses.gaussian_nll, config.mfg_kl)


def refiner(config: Config, encoder: keras.Model, decoder: keras.Model, network: keras.Model) -> keras.Model:
    """Returns the compiled model that trains a refiner behind a frozen BVAE."""
    encoder.trainable = decoder.trainable = False
    made = decoder(Latent(config, 0.0)(encoder(encoder.input)))
    signed = keras.ops.tanh(0.5 * made) if config.likelihood == "bernoulli" else made
    model = keras.Model(encoder.input, network(signed))
    model.compile(
        optimizer=keras.optimizers.Adam(),
        loss=losses.refine_loss(config.refine_weight, config.refine_output),
        metrics=[losses.refine_accuracy()],
        jit_compile=False,
    )
    return model


def _compiled_vae(config, encoder, decoder, nll, kl_weight) -> keras.Model:
    model = keras.Model(encoder.input, decoder(Latent(config, kl_weight)(encoder(encoder.input))))
    if config.optimizer == "rmsprop":
        optimizer = keras.optimizers.RMSprop(config.learning_rate)
    else:
        ours = build_optimizer(config, 100_000)
        optimizer = keras.optimizers.Adam.from_config(ours.get_config())
    model.compile(optimizer=optimizer, loss=nll, jit_compile=False)
    return model


def _states(config: Config, sequences, hidden: int, which: str):
    """Maps [batch, step, feature] to an LSTM's last state, or to all of them side by side."""
    if which == "last":
        return keras.layers.LSTM(hidden, recurrent_activation=GATES[config.gates])(sequences)
    return keras.layers.Flatten()(_sequence(config, hidden)(sequences))


def _drafted(config: Config, latent, hidden: int, shape: tuple[int, int]):
    """Maps a latent vector to [batch, *shape]: all steps by a Dense, and what an LSTM that reads them corrects."""
    steps, features = shape
    draft = keras.layers.Reshape(shape)(keras.layers.Dense(steps * features, name="draft")(latent))
    return keras.layers.Add()([draft, keras.layers.Dense(features)(_sequence(config, hidden)(draft))])


def _moments(states, latent: int):
    mean, s = keras.layers.Dense(latent)(states), keras.layers.Dense(latent)(states)
    return keras.layers.Concatenate()([mean, s])


def _sequence(config: Config, units: int) -> keras.layers.Layer:
    return keras.layers.LSTM(units, recurrent_activation=GATES[config.gates], return_sequences=True)


def _scale(config: Config, *, invert: bool = False) -> keras.layers.Layer:
    shape = (len(TRACKS), config.mfg_moments)
    mean, variance = np.zeros(shape, "float32"), np.ones(shape, "float32")
    return keras.layers.Normalization(axis=(1, 2), mean=mean, variance=variance, invert=invert)

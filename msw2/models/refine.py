"""The refine networks (Section III.A, V.B) decide which cells of a BVAE's output sound."""

import math

import keras

from msw2.config import Config
from msw2.kernels.lstm import GATES
from msw2.models.binary_neurons import BinaryNeurons
from msw2.models.layers import ToLogits
from msw2.models.residual import EPSILON, MOMENTUM, ResidualUnit

HIDDEN = (512, 512, 256, 256)  # released
UNITS = 7  # released


def build_refiner(config: Config, track: str, *, seed: int = 0) -> keras.Model:
    """Returns the model from a BVAE's output to what its cells are refined to.

    Input: float [batch, step, pitch] in -1..1; output: float32, same shape, 0..1; a cell is on at >= 0.5.

    `refine` is the network, one real number x a cell: `notes`, a perceptron for each step; `bars`, residual units on
    the bar as a picture of one channel; `none`, no network: the output is (input + 1) / 2.
    With `refine_residual`, x is added to the logits that the input stands for. x is 0 at first, so that a refiner is
    never worse than none.

    `refine_output` is what becomes of x: `sigmoid`, the probability that the cell sounds; `released`,
    hard_sigmoid(ReLU(x)) of slope 0.2, which is never below 0.5, so that every cell is on; `deterministic` and
    `stochastic`, binary neurons. Trained against y = (bar + 1) / 2 (Eq. 3): `sigmoid` with binary cross-entropy
    (Eq. 4), the others with squared error: 0 and 1 have no cross-entropy, and it is the released default.

    Args:
        config: kinds and sizes.
        track: name of the track.
        seed: of the draws of `stochastic` neurons.
    """
    bar = keras.Input((config.unit_steps, config.pitches), name="bar")
    if config.refine == "none":
        probability = keras.layers.Rescaling(0.5, 0.5, dtype="float32", name="probability")(bar)
        return keras.Model(bar, probability, name=f"{track}_refiner")
    x = (_notes if config.refine == "notes" else _bars)(config, bar)
    if config.refine_residual:
        x = keras.layers.Add(dtype="float32", name="corrected")([ToLogits(name="opinion")(bar), x])
    return keras.Model(bar, _output(config, seed)(x), name=f"{track}_refiner")


def set_threshold(refiner: keras.Model, threshold: float) -> None:
    """Moves the logits of a refiner so that what was `threshold` becomes 0.5.

    Args:
        refiner: with a network, and the output `sigmoid`.
        threshold: more than 0, less than 1.
    """
    added = refiner.get_layer("output").weights[1]  # of a Dense layer its bias, of a normalisation its offset
    added.assign(added + math.log((1 - threshold) / threshold))


def _notes(config: Config, bar):
    """The final network, "in notes" (Section V.B): multi-label classification of each step by itself."""
    features = bar
    for index, units in enumerate(HIDDEN):
        features = keras.layers.Dense(units, activation="relu", name=f"dense_{index}")(features)
    start = "zeros" if config.refine_residual else "glorot_uniform"
    output = keras.layers.Dense(config.pitches, dtype="float32", kernel_initializer=start, name="output")
    return output(features)


def _bars(config: Config, bar):
    """The network "in bars" (Fig. 2): residual units, then a batch normalisation, as released.

    The released ReLU after that normalisation belongs to the `released` output alone: before any other it would
    make every probability at least 0.5. Without it, what the paper describes works: of one channel, the
    normalisation is a learnt scale and offset, from a picture in -1..1 to logits, and nothing has to be added.
    """
    picture = bar
    for index in range(UNITS):
        picture = ResidualUnit(name=f"unit_{index}")(picture)
    start = "zeros" if config.refine_residual else "ones"
    normalise = keras.layers.BatchNormalization(
        momentum=MOMENTUM, epsilon=EPSILON, gamma_initializer=start, dtype="float32", name="output"
    )
    shape = (config.unit_steps, config.pitches)
    channel = keras.layers.Reshape((*shape, 1), dtype="float32", name="channel")(picture)
    return keras.layers.Reshape(shape, dtype="float32", name="logits")(normalise(channel))


def _output(config: Config, seed: int) -> keras.layers.Layer:
    """Returns the layer from real numbers to 0..1."""
    if config.refine_output in ("deterministic", "stochastic"):
        return BinaryNeurons(config.refine_output == "stochastic", seed, name="neurons")
    activation = _released if config.refine_output == "released" else "sigmoid"
    return keras.layers.Activation(activation, dtype="float32", name="probability")


@keras.saving.register_keras_serializable("msw2")
def _released(x):
    """The released output "in bars": at least 0.5."""
    return GATES["hard_sigmoid"](keras.ops.relu(x))

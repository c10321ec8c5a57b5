"""Fusion strategies 1 and 2 (Section III.B): multi-layer perceptrons over the tracks, instead of a VRAE.

`concatenate`, strategy 1: an MLP reads the moments of all tracks side by side; its mirror writes them. Sizes as
released.

`project`, strategy 2: an MLP of its own projects each track into one low-dimensional space, a joint MLP reads the
five projections, and the decoder is the mirror. Released is only the projection, in the sizes below, with a decoder
that is left open. Ours are: the last projection is linear, the projections are put side by side, the joint MLP is
one layer of 128 units, and the whole decoder.

Each function is a strategy's half, between the moments that the network sees and the Dense layers that make the
MFG-VAE's own moments; `mfg_vae` puts a model around it.
"""

import keras
from keras import ops

from msw2.config import Config
from msw2.music.tracks import TRACK_NAMES, TRACKS

CONCATENATED = (2048, 2048, 1024, 1024, 512, 256)  # released
PROJECTED = (128, 128, 64, 64, 32)  # released, each track; then linear to the space that all share:
SPACE = 32  # released
JOINT = (128,)  # ours: over five projections of 32


def encode_concatenated(band):
    """Maps moments [batch, track, moment] to features [batch, 256]."""
    return _mlp(keras.layers.Flatten(dtype="float32", name="side_by_side")(band), CONCATENATED, "dense")


def decode_concatenated(config: Config, latent):
    """Maps latent vectors [batch, MFG latent] to moments, float32 [batch, track, moment]."""
    width = config.mfg_moments
    features = _mlp(latent, CONCATENATED[::-1], "dense")
    return _apart(_output(config, len(TRACKS) * width, "output")(features), width)


def encode_projected(band):
    """Maps moments [batch, track, moment] to features [batch, 128]; layers are named after tracks."""
    projections = []
    for index, track in enumerate(TRACK_NAMES):
        features = _mlp(band[:, index], PROJECTED, f"{track}_dense")
        projections.append(keras.layers.Dense(SPACE, name=f"{track}_projection")(features))
    return _mlp(keras.layers.Concatenate(name="side_by_side")(projections), JOINT, "joint")


def decode_projected(config: Config, latent):
    """Maps latent vectors [batch, MFG latent] to moments, float32 [batch, track, moment]."""
    features = _mlp(latent, JOINT[::-1], "joint")
    projections = _apart(keras.layers.Dense(len(TRACKS) * SPACE, name="projections")(features), SPACE)
    moments = []
    for index, track in enumerate(TRACK_NAMES):
        features = _mlp(projections[:, index], PROJECTED[::-1], f"{track}_dense")
        moments.append(_output(config, config.mfg_moments, f"{track}_output")(features))
    return ops.stack(moments, axis=1)


def _mlp(features, sizes, name: str):
    """Puts Dense layers with ReLU, `<name>_0`, `<name>_1`, ..., on features [batch, feature]."""
    for index, units in enumerate(sizes):
        features = keras.layers.Dense(units, activation="relu", name=f"{name}_{index}")(features)
    return features


def _output(config: Config, units: int, name: str) -> keras.layers.Dense:
    return keras.layers.Dense(units, activation=config.mfg_output, dtype="float32", name=name)


def _apart(features, size: int):
    """Maps [batch, track x size] to [batch, track, size]."""
    return ops.reshape(features, (-1, len(TRACKS), size))

"""The refine network "in notes": multi-label classification of each time step by itself (Section III.A, V.B)."""

import keras

from msw2.config import Config
from msw2.models.layers import ToLogits

HIDDEN = (512, 512, 256, 256)  # released


def build_refiner(config: Config, track: str) -> keras.Model:
    """Returns the model from a BVAE's output to the probability that each cell sounds.

    Input: float [batch, step, pitch] in -1..1; output: float32, same shape, 0..1; a cell is on at >= 0.5.
    With `refine_residual` the network's output is added to the logits that its input stands for.
    Trained with binary cross-entropy (Eq. 4) on y = (bar + 1) / 2 (Eq. 3).
    """
    bar = keras.Input((config.unit_steps, config.pitches), name="bar")
    features = bar
    for index, units in enumerate(HIDDEN):
        features = keras.layers.Dense(units, activation="relu", name=f"dense_{index}")(features)
    # The correction begins with nothing, so that a refiner is never worse than none.
    start = "zeros" if config.refine_residual else "glorot_uniform"
    output = keras.layers.Dense(config.pitches, dtype="float32", kernel_initializer=start, name="output")
    logits = output(features)
    if config.refine_residual:
        logits = keras.layers.Add(dtype="float32", name="corrected")([ToLogits(name="opinion")(bar), logits])
    probability = keras.layers.Activation("sigmoid", dtype="float32", name="probability")(logits)
    return keras.Model(bar, probability, name=f"{track}_refiner")

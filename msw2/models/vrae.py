"""The variational recurrent auto-encoder (Fabius and van Amersfoort 2014) that both levels are made of.

A BVAE runs it over the steps of a unit, the MFG-VAE over the tracks of a band (Section III).
"""

import keras
import numpy as np
from keras import ops

from msw2.kernels.lstm import LSTM
from msw2.models import losses


def build_encoder(
    inputs,
    sequences,
    *,
    hidden: int,
    latent: int,
    gates: str,
    states: str,
    portable: bool,
    name: str,
    background: float | None = None,
) -> keras.Model:
    """LSTM, its last state or all of them, two Dense layers: [batch, step, feature] to [batch, 2 x latent].

    Args:
        inputs: the keras.Input.
        sequences: what the LSTM reads: `inputs`, or what has been computed from them.
        hidden: units of the LSTM.
        latent: size of `mean` and of `s`.
        gates: see `kernels.lstm.LSTM`.
        states: `last`, or `all` of them side by side.
        portable: see `kernels.lstm.LSTM`.
        name: of the model.
        background: the value that most features of `sequences` have; None: no value stands out.
    """
    lstm = LSTM(
        hidden,
        gates=gates,
        portable=portable,
        background=background,
        return_sequences=states == "all",
        name="lstm",
    )
    state = lstm(sequences)
    if states == "all":
        state = keras.layers.Flatten(name="states")(state)
    return keras.Model(inputs, moments(state, latent), name=name)


def moments(features, latent: int):
    """Two linear Dense layers, `mean` and `s`: [batch, feature] to moments [batch, 2 x latent]."""
    # float32 whatever the policy: the KL takes an exponential of s
    mean = keras.layers.Dense(latent, dtype="float32", name="mean")(features)
    s = keras.layers.Dense(latent, dtype="float32", name="s")(features)
    return keras.layers.Concatenate(dtype="float32", name="moments")([mean, s])


def decode_draft(latent, *, steps: int, features: int, hidden: int, gates: str, portable: bool):
    """Drafts a sequence from a latent vector and corrects it: [batch, latent] to [batch, step, feature], float32.

    A Dense layer drafts all steps at once. An LSTM reads the draft from step to step, and what a Dense layer makes of
    its states is added. A decoder that repeats the vector has to unroll it all from its state.

    Args:
        latent: keras tensor.
        steps: steps to decode.
        features: of a step.
        hidden: units of the LSTM.
        gates: see `kernels.lstm.LSTM`.
        portable: see `kernels.lstm.LSTM`.
    """
    flat = keras.layers.Dense(steps * features, name="draft")(latent)
    draft = keras.layers.Reshape((steps, features), dtype="float32", name="drafted")(flat)
    states = LSTM(hidden, gates=gates, portable=portable, return_sequences=True, name="lstm")(draft)
    correction = keras.layers.Dense(features, dtype="float32", name="output")(states)
    return keras.layers.Add(dtype="float32", name="corrected")([draft, correction])


def decode_states(
    latent, *, steps: int, hidden: int, gates: str, beat_resolution: int | None, portable: bool
):
    """Repeats a latent vector over the steps and runs an LSTM: [batch, latent] to [batch, step, hidden].

    Args:
        latent: keras tensor.
        steps: steps to decode.
        hidden: units of the LSTM.
        gates: see `kernels.lstm.LSTM`.
        beat_resolution: steps a beat, for a decoder that reads its position in the sequence; else None.
        portable: see `kernels.lstm.LSTM`.
    """
    decoder = LSTM(
        hidden,
        repeat=steps,
        step_features=beat_position(steps, beat_resolution) if beat_resolution else None,
        gates=gates,
        portable=portable,
        return_sequences=True,
        name="lstm",
    )
    return decoder(latent)


def beat_position(steps: int, beat_resolution: int) -> np.ndarray:
    """Returns where each step stands: one-hot the step within its beat, then one-hot the beat.

    Args:
        steps: number of steps.
        beat_resolution: steps a beat.

    Returns:
        float32 [step, beat_resolution + beats].
    """
    step = np.arange(steps)
    in_beat = np.eye(beat_resolution, dtype="float32")[step % beat_resolution]
    beat = np.eye(-(-steps // beat_resolution), dtype="float32")[step // beat_resolution]
    return np.concatenate([in_beat, beat], axis=-1)


class VRAE(keras.Model):
    """Encoder, sampling, decoder; trained on the negative log-likelihood plus weighted KL (Eq. 6).

    Args:
        inputs: keras.Input [batch, step, feature].
        encoder: model from `inputs` to moments.
        sampling: layer from moments to the latent vector.
        decoder: model from the latent vector to the output.
        nll: function of (target, output).
        kl_weight: weight of the KL term.
        name: of the model.
    """

    def __init__(self, inputs, encoder, sampling, decoder, *, nll, kl_weight: float, name: str):
        moments = encoder(inputs)
        # Also for the validation loss. A model passes its own `training` on, over what is said of it here.
        latent = sampling(moments, always=True)
        super().__init__(inputs, {"moments": moments, "output": decoder(latent)}, name=name)
        self.encoder = encoder
        self.decoder = decoder
        self._nll = nll
        self._kl_weight = kl_weight
        self._terms = [keras.metrics.Mean(name="nll"), keras.metrics.Mean(name="kl")]

    def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True):
        """Returns the loss of a batch; `y` is what `output` should be, [batch, step, feature]."""
        nll = self._nll(y, y_pred["output"])
        kl = losses.kl_divergence(y_pred["moments"])
        bars = ops.cast(ops.shape(y)[0], "float32")  # the last batch of an epoch may be smaller
        for metric, value in zip(self._terms, (nll, kl), strict=True):
            metric.update_state(value, sample_weight=bars)
        return nll + self._kl_weight * kl

"""MFG-VAE: the moments of the five tracks' BVAEs fused into one latent vector and back (Section III.B).

`Config.fusion` chooses the strategy: `vrae`, strategy 3, is here; `concatenate` and `project`, strategies 1 and 2, are
in `fusion_mlp`; `none` is the paper's ablation without fusion, two models without weights.
"""

import keras
from keras import ops

from msw2.config import Config
from msw2.kernels.lstm import LSTM
from msw2.models import fusion_mlp, losses, vrae
from msw2.models.layers import Sampling, Standardise
from msw2.music.tracks import TRACKS


def build_encoder(config: Config, *, portable: bool = False) -> keras.Model:
    """Returns the model from moments [batch, track, `mfg_moments`] to moments [batch, 2 x `fusion_latent`].

    Without fusion its output is the tracks' means side by side, then their s.
    """
    band = keras.Input((len(TRACKS), config.mfg_moments), name="band")
    if config.fusion == "none":
        return keras.Model(band, _side_by_side(config, band), name="mfg_encoder")
    scaled = Standardise(name="standardise")(band) if config.standardise else band
    if config.fusion == "vrae":
        return vrae.build_encoder(
            band,
            scaled,
            hidden=config.mfg_hidden,
            latent=config.mfg_latent,
            gates=config.gates,
            states="all" if config.decoding == "draft" else "last",
            portable=portable,
            name="mfg_encoder",
        )
    concatenated = config.fusion == "concatenate"
    encode = fusion_mlp.encode_concatenated if concatenated else fusion_mlp.encode_projected
    return keras.Model(band, vrae.moments(encode(scaled), config.mfg_latent), name="mfg_encoder")


def build_decoder(config: Config, *, portable: bool = False) -> keras.Model:
    """Returns the model from latent vectors [batch, `fusion_latent`] to moments [batch, track, `mfg_moments`].

    Without fusion its output is exactly the means that the vector is made of, and s = 0.
    """
    latent = keras.Input((config.fusion_latent,), name="latent")
    if config.fusion == "none":
        return keras.Model(latent, _apart(config, latent), name="mfg_decoder")
    if config.fusion == "vrae":
        moments = _decode_tracks(config, latent, portable)
    elif config.fusion == "concatenate":
        moments = fusion_mlp.decode_concatenated(config, latent)
    else:
        moments = fusion_mlp.decode_projected(config, latent)
    if config.standardise:
        moments = Standardise(inverse=True, name="unstandardise")(moments)
    return keras.Model(latent, moments, name="mfg_decoder")


def build_mfg_vae(
    config: Config, encoder: keras.Model, sampling: Sampling, decoder: keras.Model
) -> vrae.VRAE:
    """Returns the VAE of stage 2 over its parts. Without fusion it has nothing to train.

    Its loss compares moments as the network sees them: scaled, where `config.standardise`.
    """

    def nll(target, output):
        if config.standardise:
            scale = encoder.get_layer("standardise")
            target, output = scale(target), scale(output)
        return losses.gaussian_nll(target, output)

    return vrae.VRAE(
        encoder.input,
        encoder,
        sampling,
        decoder,
        nll=nll,
        kl_weight=config.mfg_kl,
        name="mfg_vae",
    )


def set_statistics(encoder: keras.Model, decoder: keras.Model, mean, deviation) -> None:
    """Tells both ends of a standardising MFG-VAE the scale of the moments, float [track, `mfg_moments`]."""
    encoder.get_layer("standardise").set_statistics(mean, deviation)
    decoder.get_layer("unstandardise").set_statistics(mean, deviation)


def _decode_tracks(config: Config, latent, portable: bool):
    """Strategy 3: an LSTM over the tracks, and what `mfg_output` says on each of its states."""
    lstm = {"hidden": config.mfg_hidden, "gates": config.gates, "portable": portable}
    width = config.mfg_moments
    if config.decoding == "draft":
        return vrae.decode_draft(latent, steps=len(TRACKS), features=width, **lstm)
    states = vrae.decode_states(latent, steps=len(TRACKS), beat_resolution=None, **lstm)
    if config.mfg_output == "tanh":
        output = LSTM(width, gates=config.gates, portable=portable, return_sequences=True, name="output")
    else:
        output = keras.layers.Dense(width, dtype="float32", name="output")
    return keras.layers.Activation("linear", dtype="float32", name="band")(output(states))


def _side_by_side(config: Config, band):
    """Maps moments [batch, track, 2 x BVAE latent] to those of all tracks: five means, then five s."""
    # Operations, not layers: under a half-precision policy a layer would round the means.
    means, s = ops.split(band, 2, axis=-1)
    return ops.concatenate([ops.reshape(x, (-1, config.fusion_latent)) for x in (means, s)], axis=-1)


def _apart(config: Config, latent):
    """Maps five means side by side to moments [batch, track, 2 x BVAE latent] with these means and s = 0."""
    means = ops.reshape(latent, (-1, len(TRACKS), config.bvae_latent))
    return ops.concatenate([means, ops.zeros_like(means)], axis=-1)

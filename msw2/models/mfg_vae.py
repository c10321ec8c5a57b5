"""MFG-VAE, fusion strategy 3: a VRAE over the tracks, on the moments of their BVAEs (Section III.B)."""

import keras

from msw2.config import Config
from msw2.models import losses, vrae
from msw2.models.layers import Sampling, Standardise
from msw2.models.recurrent import LSTM
from msw2.music.tracks import TRACKS


def build_encoder(config: Config, *, fused: bool | None = None) -> keras.Model:
    """Returns the model from moments [batch, track, 2 x BVAE latent] to moments [batch, 2 x MFG latent]."""
    band = keras.Input((len(TRACKS), 2 * config.bvae_latent), name="band")
    return vrae.build_encoder(
        band,
        Standardise(name="standardise")(band) if config.standardise else band,
        hidden=config.mfg_hidden,
        latent=config.mfg_latent,
        gates=config.gates,
        states="last",
        fused=fused,
        name="mfg_encoder",
    )


def build_decoder(config: Config, *, fused: bool | None = None) -> keras.Model:
    """Returns the model from a latent vector [batch, MFG latent] to moments [batch, track, 2 x BVAE latent]."""
    latent = keras.Input((config.mfg_latent,), name="latent")
    states = vrae.decode_states(
        latent,
        steps=len(TRACKS),
        hidden=config.mfg_hidden,
        gates=config.gates,
        beat_resolution=None,
        fused=fused,
    )
    width = 2 * config.bvae_latent
    if config.mfg_output == "tanh":
        output = LSTM(width, gates=config.gates, fused=fused, return_sequences=True, name="output")
    else:
        output = keras.layers.Dense(width, dtype="float32", name="output")
    moments = keras.layers.Activation("linear", dtype="float32", name="band")(output(states))
    if config.standardise:
        moments = Standardise(inverse=True, name="unstandardise")(moments)
    return keras.Model(latent, moments, name="mfg_decoder")


def build_mfg_vae(config: Config, encoder: keras.Model, decoder: keras.Model, *, seed: int) -> vrae.VRAE:
    """Returns the VAE of stage 2 over an encoder and a decoder.

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
        Sampling(config.sigma, config.epsilon_std, seed, name="sampling"),
        decoder,
        nll=nll,
        kl_weight=config.mfg_kl,
        name="mfg_vae",
    )


def set_statistics(encoder: keras.Model, decoder: keras.Model, mean, deviation) -> None:
    """Tells both ends of a standardising MFG-VAE the scale of the moments, float [track, 2 x latent]."""
    encoder.get_layer("standardise").set_statistics(mean, deviation)
    decoder.get_layer("unstandardise").set_statistics(mean, deviation)

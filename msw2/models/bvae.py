"""BVAE: one track's VAE over the steps of a unit: of one bar, or of a phrase (Section III.A)."""

import keras
import numpy as np

from msw2.config import Config
from msw2.kernels.lstm import LSTM
from msw2.models import losses, vrae
from msw2.models.layers import Sampling


def build_encoder(config: Config, track: str, *, portable: bool = False) -> keras.Model:
    """Returns the model from a unit, float [batch, step, pitch] of -1/+1, to moments [batch, 2 x latent]."""
    unit = keras.Input((config.unit_steps, config.pitches), name="unit")
    return vrae.build_encoder(
        unit,
        unit,
        hidden=config.bvae_hidden,
        latent=config.bvae_latent,
        gates=config.gates,
        states=config.encoder_states,
        portable=portable,
        name=f"{track}_encoder",
        background=-1.0,  # silence: some 2 % of the cells sound
    )


def build_decoder(config: Config, track: str, *, portable: bool = False) -> keras.Model:
    """Returns the model from a latent vector [batch, latent] to a unit, float32 [batch, step, pitch].

    The output is tanh in -1..1 for the `gaussian` likelihood, logits for the `bernoulli` one.
    """
    latent = keras.Input((config.bvae_latent,), name="latent")
    decoded = _decode(config, latent, portable)
    unit = keras.layers.Activation("linear", dtype="float32", name="unit")(decoded)
    return keras.Model(latent, unit, name=f"{track}_decoder")


def set_output_bias(decoder: keras.Model, sounding: np.ndarray) -> None:
    """Starts the logits at the log-odds of each pitch.

    Args:
        decoder: of a `bernoulli` BVAE.
        sounding: float [pitch], how often each pitch sounds, as a share of the steps, 0..1.
    """
    share = np.clip(sounding, 1e-5, 1 - 1e-5)  # a pitch never heard may still be asked for
    decoder.get_layer("output").bias.assign(np.log(share / (1 - share)))


def build_bvae(config: Config, encoder: keras.Model, decoder: keras.Model, *, seed: int) -> vrae.VRAE:
    """Returns the VAE of stage 1 over an encoder and a decoder."""
    gaussian = config.likelihood == "gaussian"
    return vrae.VRAE(
        encoder.input,
        encoder,
        Sampling(config.sigma, config.epsilon_std, seed, name="sampling"),
        decoder,
        nll=losses.gaussian_nll if gaussian else losses.bernoulli_nll,
        kl_weight=config.bvae_kl,
        name=encoder.name.replace("encoder", "bvae"),
    )


def _decode(config: Config, latent, portable: bool):
    """Maps latent vectors [batch, latent] to the decoder's output [batch, step, pitch]."""
    lstm = {"hidden": config.bvae_hidden, "gates": config.gates, "portable": portable}
    if config.decoding == "draft":
        return vrae.decode_draft(latent, steps=config.unit_steps, features=config.pitches, **lstm)
    position = config.beat_resolution if config.position else None
    states = vrae.decode_states(latent, steps=config.unit_steps, beat_resolution=position, **lstm)
    if config.likelihood == "gaussian":
        output = LSTM(
            config.pitches, gates=config.gates, portable=portable, return_sequences=True, name="output"
        )
    else:
        output = keras.layers.Dense(config.pitches, dtype="float32", name="output")
    return output(states)

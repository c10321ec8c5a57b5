"""Every sub-model of MIDI-Sandwich2, built once, and the views over them (Fig. 1)."""

import dataclasses
import zlib

import keras
from keras import ops

from msw2.config import Config
from msw2.models import bvae, mfg_vae, refine, vrae
from msw2.music.tracks import TRACK_NAMES, track_index


@dataclasses.dataclass(frozen=True)
class Parts:
    """The sub-models; every view shares them.

    Attributes:
        config: what they were built from.
        models: name to model: `<track>_encoder`, `<track>_decoder`, `<track>_refiner` for the five tracks,
            `mfg_encoder`, `mfg_decoder`. The names are those of the weight files.
    """

    config: Config
    models: dict[str, keras.Model]

    def of(self, kind: str) -> list[keras.Model]:
        """Returns the five models of a kind (`encoder`, `decoder`, `refiner`), in track order."""
        return [self.models[f"{track}_{kind}"] for track in TRACK_NAMES]


def part_seed(config: Config, name: str) -> int:
    """Returns the seed of a part: the run's seed and the part's name, so that parts differ."""
    return (config.seed * 1_000_003 + zlib.crc32(name.encode())) % 2**31


def build_parts(config: Config, tracks=TRACK_NAMES, *, portable: bool = False) -> Parts:
    """Builds the sub-models with fresh weights.

    Args:
        config: sizes and kinds.
        tracks: names of the tracks to build; stage 1 needs only its own. The MFG-VAE is built with all five.
        portable: see `kernels.lstm.LSTM`.

    Raises:
        ValueError: for a name that is not a track's.
    """
    builders = {}
    for track in tracks:
        track_index(track)
        builders[f"{track}_encoder"] = lambda t=track: bvae.build_encoder(config, t, portable=portable)
        builders[f"{track}_decoder"] = lambda t=track: bvae.build_decoder(config, t, portable=portable)
        builders[f"{track}_refiner"] = lambda t=track: refine.build_refiner(
            config, t, seed=part_seed(config, f"{t}_refiner")
        )
    if tuple(tracks) == TRACK_NAMES:
        builders["mfg_encoder"] = lambda: mfg_vae.build_encoder(config, portable=portable)
        builders["mfg_decoder"] = lambda: mfg_vae.build_decoder(config, portable=portable)
    models = {}
    for name, build in builders.items():
        keras.utils.set_random_seed(part_seed(config, name))  # Keras's initialisers draw from the global one
        models[name] = build()
    return Parts(config, models)


def track_vae(parts: Parts, track: str) -> vrae.VRAE:
    """Returns the BVAE of one track, for stage 1."""
    encoder, decoder = parts.models[f"{track}_encoder"], parts.models[f"{track}_decoder"]
    return bvae.build_bvae(parts.config, encoder, decoder, seed=part_seed(parts.config, f"{track}_sampling"))


def fusion_vae(parts: Parts) -> vrae.VRAE:
    """Returns the MFG-VAE, for stage 2."""
    encoder, decoder = parts.models["mfg_encoder"], parts.models["mfg_decoder"]
    return mfg_vae.build_mfg_vae(parts.config, encoder, decoder, seed=part_seed(parts.config, "mfg_sampling"))


class Sandwich:
    """The trained whole, without randomness: posterior means in place of samples.

    Functions of tensors; units are float [unit, step, pitch, track] of -1/+1 where a song enters: bars, or the
    bars of a phrase one after another (`config.unit`).

    Args:
        parts: all five tracks and the MFG-VAE.
    """

    def __init__(self, parts: Parts):
        self.parts = parts
        self.config = parts.config

    def moments(self, units):
        """Maps units [unit, step, pitch, track] to the BVAEs' moments [unit, track, 2 x BVAE latent]."""
        encoders = self.parts.of("encoder")
        return ops.stack([encode(units[..., i]) for i, encode in enumerate(encoders)], axis=1)

    def encode(self, units):
        """Maps units to the means of the MFG-VAE, float32 [unit, MFG latent]."""
        moments = self.parts.models["mfg_encoder"](self.moments(units))
        return moments[:, : self.config.fusion_latent]

    def decode(self, latent, *, refined: bool = True):
        """Maps MFG latents [unit, MFG latent] to probabilities [unit, step, pitch, track] (0..1).

        Args:
            latent: float32.
            refined: whether the refiners have the last word, or the BVAEs (MSG1 of Table I).
        """
        moments = self.parts.models["mfg_decoder"](latent)
        return self.decode_moments(moments, refined=refined)

    def decode_moments(self, moments, *, refined: bool = True):
        """Maps BVAE moments [unit, track, 2 x BVAE latent] to probabilities [unit, step, pitch, track]."""
        means = moments[..., : self.config.bvae_latent]
        signed = [
            bvae.to_signed(self.config, decode(means[:, i]))
            for i, decode in enumerate(self.parts.of("decoder"))
        ]
        if not refined:
            return ops.stack([0.5 * (unit + 1.0) for unit in signed], axis=-1)
        refiners = self.parts.of("refiner")
        return ops.stack([refiner(unit) for refiner, unit in zip(refiners, signed, strict=True)], axis=-1)

    def restore(self, units, *, refined: bool = True):
        """Maps units [unit, step, pitch, track] of -1/+1 to probabilities, through the whole sandwich."""
        return self.decode(self.encode(units), refined=refined)

"""The whole of MIDI-Sandwich2 as one Functional model (Fig. 1), and the views of it that the stages train."""

import zlib

import keras

from msw2.config import Config
from msw2.models import bvae, mfg_vae, refine, vrae
from msw2.models.layers import Opinion, Sampling, SelectTrack, StackTracks, ToPhrases, ToUnits
from msw2.models.precision import building_in
from msw2.music.tracks import TRACK_NAMES, TRACKS

FUSION_PARTS = ("mfg_encoder", "mfg_decoder")
PARTS = (
    *(f"{track}_{kind}" for kind in ("encoder", "decoder", "refiner") for track in TRACK_NAMES),
    *FUSION_PARTS,
)


def build_sandwich(config: Config, *, portable: bool = False) -> keras.Model:
    """Builds the sandwich with fresh weights.

    Its parts are Functional models of their own, found by `get_layer`: `<track>_encoder`, `<track>_decoder` and
    `<track>_refiner` for the five tracks, `mfg_encoder` and `mfg_decoder`. Weight files have these names. The layer
    `sampling` stands between the MFG-VAE's encoder and decoder. It is off in inference, so that the same phrase
    gives the same bytes. Between the two levels the posterior means are used.

    Args:
        config: kinds and sizes; its precision is the dtype policy of the layers.
        portable: whether the LSTMs use TensorFlow's own operations only, as a file to share or to serve needs.

    Returns:
        A model from `pianoroll`, bool [phrase, bar, step, pitch, track], to a dictionary, all float32:
        `pianoroll`, the refined probability that a cell sounds (0..1); `unrefined`, the same before the refiners;
        `latent`, the MFG-VAE's means [phrase, unit, latent].
    """
    with building_in(config.precision):
        return assemble(config, _parts(config, portable))


def part_seed(config: Config, name: str) -> int:
    """Returns the seed of a part: the run's seed and the part's name, so that parts differ."""
    return (config.seed * 1_000_003 + zlib.crc32(name.encode())) % 2**31


def stage1_parts(track: str) -> tuple[str, str]:
    """Returns the names of the parts that stage 1 trains for a track."""
    return f"{track}_encoder", f"{track}_decoder"


def _parts(config: Config, portable: bool) -> dict[str, keras.Model]:
    """Builds all parts by name. Each starts from its own seed."""
    kinds = {
        "encoder": lambda track: bvae.build_encoder(config, track, portable=portable),
        "decoder": lambda track: bvae.build_decoder(config, track, portable=portable),
        "refiner": lambda track: refine.build_refiner(
            config, track, seed=part_seed(config, f"{track}_refiner")
        ),
    }
    whole = {"mfg_encoder": mfg_vae.build_encoder, "mfg_decoder": mfg_vae.build_decoder}
    parts = {}
    for name in PARTS:
        keras.utils.set_random_seed(part_seed(config, name))  # Keras's initialisers draw from the global one
        track, kind = name.split("_")
        parts[name] = whole[name](config, portable=portable) if name in whole else kinds[kind](track)
    return parts


def assemble(config: Config, parts: dict[str, keras.Model]) -> keras.Model:
    """Puts parts together: up through the encoders, and down again. `build_sandwich` says what is returned.

    Args:
        config: kinds and sizes.
        parts: a model for each name of PARTS.
    """
    pianoroll = keras.Input((*config.grid.phrase_shape, len(TRACKS)), dtype="bool", name="pianoroll")
    units = ToUnits(config.unit_steps, name="units")(pianoroll)
    moments = [
        parts[f"{track}_encoder"](SelectTrack(index, -1, name=f"{track}_unit")(units))
        for index, track in enumerate(TRACK_NAMES)
    ]
    fused = parts["mfg_encoder"](StackTracks(1, size=config.mfg_moments, name="moments")(moments))
    seed = part_seed(config, "mfg_sampling")
    latent = Sampling(config.sigma, config.epsilon_std, seed, name="sampling")(fused)
    made = keras.layers.Identity(dtype="float32", name="restored_moments")(parts["mfg_decoder"](latent))
    opinions, refined = [], []
    for index, track in enumerate(TRACK_NAMES):
        mean = SelectTrack(index, 1, size=config.bvae_latent, name=f"{track}_mean")(made)
        decoded = parts[f"{track}_decoder"](mean)
        opinions.append(Opinion(config.likelihood == "bernoulli", name=f"{track}_opinion")(decoded))
        refined.append(parts[f"{track}_refiner"](opinions[-1]))
    opinion = _phrases(config, opinions, "opinion")
    unrefined = keras.layers.Rescaling(0.5, 0.5, dtype="float32", name="unrefined")(opinion)
    outputs = {
        "pianoroll": _phrases(config, refined, "refined"),
        "unrefined": unrefined,
        "latent": ToPhrases((config.units, config.fusion_latent), name="latent")(latent),
    }
    return keras.Model(pianoroll, outputs, name="sandwich")


def _phrases(config: Config, tracks, name: str):
    """Maps five tracks' units [unit, step, pitch] to phrases [phrase, bar, step, pitch, track]."""
    shape = (*config.grid.phrase_shape, len(TRACKS))
    return ToPhrases(shape, name=name)(StackTracks(-1, name=f"{name}_units")(tracks))


def encoding_view(sandwich: keras.Model) -> keras.Model:
    """Returns the model from `pianoroll` to the BVAEs' moments, float32 [unit, track, `mfg_moments`]."""
    return keras.Model(sandwich.input, sandwich.get_layer("moments").output, name="encoding")


def latent_view(sandwich: keras.Model) -> keras.Model:
    """Returns the model from `pianoroll` to `latent`."""
    return keras.Model(sandwich.input, sandwich.output["latent"], name="encode")


def decoding_view(sandwich: keras.Model) -> keras.Model:
    """Returns the model from latents [unit, latent] to a dictionary of `pianoroll` and `unrefined`."""
    made = {name: sandwich.output[name] for name in ("pianoroll", "unrefined")}
    return keras.Model(sandwich.get_layer("sampling").output, made, name="decode")


def bvae_view(sandwich: keras.Model, config: Config, track: str) -> vrae.VRAE:
    """Returns the BVAE of one track, for stage 1."""
    encoder, decoder = (sandwich.get_layer(name) for name in stage1_parts(track))
    return bvae.build_bvae(config, encoder, decoder, seed=part_seed(config, f"{track}_sampling"))


def fusion_view(sandwich: keras.Model, config: Config) -> vrae.VRAE:
    """Returns the MFG-VAE, for stage 2."""
    encoder, decoder = (sandwich.get_layer(name) for name in FUSION_PARTS)
    return mfg_vae.build_mfg_vae(config, encoder, sandwich.get_layer("sampling"), decoder)


def made_view(sandwich: keras.Model, config: Config, track: str) -> keras.Model:
    """Returns the model from a track's unit through its BVAE: the input of its refiner.

    Input: float [batch, step, pitch] of -1/+1; output: float32, the same shape, -1..1. It samples.
    """
    encoder, decoder = (sandwich.get_layer(name) for name in stage1_parts(track))
    seed = part_seed(config, f"{track}_refiner_sampling")
    sampling = Sampling(config.sigma, config.epsilon_std, seed, name="sampling")
    made = decoder(sampling(encoder(encoder.input, training=False), always=True), training=False)
    return keras.Model(encoder.input, sandwich.get_layer(f"{track}_opinion")(made), name=f"{track}_made")


def refine_view(sandwich: keras.Model, config: Config, track: str) -> keras.Model:
    """Returns the model from a track's unit through its frozen BVAE and its refiner, for refining."""
    made = made_view(sandwich, config, track)
    refined = sandwich.get_layer(f"{track}_refiner")(made.output)
    return keras.Model(made.input, refined, name=f"{track}_refine")

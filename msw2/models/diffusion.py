"""The diffusion prior: draws codes of whole songs, bar by bar and track by track, around what is given of them.

Codes of training songs plus noise of deviation sigma are what the denoiser has learnt to see through. A draw begins
with noise alone and takes it away in steps (Karras et al. 2022), each with two orders (Lu et al. 2022, DPM-Solver++2M).
"""

import dataclasses
import os
import zipfile
from typing import BinaryIO

import keras
import numpy as np
from keras import ops

from msw2.config import Config
from msw2.config.prior import HEAD
from msw2.models.codes import Codes
from msw2.models.denoiser import build_denoiser, weight_shapes
from msw2.models.per_track import per_track
from msw2.models.prior_arrays import read_array, read_size, rounded
from msw2.music.tracks import TRACKS
from msw2.system.files import replacing

STEPS = 24  # of a draw
SIGMAS = (15.0, 0.3)  # noise at its begin and at its end: the decoders bear 0.3 without a wrong note
CURVE = 7.0  # of the noise between them (Karras et al. 2022, Eq. 5)
FAR = 16  # bars from both ends of a song: where a phrase stands that has no place in one
FADING = 8.0  # bars in which a begin or an end of a song is felt
WEIGHT = "weight_{:03}"  # name of an array of the network in a file
_SIZES = ("units", "latent", "width", "layers")
_SPACE = tuple(field.name for field in dataclasses.fields(Codes))


@dataclasses.dataclass(frozen=True, eq=False)
class DiffusionPrior:
    """A trained diffusion prior, as numbers.

    Attributes:
        units: of a phrase.
        latent: size of a unit's latent vector, which the MFG-VAE makes of a drawn band.
        width: of the denoiser.
        layers: of the denoiser.
        codes: the space that it works in.
        weights: of the denoiser, in Keras's order.
    """

    units: int
    latent: int
    width: int
    layers: int
    codes: Codes
    weights: list[np.ndarray]

    @classmethod
    def of(cls, config: Config, codes: Codes, network: keras.Model) -> "DiffusionPrior":
        """Returns the prior of a config with a trained network."""
        weights = [np.asarray(weight, np.float32) for weight in network.get_weights()]
        return cls(
            config.units, config.fusion_latent, config.prior_width, config.prior_layers, codes, weights
        )

    def network(self) -> keras.Model:
        """Builds the denoiser with these weights."""
        model = build_denoiser(**self._network_sizes())
        model.set_weights(self.weights)
        return model

    def _network_sizes(self) -> dict[str, int]:
        """Returns the arguments of `build_denoiser`."""
        code = {"code": self.codes.size, "cells": self.codes.cells}
        return {"tracks": len(TRACKS), "width": self.width, "layers": self.layers} | code

    def on(self, sandwich: keras.Model) -> "SongDraws":
        """Returns what draws latents for a sandwich."""
        return SongDraws(self, sandwich)

    def save(self, path: str | os.PathLike) -> None:
        """Writes the prior as `.npz`, whole or not at all."""
        with replacing(path) as temporary, open(temporary, "wb") as file:
            self.write(file)

    def write(self, file: BinaryIO, *, half: bool = False) -> None:
        """Writes the prior as `.npz` to an open file; with `half`, its large matrices in a byte a number."""
        arrays = {name: getattr(self.codes, name) for name in _SPACE}
        arrays |= {WEIGHT.format(index): weight for index, weight in enumerate(self.weights)}
        if half:
            arrays = {
                key: part for name, array in arrays.items() for key, part in rounded(name, array).items()
            }
        np.savez(file, **{name: getattr(self, name) for name in _SIZES}, **arrays)

    @classmethod
    def of_archive(cls, archive: zipfile.ZipFile) -> "DiffusionPrior":
        """Reads what `write` wrote.

        Raises:
            ValueError: with the reason, if it is damaged, or its arrays do not make a prior.
        """
        sizes = {name: read_size(archive, name) for name in _SIZES}
        if sizes["width"] % HEAD:
            raise ValueError(f"width {sizes['width']} is not a multiple of {HEAD}")
        codes = Codes(**{name: read_array(archive, name) for name in _SPACE})
        codes.check()
        prior, weights = cls(**sizes, codes=codes, weights=[]), []
        for index, shape in enumerate(weight_shapes(**prior._network_sizes())):
            weights.append(read_array(archive, WEIGHT.format(index)))
            if weights[-1].shape != shape:
                found = f"{WEIGHT.format(index)} has the shape {list(weights[-1].shape)}"
                raise ValueError(f"{found}, not {list(shape)}")
        return dataclasses.replace(prior, weights=weights)


class SongDraws:
    """A diffusion prior at work with a sandwich, in the graph. Songs are drawn by themselves, by their seeds.

    Its matrices are variables: graphs refer to them, where constants would be in each graph again. What takes the noise
    away is traced once, and all draws call it.
    """

    def __init__(self, prior: DiffusionPrior, sandwich: keras.Model):
        import tensorflow as tf  # noqa: PLC0415 - as in `models.prior`

        self._prior = prior
        self._network = prior.network()
        self._fuse = sandwich.get_layer("mfg_encoder")
        self._draft = tuple(keras.Variable(each, trainable=False) for each in prior.codes.decoding(sandwich))
        self._codes = Codes(
            **{name: keras.Variable(getattr(prior.codes, name), trainable=False) for name in _SPACE}
        )
        codes = tf.TensorSpec([None, None, len(TRACKS), prior.codes.size])
        given, place = (tf.TensorSpec([None, None, size]) for size in (len(TRACKS), 2))
        levels = tf.TensorSpec([STEPS, None])
        self._denoise = tf.function(self._denoised, [codes, levels, codes, given, place], autograph=False)

    def on(self, _: keras.Model) -> "SongDraws":
        """Returns itself: what is at work with a sandwich stands where a prior does, and holds its numbers once."""
        return self

    def sample(self, seeds, temperatures):
        """Draws one phrase a seed, without a place in a song; see `models.prior.Prior.sample`."""
        import tensorflow as tf  # noqa: PLC0415 - as in `models.prior`

        units, tracks = self._prior.units, len(TRACKS)
        rows = tf.shape(seeds)[0]
        nothing = tf.zeros([rows, units, tracks, self._codes.size])
        far = tf.fill([rows, units, 2], float(np.exp(-FAR / FADING)))
        return self.latents(self.complete(nothing, tf.zeros([rows, units, tracks]), far, seeds, temperatures))

    def complete(self, codes, given, place, seeds, temperatures):
        """Draws the codes that are not given, around those that are.

        Args:
            codes: float32 [song, unit, track, number]; of any value where nothing is given.
            given: float32 [song, unit, track], 1 where the code is given, else 0.
            place: float32 [song, unit, 2], see `places`.
            seeds: int64 [song].
            temperatures: float32 [song]; 1 as learnt, less for what is likelier.

        Returns:
            float32 [song, unit, track, number].
        """
        import tensorflow as tf  # noqa: PLC0415 - as above

        levels = tf.cast(noise_levels(), tf.float32)[:, None] * tf.ones_like(temperatures)
        begin = (levels[0] * temperatures)[:, None, None, None] * _noise(codes, seeds)
        return self._denoise(begin, levels, codes, given, place)

    def vary(self, codes, sigmas, place, seeds):
        """Draws codes that are like some codes, for all that noise of a given deviation leaves of them.

        Args:
            codes: float32 [song, unit, track, number].
            sigmas: float32 [song], deviation of the noise, above that of the last step, `SIGMAS[1]`.
            place: as for `complete`.
            seeds: as for `complete`.

        Returns:
            float32 [song, unit, track, number].
        """
        import tensorflow as tf  # noqa: PLC0415 - as above

        begin = codes + sigmas[:, None, None, None] * _noise(codes, seeds)
        nothing = tf.zeros(tf.shape(codes)[:3])
        return self._denoise(begin, noise_levels(sigmas), codes, nothing, place)

    def latents(self, codes):
        """Returns the MFG-VAE's latents of codes, float32 [song, unit, latent]."""
        import tensorflow as tf  # noqa: PLC0415 - as above

        shape = tf.shape(codes)
        means = tf.reshape(self._codes.to_means(codes), [-1, *codes.shape[2:]])
        latents = self._fuse(means)[:, : self._prior.latent]
        return tf.reshape(latents, [shape[0], shape[1], self._prior.latent])

    def codes_of(self, means):
        """Returns the codes of the BVAEs' means, [song, unit, track, number]."""
        return self._codes.of_means(means)

    def _denoised(self, noisy, levels, codes, given, place):
        """Takes the noise away, from the first of the noise levels, [step, song], to the last."""
        import tensorflow as tf  # noqa: PLC0415 - as above

        shape = tf.shape(noisy)
        rest = {
            "given": given,
            "place": place,
            "position": tf.tile(tf.range(shape[1])[None], [shape[0], 1]),
            "segment": tf.zeros(shape[:2], tf.int32),
        }
        levels = tf.concat(
            [levels, levels[-1:]], axis=0
        )  # no step follows the last: its noise is not looked at
        strides = tf.math.log(levels[:-1] / levels[1:])  # [step, song]; none but the last is 0
        slopes = tf.concat([tf.zeros_like(strides[:1]), 0.5 * strides[1:] / strides[:-1]], axis=0)

        def step(index, noisy, before):
            clean = self._clean(noisy, levels[index], codes, rest)
            shrunk, stride, slope = (
                each[:, None, None, None]
                for each in (levels[index + 1] / levels[index], strides[index], slopes[index])
            )
            ahead = clean + slope * (clean - before)
            return index + 1, shrunk * noisy - tf.math.expm1(-stride) * ahead, clean

        loop = (tf.constant(0), noisy, tf.zeros_like(noisy))
        _, _, clean = tf.while_loop(lambda index, *_: index < STEPS, step, loop, maximum_iterations=STEPS)
        return clean

    def _clean(self, noisy, sigma, codes, rest: dict):
        """Returns the codes that are expected behind noisy ones, of noise [song]; given ones stay."""
        import tensorflow as tf  # noqa: PLC0415 - as above

        sigma = tf.tile(sigma[:, None], [1, tf.shape(noisy)[1]])
        inputs = noisy_inputs(self._codes, self._draft, noisy, codes, sigma=sigma, given=rest["given"])
        probability = tf.sigmoid(self._network(inputs | rest))
        return tf.where(rest["given"][..., None] > 0, codes, self._codes.of_cells(probability))


def noisy_inputs(codes: Codes, draft: tuple[np.ndarray, np.ndarray], noisy, clean, *, sigma, given) -> dict:
    """Returns what the denoiser reads of noisy codes.

    Args:
        codes: their space.
        draft: what `Codes.decoding` returns.
        noisy: float32 [song, unit, track, number].
        clean: the same without noise, for what is given.
        sigma: float32 [song, unit], deviation of the noise.
        given: float32 [song, unit, track], 1 where the code is given, else 0.

    Returns:
        `codes`, `draft` and `log_sigma`, see `build_denoiser`.
    """
    known = given[..., None] > 0
    total = codes.variance + ops.square(sigma)[..., None, None]
    expected = ops.where(known, clean, codes.variance / total * noisy)  # the best that is linear (Wiener)
    return {
        "codes": ops.where(known, clean / ops.sqrt(codes.variance), noisy / ops.sqrt(total)),
        "draft": per_track(expected, ops.convert_to_tensor(draft[0])) + draft[1],
        "log_sigma": ops.log(sigma),
    }


def noise_levels(first=SIGMAS[0]):
    """Returns the noise of each step of a draw, [STEPS, ...].

    Args:
        first: the noise that the draw begins with: a number, or a tensor of any shape, above `SIGMAS[1]`.
    """
    ends = first ** (1 / CURVE), SIGMAS[1] ** (1 / CURVE)
    return ops.stack([(ends[0] + share * (ends[1] - ends[0])) ** CURVE for share in np.linspace(0, 1, STEPS)])


def places(first, last):
    """Returns what says where in its song a unit is, float32 [..., 2]: near 1 at its begin, and at its end.

    Args:
        first: bars from the begin of the song, float32 of any shape.
        last: bars to its end.
    """
    return ops.exp(-ops.stack([first, last], axis=-1) / FADING)


def _noise(codes, seeds):
    """Draws noise of the shape of codes, each song's from its seed."""
    import tensorflow as tf  # noqa: PLC0415 - as above

    return tf.map_fn(
        lambda seed: tf.random.stateless_normal(tf.shape(codes)[1:], tf.stack([seed, 0])),
        seeds,
        fn_output_signature=tf.TensorSpec(codes.shape[1:], tf.float32),
    )

"""The notes prior: has learnt whole songs, and draws bars and tracks of a band around what is given of them.

It writes the notes that a band would play, and the BVAEs' encoders and the MFG-VAE make the latent vector of them.
"""

import dataclasses
import os
import zipfile
from typing import BinaryIO

import keras
import numpy as np
from keras import ops

from msw2.config import Config
from msw2.models.codes import Codes
from msw2.models.prior_arrays import read_array, read_size, rounded
from msw2.models.sandwich import encoding_view
from msw2.models.writer import Writer, weight_shapes
from msw2.music.tracks import TRACKS
from msw2.system.files import replacing

FAR = 16  # bars from both ends of a song: where a phrase stands that has no place in one
FADING = 8.0  # bars in which a begin or an end of a song is felt
_WEIGHT = "network.{}"  # name of an array of the network in a file
_SIZES = ("units", "latent", "steps", "pitches", "width")
_SPACE = tuple(field.name for field in dataclasses.fields(Codes))


@dataclasses.dataclass(frozen=True, eq=False)
class NotesPrior:
    """A trained notes prior, as numbers.

    Attributes:
        units: of a phrase.
        latent: size of a unit's latent vector, which the MFG-VAE makes of a drawn band.
        steps: of a unit.
        pitches: of the grid.
        width: of the network's states.
        codes: the space of the codes that it reads.
        weights: of the network, by the names of `Writer.variables`.
    """

    units: int
    latent: int
    steps: int
    pitches: int
    width: int
    codes: Codes
    weights: dict[str, np.ndarray]

    @classmethod
    def of(cls, config: Config, codes: Codes, writer: Writer) -> "NotesPrior":
        """Returns the prior of a config with a trained network."""
        return cls(
            units=config.units,
            latent=config.fusion_latent,
            steps=config.unit_steps,
            pitches=config.pitches,
            width=config.prior_width,
            codes=codes,
            weights={name: np.asarray(each, np.float32) for name, each in writer.variables().items()},
        )

    @property
    def sizes(self) -> dict[str, int]:
        """Returns the arguments of `Writer`."""
        sizes = {"tracks": len(TRACKS), "code": self.codes.size}
        return sizes | {"steps": self.steps, "pitches": self.pitches, "width": self.width}

    def network(self) -> Writer:
        """Builds the network with these weights, for a SavedModel too."""
        writer = Writer(**self.sizes, portable=True)
        for name, variable in writer.variables().items():
            variable.assign(self.weights[name])
        return writer

    def on(self, sandwich: keras.Model) -> "NotesDraws":
        """Returns what draws latents for a sandwich."""
        return NotesDraws(self, sandwich)

    def save(self, path: str | os.PathLike) -> None:
        """Writes the prior as `.npz`, whole or not at all."""
        with replacing(path) as temporary, open(temporary, "wb") as file:
            self.write(file)

    def write(self, file: BinaryIO, *, half: bool = False) -> None:
        """Writes the prior as `.npz` to an open file; with `half`, its large matrices in a byte a number."""
        arrays = {name: getattr(self.codes, name) for name in _SPACE}
        arrays |= {_WEIGHT.format(name): weight for name, weight in sorted(self.weights.items())}
        if half:
            arrays = {
                key: part for name, array in arrays.items() for key, part in rounded(name, array).items()
            }
        np.savez(file, **{name: getattr(self, name) for name in _SIZES}, **arrays)

    @classmethod
    def of_archive(cls, archive: zipfile.ZipFile) -> "NotesPrior":
        """Reads what `write` wrote.

        Raises:
            ValueError: with the reason, if it is damaged, or its arrays do not make a prior.
        """
        sizes = {name: read_size(archive, name) for name in _SIZES}
        codes = Codes(**{name: read_array(archive, name) for name in _SPACE})
        codes.check()
        if codes.cells != sizes["steps"] * sizes["pitches"]:
            raise ValueError(
                f"{codes.cells} cells are not {sizes['steps']} steps of {sizes['pitches']} pitches"
            )
        prior, weights = cls(**sizes, codes=codes, weights={}), {}
        for name, shape in weight_shapes(**prior.sizes).items():
            weights[name] = read_array(archive, _WEIGHT.format(name))
            if weights[name].shape != shape:
                found = f"{_WEIGHT.format(name)} has the shape {list(weights[name].shape)}"
                raise ValueError(f"{found}, not {list(shape)}")
        return dataclasses.replace(prior, weights=weights)


class NotesDraws:
    """A notes prior at work with a sandwich, in the graph. Songs are drawn by themselves, by their seeds.

    Its matrices are variables: graphs refer to them, where constants would be in each graph again. What draws is traced
    once.
    """

    def __init__(self, prior: NotesPrior, sandwich: keras.Model):
        import tensorflow as tf  # noqa: PLC0415 - as in `models.prior`

        from msw2.models.song_draws import SongDraws  # noqa: PLC0415 - as above

        self._prior = prior
        self._encode, self._fuse = encoding_view(sandwich), sandwich.get_layer("mfg_encoder")
        variables = {name: keras.Variable(getattr(prior.codes, name), trainable=False) for name in _SPACE}
        self._codes, self._writer = Codes(**variables), prior.network()
        tracks, cells = len(TRACKS), prior.codes.cells
        self._complete = tf.function(
            SongDraws(self._writer, self._codes).complete,
            [
                tf.TensorSpec([None, None, tracks, cells], tf.bool),
                tf.TensorSpec([None, None, tracks], tf.bool),
                *(tf.TensorSpec([None, None, 2]), tf.TensorSpec([None], tf.int64), tf.TensorSpec([None])),
            ],
            autograph=False,
        )

    def on(self, _: keras.Model) -> "NotesDraws":
        """Returns itself: what is at work with a sandwich stands where a prior does, and holds its numbers once."""
        return self

    def sample(self, seeds, temperatures):
        """Draws one phrase a seed, without a place in a song; see `models.prior.Prior.sample`."""
        import tensorflow as tf  # noqa: PLC0415 - as above

        rows, units, tracks = tf.shape(seeds)[0], self._prior.units, len(TRACKS)
        nothing = tf.zeros([rows, units, tracks, self._prior.codes.cells], tf.bool)
        far = tf.fill([rows, units, 2], float(np.exp(-FAR / FADING)))
        drawn = self.complete(nothing, tf.zeros([rows, units, tracks], tf.bool), far, seeds, temperatures)
        return self.latents(drawn)

    def complete(self, cells, given, place, seeds, temperatures):
        """Draws the cells that are not given, around those that are; see `SongDraws.complete`."""
        return self._complete(cells, given, place, seeds, temperatures)

    def latents(self, cells):
        """Returns the MFG-VAE's latents of cells, bool [song, unit, track, cell]: float32 [song, unit, latent].

        The units are those of whole phrases.
        """
        import tensorflow as tf  # noqa: PLC0415 - as above

        prior, shape = self._prior, tf.shape(cells)
        phrase = self._encode.input.shape[1:]  # bar, step, pitch, track
        rolls = tf.reshape(cells, [shape[0], shape[1], cells.shape[2], -1, phrase[2]])
        rolls = tf.reshape(tf.transpose(rolls, [0, 1, 3, 4, 2]), [-1, *phrase])
        means = self._encode(rolls)[..., : prior.codes.size]
        latents = self._fuse(tf.reshape(means, [-1, *means.shape[-2:]]))[:, : prior.latent]
        return tf.reshape(latents, [shape[0], shape[1], prior.latent])


def places(first, last):
    """Returns what says where in its song a unit is, float32 [..., 2]: near 1 at its begin, and at its end.

    Args:
        first: bars from the begin of the song, float32 of any shape.
        last: bars to its end.
    """
    return ops.exp(-ops.stack([first, last], axis=-1) / FADING)

"""What generation draws the MFG-VAE's latents from."""

import dataclasses
import os
import zipfile
from typing import TYPE_CHECKING, BinaryIO

import numpy as np

from msw2.music import npz
from msw2.system.files import replacing

if TYPE_CHECKING:
    import keras

MAX_BYTES = 2**33  # of an array: all phrases of the largest data set, with the largest latents


@dataclasses.dataclass(frozen=True, eq=False)
class Prior:
    """A mixture of equally likely Gaussians over the latents of a phrase, its units side by side; or several.

    It is several without fusion: the latent vector of a unit is then cut into groups of one size, one a track. Each
    group has a mixture of its own and does not depend on the others. Of each mixture:

    x = p_k + temperature * (spread / sqrt(m) * sum_j w_j (p_kj - p_k) + noise * e), with k drawn uniformly,
    p_k1 ... p_km the neighbours of point k, and w, e ~ N(0, I). There are three cases.

    * Manifold Parzen windows (Vincent and Bengio 2003): the points are training phrases, and the neighbours the
      nearest ones. So the Gaussians lie along what the neighbourhood varies in.
    * A mixture of Gaussians of low rank (Tipping and Bishop 1999): the first points are means of many phrases, and
      their neighbours, the points after them, are the ends of their principal directions. No phrase is stored.
    * An isotropic Gaussian: one point, at zero, without neighbours.

    Attributes:
        units: latent vectors a phrase.
        latent: size of a unit's latent vector, all groups; units x latent / groups = `size`.
        points: float32 [group, point, size].
        neighbours: int32 [group, k, m], indices of points of the same group, for the points that are drawn, the
            first ones.
        spread: width of a Gaussian in units of the distance to the neighbours.
        noise: standard deviation of the isotropic part.
    """

    units: int
    latent: int
    points: np.ndarray
    neighbours: np.ndarray
    spread: float
    noise: float

    def on(self, sandwich: "keras.Model") -> "Prior":
        """Returns what draws latents for a sandwich: this prior, which needs nothing of it."""
        return self

    @classmethod
    def isotropic(cls, units: int, latent: int, deviation: float) -> "Prior":
        """Returns N(0, deviation^2) for every unit by itself."""
        nothing = np.zeros((1, 1, 0), np.int32)
        return cls(units, latent, np.zeros((1, 1, units * latent), np.float32), nothing, 0.0, deviation)

    def sample(self, seeds, temperatures):
        """Draws one phrase a seed, in the graph; the same seed gives the same latents in any batch.

        Args:
            seeds: int64 [phrase].
            temperatures: float32 [phrase]; 1 for the prior as fitted, 0 for the middle of a Gaussian.

        Returns:
            float32 [phrase, unit, latent].
        """
        import tensorflow as tf  # noqa: PLC0415 - Keras's other backends have no stateless draw for each row

        groups = [self._draw(group, seeds, temperatures) for group in range(len(self.points))]
        return tf.concat(groups, axis=-1)

    def _draw(self, group: int, seeds, temperatures):
        """Draws one group of phrases, float32 [phrase, unit, latent / groups]; arguments as for `sample`."""
        import tensorflow as tf  # noqa: PLC0415 - as above

        count, size = self.neighbours.shape[1], self.points.shape[2]
        points, neighbours = tf.constant(self.points[group]), tf.constant(self.neighbours[group])

        def draw(seed):
            # One stream for each purpose of each group, so that no two share numbers.
            chosen, weights, isotropic = (tf.stack([seed, 3 * group + purpose]) for purpose in range(3))
            return (
                tf.random.stateless_uniform([], chosen, 0, count, tf.int32),
                tf.random.stateless_normal([neighbours.shape[1]], weights),
                tf.random.stateless_normal([size], isotropic),
            )

        chosen, weights, isotropic = tf.map_fn(
            draw, seeds, fn_output_signature=(tf.int32, tf.float32, tf.float32)
        )
        middle = tf.gather(points, chosen)
        directions = tf.gather(points, tf.gather(neighbours, chosen)) - middle[:, None]
        scale = self.spread / max(neighbours.shape[1], 1) ** 0.5
        moved = scale * tf.einsum("nm,nmi->ni", weights, directions) + self.noise * isotropic
        moved = middle + temperatures[:, None] * moved
        return tf.reshape(moved, [-1, self.units, size // self.units])

    def save(self, path: str | os.PathLike) -> None:
        """Writes the prior as `.npz`, whole or not at all."""
        with replacing(path) as temporary, open(temporary, "wb") as file:
            self.write(file)

    def write(self, file: BinaryIO, *, half: bool = False) -> None:
        """Writes the prior as `.npz` to an open file; with `half`, its points in half precision."""
        arrays = dataclasses.asdict(self)
        np.savez(file, **arrays | ({"points": self.points.astype(np.float16)} if half else {}))

    @classmethod
    def of_archive(cls, archive: zipfile.ZipFile) -> "Prior":
        """Reads what `write` wrote.

        Raises:
            ValueError: with the reason, if it is damaged, or its arrays do not make a prior.
        """
        arrays = {field.name: npz.array(archive, field.name, MAX_BYTES) for field in dataclasses.fields(cls)}
        _check(arrays)
        return cls(
            units=int(arrays["units"]),
            latent=int(arrays["latent"]),
            points=arrays["points"].astype(np.float32),
            neighbours=arrays["neighbours"].astype(np.int32),
            spread=float(arrays["spread"]),
            noise=float(arrays["noise"]),
        )


_WHOLE, _REAL = "iu", "f"  # kinds of dtypes
_SCHEMA = {
    **dict.fromkeys(("units", "latent"), (_WHOLE, 0)),
    **dict.fromkeys(("spread", "noise"), (_REAL, 0)),
    "points": (_REAL, 3),
    "neighbours": (_WHOLE, 3),
}


def _check(arrays: dict[str, np.ndarray]) -> None:
    """Holds arrays to what a prior is.

    Raises:
        ValueError: naming the first array that does not fit.
    """
    for name, (kind, axes) in _SCHEMA.items():
        found = arrays[name]
        if (
            found.dtype.kind not in kind
            or found.ndim != axes
            or (kind == _REAL and not np.isfinite(found).all())
        ):
            words = "whole" if kind == _WHOLE else "finite"
            raise ValueError(
                f"{name} is {found.dtype} {list(found.shape)}, not {words} numbers of {axes} axes"
            )
    (groups, count, size), (owners, drawn, _) = arrays["points"].shape, arrays["neighbours"].shape
    units, latent = int(arrays["units"]), int(arrays["latent"])
    if min(units, latent, groups, count, size) < 1 or groups * size != units * latent or size % units:
        raise ValueError(f"points of shape {[groups, count, size]} do not make {units} units of {latent}")
    if owners != groups or not 1 <= drawn <= count:
        raise ValueError(f"neighbours of {owners} groups of {drawn} points are not of {groups} of {count}")
    neighbours = arrays["neighbours"]
    if neighbours.size and not 0 <= int(neighbours.min()) <= int(neighbours.max()) < count:
        raise ValueError(f"neighbours {neighbours.min()}..{neighbours.max()} are not of {count} points")
    if arrays["spread"] < 0 or arrays["noise"] < 0:
        raise ValueError("spread or noise is below 0")

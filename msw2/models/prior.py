"""What generation draws the MFG-VAE's latents from."""

import dataclasses
import os

import numpy as np

from msw2.music.files import replacing


@dataclasses.dataclass(frozen=True, eq=False)
class Prior:
    """A mixture of Gaussians over the latents of a phrase, its bars side by side.

    A phrase is x = centre + basis (mean_k + temperature * root_k e) + temperature * residual * e', with k drawn
    by weight and e, e' ~ N(0, I). An isotropic Gaussian is the case of an empty basis.

    Attributes:
        units: bars a phrase.
        latent: size of the MFG-VAE's latent vector; units x latent = `size`.
        weights: float32 [component], sum 1.
        means: float32 [component, direction].
        roots: float32 [component, direction, direction], Cholesky roots of the covariances.
        basis: float32 [direction, size], orthonormal rows.
        centre: float32 [size].
        residual: float32 [size], standard deviation outside the basis.
    """

    units: int
    latent: int
    weights: np.ndarray
    means: np.ndarray
    roots: np.ndarray
    basis: np.ndarray
    centre: np.ndarray
    residual: np.ndarray

    @classmethod
    def isotropic(cls, units: int, latent: int, deviation: float) -> "Prior":
        """Returns N(0, deviation^2) for every bar by itself."""
        size = units * latent
        return cls(
            units,
            latent,
            weights=np.ones(1, np.float32),
            means=np.zeros((1, 0), np.float32),
            roots=np.zeros((1, 0, 0), np.float32),
            basis=np.zeros((0, size), np.float32),
            centre=np.zeros(size, np.float32),
            residual=np.full(size, deviation, np.float32),
        )

    def sample(self, seeds, temperatures):
        """Draws one phrase a seed, in the graph; the same seed gives the same latents in any batch.

        Args:
            seeds: int64 [phrase].
            temperatures: float32 [phrase]; 1 for the prior as fitted, 0 for the centre of a component.

        Returns:
            float32 [phrase, unit, latent].
        """
        import tensorflow as tf  # noqa: PLC0415 - Keras's other backends have no stateless draw for each row

        directions, size = self.basis.shape

        def draw(seed):
            # One stream for each purpose, so that no two share numbers.
            uniform = tf.random.stateless_uniform([], seed=tf.stack([seed, 0]))
            inside = tf.random.stateless_normal([directions], seed=tf.stack([seed, 1]))
            outside = tf.random.stateless_normal([size], seed=tf.stack([seed, 2]))
            return uniform, inside, outside

        signature = (tf.float32, tf.float32, tf.float32)
        uniform, inside, outside = tf.map_fn(draw, seeds, fn_output_signature=signature)
        bounds = np.cumsum(self.weights, dtype=np.float64)[:-1].astype(np.float32)
        component = tf.reduce_sum(tf.cast(uniform[:, None] >= bounds, tf.int32), axis=1)
        spread = tf.einsum("nij,nj->ni", tf.gather(self.roots, component), inside)
        point = tf.gather(self.means, component) + temperatures[:, None] * spread
        flat = self.centre + point @ self.basis + temperatures[:, None] * self.residual * outside
        return tf.reshape(flat, [-1, self.units, self.latent])

    def save(self, path: str | os.PathLike) -> None:
        """Writes the prior as `.npz`, whole or not at all."""
        with replacing(path) as temporary:
            np.savez(temporary, **dataclasses.asdict(self))

    @classmethod
    def load(cls, path: str | os.PathLike) -> "Prior":
        """Reads what `save` wrote."""
        with open(path, "rb") as file, np.load(file, allow_pickle=False) as content:
            arrays = {field.name: content[field.name] for field in dataclasses.fields(cls)}
        return cls(**{**arrays, "units": int(arrays["units"]), "latent": int(arrays["latent"])})

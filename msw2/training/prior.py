"""Ex-post density estimation (Ghosh et al. 2020): a prior that matches the latents that the model uses."""

import numpy as np
from sklearn.neighbors import NearestNeighbors

from msw2.config import Config
from msw2.models.prior import Prior

MAX_POINTS = 4096  # phrases: 8 MB of latents of the default size, which every SavedModel carries


def fit_prior(config: Config, latents: np.ndarray) -> Prior:
    """Fits the prior to the latents of training phrases.

    Args:
        config: kind of the prior, its width, neighbours, seed.
        latents: float32 [phrase, unit, latent], posterior means. Of more than `MAX_POINTS` phrases, that
            many drawn at random are kept.
    """
    phrases, units, latent = latents.shape
    if config.prior == "gaussian":
        return Prior.isotropic(units, latent, config.prior_std)
    points = latents.reshape(phrases, units * latent)
    if phrases > MAX_POINTS:
        points = points[
            np.sort(np.random.default_rng(config.seed).choice(phrases, MAX_POINTS, replace=False))
        ]
    points = np.unique(points, axis=0)  # a phrase that is repeated would be all its own neighbours
    count = min(config.prior_neighbours, len(points) - 1)
    if not count:
        return Prior(units, latent, points, np.zeros((1, 0), np.int32), 0.0, 0.0)
    nearest = NearestNeighbors(n_neighbors=count).fit(points).kneighbors(return_distance=False)
    return Prior(units, latent, points, nearest.astype(np.int32), config.prior_std, 0.0)

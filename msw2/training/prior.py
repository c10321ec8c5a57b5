"""Ex-post density estimation (Ghosh et al. 2020): a prior that matches the latents that the model uses."""

import numpy as np
from scipy.spatial.distance import cdist

from msw2.config import Config
from msw2.models.prior import Prior
from msw2.music.tracks import TRACKS

MAX_POINTS = 4096  # phrases: 16 MB of latents of 4 x 256, which every SavedModel carries
_ROWS = 256  # points compared with all others at a time: their distances take 8 MB


def fit_prior(config: Config, latents: np.ndarray) -> Prior:
    """Fits the prior to the latents of training phrases; without fusion, to each track's by themselves.

    Args:
        config: kind of the prior, its width, neighbours, seed; whether there is fusion.
        latents: float32 [phrase, unit, latent], posterior means. Beyond `MAX_POINTS` phrases, a random draw is kept.
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
    groups = len(TRACKS) if config.fusion == "none" else 1
    points = points.reshape(len(points), units, groups, latent // groups)
    points = np.moveaxis(points, 2, 0).reshape(groups, len(points), -1)
    nearest = [_nearest_others(group, config.prior_neighbours) for group in points]
    neighbours = _widened(nearest)
    return Prior(units, latent, points, neighbours, config.prior_std if neighbours.size else 0.0, 0.0)


def _nearest_others(points: np.ndarray, wanted: int) -> np.ndarray:
    """Returns the indices of each point's nearest among those that differ from it, int32 [point, m].

    m is `wanted`, or fewer where there are fewer others. Phrases that differ may have a track in common, mostly a
    silent one. Each phrase keeps its point, but equal points are no neighbours of one another.
    """
    distinct, first, which = np.unique(points, axis=0, return_index=True, return_inverse=True)
    count = min(wanted, len(distinct) - 1)
    if not count:
        return np.zeros((len(points), 0), np.int32)
    nearest = np.empty((len(distinct), count), np.int64)
    for start in range(0, len(distinct), _ROWS):
        rows = np.arange(start, min(start + _ROWS, len(distinct)))
        distances = cdist(distinct[rows], distinct, "sqeuclidean")
        distances[rows - start, rows] = np.inf  # a point is no neighbour of its own
        # Stable: of points that are equally near, the one with the smaller index comes first.
        nearest[rows] = np.argsort(distances, axis=1, kind="stable")[:, :count]
    return first[nearest[which.reshape(-1)]].astype(np.int32)


def _widened(neighbours: list[np.ndarray]) -> np.ndarray:
    """Stacks groups to [group, point, m]; where one has fewer, a point is a neighbour of its own: no direction."""
    widest = max(found.shape[1] for found in neighbours)
    own = np.arange(len(neighbours[0]), dtype=np.int32)[:, None]
    return np.stack(
        [
            np.concatenate([found, np.repeat(own, widest - found.shape[1], axis=1)], axis=1)
            for found in neighbours
        ]
    )

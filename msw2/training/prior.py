"""Ex-post density estimation (Ghosh et al. 2020): a prior that matches the latents that the model uses."""

import dataclasses

import numpy as np
from scipy.spatial.distance import cdist

from msw2.config import Config
from msw2.models.prior import Prior
from msw2.music.tracks import TRACKS

MAX_POINTS = 4096  # phrases: 16 MB of latents of 4 x 256, which every SavedModel carries
MAX_CLUSTERS = 64  # with 8 directions each of 4 x 1,024 numbers, 9 MB
FEWEST = 16  # phrases a cluster: its mean is none of them
OWN_SHARE = 3  # draws from new songs for each draw from what was learnt before
_TURNS = 8  # of the power iteration that finds a direction to halve along: near enough to the widest
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
    if config.prior == "mixture":
        groups = [_mixture(group, config) for group in _grouped(config, np.unique(points, axis=0), units)]
        ends, neighbours = (np.stack(each) for each in zip(*groups, strict=True))
        return Prior(units, latent, ends, neighbours, config.prior_std if neighbours.size else 0.0, 0.0)
    if phrases > MAX_POINTS:
        points = points[
            np.sort(np.random.default_rng(config.seed).choice(phrases, MAX_POINTS, replace=False))
        ]
    points = np.unique(points, axis=0)  # a phrase that is repeated would be all its own neighbours
    points = _grouped(config, points, units)
    nearest = [_nearest_others(group, config.prior_neighbours) for group in points]
    neighbours = _widened(nearest)
    return Prior(units, latent, points, neighbours, config.prior_std if neighbours.size else 0.0, 0.0)


def blended(own: Prior, before: Prior) -> Prior:
    """Returns a prior that draws three phrases of four from `own`, and one from `before`.

    So music of a few new songs does not replace all that was learnt before. All Gaussians are equally likely, so those
    of `own` are listed several times.

    Args:
        own: fitted to new songs.
        before: of the weights that the training began with. If its Gaussians are of another kind, `own` is returned.
    """
    kinds = [(prior.spread, prior.noise, prior.neighbours.shape[::2]) for prior in (own, before)]
    if kinds[0] != kinds[1] or own.points.shape[2] != before.points.shape[2]:
        return own
    counts = [prior.neighbours.shape[1] for prior in (own, before)]
    listed = np.arange(max(counts[0], OWN_SHARE * counts[1])) % counts[0]
    drawn = len(listed) + counts[1]
    middles = [own.points[:, listed], before.points[:, : counts[1]]]
    # Neighbours of windows are points of their own. All points follow, after those that are drawn.
    points = np.concatenate([*middles, own.points, before.points], axis=1)
    neighbours = [
        drawn + own.neighbours[:, listed],
        drawn + own.points.shape[1] + before.neighbours,
    ]
    return dataclasses.replace(own, points=points, neighbours=np.concatenate(neighbours, axis=1))


def _grouped(config: Config, points: np.ndarray, units: int) -> np.ndarray:
    """[phrase, units x latent] -> [group, phrase, size]: a group a track without fusion, else one."""
    groups = len(TRACKS) if config.fusion == "none" else 1
    split = points.reshape(len(points), units, groups, -1)
    return np.moveaxis(split, 2, 0).reshape(groups, len(points), -1)


def _mixture(points: np.ndarray, config: Config) -> tuple[np.ndarray, np.ndarray]:
    """Fits Gaussians of low rank to clusters of equal size, so that each is as likely as any other.

    The directions of a Gaussian are the principal ones of its cluster. They are stretched alike, to hold the variance
    of all directions: what is drawn is then as far from the mean as the phrases are. Unstretched, most notes go
    missing, because near the mean nothing is sure.

    Args:
        points: float32 [phrase, size], no two the same.
        config: number of directions, seed.

    Returns:
        float32 [point, size], the means and after them the ends of their directions; int32 [cluster, direction],
        which these are.
    """
    clusters = _halved(points, np.random.default_rng(config.seed))
    rank = min(config.prior_neighbours, min(map(len, clusters)) - 1, points.shape[1])
    means, ends = [], []
    for cluster in clusters:
        mean = cluster.mean(axis=0)
        centred = cluster - mean
        # The products of a cluster's rows have the same directions as its covariance, and are far smaller.
        squares, turns = np.linalg.eigh(centred @ centred.T)
        squares, turns = np.maximum(squares[::-1], 0.0), turns[:, ::-1]
        kept = squares[:rank].sum()
        stretch = np.sqrt(squares.sum() / kept / (len(cluster) - 1)) if kept else 0.0
        means.append(mean)
        # A draw adds the ends' offsets with weights of variance 1 / rank.
        ends.append(mean + rank**0.5 * stretch * (turns[:, :rank].T @ centred))
    neighbours = len(means) + np.arange(len(means) * rank, dtype=np.int32).reshape(len(means), rank)
    return np.concatenate([means, *ends]).astype(np.float32), neighbours


def _halved(points: np.ndarray, rng: np.random.Generator) -> list[np.ndarray]:
    """Halves points across their widest direction, then each half, and so on, while the halves have enough phrases."""
    clusters = [points]
    while 2 * len(clusters) <= MAX_CLUSTERS and min(map(len, clusters)) >= 2 * FEWEST:
        halves = []
        for cluster in clusters:
            centred = cluster - cluster.mean(axis=0)
            direction = rng.standard_normal(points.shape[1], points.dtype)
            for _ in range(_TURNS):
                direction = centred.T @ (centred @ direction)
                direction /= np.linalg.norm(direction) or 1.0
            halves += np.array_split(cluster[np.argsort(centred @ direction, kind="stable")], 2)
        clusters = halves
    return clusters


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

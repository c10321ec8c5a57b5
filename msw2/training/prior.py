"""Ex-post density estimation (Ghosh et al. 2020): a prior that matches the latents that the model uses."""

import numpy as np
from sklearn.mixture import GaussianMixture

from msw2.config import Config
from msw2.models.prior import Prior

MAX_DIRECTIONS = 64  # more than hold 95 % of the variance of 512 in practice
MIN_PER_COMPONENT = 20  # phrases; a component of fewer is a list of phrases by heart


def fit_prior(config: Config, latents: np.ndarray) -> Prior:
    """Fits the prior to the latents of the training phrases.

    Args:
        config: kind of the prior, components, seed.
        latents: float32 [phrase, unit, latent], posterior means.
    """
    phrases, units, latent = latents.shape
    if config.prior == "gaussian":
        return Prior.isotropic(units, latent, config.prior_std)
    flat = latents.reshape(phrases, units * latent).astype(np.float64)
    centre = flat.mean(axis=0)
    _, scales, basis = np.linalg.svd(flat - centre, full_matrices=False)
    basis = basis[scales > 1e-6 * max(scales[0], 1e-12)][:MAX_DIRECTIONS]
    points = (flat - centre) @ basis.T
    residual = (flat - centre - points @ basis).std(axis=0)
    components = max(1, min(config.prior_components, phrases // MIN_PER_COMPONENT))
    mixture = GaussianMixture(
        components,
        covariance_type="full",
        reg_covar=1e-3 * float(points.var(axis=0).mean()) + 1e-9,
        random_state=config.seed,
        max_iter=200,
    ).fit(points)
    arrays = {
        "weights": mixture.weights_,
        "means": mixture.means_,
        "roots": np.linalg.cholesky(mixture.covariances_),
        "basis": basis,
        "centre": centre,
        "residual": residual,
    }
    return Prior(units, latent, **{name: array.astype(np.float32) for name, array in arrays.items()})

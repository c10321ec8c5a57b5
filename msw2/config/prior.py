"""What generation draws from."""

import dataclasses

from msw2.config.fields import Part, choice, number


@dataclasses.dataclass(frozen=True, kw_only=True)
class PriorPart(Part):
    """Fields of the prior of the MFG latents."""

    prior: str = choice(
        "gaussian: N(0, prior_std^2) for each unit; parzen: a Gaussian around each training phrase, shaped by its "
        "nearest phrases; mixture: Gaussians around clusters of them (without fusion, for each track by itself).",
        *("gaussian", "parzen", "mixture"),
    )
    prior_std: float = number(
        "Standard deviation of the gaussian prior; of parzen, in units of the distance to the nearest phrases; of "
        "mixture, in units of the clusters' own.",
        0.0,
    )
    prior_neighbours: int = number(
        "Nearest phrases that shape a Gaussian of parzen; principal directions of one of mixture.", 1, 64
    )

"""What generation draws from."""

import dataclasses

from msw2.config.fields import Part, choice, number

HEAD = 64  # width of one head of the diffusion's network
BARS = 64  # of a stretch of a song that the diffusion learns at a time


@dataclasses.dataclass(frozen=True, kw_only=True)
class PriorPart(Part):
    """Fields of the prior of the MFG latents."""

    prior: str = choice(
        "gaussian: N(0, prior_std^2) for each unit; parzen: a Gaussian around each training phrase, shaped by its "
        "nearest phrases; mixture: Gaussians around clusters of them (without fusion, for each track by itself); "
        "diffusion: a network that has learnt whole songs, bar by bar and track by track.",
        *("gaussian", "parzen", "mixture", "diffusion"),
    )
    prior_std: float = number(
        "Standard deviation of the gaussian prior; of parzen, in units of the distance to the nearest phrases; of "
        "mixture, in units of the clusters' own.",
        0.0,
    )
    prior_neighbours: int = number(
        "Nearest phrases that shape a Gaussian of parzen; principal directions of one of mixture.", 1, 64
    )
    prior_width: int = number("Width of the diffusion's network, a multiple of 64.", 64, 4096, before=256)
    prior_layers: int = number("Layers of the diffusion's network.", 1, 64, before=6)
    prior_epochs: int = number("Epochs of the diffusion's training.", 1, before=1)
    prior_learning_rate: float = number(
        "Highest learning rate of the diffusion's training.", 1e-9, 1.0, before=1e-3
    )

    def check(self) -> None:
        """Checks that the width is one of whole heads, and that the model has what the diffusion works with."""
        if self.prior_width % HEAD:
            raise ValueError(f"prior_width {self.prior_width} is not a multiple of {HEAD}")
        if self.prior != "diffusion":
            return
        if self.decoding != "draft" or self.likelihood != "bernoulli":  # it looks at the decoders' drafts
            raise ValueError(
                "prior 'diffusion' is for decoding 'draft' and likelihood 'bernoulli', not "
                f"{self.decoding!r} and {self.likelihood!r}"
            )
        if self.fusion == "none" or self.mfg_target != "means":  # it draws means, which the MFG-VAE reads
            raise ValueError(
                "prior 'diffusion' is for a fusion of mfg_target 'means', not for fusion "
                f"{self.fusion!r} of mfg_target {self.mfg_target!r}"
            )
        if self.bars > BARS:
            raise ValueError(f"prior 'diffusion' is for phrases of at most {BARS} bars, not {self.bars}")

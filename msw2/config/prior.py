"""What generation draws from."""

import dataclasses

from msw2.config.fields import Part, choice, number

BARS = 48  # of a stretch of a song that the notes prior learns at a time


@dataclasses.dataclass(frozen=True, kw_only=True)
class PriorPart(Part):
    """Fields of the prior of the MFG latents."""

    prior: str = choice(
        "gaussian: N(0, prior_std^2) for each unit; parzen: a Gaussian around each training phrase, shaped by its "
        "nearest phrases; mixture: Gaussians around clusters of them (without fusion, for each track by itself); "
        "notes: a network that has learnt whole songs, and writes them bar by bar, track by track, note by note.",
        *("gaussian", "parzen", "mixture", "notes"),
    )
    prior_std: float = number(
        "Standard deviation of the gaussian prior; of parzen, in units of the distance to the nearest phrases; of "
        "mixture, in units of the clusters' own.",
        0.0,
    )
    prior_neighbours: int = number(
        "Nearest phrases that shape a Gaussian of parzen; principal directions of one of mixture.", 1, 64
    )
    prior_width: int = number("Size of the states of the notes prior's network.", 1, 4096, before=512)
    prior_epochs: int = number("Epochs of the notes prior's training.", 1, before=1)
    prior_learning_rate: float = number(
        "Highest learning rate of the notes prior's training.", 1e-9, 1.0, before=2e-3
    )

    def check(self) -> None:
        """Checks that the model has what the notes prior works with."""
        if self.prior != "notes":
            return
        if self.fusion == "none" or self.mfg_target != "means":  # the MFG-VAE reads means of what was written
            raise ValueError(
                "prior 'notes' is for a fusion of mfg_target 'means', not for fusion "
                f"{self.fusion!r} of mfg_target {self.mfg_target!r}"
            )
        if self.bars > BARS:
            raise ValueError(f"prior 'notes' is for phrases of at most {BARS} bars, not {self.bars}")

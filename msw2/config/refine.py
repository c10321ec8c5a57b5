"""The refine networks, and how they are trained."""

import dataclasses

from msw2.config.fields import Part, choice, number, switch


@dataclasses.dataclass(frozen=True, kw_only=True)
class RefinePart(Part):
    """Fields of the refiners."""

    refine: str = choice(
        "notes: a perceptron for each step; bars: residual units on the whole unit; none: the BVAE has the last "
        "word.",
        *("notes", "bars", "none"),
    )
    refine_output: str = choice(
        "sigmoid: probabilities, trained with binary cross-entropy. The others are trained with squared error: "
        "released is hard_sigmoid(ReLU(x)), never below 0.5, so that every cell is on; deterministic and "
        "stochastic are binary neurons (Dong and Yang 2018).",
        *("sigmoid", "released", "deterministic", "stochastic"),
    )
    refine_epochs: int = number("Epochs of a refiner.", 1)
    refine_learning_rate: float = number("Learning rate of the refiners.", 1e-9, 1.0, before=1e-3)
    refine_weight: float = number("Weight of a sounding cell in a refiner's loss; a silent one has 1.", 1e-3)
    refine_residual: bool = switch(
        "Whether a refiner corrects the BVAE's opinion, or forms its own from nothing. Of no meaning where refine "
        "is none."
    )
    refine_threshold: str = choice(
        "From which probability on a cell sounds. half: 0.5; notes: for each track as low as it has to be for nearly "
        "all notes of validation songs to sound.",
        *("half", "notes"),
        before="half",
    )

    def check(self) -> None:
        """Checks that network and output go together."""
        if self.refine == "none" and self.refine_output != "sigmoid":
            raise ValueError(f"refine 'none' goes with refine_output 'sigmoid', not {self.refine_output!r}")
        if self.refine_threshold == "notes" and (self.refine == "none" or self.refine_output != "sigmoid"):
            raise ValueError(
                "refine_threshold 'notes' goes with a refiner and refine_output 'sigmoid', not with "
                f"refine {self.refine!r} and refine_output {self.refine_output!r}"
            )
        if self.refine_output == "released" and self.refine_residual:
            raise ValueError("refine_output 'released' does not go with refine_residual True")

"""The MFG-VAE, and how stage 2 trains it."""

import dataclasses

from msw2.config.fields import Part, choice, number, switch


@dataclasses.dataclass(frozen=True, kw_only=True)
class FusionPart(Part):
    """Fields of stage 2."""

    fusion: str = choice(
        "How the five tracks' moments become one latent vector. vrae: an LSTM over the tracks (strategy 3); "
        "concatenate: an MLP on the moments side by side (strategy 1); project: an MLP on projections, one a track "
        "(strategy 2); none: the BVAEs' means side by side, no weights, and each track is drawn by itself.",
        *("vrae", "concatenate", "project", "none"),
    )
    mfg_hidden: int = number("Units of the MFG-VAE's LSTMs; the MLPs have sizes of their own.", 1)
    mfg_latent: int = number("Size of the MFG-VAE's latent vector, one for each unit.", 1)
    mfg_output: str = choice(
        "What the MFG-VAE's decoder ends in. tanh: an LSTM (of an MLP, a Dense), moments in -1..1; linear: a Dense; "
        "relu: a Dense as released for strategy 1, without negative means; not for vrae. Of no meaning for a vrae "
        "whose decoding is draft: it ends in a Dense.",
        *("tanh", "linear", "relu"),
    )
    mfg_target: str = choice(
        "What the MFG-VAE reads and gives back: moments, or the means alone, which are all that the BVAEs' decoders "
        "read. Without fusion of no meaning.",
        *("moments", "means"),
    )
    standardise: bool = switch(
        "Whether the MFG-VAE works on moments scaled to mean 0 and deviation 1 over the training units."
    )
    mfg_kl: float = number("Weight of the MFG-VAE's KL term.", 0.0)
    mfg_epochs: int = number("Epochs of stage 2.", 1)
    mfg_transpositions: int = number("Transpositions of each training phrase that stage 2 encodes.", 1, 25)
    mfg_learning_rate: float = number(
        "Learning rate of stage 2; a wide perceptron bears less than an LSTM.", 1e-9, 1.0
    )

    def check(self) -> None:
        """Checks that strategy and output go together."""
        if self.fusion == "vrae" and self.mfg_output == "relu":
            raise ValueError(
                "mfg_output 'relu' is not for fusion 'vrae', whose decoder ends in tanh or linear"
            )

"""The BVAEs, and how stage 1 trains them."""

import dataclasses

from msw2.config.fields import Part, choice, number, switch


@dataclasses.dataclass(frozen=True, kw_only=True)
class BVAEPart(Part):
    """Fields of stage 1."""

    unit: str = choice(
        "What a BVAE reads as one sequence: a bar, or the bars of a phrase one after another.",
        *("bar", "phrase"),
    )
    shared: bool = switch("Whether all tracks share one BVAE, or each track has its own.")
    bvae_hidden: int = number('Units of a BVAE\'s LSTMs ("intermediate dim").', 1)
    bvae_latent: int = number("Size of a BVAE's latent vector.", 1)
    encoder_states: str = choice(
        "What the encoder makes its moments of: its LSTM's last state, or all states side by side.",
        *("last", "all"),
    )
    decoding: str = choice(
        "What a decoder's LSTM reads at each step. latent: the latent vector; draft: the step's part of a draft, "
        "which a Dense layer makes of the latent vector and the LSTM corrects. The MFG-VAE drafts its tracks "
        "likewise, and its encoder then hands on all its states.",
        *("latent", "draft"),
        before="latent",
    )
    gates: str = choice(
        "Activation of the gates of all LSTMs; hard_sigmoid is Keras 2's, of slope 0.2.",
        *("sigmoid", "hard_sigmoid"),
    )
    position: bool = switch("Whether a BVAE's decoder is told the step within the beat, and the beat.")
    likelihood: str = choice(
        "gaussian: tanh output, mean squared error on -1/+1; bernoulli: logits, binary cross-entropy summed over "
        "the cells of a unit.",
        *("gaussian", "bernoulli"),
    )
    output_bias: bool = switch("Whether the logits start at each pitch's log-odds in the training units.")
    sigma: str = choice(
        "How the encoder's second output s enters a sample: mean + exp(s / 2) * epsilon, or mean + s * epsilon.",
        *("log_variance", "multiplier"),
    )
    epsilon_std: float = number("Standard deviation of epsilon.", 0.0)
    bvae_kl: float = number("Weight of the KL term, a mean over batch and latent units.", 0.0)
    bvae_epochs: int = number("Epochs of stage 1.", 1)

    def check(self) -> None:
        """Checks that a draft goes with the other fields."""
        if self.decoding != "draft":
            return
        if self.likelihood != "bernoulli":
            raise ValueError(f"decoding 'draft' goes with likelihood 'bernoulli', not {self.likelihood!r}")
        if self.position:
            raise ValueError(
                "decoding 'draft' does not go with position True: a draft has a bias for each step"
            )

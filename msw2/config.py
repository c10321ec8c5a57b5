"""Every number of a run in one frozen dataclass, and the five presets."""

import dataclasses
import math

from msw2.music.grid import Grid
from msw2.music.tracks import TRACKS

CHOICES = {
    "encoder_states": ("last", "all"),
    "unit": ("bar", "phrase"),
    "gates": ("sigmoid", "hard_sigmoid"),
    "likelihood": ("gaussian", "bernoulli"),
    "sigma": ("log_variance", "multiplier"),
    "optimizer": ("rmsprop", "adam"),
    "schedule": ("constant", "cosine"),
    "refine": ("notes", "bars", "none"),
    "refine_output": ("sigmoid", "released", "deterministic", "stochastic"),
    "fusion": ("vrae", "concatenate", "project", "none"),
    "mfg_output": ("tanh", "linear", "relu"),
    "mfg_target": ("moments", "means"),
    "prior": ("gaussian", "parzen"),
}
# field: (lowest, highest) allowed, both included; None where there is no bound
RANGES = {
    "batch_size": (1, None),
    "train_bars": (0, None),
    "epoch_bars": (0, None),
    "transpose": (0, 12),
    "mixed_bars": (0.0, 1.0),
    "silent_bars": (0.0, 1.0),
    "bvae_hidden": (1, None),
    "bvae_latent": (1, None),
    "bvae_kl": (0.0, None),
    "bvae_epochs": (1, None),
    "refine_epochs": (1, None),
    "refine_weight": (1e-3, None),
    "mfg_hidden": (1, None),
    "mfg_latent": (1, None),
    "mfg_kl": (0.0, None),
    "mfg_epochs": (1, None),
    "mfg_transpositions": (1, 25),
    "epsilon_std": (0.0, None),
    "learning_rate": (1e-9, 1.0),
    "mfg_learning_rate": (1e-9, 1.0),
    "clip_norm": (0.0, None),
    "prior_std": (0.0, None),
    "prior_neighbours": (1, 64),
    "seed": (0, 2**31 - 1),
}


@dataclasses.dataclass(frozen=True)
class Config:
    """What is trained and how; see the presets for each field's source.

    Attributes:
        bars: bars a phrase.
        steps: time steps a bar.
        pitches: semitones on the pitch axis.
        lowest_pitch: MIDI number of the lowest of them.
        beat_resolution: time steps a beat.
        unit: what a BVAE reads as one sequence: a `bar`, or the bars of a `phrase` one after another.
        shared: whether one BVAE is trained on the units of all tracks, or each track has its own.
        bvae_hidden: units of a BVAE's LSTMs ("intermediate dim").
        bvae_latent: size of a BVAE's latent vector.
        encoder_states: what a BVAE's encoder makes its moments of: the last state of its LSTM, or the states of
            all steps side by side.
        gates: activation of the LSTM gates; `hard_sigmoid` is Keras 2's, of slope 0.2.
        position: whether a BVAE's decoder is told the step within the beat, and the beat.
        likelihood: `gaussian`: tanh output and mean squared error on -1/+1; `bernoulli`: logits and binary
            cross-entropy, summed over the cells of a unit.
        output_bias: whether the logits start at each pitch's log-odds in the training units.
        sigma: how the encoder's second output `s` enters the sample: mean + exp(s / 2) * epsilon, or
            mean + s * epsilon.
        epsilon_std: standard deviation of epsilon.
        bvae_kl: weight of the KL term, which is averaged over batch and latent units.
        bvae_epochs: passes over the training units in stage 1.
        refine: the refine network: `notes`: a perceptron for each step; `bars`: residual units on the whole unit;
            `none`: the BVAE has the last word.
        refine_output: of the refine network: `sigmoid`: probabilities; `released`: hard_sigmoid(ReLU(x)), never below
            0.5, so that every cell is on; `deterministic` or `stochastic`: binary neurons (Dong and Yang 2018).
            `sigmoid` is trained with binary cross-entropy, the others with squared error. With `none`: `sigmoid`.
        refine_epochs: passes over the training units for a refiner.
        refine_weight: weight of a sounding cell in a refiner's loss, beside 1 for a silent one.
        fusion: what makes one latent vector of the five tracks' moments: `vrae`, an LSTM over the tracks
            (strategy 3); `concatenate`, an MLP on the moments side by side (strategy 1); `project`, an MLP on
            projections, of each track its own (strategy 2); `none`: the BVAEs' means side by side, without
            weights, and generation draws each track by itself (the ablation).
        mfg_hidden: units of the MFG-VAE's LSTMs; the MLPs have sizes of their own.
        mfg_latent: size of the MFG-VAE's latent vector, one for each unit; see `fusion_latent`.
        mfg_output: what the MFG-VAE's decoder ends in. `tanh`: an LSTM (of an MLP, a Dense), so that moments
            come out in -1..1; `linear`: a Dense; `relu`: a Dense as released for strategy 1, so that negative
            means cannot come out; not for `vrae`.
        mfg_target: what the MFG-VAE is to give back: the `moments` it is given, or of these the `means`, which are
            all that the BVAEs' decoders read; what it makes of the s is then untrained.
        standardise: whether the MFG-VAE sees moments scaled to mean 0 and deviation 1 over the training units,
            and makes such, which are then scaled back.
        mfg_kl: weight of the MFG-VAE's KL term.
        mfg_epochs: passes over the training moments in stage 2.
        mfg_transpositions: how many transpositions of each training phrase are encoded for stage 2.
        refine_residual: whether a refiner corrects the BVAE's opinion, or forms its own from nothing. Not with the
            `released` output; of no meaning where `refine` is `none`.
        prior: what generation draws the MFG latents from: `gaussian` N(0, prior_std^2) for each unit, or `parzen`:
            a Gaussian around each training phrase, shaped by its nearest phrases; without fusion, around each
            track of one.
        prior_std: standard deviation of the `gaussian` prior; of `parzen`, in units of the distance to those.
        prior_neighbours: nearest phrases that shape a Gaussian of `parzen`.
        optimizer: `rmsprop` as Keras 2.1.6 computes it, or `adam`. (The refiner always uses Adam.)
        learning_rate: step size of the optimizer in stage 1.
        mfg_learning_rate: the same in stage 2; a wide perceptron bears less than an LSTM.
        schedule: of the learning rate: `constant`, or `cosine` down to a twentieth at the end of the stage.
        clip_norm: largest norm of a gradient (0: not clipped).
        batch_size: units a step.
        train_bars: bars of each track that are trained on (0: all), rounded up to whole units.
        epoch_bars: bars an epoch, of every stage (0: as many as are trained on), rounded up likewise. State is
            kept, and the loss is measured, between epochs.
        transpose: largest random transposition of the pitched tracks in training, semitones up or down.
        mixed_bars: share of the units in a training batch of a BVAE that are put together of two.
        silent_bars: share of a track's silent units that its BVAE and refiner are trained on.
        seed: seed of weights, order, sampling.

    Raises:
        ValueError: where a field is out of its range, or two do not go together; the message has fields, values
            and range.
    """

    bars: int
    steps: int
    pitches: int
    lowest_pitch: int
    beat_resolution: int
    unit: str
    shared: bool
    bvae_hidden: int
    bvae_latent: int
    encoder_states: str
    gates: str
    position: bool
    likelihood: str
    output_bias: bool
    sigma: str
    epsilon_std: float
    bvae_kl: float
    bvae_epochs: int
    refine: str
    refine_output: str
    refine_epochs: int
    refine_weight: float
    refine_residual: bool
    fusion: str
    mfg_hidden: int
    mfg_latent: int
    mfg_output: str
    mfg_target: str
    standardise: bool
    mfg_kl: float
    mfg_epochs: int
    mfg_transpositions: int
    prior: str
    prior_std: float
    prior_neighbours: int
    optimizer: str
    learning_rate: float
    mfg_learning_rate: float
    schedule: str
    clip_norm: float
    batch_size: int
    train_bars: int
    epoch_bars: int
    transpose: int
    mixed_bars: float
    silent_bars: float
    seed: int

    def __post_init__(self):
        for field in dataclasses.fields(self):
            value = getattr(self, field.name)
            if type(value) is int and field.type is float:
                object.__setattr__(self, field.name, float(value))
            elif type(value) is not field.type:
                raise ValueError(f"{field.name} {value!r} is not of type {field.type.__name__}")
        for name, allowed in CHOICES.items():
            if getattr(self, name) not in allowed:
                raise ValueError(f"{name} {getattr(self, name)!r} is not one of {', '.join(allowed)}")
        for name, (lowest, highest) in RANGES.items():
            value = getattr(self, name)
            # `not (a <= b)` also refuses NaN; infinity is below no bound either.
            if not (lowest <= value and (value < math.inf if highest is None else value <= highest)):
                bounds = f"at least {lowest}" if highest is None else f"{lowest} to {highest}"
                raise ValueError(f"{name} {value!r} is out of range: {bounds}")
        self._check_refine()
        if self.fusion == "vrae" and self.mfg_output == "relu":
            raise ValueError(
                "mfg_output 'relu' is not for fusion 'vrae', whose decoder ends in tanh or linear"
            )
        _ = self.grid  # its own checks

    def _check_refine(self):
        if self.refine == "none" and self.refine_output != "sigmoid":
            raise ValueError(f"refine 'none' goes with refine_output 'sigmoid', not {self.refine_output!r}")
        if self.refine_output == "released" and self.refine_residual:
            raise ValueError("refine_output 'released' does not go with refine_residual True")

    @property
    def grid(self) -> Grid:
        """The grid of the music."""
        return Grid(self.bars, self.steps, self.pitches, self.lowest_pitch, self.beat_resolution)

    @property
    def unit_bars(self) -> int:
        """Bars of what a BVAE reads."""
        return self.bars if self.unit == "phrase" else 1

    @property
    def unit_steps(self) -> int:
        """Time steps of what a BVAE reads."""
        return self.unit_bars * self.steps

    @property
    def units(self) -> int:
        """Units a phrase, which are its latent vectors."""
        return self.bars // self.unit_bars

    @property
    def train_units(self) -> int:
        """Units of each track that are trained on (0: all)."""
        return -(-self.train_bars // self.unit_bars)

    @property
    def fusion_latent(self) -> int:
        """Size of what stands for a unit of all tracks: `mfg_latent`, or without fusion five BVAE latents."""
        return len(TRACKS) * self.bvae_latent if self.fusion == "none" else self.mfg_latent


PAPER = Config(
    bars=4,  # Section IV.A: "four consecutive bars"
    steps=48,  # not stated; released: 48
    pitches=84,  # not stated; released: 84
    lowest_pitch=24,  # not stated; released: 24
    beat_resolution=12,  # not stated; released: 12
    unit="bar",  # not stated consistently: Section IV.A has "four consecutive bars"; released: one bar
    shared=False,  # Section V.B: independent BVAEs; shared in the ablation of Fig. 9
    bvae_hidden=128,  # Section IV.A: "intermediate dim of VRAE"
    bvae_latent=64,  # Section IV.A
    encoder_states="last",  # not stated; released: the last
    gates="sigmoid",  # not stated; released: Keras 2's default, hard_sigmoid
    position=False,  # not stated; released: the latent vector alone, repeated
    likelihood="gaussian",  # Eq. 6 leaves q open; released: mean squared error on -1/+1
    output_bias=False,  # not stated; released: zeros
    sigma="log_variance",  # Eq. 5: mu + sigma^(1/2) * epsilon
    epsilon_std=0.01,  # Section IV.A: "standard epsilon"
    bvae_kl=1.0,  # Eq. 6
    bvae_epochs=100,  # not stated; released: 100
    refine="notes",  # Section V.B: "final refine network is selected to do multi-label classification in notes"
    refine_output="sigmoid",  # Section III.A, Fig. 2
    refine_epochs=100,  # not stated; released: 100
    refine_weight=1.0,  # Eq. 4
    refine_residual=False,  # Fig. 2 leaves it open; released: from nothing
    fusion="vrae",  # Section V.B: strategy 3 "is the best of the three"
    mfg_hidden=128,  # Section IV.A
    mfg_latent=128,  # Section IV.A
    mfg_output="tanh",  # not stated; released: the output of an LSTM
    mfg_target="moments",  # Section III.B: "mean and variance"; released: both
    standardise=False,  # not stated; released: moments as they are
    mfg_kl=1.0,  # Eq. 6
    mfg_epochs=500,  # not stated; released: 500
    mfg_transpositions=1,  # not stated; released: songs in their own key only
    prior="gaussian",  # Section III: "a Gaussian random variable"
    prior_std=1.0,  # Eq. 5: N(0, 1)
    prior_neighbours=1,  # of no meaning for a Gaussian
    optimizer="rmsprop",  # not stated; released: RMSprop
    learning_rate=1e-3,  # not stated; released: Keras's default
    mfg_learning_rate=1e-3,  # not stated; released: Keras's default
    schedule="constant",  # not stated; released: constant
    clip_norm=0.0,  # not stated; released: none
    batch_size=32,  # Section IV.A
    train_bars=3200,  # not stated; released: the first 3,200 bars
    epoch_bars=0,  # not stated; released: all of them
    transpose=0,  # not stated; released: none
    mixed_bars=0.0,  # not stated; released: none
    silent_bars=1.0,  # not stated; released: all
    seed=0,
)

RELEASED = dataclasses.replace(
    PAPER,
    bvae_hidden=256,
    bvae_latent=256,
    gates="hard_sigmoid",
    sigma="multiplier",
    mfg_latent=64,
    prior_std=0.01,
)

TUNED = dataclasses.replace(
    PAPER,
    # Mean squared error on bars of which 2 % sound is nearly all about silence, and stays there.
    likelihood="bernoulli",
    # Starts the logits at what silence costs, so that the first epochs are not spent on finding it.
    output_bias=True,
    # Drums stay on a plateau while the decoder has to count 48 steps by itself.
    position=True,
    # All that is known of a bar's beginning has to survive 48 steps to be in the last state; so it need not.
    encoder_states="all",
    # With 0.01 the sampling is no noise at all and nothing makes near latents sound alike.
    epsilon_std=1.0,
    # Summed cross-entropy of a bar is about 100; this keeps 0.002 a latent unit for the KL.
    bvae_kl=0.128,
    # RMSprop's unscaled first steps undo the output bias.
    optimizer="adam",
    learning_rate=3e-3,
    mfg_learning_rate=3e-3,
    # The noise of the last steps costs more than the epochs it would take to average it out.
    schedule="cosine",
    clip_norm=1.0,
    # Of songs never heard the BVAEs are less sure: at even weights a refiner leaves out half of what sounds.
    refine_weight=2.0,
    # From nothing, a refiner spends its epochs on learning to copy, and is worse than none until then.
    refine_residual=True,
    # Five times 64 means, which have little in common, do not fit into 128: with 256 another 0.07 of F1 comes out.
    mfg_hidden=256,
    mfg_latent=256,
    # Moments of a BVAE are not in -1..1, nor of one scale.
    mfg_output="linear",
    # Half of the moments are s, which no decoder reads, and the latent vector has no room to spare.
    mfg_target="means",
    standardise=True,
    mfg_kl=0.0,
    mfg_transpositions=12,
    # The latents that the encoder makes are not N(0, 1), nor a few Gaussians: between them is mostly silence.
    prior="parzen",
    prior_neighbours=8,
    # All songs, in all keys: with 3,200 bars of own key a BVAE learns them by heart.
    train_bars=0,
    transpose=6,
    # A thousand steps, whatever the store: 20 of them learn songs never heard nearly as well as those heard.
    epoch_bars=32_000,
    bvae_epochs=20,
    refine_epochs=2,
    mfg_epochs=30,
    # Held-out bars are new combinations of known parts; so are these, and a BVAE cannot learn them by heart.
    mixed_bars=0.2,
    # Most bars of piano or strings are silent; one in ten is enough to learn silence.
    silent_bars=0.1,
)

DEMO = dataclasses.replace(
    TUNED, epoch_bars=0, bvae_epochs=33, refine_epochs=1, mfg_epochs=6, mfg_transpositions=6
)

SMOKE = dataclasses.replace(
    TUNED,
    bvae_hidden=16,
    bvae_latent=8,
    mfg_hidden=16,
    mfg_latent=8,
    prior_neighbours=2,
    epoch_bars=0,
    bvae_epochs=2,
    refine_epochs=1,
    mfg_epochs=2,
    mfg_transpositions=2,
)

PRESETS = {"paper": PAPER, "released": RELEASED, "tuned": TUNED, "demo": DEMO, "smoke": SMOKE}


def preset(name: str) -> Config:
    """Returns a preset by its name.

    Raises:
        ValueError: if there is no such preset.
    """
    if name not in PRESETS:
        raise ValueError(f"preset {name!r} is not one of {', '.join(PRESETS)}")
    return PRESETS[name]

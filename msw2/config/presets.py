"""The five presets. PAPER has every field with its source; the others list what they change, and why."""

import dataclasses

from msw2.config.config import Config

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
    decoding="latent",  # not stated; released: the latent vector, repeated
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
    refine_learning_rate=1e-3,  # not stated; released: Keras's default
    refine_weight=1.0,  # Eq. 4
    refine_threshold="half",  # Eq. 4 leaves it open; released: 0.5
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
    prior_width=512,  # likewise
    prior_epochs=1,  # likewise
    prior_learning_rate=2e-3,  # likewise
    finetune_epochs=0,  # not stated; released: the stages only
    finetune_learning_rate=1e-4,  # of no meaning without finetuning
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
    precision="auto",  # not stated; released: float32
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
    # A bar of piano holds more than 64 numbers can: beside the decoder, this brings back most notes.
    bvae_latent=256,
    # The latent vector does the work now; half of the LSTM costs few notes and saves a third of the time.
    bvae_hidden=64,
    # All that is known of a bar's beginning has to survive 48 steps to be in the last state; so it need not.
    encoder_states="all",
    # The decoder's half of the same: it need not unroll the end of a bar from a vector that it read 48 steps before.
    decoding="draft",
    # 2 % of a bar's cells sound: mean squared error is nearly all about silence, and training stays there.
    likelihood="bernoulli",
    # Starts the logits at what silence costs, so that the first epochs are not spent on finding it.
    output_bias=True,
    # With 0.01 the sampling is no noise at all and nothing makes near latents sound alike.
    epsilon_std=1.0,
    # RMSprop's unscaled first steps undo the output bias.
    optimizer="adam",
    learning_rate=2e-3,
    mfg_learning_rate=2e-3,
    # The noise of the last steps costs more than the epochs it would take to average it out.
    schedule="cosine",
    clip_norm=1.0,
    # A refiner gives less than 0.5 to a note that it is not sure of: up to a tenth of all notes would go missing.
    refine_threshold="notes",
    # From nothing, a refiner spends its epochs on learning to copy, and is worse than none until then.
    refine_residual=True,
    # Five times 256 means do not fit into 128: into 1,024 they do, all but 7 % of their variance.
    mfg_hidden=256,
    mfg_latent=1024,
    # Half of the moments are s, which no decoder reads, and the latent vector has no room to spare.
    mfg_target="means",
    # The means of a BVAE are not of one scale.
    standardise=True,
    # A hundredth costs no notes, and holds the latents near N(0, 1).
    mfg_kl=0.01,
    # The latents that the encoder makes are not N(0, 1): between them is mostly silence. A network that writes notes
    # finds latents of music, phrase after phrase, and stores no phrase.
    prior="notes",
    prior_epochs=8,
    prior_neighbours=8,  # of the mixture that stands in where minutes must do
    # All songs, in all keys: with 3,200 bars of own key a BVAE learns them by heart.
    train_bars=0,
    transpose=6,
    # A thousand steps, whatever the store: 20 of them learn songs never heard nearly as well as those heard.
    epoch_bars=32_000,
    bvae_epochs=20,
    refine_epochs=2,
    mfg_epochs=20,
    # Most bars of piano or strings are silent; one in ten is enough to learn silence.
    silent_bars=0.1,
)

DEMO = dataclasses.replace(
    TUNED,
    # The notes prior learns for an hour. Many Gaussians are near enough to the latents, and store no phrase.
    prior="mixture",
    prior_epochs=1,
    epoch_bars=0,
    bvae_epochs=33,
    refine_epochs=1,
    mfg_epochs=6,
    mfg_transpositions=6,
    # The bars of 44 songs are soon known by heart. Mixed of two, each of them is new in every epoch.
    mixed_bars=1.0,
)

SMOKE = dataclasses.replace(
    TUNED,
    prior="mixture",
    prior_epochs=1,
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


def adapting(config: Config) -> Config:
    """Returns the config of a training that begins with weights that were trained with another config.

    Its learning rates are a thirtieth, since what was learnt from many songs must not be lost to a few. Its epochs
    are few, since little is new.
    """
    return dataclasses.replace(
        config,
        learning_rate=config.learning_rate / 30,
        refine_learning_rate=config.refine_learning_rate / 30,
        mfg_learning_rate=config.mfg_learning_rate / 30,
        prior_learning_rate=config.prior_learning_rate / 30,
        train_bars=0,
        epoch_bars=32_000,
        bvae_epochs=3,
        refine_epochs=1,
        mfg_epochs=3,
        prior_epochs=3,
        precision="auto",
    )


def preset(name: str) -> Config:
    """Returns a preset by its name.

    Raises:
        ValueError: if there is no such preset.
    """
    if name not in PRESETS:
        raise ValueError(f"preset {name!r} is not one of {', '.join(PRESETS)}")
    return PRESETS[name]

"""What all trainings share."""

import dataclasses

from msw2.config.fields import Part, choice, number


@dataclasses.dataclass(frozen=True, kw_only=True)
class TrainingPart(Part):
    """Fields of optimizer, batches and data."""

    optimizer: str = choice(
        "rmsprop as Keras 2.1.6 computes it, or adam. Refiners always use Adam.", *("rmsprop", "adam")
    )
    learning_rate: float = number("Learning rate of stage 1.", 1e-9, 1.0)
    schedule: str = choice(
        "Of the learning rate: constant, or cosine down to a twentieth at the end of the stage.",
        *("constant", "cosine"),
    )
    clip_norm: float = number("Largest norm of a gradient (0: not clipped).", 0.0)
    batch_size: int = number("Units a step.", 1)
    train_bars: int = number("Bars of each track that are trained on (0: all), rounded up to whole units.", 0)
    epoch_bars: int = number(
        "Bars an epoch, in every stage (0: all that are trained on), rounded up likewise. The state is kept, and "
        "the validation loss measured, between epochs.",
        0,
    )
    transpose: int = number("Largest random transposition of pitched tracks, semitones up or down.", 0, 12)
    mixed_bars: float = number("Share of a BVAE's training units that are put together of two.", 0.0, 1.0)
    silent_bars: float = number(
        "Share of a track's silent units that its BVAE and refiner are trained on.", 0.0, 1.0
    )
    precision: str = choice(
        "Keras's dtype policy of trainings. auto is resolved when a run is made: mixed_bfloat16 on GPUs from Ampere "
        "on and on CPUs that multiply bfloat16, mixed_float16 on older GPUs, float32 elsewhere.",
        *("auto", "float32", "mixed_bfloat16", "mixed_float16"),
        before="float32",
    )
    seed: int = number("Seed of weights, order and sampling.", 0, 2**31 - 1)

"""The stages. Each trains some parts of the sandwich, through a view of its own, with its own loss."""

import sys

import keras

from msw2.config import Config
from msw2.models.losses import refine_accuracy, refine_loss
from msw2.models.precision import building_in
from msw2.models.sandwich import FUSION_PARTS, PARTS, bvae_view, fusion_view, refine_view, stage1_parts
from msw2.music.tracks import track_index
from msw2.training.optimizers import Adam, build_optimizer

STAGES = ("stage1", "refine", "stage2", "finetune")


def stage_parts(stage: str, track: str = "") -> tuple[str, ...]:
    """Returns the names of the parts that a stage trains.

    Args:
        stage: one of STAGES.
        track: name of the track, where the stage trains one track.

    Raises:
        ValueError: for an unknown stage or track.
    """
    if stage not in STAGES:
        raise ValueError(f"stage {stage!r} is not one of {', '.join(STAGES)}")
    if stage in ("stage1", "refine"):
        track_index(track)
    trained = {"refine": (f"{track}_refiner",), "stage2": FUSION_PARTS, "finetune": PARTS}
    return stage1_parts(track) if stage == "stage1" else trained[stage]


def set_stage(
    sandwich: keras.Model,
    stage: str,
    config: Config,
    *,
    track: str = "",
    steps: int = 1,
    view: keras.Model | None = None,
) -> keras.Model:
    """Makes the sandwich ready for a stage: toggles its parts' trainable flags, and compiles the stage's view.

    The view has the sandwich's own layers and variables. It is compiled after the flags are set, because Keras
    ignores a flag that changes later. Prints which parts are trained and which are frozen.

    Args:
        sandwich: what `build_sandwich` returns.
        stage: `stage1` and `refine` train one track, `stage2` the MFG-VAE, `finetune` all parts.
        config: optimizer and losses.
        track: name of the track, for `stage1` and `refine`.
        steps: steps of the whole stage, for the schedule of the learning rate.
        view: another view to train, for `refine` the refiner itself, on the output of its BVAE; None: the stage's own.

    Returns:
        The compiled view.

    Raises:
        ValueError: for an unknown stage or track.
    """
    trained = stage_parts(stage, track)
    for name in PARTS:
        sandwich.get_layer(name).trainable = name in trained
    loss, metrics = None, None
    with building_in(config.precision):
        if stage == "stage1":
            view = view or bvae_view(sandwich, config, track)
            optimizer = build_optimizer(config, steps)
        elif stage == "refine":
            view = view or refine_view(sandwich, config, track)
            optimizer = Adam(config.refine_learning_rate)
            loss, metrics = refine_loss(config.refine_weight, config.refine_output), [refine_accuracy()]
        elif stage == "stage2":
            view = view or fusion_view(sandwich, config)
            optimizer = build_optimizer(config, steps, learning_rate=config.mfg_learning_rate)
        else:
            view = view or keras.Model(sandwich.input, sandwich.output["pianoroll"], name="finetune")
            optimizer = build_optimizer(config, steps, learning_rate=config.finetune_learning_rate)
            loss = refine_loss(config.refine_weight, config.refine_output)
        # XLA's products are slower than oneDNN's on a CPU, and starting it takes seconds.
        view.compile(optimizer=optimizer, loss=loss, metrics=metrics, jit_compile=False)
    print(_described(sandwich, stage, trained), file=sys.stderr, flush=True)
    return view


def _described(sandwich: keras.Model, stage: str, trained: tuple[str, ...]) -> str:
    """Returns a line that says what is trained and what is frozen, with the numbers of weights."""
    counts = {name: sandwich.get_layer(name).count_params() for name in PARTS}
    named = f"all {len(PARTS)} parts" if len(trained) == len(PARTS) else " and ".join(trained)
    on = sum(counts[name] for name in trained)
    frozen = len(PARTS) - len(trained)
    rest = f"; frozen: {frozen} parts ({sum(counts.values()) - on:,})" if frozen else ""
    return f"{stage} trains {named} ({on:,} weights){rest}"

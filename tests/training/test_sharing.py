"""Parts that one run takes over from another; their weight files here are names, by which they are told apart."""

import dataclasses

import pytest

from msw2.config import fields_of
from msw2.config.bvae import BVAEPart
from msw2.config.config import PARTS
from msw2.config.finetune import FinetunePart
from msw2.config.fusion import FusionPart
from msw2.config.grid import GridPart
from msw2.config.prior import PriorPart
from msw2.config.refine import RefinePart
from msw2.config.training import TrainingPart
from msw2.models.sandwich import stage1_parts
from msw2.music.tracks import TRACK_NAMES
from msw2.training.runs import Run
from msw2.training.sharing import take_over
from msw2.training.store_check import check_fit

BVAES = [part for track in TRACK_NAMES for part in stage1_parts(track)]
REFINERS = [f"{track}_refiner" for track in TRACK_NAMES]
MFG = ["mfg_encoder", "mfg_decoder"]
STAGE_1, STAGE_2 = [f"{track}_bvae" for track in TRACK_NAMES], ["mfg_vae"]
ALL = [*STAGE_1, *REFINERS, *STAGE_2, "prior"]


@pytest.fixture
def begin(tmp_path, config, store):
    """Returns a function (name, **changes) -> a run bound to the store, without anything trained.

    Its decoders repeat the latent vector, and a cell sounds from 0.5 on: that goes with any value of every other
    field.
    """
    plain = {"decoding": "latent", "refine_threshold": "half"}

    def begin(name, *, store=store, **changes):
        run = Run.create(tmp_path / name, dataclasses.replace(config, **plain | changes))
        check_fit(run, store)
        return run

    return begin


def pretend(run, parts=(*BVAES, *REFINERS, *MFG), stages=(*STAGE_1, *REFINERS, *STAGE_2), prior=True):
    """Writes files in place of what a run trains: every one says whose it is, and what."""
    files = [run.weights(part) for part in parts] + [run.history(stage) for stage in stages]
    for path in files + [run.prior] * prior:
        path.parent.mkdir(exist_ok=True)
        path.write_text(f"{run.path.name} {path.name}")
    return run


def owners(run):
    """Whose each file of weights and history is."""
    files = [path for folder in ("weights", "history") for path in (run.path / folder).glob("*")]
    for path in files:
        assert path.read_text().split(" ")[1] == path.name
    return {path.name.split(".")[0]: path.read_text().split(" ")[0] for path in files}


# What is taken over from a run that differs in one field of a part.
TAKEN = {
    GridPart: [],
    BVAEPart: [],
    TrainingPart: [],
    RefinePart: [*STAGE_1, *STAGE_2, "prior"],
    FusionPart: [*STAGE_1, *REFINERS],
    PriorPart: [*STAGE_1, *REFINERS, *STAGE_2],
    FinetunePart: ALL,
}
# Another value of each field that a run on the same store may differ in.
OTHER = {
    "unit": "phrase", "shared": True, "bvae_hidden": 8, "bvae_latent": 4, "encoder_states": "last",
    "decoding": "draft", "gates": "hard_sigmoid", "position": True, "likelihood": "gaussian", "output_bias": False,
    "sigma": "multiplier", "epsilon_std": 0.25, "bvae_kl": 9.0, "bvae_epochs": 9,
    "refine": "none", "refine_output": "stochastic", "refine_epochs": 9, "refine_weight": 7.0,
    "refine_learning_rate": 0.5, "refine_threshold": "notes", "refine_residual": False,
    "fusion": "project", "mfg_hidden": 9, "mfg_latent": 9, "mfg_output": "linear", "mfg_target": "moments",
    "standardise": False, "mfg_kl": 0.5, "mfg_learning_rate": 0.5, "mfg_epochs": 9, "mfg_transpositions": 1,
    "prior": "gaussian", "prior_std": 0.5, "prior_neighbours": 5,
    "prior_width": 128, "prior_epochs": 9, "prior_learning_rate": 0.5,
    "finetune_epochs": 9, "finetune_learning_rate": 0.5,
    "optimizer": "rmsprop", "learning_rate": 0.5, "schedule": "constant", "clip_norm": 9.0, "batch_size": 6,
    "train_bars": 9, "epoch_bars": 9, "transpose": 1, "mixed_bars": 0.25, "silent_bars": 0.25,
    "precision": "mixed_float16", "seed": 1,
}  # fmt: skip


def test_every_field_but_those_of_the_grid_is_looked_at(begin):
    assert fields_of(*PARTS) - fields_of(GridPart) == OTHER.keys()  # another grid has another store
    config = begin("run").config
    assert not [name for name, value in OTHER.items() if getattr(config, name) == value]
    assert set(TAKEN) == set(PARTS)


@pytest.mark.parametrize(
    ("changes", "taken"),
    [
        ({}, ALL),
        *(
            ({name: OTHER[name]}, taken)
            for part, taken in TAKEN.items()
            for name in sorted(fields_of(part) & OTHER.keys())
        ),
        ({"refine_weight": 7.0, "mfg_epochs": 9}, STAGE_1),
        ({"refine_weight": 7.0, "finetune_epochs": 9, "prior_std": 0.5}, [*STAGE_1, *STAGE_2]),
    ],
)
def test_what_a_field_is_not_of_is_taken_over(begin, changes, taken):
    run, other = begin("run"), pretend(begin("other", **changes))
    assert take_over(run, other) == taken
    files = [
        *(part for track in TRACK_NAMES if f"{track}_bvae" in taken for part in stage1_parts(track)),
        *(MFG if "mfg_vae" in taken else []),
        *taken,  # a history each, weights of the same name, or both
    ]
    assert owners(run) == dict.fromkeys(files, "other")
    assert take_over(run, other) == []


def test_a_finetuned_run_gives_what_its_stages_made_and_nothing_of_the_finetuning(begin):
    run, other = begin("run"), pretend(begin("other", finetune_epochs=3))
    for path in (other.finetuned_prior, *map(other.finetuned, [*BVAES, *REFINERS, *MFG])):
        path.parent.mkdir(exist_ok=True)
        path.write_text("finetuned")
    other.history("finetune").write_text("finetuned")
    assert take_over(run, other) == ALL
    assert set(owners(run).values()) == {"other"}
    assert not run.finetuned_prior.parent.exists()
    assert not run.history("finetune").exists()


def test_a_prior_that_was_trained_comes_with_its_history_and_from_the_very_same_bvaes_alone(begin):
    run, other = begin("run"), pretend(begin("other"))
    other.history("prior").write_text("other prior.csv")
    assert take_over(run, other) == ALL
    assert run.history("prior").read_text() == "other prior.csv"
    run.prior.unlink()
    run.weights("bass_decoder").write_text("run bass_decoder.weights.h5")
    assert take_over(run, other) == []


def test_another_store_shares_nothing(begin, config, make_store):
    run, other = begin("run"), pretend(begin("other", store=make_store(config, seed=1)))
    assert take_over(run, other) == []
    assert owners(run) == {}


def test_runs_without_a_store_share_nothing(tmp_path, begin, config):
    run = begin("run")
    unbound = [Run.create(tmp_path / name, config) for name in ("mine", "theirs")]
    assert take_over(run, pretend(unbound[1])) == []
    assert take_over(*unbound) == []
    assert owners(run) == owners(unbound[0]) == {}


def test_an_unfinished_run_shares_what_it_has(begin):
    run, other = begin("run"), begin("other")
    # The decoder of the piano and the weights of the bass are not written yet.
    pretend(
        other, ["drums_encoder", "drums_decoder", "piano_encoder"], ["drums_bvae", "bass_bvae"], prior=False
    )
    assert take_over(run, other) == ["drums_bvae"]
    expected = dict.fromkeys(["drums_encoder", "drums_decoder", "drums_bvae"], "other")
    assert owners(run) == expected
    pretend(other, ["piano_decoder", "drums_refiner"], ["piano_bvae"], prior=False)
    assert take_over(run, other) == ["piano_bvae", "drums_refiner"]  # a refiner without a history: of `none`
    new = ["piano_encoder", "piano_decoder", "piano_bvae", "drums_refiner"]
    assert owners(run) == expected | dict.fromkeys(new, "other")


def test_what_is_there_is_kept(begin):
    run, other = begin("run"), pretend(begin("other"))
    mine = [*stage1_parts("bass"), "guitar_refiner"]
    pretend(run, mine, ["bass_bvae", "guitar_refiner"])
    taken = take_over(run, other)
    assert [stage for stage in STAGE_1 if stage not in taken] == ["bass_bvae"]
    assert owners(run).items() >= dict.fromkeys([*mine, "bass_bvae", "prior"], "run").items()


def test_half_of_a_pair_is_of_a_killed_run_and_goes_with_the_other_half(begin):
    run, other = begin("run"), pretend(begin("other"))
    pretend(run, ["bass_encoder", "mfg_decoder"], [], prior=False)
    assert take_over(run, other) == ALL
    assert set(owners(run).values()) == {"other"}


def test_what_is_made_of_other_weights_is_not_taken(begin):
    run, other = begin("run"), pretend(begin("other"))
    pretend(run, stage1_parts("bass"), ["bass_bvae"], prior=False)  # alike, but trained by itself
    assert take_over(run, other) == [
        *("drums_bvae", "piano_bvae", "guitar_bvae", "strings_bvae"),
        *("drums_refiner", "piano_refiner", "guitar_refiner", "strings_refiner"),
    ]
    assert not run.has("mfg_encoder")
    assert not run.prior.exists()


def test_a_prior_goes_with_the_mfg_vae_that_it_was_fitted_to(begin):
    run, other = begin("run"), pretend(begin("other"))
    pretend(run, MFG, ["mfg_vae"], prior=False)
    assert take_over(run, other) == [*STAGE_1, *REFINERS]
    assert not run.prior.exists()


def test_one_run_after_another_gives_what_it_alone_has(begin):
    run = begin("run", fusion="project")
    base, fused = pretend(begin("base", refine="none")), begin("fused", fusion="project", prior_std=0.5)
    assert take_over(fused, base) == STAGE_1
    pretend(fused, MFG, STAGE_2)
    assert take_over(run, base) == STAGE_1
    assert take_over(run, fused) == STAGE_2
    assert owners(run) == dict.fromkeys([*BVAES, *STAGE_1], "base") | dict.fromkeys([*MFG, *STAGE_2], "fused")


def test_a_shared_bvae_is_one_stage_with_one_history(begin):
    run, other = begin("run", shared=True), begin("other", shared=True, refine="none")
    pretend(other, ["drums_encoder", "drums_decoder"], ["shared_bvae"], prior=False)
    assert take_over(run, other) == ["shared_bvae"]
    assert owners(run) == dict.fromkeys(["drums_encoder", "drums_decoder", "shared_bvae"], "other")
    pretend(other, [*BVAES, *MFG], ["shared_bvae", "mfg_vae"])
    assert take_over(run, other) == ["shared_bvae", "mfg_vae", "prior"]
    assert owners(run) == dict.fromkeys([*BVAES, *MFG, "shared_bvae", "mfg_vae", "prior"], "other")

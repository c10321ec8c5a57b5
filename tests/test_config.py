import dataclasses
import math

import numpy as np
import pytest

from msw2 import config
from msw2.config import DEMO, PAPER, PRESETS, RELEASED, SMOKE, TUNED, Config, adapting, fields_of, preset
from msw2.config.config import PARTS
from msw2.music.grid import Grid

# The released code and the paper's Section IV.A, by hand.
PAPER_FIELDS = {
    "bars": 4,
    "steps": 48,
    "pitches": 84,
    "lowest_pitch": 24,
    "beat_resolution": 12,
    "unit": "bar",
    "shared": False,
    "bvae_hidden": 128,
    "bvae_latent": 64,
    "encoder_states": "last",
    "decoding": "latent",
    "gates": "sigmoid",
    "position": False,
    "likelihood": "gaussian",
    "output_bias": False,
    "sigma": "log_variance",
    "epsilon_std": 0.01,
    "bvae_kl": 1.0,
    "bvae_epochs": 100,
    "refine": "notes",
    "refine_output": "sigmoid",
    "refine_epochs": 100,
    "refine_weight": 1.0,
    "refine_threshold": "half",
    "refine_residual": False,
    "fusion": "vrae",
    "mfg_hidden": 128,
    "mfg_latent": 128,
    "mfg_output": "tanh",
    "mfg_target": "moments",
    "standardise": False,
    "mfg_kl": 1.0,
    "mfg_epochs": 500,
    "prior": "gaussian",
    "optimizer": "rmsprop",
    "learning_rate": 0.001,
    "mfg_learning_rate": 0.001,
    "batch_size": 32,
    "train_bars": 3200,
    "epoch_bars": 0,
    "transpose": 0,
    "silent_bars": 1.0,
    "finetune_epochs": 0,
    "precision": "auto",
}
RELEASED_CHANGES = {
    "bvae_hidden": (128, 256),
    "bvae_latent": (64, 256),
    "gates": ("sigmoid", "hard_sigmoid"),
    "sigma": ("log_variance", "multiplier"),
    "mfg_latent": (128, 64),
    "prior_std": (1.0, 0.01),
}
# The names alone: the values are TUNED's own.
TUNED_CHANGES = (
    "bvae_hidden bvae_latent encoder_states decoding likelihood output_bias epsilon_std bvae_epochs "
    "refine_epochs refine_residual refine_threshold mfg_hidden mfg_latent mfg_target standardise mfg_kl mfg_epochs "
    "prior prior_neighbours prior_epochs optimizer schedule learning_rate mfg_learning_rate clip_norm train_bars "
    "epoch_bars transpose silent_bars"
)


def differences(a, b):
    a, b = dataclasses.asdict(a), dataclasses.asdict(b)
    return {name: (a[name], b[name]) for name in a if a[name] != b[name]}


def test_paper_is_the_papers():
    fields = dataclasses.asdict(PAPER)
    assert {name: fields[name] for name in PAPER_FIELDS} == PAPER_FIELDS


def test_released_differs_from_paper_in_what_the_code_says_and_in_nothing_else():
    assert differences(PAPER, RELEASED) == RELEASED_CHANGES


def test_tuned_differs_from_paper_in_these_fields_and_in_no_other():
    assert differences(PAPER, TUNED).keys() == set(TUNED_CHANGES.split())


def test_the_grid_is_made_of_the_five_sizes_in_their_order():
    assert PAPER.grid == Grid(bars=4, steps=48, pitches=84, lowest_pitch=24, beat_resolution=12)
    odd = dataclasses.replace(PAPER, bars=3, steps=20, pitches=7, lowest_pitch=31, beat_resolution=5)
    assert odd.grid == Grid(bars=3, steps=20, pitches=7, lowest_pitch=31, beat_resolution=5)


def test_presets_by_name():
    named = {"paper": PAPER, "released": RELEASED, "tuned": TUNED, "demo": DEMO, "smoke": SMOKE}
    assert named == PRESETS
    for name, expected in named.items():
        assert preset(name) is expected


def test_an_unknown_preset_is_refused_with_the_names_that_there_are():
    with pytest.raises(
        ValueError, match=r"^preset 'tune' is not one of paper, released, tuned, demo, smoke$"
    ):
        preset("tune")


def test_every_preset_keeps_the_papers_grid_and_tuned_the_papers_unit():
    for each in PRESETS.values():
        assert each.grid == PAPER.grid
        assert (each.unit, each.shared) == ("bar", False)


@pytest.mark.parametrize(
    ("unit", "train_bars", "expected"),
    [
        ("bar", 3200, (1, 48, 4, 3200)),
        ("phrase", 3200, (4, 192, 1, 800)),
        ("phrase", 3, (4, 192, 1, 1)),  # not 0, which would be all
        ("phrase", 0, (4, 192, 1, 0)),
    ],
)
def test_what_a_bvae_reads(unit, train_bars, expected):
    config = dataclasses.replace(PAPER, unit=unit, train_bars=train_bars)
    assert (config.unit_bars, config.unit_steps, config.units, config.train_units) == expected


def test_demo_is_tuned_in_less_time_and_the_same_maths():
    # How long and how large may differ; what is computed may not.
    maths = ("gates", "likelihood", "sigma", "output_bias", "position", "encoder_states", "decoding")
    maths += ("refine", "refine_threshold", "fusion", "mfg_output", "mfg_target", "standardise")
    assert not set(differences(TUNED, DEMO)) & set(maths)
    assert not set(differences(TUNED, SMOKE)) & set(maths)
    assert (TUNED.prior, DEMO.prior, SMOKE.prior) == ("notes", "mixture", "mixture")  # it learns for an hour


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("batch_size", 0, "batch_size 0 is out of range: at least 1"),
        ("train_bars", -1, "train_bars -1 is out of range: at least 0"),
        ("transpose", 13, "transpose 13 is out of range: 0 to 12"),
        ("transpose", -1, "transpose -1 is out of range: 0 to 12"),
        ("silent_bars", 1.01, "silent_bars 1.01 is out of range: 0.0 to 1.0"),
        ("silent_bars", -0.5, "silent_bars -0.5 is out of range: 0.0 to 1.0"),
        ("bvae_hidden", 0, "bvae_hidden 0 is out of range: at least 1"),
        ("bvae_latent", 0, "bvae_latent 0 is out of range: at least 1"),
        ("bvae_kl", -0.1, "bvae_kl -0.1 is out of range: at least 0.0"),
        ("bvae_epochs", 0, "bvae_epochs 0 is out of range: at least 1"),
        ("refine_epochs", 0, "refine_epochs 0 is out of range: at least 1"),
        ("mfg_hidden", -3, "mfg_hidden -3 is out of range: at least 1"),
        ("mfg_latent", 0, "mfg_latent 0 is out of range: at least 1"),
        ("mfg_epochs", 0, "mfg_epochs 0 is out of range: at least 1"),
        ("mfg_transpositions", 26, "mfg_transpositions 26 is out of range: 1 to 25"),
        ("epsilon_std", -1.0, "epsilon_std -1.0 is out of range: at least 0.0"),
        ("learning_rate", 0.0, "learning_rate 0.0 is out of range: 1e-09 to 1.0"),
        ("learning_rate", 2.0, "learning_rate 2.0 is out of range: 1e-09 to 1.0"),
        ("clip_norm", -1.0, "clip_norm -1.0 is out of range: at least 0.0"),
        ("prior_std", -1.0, "prior_std -1.0 is out of range: at least 0.0"),
        ("prior_neighbours", 0, "prior_neighbours 0 is out of range: 1 to 64"),
        ("finetune_epochs", -1, "finetune_epochs -1 is out of range: at least 0"),
        ("finetune_learning_rate", 0.0, "finetune_learning_rate 0.0 is out of range: 1e-09 to 1.0"),
        (
            "precision",
            "float16",
            "precision 'float16' is not one of auto, float32, mixed_bfloat16, mixed_float16",
        ),
        ("seed", -1, "seed -1 is out of range: 0 to 2147483647"),
        ("seed", 2**31, "seed 2147483648 is out of range: 0 to 2147483647"),
        ("unit", "song", "unit 'song' is not one of bar, phrase"),
        ("shared", 1, "shared 1 is not of type bool"),
        ("decoding", "repeat", "decoding 'repeat' is not one of latent, draft"),
        ("decoding", "draft", "decoding 'draft' goes with likelihood 'bernoulli', not 'gaussian'"),
        ("gates", "tanh", "gates 'tanh' is not one of sigmoid, hard_sigmoid"),
        ("likelihood", "poisson", "likelihood 'poisson' is not one of gaussian, bernoulli"),
        ("sigma", "", "sigma '' is not one of log_variance, multiplier"),
        ("optimizer", "Adam", "optimizer 'Adam' is not one of rmsprop, adam"),
        ("refine", "songs", "refine 'songs' is not one of notes, bars, none"),
        (
            "refine_output",
            "binary",
            "refine_output 'binary' is not one of sigmoid, released, deterministic, stochastic",
        ),
        ("refine_threshold", "0.5", "refine_threshold '0.5' is not one of half, notes"),
        ("fusion", "cca", "fusion 'cca' is not one of vrae, concatenate, project, none"),
        ("mfg_output", "elu", "mfg_output 'elu' is not one of tanh, linear, relu"),
        (
            "mfg_output",
            "relu",
            "mfg_output 'relu' is not for fusion 'vrae', whose decoder ends in tanh or linear",
        ),
        ("prior", "flow", "prior 'flow' is not one of gaussian, parzen, mixture, notes"),
        (
            "prior",
            "notes",
            "prior 'notes' is for a fusion of mfg_target 'means', not for fusion 'vrae' of mfg_target 'moments'",
        ),
        ("prior_width", 0, "prior_width 0 is out of range: 1 to 4096"),
        ("prior_width", 4097, "prior_width 4097 is out of range: 1 to 4096"),
        ("prior_epochs", 0, "prior_epochs 0 is out of range: at least 1"),
        ("prior_learning_rate", 0.0, "prior_learning_rate 0.0 is out of range: 1e-09 to 1.0"),
        ("bvae_hidden", 12.0, "bvae_hidden 12.0 is not of type int"),
        ("bvae_hidden", True, "bvae_hidden True is not of type int"),
        ("position", 1, "position 1 is not of type bool"),
        ("learning_rate", "0.1", "learning_rate '0.1' is not of type float"),
        ("learning_rate", True, "learning_rate True is not of type float"),
        ("gates", None, "gates None is not of type str"),
        ("bars", 0, "bars 0 is below 1"),
        ("pitches", 105, "pitches 24..128 do not lie in MIDI's 0..127"),
        ("lowest_pitch", -1, "pitches -1..82 do not lie in MIDI's 0..127"),
        ("steps", 47, "steps 47 is not 4 beats of beat_resolution 12"),
    ],
)
def test_a_bad_value_is_refused_with_field_value_and_range(field, value, message):
    with pytest.raises(ValueError) as refused:
        dataclasses.replace(PAPER, **{field: value})
    assert str(refused.value) == message


@pytest.mark.parametrize("output", ["released", "deterministic", "stochastic"])
def test_without_a_refine_network_there_is_nothing_for_another_output_to_come_from(output):
    with pytest.raises(
        ValueError, match=rf"^refine 'none' goes with refine_output 'sigmoid', not '{output}'$"
    ):
        dataclasses.replace(PAPER, refine="none", refine_output=output)


def test_the_released_output_corrects_nothing():
    with pytest.raises(ValueError, match=r"^refine_output 'released' does not go with refine_residual True$"):
        dataclasses.replace(TUNED, refine_output="released", refine_threshold="half")


@pytest.mark.parametrize(
    ("network", "output"),
    [
        ("none", "sigmoid"),
        ("notes", "released"),
        ("bars", "released"),
        ("notes", "deterministic"),
        ("bars", "stochastic"),
    ],
)
def test_a_threshold_is_of_the_probabilities_of_a_refine_network(network, output):
    fields = {"refine": network, "refine_output": output}
    with pytest.raises(
        ValueError,
        match=r"^refine_threshold 'notes' goes with a refiner and refine_output 'sigmoid', "
        rf"not with refine '{network}' and refine_output '{output}'$",
    ):
        dataclasses.replace(PAPER, refine_threshold="notes", **fields)
    assert dataclasses.replace(PAPER, refine_threshold="half", **fields).refine_output == output
    for each in ("notes", "bars"):
        changed = dataclasses.replace(PAPER, refine=each, refine_threshold="notes")
        assert (changed.refine, changed.refine_threshold) == (each, "notes")


def test_all_other_refine_networks_outputs_and_residuals_go_together():
    for network in ("notes", "bars"):
        for output in ("sigmoid", "deterministic", "stochastic"):
            for residual in (False, True):
                fields = {"refine": network, "refine_output": output, "refine_residual": residual}
                assert set(fields.items()) <= set(
                    dataclasses.asdict(Config(**dataclasses.asdict(PAPER) | fields)).items()
                )
        dataclasses.replace(PAPER, refine=network, refine_output="released")
    # refine_residual is of no meaning there
    dataclasses.replace(TUNED, refine="none", refine_threshold="half")


def test_relu_is_for_the_perceptrons():
    for fusion in ("concatenate", "project"):
        changed = dataclasses.replace(PAPER, fusion=fusion, mfg_output="relu")
        assert (changed.fusion, changed.mfg_output) == (fusion, "relu")


def test_a_draft_has_its_own_idea_of_the_step():
    with pytest.raises(
        ValueError,
        match=r"^decoding 'draft' does not go with position True: a draft has a bias for each step$",
    ):
        dataclasses.replace(TUNED, position=True)
    assert dataclasses.replace(DEMO, position=True, decoding="latent").position


def test_a_draft_of_tracks_ends_in_a_dense_layer_whatever_the_output():
    for output in ("tanh", "linear"):
        changed = dataclasses.replace(TUNED, mfg_output=output)
        assert (changed.fusion, changed.decoding, changed.mfg_output) == ("vrae", "draft", output)
    with pytest.raises(ValueError, match=r"^mfg_output 'relu' is not for fusion 'vrae'"):
        dataclasses.replace(TUNED, mfg_output="relu")


def test_without_fusion_a_bar_is_as_large_as_its_five_tracks():
    sizes = {
        fusion: dataclasses.replace(PAPER, fusion=fusion).fusion_latent for fusion in config.CHOICES["fusion"]
    }
    assert sizes == {"vrae": 128, "concatenate": 128, "project": 128, "none": 320}


def test_the_mfg_vae_reads_means_and_s_or_the_means_alone():
    sizes = {
        (fusion, target): dataclasses.replace(PAPER, fusion=fusion, mfg_target=target).mfg_moments
        for fusion in config.CHOICES["fusion"]
        for target in config.CHOICES["mfg_target"]
    }
    fused = ("vrae", "concatenate", "project")
    assert sizes == {
        **{(fusion, "moments"): 128 for fusion in fused},
        **{(fusion, "means"): 64 for fusion in fused},
        ("none", "moments"): 128,
        ("none", "means"): 128,  # of no meaning there
    }


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        (
            {"fusion": "none"},
            "is for a fusion of mfg_target 'means', not for fusion 'none' of mfg_target 'means'",
        ),
        (
            {"mfg_target": "moments"},
            "is for a fusion of mfg_target 'means', not for fusion 'vrae' of mfg_target 'moments'",
        ),
        ({"bars": 49}, "is for phrases of at most 48 bars, not 49"),
    ],
)
def test_the_notes_prior_writes_phrases_that_a_fusion_of_means_reads(fields, message):
    with pytest.raises(ValueError) as refused:
        dataclasses.replace(TUNED, prior="notes", **fields)
    assert str(refused.value) == f"prior 'notes' {message}"
    assert dataclasses.replace(TUNED, prior="mixture", **fields).prior == "mixture"
    assert dataclasses.replace(TUNED, prior="notes", fusion="concatenate", bars=48).prior == "notes"


def test_a_training_that_begins_with_trained_weights_takes_small_steps_and_few():
    found = differences(TUNED, adapting(TUNED))
    rates = ("learning_rate", "refine_learning_rate", "mfg_learning_rate", "prior_learning_rate")
    assert all(found[name][1] == found[name][0] / 30 for name in rates)
    epochs = ("bvae_epochs", "refine_epochs", "mfg_epochs", "prior_epochs")
    assert [getattr(adapting(TUNED), name) for name in epochs] == [3, 1, 3, 3]


REALS = [field.name for field in dataclasses.fields(Config) if field.type is float]


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("field", REALS)
def test_what_is_not_a_finite_number_is_refused(field, value):
    with pytest.raises(ValueError, match=rf"^{field} {value} is out of range: "):
        dataclasses.replace(PAPER, **{field: value})


def test_the_ends_of_a_range_belong_to_it():
    for field, (lowest, highest) in config.RANGES.items():
        for end in (lowest, highest):
            if end is not None:
                assert getattr(dataclasses.replace(PAPER, **{field: end}), field) == end


def test_every_number_has_a_range_or_belongs_to_the_grid_and_every_word_its_choices():
    types = {field.name: field.type for field in dataclasses.fields(Config)}
    grid = {"bars", "steps", "pitches", "lowest_pitch", "beat_resolution"}
    assert set(config.RANGES) == {name for name, kind in types.items() if kind in (int, float)} - grid
    assert set(config.CHOICES) == {name for name, kind in types.items() if kind is str}


def test_a_whole_number_does_for_a_real_one_and_is_kept_as_one():
    changed = dataclasses.replace(PAPER, clip_norm=2)
    assert type(changed.clip_norm) is float
    assert changed == dataclasses.replace(PAPER, clip_norm=2.0)
    assert hash(changed) == hash(dataclasses.replace(PAPER, clip_norm=2.0))


def test_a_numpy_integer_is_refused_because_json_cannot_write_it():
    with pytest.raises(ValueError, match=r"bvae_hidden .*12.* is not of type int"):
        dataclasses.replace(PAPER, bvae_hidden=np.int64(12))


# Each part's fields, by hand.
FIELDS = {
    "GridPart": "bars steps pitches lowest_pitch beat_resolution",
    "BVAEPart": "unit shared bvae_hidden bvae_latent encoder_states decoding gates position likelihood output_bias "
    "sigma epsilon_std bvae_kl bvae_epochs",
    "RefinePart": "refine refine_output refine_epochs refine_learning_rate refine_weight refine_threshold "
    "refine_residual",
    "FusionPart": "fusion mfg_hidden mfg_latent mfg_output mfg_target standardise mfg_kl mfg_epochs "
    "mfg_transpositions mfg_learning_rate",
    "PriorPart": "prior prior_std prior_neighbours prior_width prior_epochs prior_learning_rate",
    "FinetunePart": "finetune_epochs finetune_learning_rate",
    "TrainingPart": "optimizer learning_rate schedule clip_norm batch_size train_bars epoch_bars transpose "
    "mixed_bars silent_bars precision seed",
}


def test_each_field_belongs_to_exactly_one_part():
    assert {part.__name__: fields_of(part) for part in PARTS} == {
        name: frozenset(fields.split()) for name, fields in FIELDS.items()
    }
    names = [name for part in PARTS for name in fields_of(part)]
    assert len(names) == len(set(names)) == len(dataclasses.fields(Config))
    assert set(names) == fields_of(*PARTS) == {field.name for field in dataclasses.fields(Config)}
    assert set(Config.__mro__) >= set(PARTS)
    assert fields_of() == frozenset()


def test_every_field_says_what_it_means_where_it_is_declared():
    for field in dataclasses.fields(Config):
        assert field.metadata["text"].endswith("."), field.name
        assert field.default is dataclasses.MISSING, field.name  # values are in the presets alone


def test_a_config_of_before_is_restored_and_of_a_field_that_was_always_there_none_is_made_up():
    fields = dataclasses.asdict(
        dataclasses.replace(TUNED, precision="mixed_bfloat16", finetune_epochs=4, prior="mixture")
    )
    assert Config.restored(fields) == Config(**fields)
    new = {"precision", "finetune_epochs", "finetune_learning_rate", "decoding"}
    new |= {"refine_learning_rate", "refine_threshold"}
    new |= {"prior_width", "prior_epochs", "prior_learning_rate"}
    before = {name: value for name, value in fields.items() if name not in new}
    found = Config.restored(before)
    assert (found.precision, found.finetune_epochs, found.finetune_learning_rate) == ("float32", 0, 1e-4)
    assert (found.refine_learning_rate, found.refine_threshold, found.decoding) == (1e-3, "half", "latent")
    sizes = found.prior_width, found.prior_epochs, found.prior_learning_rate
    assert sizes == (512, 1, 2e-3)
    assert found.mfg_target == "moments"  # what the MFG-VAE of such a config reads
    assert {name: getattr(found, name) for name in before} == before | {"mfg_target": "moments"}
    for name in before:
        with pytest.raises(TypeError, match=f"'{name}'"):
            Config.restored({other: value for other, value in before.items() if other != name})
    with pytest.raises(TypeError, match="colour"):
        Config.restored({**fields, "colour": 1})


def test_a_config_is_frozen():
    with pytest.raises(dataclasses.FrozenInstanceError):
        PAPER.seed = 1

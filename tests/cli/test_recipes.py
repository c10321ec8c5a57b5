"""The recipes and recipe sets of `experiments/`."""

import dataclasses
import pathlib

import pytest
from absl import flags

import msw2
from msw2.cli import eval as evaluation
from msw2.cli import options, stage1
from msw2.cli.launch import OptionError
from msw2.cli.recipe_sets import read_set
from msw2.cli.recipes import recipe_lines
from msw2.cli.reproduce import BASES, MAIN
from msw2.config import DEMO, PAPER, RELEASED, SMOKE, TUNED
from msw2.evaluation.claims import claims
from msw2.models import refine
from msw2.models.sandwich import PARTS, build_sandwich

ROOT = pathlib.Path(msw2.__file__).parents[1]
RECIPES = sorted(path.stem for path in (ROOT / "experiments").glob("*.flags"))
SETS = ("full", "smoke")
# All that its committed results were made with, whatever TUNED has become.
OF_TUNED_3200 = {
    "encoder_states": "all", "position": True, "likelihood": "bernoulli", "output_bias": True, "epsilon_std": 1.0,
    "bvae_kl": 0.128, "bvae_epochs": 20, "refine_epochs": 2, "refine_weight": 2.0, "refine_residual": True,
    "mfg_hidden": 256, "mfg_latent": 256, "mfg_output": "linear", "mfg_target": "means", "standardise": True,
    "mfg_kl": 0.0, "mfg_epochs": 6, "mfg_transpositions": 12, "mfg_learning_rate": 3e-3, "prior": "parzen",
    "prior_neighbours": 8, "optimizer": "adam", "learning_rate": 3e-3, "schedule": "cosine", "clip_norm": 1.0,
    "transpose": 6, "mixed_bars": 0.2, "silent_bars": 0.1,
}  # fmt: skip
TUNED_3200 = dataclasses.replace(PAPER, **OF_TUNED_3200)


@pytest.fixture
def parse(monkeypatch):
    """Returns a function (module, *arguments) that parses arguments as a command does, from the root."""
    monkeypatch.chdir(ROOT)
    defined = set(flags.FLAGS)

    def clear():
        for name in set(flags.FLAGS) - defined:
            delattr(flags.FLAGS, name)

    def parsed(module, *arguments):
        clear()
        module.define_flags()
        assert flags.FLAGS(["msw2", *arguments]) == ["msw2"]

    yield parsed
    clear()


@pytest.fixture
def config(parse, tmp_path, monkeypatch):
    """Returns a function (recipe, *more) -> the Config of a run of it, on a machine where `auto` stays what it is."""
    monkeypatch.setattr(options, "resolved_precision", lambda asked: asked)

    def made(recipe, *more):
        run = tmp_path / f"{recipe}{len(list(tmp_path.iterdir()))}"
        parse(stage1, f"--recipe={recipe}", *more, f"--run={run}")
        return options.training_run().config

    return made


@pytest.mark.parametrize("recipe", RECIPES)
def test_a_recipe_is_a_config_and_says_what_it_is(config, recipe):
    made, base = config(recipe), recipe.partition("-")[0]
    assert made.seed == 0
    if base != recipe:
        assert made != config(base)
    lines = (ROOT / "experiments" / f"{recipe}.flags").read_text("utf-8").splitlines()
    assert lines[0].startswith("# Reproduces: ")
    assert lines[1] == f"# Command:    make stage1 refine stage2 eval RECIPE={recipe}"
    assert all(line.startswith(("# ", "--")) for line in lines)


def changes(first, second):
    theirs = dataclasses.asdict(second)
    return {name: value for name, value in dataclasses.asdict(first).items() if value != theirs[name]}


def test_the_recipes_are_what_they_say(config):
    plain = {"paper": PAPER, "released": RELEASED, "tuned": TUNED, "demo": DEMO, "smoke": SMOKE}
    assert {name: config(name) for name in plain} == plain
    assert config("tuned_3200") == TUNED_3200
    for base, origin in (("tuned_3200", TUNED_3200), ("paper", PAPER)):
        expected = {
            "concatenate": {"fusion": "concatenate", "mfg_output": "linear"},
            "concatenate_relu": {"fusion": "concatenate", "mfg_output": "relu"},
            "project": {"fusion": "project", "mfg_output": "linear"},
            "no_fusion": {"fusion": "none", **({"prior_std": 0.1} if base == "paper" else {})},
            "no_refine": {"refine": "none"},
            "shared": {"shared": True},
        }
        if base == "tuned_3200":  # at 3e-3 perceptrons do worse, or diverge
            for variant in ("concatenate", "concatenate_relu", "project"):
                expected[variant]["mfg_learning_rate"] = 3e-4
        else:  # steps of 18.6 million weights
            for variant in ("concatenate", "concatenate_relu"):
                expected[variant]["mfg_epochs"] = 100
        for variant, values in expected.items():
            found = config(f"{base}-{variant}")
            assert found == dataclasses.replace(origin, **values), (base, variant)
    variants = [name for name in RECIPES if name.startswith("tuned_3200-without_")]
    assert len(variants) == 14
    for name in variants:  # what it gains by a change is measured by PAPER's value of it
        changed = changes(config(name), TUNED_3200)
        assert changed
        assert changed.items() <= dataclasses.asdict(PAPER).items(), name


@pytest.mark.parametrize(
    "recipe", ["paper-concatenate_relu", "released", "tuned_3200-bars_released", "tuned_3200-phrase"]
)
def test_the_models_of_a_recipe_can_be_built(config, recipe, monkeypatch):
    monkeypatch.setattr(refine, "UNITS", 1)  # of seven, which take seconds
    sizes = (
        "--bars=2",
        "--steps=4",
        "--pitches=12",
        "--beat_resolution=1",
        "--bvae_hidden=4",
        "--bvae_latent=2",
    )
    made = config(recipe, *sizes, "--mfg_hidden=4", "--mfg_latent=2")
    sandwich = build_sandwich(made)
    assert len(PARTS) == 17
    assert {layer.name for layer in sandwich.layers} >= set(PARTS)


@pytest.mark.parametrize("name", SETS)
def test_a_set_asks_for_runs_that_can_be_made(parse, config, name):
    asked = read_set(name, ROOT / "experiments")
    for recipe in dict(asked.runs):
        assert config(recipe, *asked.train, "--seed=3").seed == 3
    parse(evaluation, "--run=run", "--store=store", *asked.evaluate)
    assert (ROOT / "experiments" / f"{name}.set").read_text("utf-8").startswith("# ")


def test_the_flags_of_a_set_come_after_those_of_a_recipe(config):
    asked = read_set("smoke", ROOT / "experiments")
    made = config("tuned_3200-bars", *asked.train)
    assert (made.bvae_hidden, made.train_bars, made.bvae_epochs, made.refine_epochs) == (8, 64, 1, 1)
    assert (made.refine, made.likelihood) == ("bars", "bernoulli")


def test_every_recipe_is_in_the_full_set():
    full = {recipe for recipe, _ in read_set("full", ROOT / "experiments").runs}
    assert full == set(RECIPES) - {"demo", "smoke", "songs"}
    assert {*BASES, *MAIN} <= full


def test_what_shares_trained_parts_stands_after_its_base():
    for name in SETS:
        runs = read_set(name, ROOT / "experiments").runs
        for recipe, seed in runs:
            base = (recipe.partition("-")[0], seed)
            assert runs.index(base) <= runs.index((recipe, seed))


def test_claims_are_of_recipes_that_there_are():
    asked = {
        recipe
        for claim in claims("tuned_3200")
        for comparison in claim.comparisons
        for recipe, _ in (comparison.better, comparison.worse)
    }
    assert asked <= set(RECIPES)
    assert len(asked) == 10
    smoke = {recipe for recipe, _ in read_set("smoke", ROOT / "experiments").runs}
    assert asked <= smoke  # so that it shows that all of the dossier can be made


@pytest.mark.parametrize("recipe", ["tuned_3200-project", "paper-shared"])
def test_a_recipe_is_a_flagfile_of_the_repository_too(parse, config, recipe, tmp_path, monkeypatch):
    expected = config(recipe)
    parse(stage1, f"--flagfile=experiments/{recipe}.flags", f"--run={tmp_path / 'flagfile'}")
    assert options.training_run().config == expected


def test_flags_override_a_recipe_and_another_preset_keeps_its_changes(config):
    made = config("tuned_3200-shared", "--bvae_epochs=7", "--preset=released", "--noshared")
    assert made == dataclasses.replace(RELEASED, **OF_TUNED_3200 | {"bvae_epochs": 7})


def test_a_recipe_that_there_is_not(config):
    with pytest.raises(OptionError, match=r"^recipe 'tune' is not one of demo, paper, .*, tuned, "):
        config("tune")


def test_recipes_are_read_from_any_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert recipe_lines("paper-no_fusion") == ["--preset=paper", "--fusion=none", "--prior_std=0.1"]

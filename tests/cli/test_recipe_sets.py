import re

import pytest

from msw2.cli.launch import OptionError
from msw2.cli.recipe_sets import RecipeSet, read_set


@pytest.fixture
def folder(tmp_path):
    for name in ("base", "base-other", "alone"):
        (tmp_path / f"{name}.flags").write_text("")
    return tmp_path


def read(folder, *lines):
    (folder / "some.set").write_text("\n".join(lines))
    return read_set("some", folder)


def test_a_set_is_read_and_runs_of_a_later_seed_come_later(folder):
    assert read(
        folder,
        "# says what it is",
        "run base 0 2 10",
        "",
        "  train --bvae_latent=3 --position  # small",
        "run base-other 10 0",
        "eval --phrases=5",
        "train --nooutput_bias",
        "run alone 1",
    ) == RecipeSet(
        train=("--bvae_latent=3", "--position", "--nooutput_bias"),
        evaluate=("--phrases=5",),
        runs=(("base", 0), ("base-other", 0), ("alone", 1), ("base", 2), ("base", 10), ("base-other", 10)),
    )


def test_a_set_that_is_not_there_is_told_from_those_that_are(folder):
    with pytest.raises(OptionError, match=r"^recipe set 'full' is not one of none$"):
        read_set("full", folder)
    (folder / "smoke.set").write_text("run base 0")
    (folder / "few.set").write_text("run base 0")
    with pytest.raises(OptionError, match=r"^recipe set 'full' is not one of few, smoke$"):
        read_set("full", folder)


@pytest.mark.parametrize(
    "line",
    [
        "run base", "run", "run base zero", "run base 0 -1", "run base 1.5", "walk base 0", "base 0",
        "train", "train bvae_latent=3", "eval --phrases=5 more", "eval", "Run base 0",
    ],
)  # fmt: skip
def test_a_line_that_says_nothing_is_quoted(folder, line):
    words = "`run recipe seed ...`, `train --flag ...` or `eval --flag ...`"
    expected = f"{folder / 'some.set'}, line 3: '{line}' is not {words}"
    with pytest.raises(OptionError, match=f"^{re.escape(expected)}$"):
        read(folder, "run alone 0", "", f"  {line}  ")


def test_a_recipe_that_is_not_there_is_named(folder):
    expected = f"{folder / 'some.set'}, line 2: there is no recipe {folder / 'bass.flags'}"
    with pytest.raises(OptionError, match=f"^{re.escape(expected)}$"):
        read(folder, "run base 0", "run bass 0")


def test_a_run_that_is_asked_for_twice_is_named(folder):
    expected = f"{folder / 'some.set'} asks for ('base', 1) twice"
    with pytest.raises(OptionError, match=f"^{re.escape(expected)}$"):
        read(folder, "run base 0 1", "run alone 0", "run base 1")


def test_a_set_without_a_run_is_refused(folder):
    with pytest.raises(OptionError, match=r"some\.set asks for no run$"):
        read(folder, "# run base 0", "train --position")

"""How commands start: words without `--` go to one flag, or are refused in a sentence."""

import pytest
from absl import flags

from msw2.cli.launch import OptionError, take_positional


@pytest.fixture
def values():
    """Flags of a command: a text and a list."""
    found = flags.FlagValues()
    flags.DEFINE_string("folder", None, "", flag_values=found)
    flags.DEFINE_list("answers", [], "", flag_values=found)
    found(["msw2"])
    return found


def test_a_word_goes_to_its_flag(values):
    take_positional(["songs"], "folder", values)
    assert values.folder == "songs"


def test_words_go_to_a_list(values):
    take_positional(["a.json", "b,c.json"], "answers", values)
    assert values.answers == ["a.json", "b,c.json"]


def test_no_word_changes_nothing(values):
    take_positional([], "folder", values)
    assert (values.folder, values.answers) == (None, [])


def test_words_that_have_no_place_are_refused(values):
    with pytest.raises(OptionError, match="unexpected 'songs': options begin with --"):
        take_positional(["songs"], None, values)
    with pytest.raises(OptionError, match="unexpected 'more': the command takes one folder"):
        take_positional(["songs", "more"], "folder", values)
    values(["msw2", "--folder=mine"])
    with pytest.raises(OptionError, match="unexpected 'songs': --folder is given, too"):
        take_positional(["songs"], "folder", values)

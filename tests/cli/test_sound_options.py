"""The flags of the sound."""

import types

import pytest

from msw2.cli import sound_options
from msw2.cli.launch import OptionError
from msw2.sound.rendering import Rendering
from msw2.sound.soundfont import SoundError, default_soundfont


@pytest.fixture
def asked(command):
    """Returns a function (songs, *flags) that checks the flags, and gives what `asked_sound` returns."""

    def ask(songs, *arguments):
        found = []
        module = types.SimpleNamespace(
            define_flags=sound_options.define_sound,
            main=lambda: (sound_options.check_sound(), found.append(sound_options.asked_sound(songs))),
        )
        command(module, *arguments)
        return found[0]

    return ask


def test_few_songs_have_sound_and_many_have_none(asked, capsys):
    assert asked(8) == Rendering(audio=True)
    assert capsys.readouterr().err == ""
    assert asked(9) == Rendering(audio=False)
    assert capsys.readouterr().err == "no sound, since there are more than 8 songs: --audio writes it\n"


def test_what_is_asked_for_is_done(asked):
    assert asked(9, "--audio") == Rendering(audio=True)
    assert asked(1, "--noaudio", "--flat") == Rendering(audio=False, flat=True)
    assert asked(9, "--stems") == Rendering(audio=True, separate=True)
    font = str(default_soundfont())
    assert asked(9, f"--soundfont={font}") == Rendering(audio=True, soundfont=font)


@pytest.mark.parametrize(("flag", "name"), [("--stems", "stems"), ("--soundfont=a.sf2", "soundfont")])
def test_no_sound_with_wishes_for_it_is_refused(asked, flag, name):
    with pytest.raises(OptionError, match=f"^--noaudio and --{name} do not go together: --{name} is about"):
        asked(1, "--noaudio", flag)


def test_a_bad_soundfont_is_refused_before_the_work(asked, tmp_path):
    with pytest.raises(SoundError, match=r"^soundfont .*none.sf2 cannot be read: No such file or directory$"):
        asked(1, f"--soundfont={tmp_path / 'none.sf2'}")

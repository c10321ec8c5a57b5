"""A song asked of a server."""

import os
import pathlib
import subprocess
import sys

import numpy as np
import pytest

import msw2
from msw2.cli import request, request_verbs
from msw2.cli.launch import OptionError
from msw2.music.grid import Grid
from msw2.music.midi import midi_bytes, read_song, write_song
from msw2.music.pianoroll import join_phrases

GRID = Grid()
PHRASES = np.random.default_rng(3).random((2, 4, 48, 84, 5)) < 0.02


@pytest.fixture
def asked(monkeypatch):
    """What the server was asked for. It answers with PHRASES, and restores the song backwards in pitch."""
    asked = []

    def generate(url, grid, **arguments):
        asked.append((url, arguments))
        return PHRASES

    def restore(url, grid, phrases, **arguments):
        asked.append((url, arguments))
        return phrases[:, :, :, ::-1]

    monkeypatch.setattr(request, "generate", generate)
    monkeypatch.setattr(request_verbs, "restore", restore)
    return asked


def test_an_answer_becomes_a_song(command, asked, tmp_path, capsys):
    out = tmp_path / "song.mid"
    command(
        request, "--url=http://there", f"--out={out}", "--phrases=2", "--seed=5", "--tempo=90", "--timeout=3"
    )
    assert asked == [("http://there", {"seeds": [5, 6], "temperature": 1.0, "timeout": 3.0})]
    song = read_song(out, GRID)
    np.testing.assert_array_equal(song.pianoroll, join_phrases(PHRASES))
    assert song.tempo == pytest.approx(90, abs=0.01)
    assert capsys.readouterr().out == f"{out}: 8 bars\n"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["song.mid", "song.ogg", "song.wav"]


def test_a_midi_file_comes_back_restored(command, asked, tmp_path, monkeypatch, capsys):
    song = join_phrases(PHRASES)[: 7 * 48]  # the second phrase lacks a bar
    write_song(tmp_path / "mine.mid", song, GRID, 77)
    monkeypatch.chdir(tmp_path)
    command(request, f"--midi={tmp_path / 'mine.mid'}", "--url=grpc://there", "--noaudio")
    assert asked == [("grpc://there", {"timeout": 60.0})]
    restored = read_song(tmp_path / "mine-restored.mid", GRID)
    np.testing.assert_array_equal(restored.pianoroll, song[:, ::-1])
    assert restored.tempo == pytest.approx(77, abs=0.01)
    assert capsys.readouterr().out == "mine-restored.mid: 7 bars\n"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--midi={}/none.mid"], "none.mid: cannot be read"),
        (["--midi={}/mine.mid", "--out={}/mine.mid"], "is the song itself: give another name"),
        (
            ["--midi={}/mine.mid", "--seed=3", "--tempo=90"],
            "--seed, --tempo and --verb=restore do not go together",
        ),
    ],
)
def test_songs_that_cannot_be_restored_are_one_sentence(command, asked, tmp_path, arguments, message):
    write_song(tmp_path / "mine.mid", join_phrases(PHRASES), GRID, 100)
    before = (tmp_path / "mine.mid").read_bytes()
    with pytest.raises(OptionError, match=message):
        command(request, *(argument.format(tmp_path) for argument in arguments))
    assert asked == []
    assert (tmp_path / "mine.mid").read_bytes() == before


class Composer:
    """Notes what it is asked; what it draws sounds everywhere."""

    def __init__(self, asked, url, grid, timeout):
        assert (url, grid, timeout) == ("http://there", GRID, 60.0)
        self._asked = asked

    def complete(self, song, given, **arguments):
        self._asked.append((song, given, arguments))
        return song & given[:, None, None] | ~given[:, None, None]

    def vary(self, song, amount, **arguments):
        self._asked.append((song, amount, arguments))
        return song[:, :, ::-1]

    def between(self, first, second, points, **arguments):
        self._asked.append((first, second, points, arguments))
        return np.stack([first] + [second] * (points - 1))


@pytest.fixture
def composing(monkeypatch, tmp_path):
    """What a server that composes is asked; a song of seven bars is in `mine.mid`, one of five in `other.mid`."""
    asked = []
    monkeypatch.setattr(
        request_verbs, "ServedComposer", lambda *given, **more: Composer(asked, *given, **more)
    )
    write_song(tmp_path / "mine.mid", join_phrases(PHRASES)[: 7 * 48], GRID, 77)
    write_song(tmp_path / "other.mid", join_phrases(PHRASES[::-1])[: 5 * 48], GRID, 90)
    monkeypatch.chdir(tmp_path)
    return asked


BARS = PHRASES.reshape(8, 48, 84, 5)[:7]
DRAWN = {"seed": 5, "temperature": 0.5}


def _ask(command, *arguments):
    command(request, "--url=http://there", "--noaudio", *arguments)


@pytest.mark.parametrize(
    ("arguments", "name", "drawn"),
    [
        (["--verb=infill", "--bars=2-3"], "mine-infilled.mid", np.s_[1:3, :]),
        (["--verb=infill", "--bars=7"], "mine-infilled.mid", np.s_[6:, :]),
        (["--verb=accompany", "--tracks=bass,drums"], "mine-accompanied.mid", np.s_[:, [0, 3]]),
        (["--verb=continue", "--bars=3"], "mine-continued.mid", np.s_[7:, :]),
    ],
)
def test_a_server_completes_a_song(command, composing, arguments, name, drawn):
    _ask(command, *arguments, "--midi=mine.mid", "--seed=5", "--temperature=0.5")
    [(song, given, how)] = composing
    bars = 10 if "continue" in arguments[0] else 7
    expected = np.ones((bars, 5), bool)
    expected[drawn] = False
    np.testing.assert_array_equal(given, expected)
    np.testing.assert_array_equal(song[:7], BARS)
    assert how == DRAWN
    made = read_song(name, GRID)
    seen = np.broadcast_to(expected[:, None, None], song.shape)
    np.testing.assert_array_equal(made.pianoroll.reshape(song.shape)[seen], song[seen])
    assert made.pianoroll.reshape(song.shape)[~seen].any()
    assert made.tempo == pytest.approx(77, abs=0.01)


def test_a_server_composes(command, composing):
    _ask(command, "--verb=compose", "--bars=9", "--seed=5", "--temperature=0.5", "--tempo=90")
    [(song, given, how)] = composing
    assert (song.shape, song.any(), given.shape, given.any()) == ((9, 48, 84, 5), False, (9, 5), False)
    assert how == DRAWN
    made = read_song("song.mid", GRID)
    assert (len(made.pianoroll), made.tempo) == (9 * 48, pytest.approx(90, abs=0.01))


def test_a_server_varies_and_finds_a_path(command, composing):
    _ask(command, "--verb=vary", "--midi=mine.mid", "--amount=0.7", "--seed=5")
    song, *rest = composing.pop()
    np.testing.assert_array_equal(song, BARS)
    assert rest == [0.7, {"seed": 5}]
    np.testing.assert_array_equal(
        read_song("mine-varied.mid", GRID).pianoroll, BARS[:, :, ::-1].reshape(-1, 84, 5)
    )
    _ask(command, "--verb=interpolate", "--midi=mine.mid", "--to=other.mid", "--points=3")
    first, second, *rest = composing.pop()
    np.testing.assert_array_equal([first, second], PHRASES)
    assert rest == [3, {"seed": 0}]
    made = read_song("mine-path.mid", GRID).pianoroll
    np.testing.assert_array_equal(made, join_phrases(PHRASES[[0, 1, 1]]))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--verb=infill"], "--bars= is no range of the song's bars 1 to 7, such as 5-8"),
        (["--verb=infill", "--bars=5-8"], "--bars=5-8 is no range of the song's bars 1 to 7"),
        (["--verb=infill", "--bars=3-2"], "--bars=3-2 is no range"),
        (["--verb=continue", "--bars=x"], "--bars=x is no number of bars: 1 to 4096"),
        (["--verb=continue", "--bars=4090"], "--bars=4090 after 7 bars are too many: 4096 in all"),
        (["--verb=accompany"], "--tracks is missing: the tracks to write, of drums, piano"),
        (["--verb=accompany", "--tracks=flute"], "--tracks=flute: track 'flute' is not one of drums"),
        (["--verb=vary", "--temperature=1"], "--temperature and --verb=vary do not go together"),
        (["--verb=interpolate"], "--to is missing"),
        (["--verb=interpolate", "--to=none.mid"], "none.mid: cannot be read"),
        (["--verb=compose"], "--verb=compose and --midi do not go together"),
    ],
)
def test_what_does_not_fit_a_song_is_one_sentence(command, composing, arguments, message):
    with pytest.raises(OptionError, match=message):
        _ask(command, "--midi=mine.mid", *arguments)
    assert composing == []


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--verb=vary"], "--verb=vary needs a song: name a MIDI file"),
        (["--bars=8"], "--bars and a song without --verb do not go together"),
        (["--verb=compose", "--phrases=2"], "--phrases and --verb=compose do not go together"),
        (["--verb=compose", "--bars=0"], "--bars=0 is no number of bars: 1 to 4096"),
    ],
)
def test_what_does_not_fit_a_song_from_nothing_is_one_sentence(command, composing, arguments, message):
    with pytest.raises(OptionError, match=message):
        _ask(command, *arguments)
    assert composing == []


def test_a_song_without_sound_and_accents(command, asked, tmp_path):
    command(request, f"--out={tmp_path / 'song.mid'}", "--noaudio", "--flat")
    assert [path.name for path in tmp_path.iterdir()] == ["song.mid"]
    assert (tmp_path / "song.mid").read_bytes() == midi_bytes(join_phrases(PHRASES), GRID, 100, flat=True)


def test_a_song_that_cannot_be_written_is_one_sentence(command, asked, tmp_path):
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(OptionError, match=r"file/none/song.mid cannot be written: Not a directory"):
        command(request, f"--out={tmp_path / 'file' / 'none' / 'song.mid'}")


def test_an_old_sound_does_not_stay_beside_a_new_song(command, asked, tmp_path):
    for name in ("song.wav", "song.ogg", "song-bass.wav", "other.wav"):
        (tmp_path / name).touch()
    command(request, f"--out={tmp_path / 'song.mid'}", "--noaudio")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["other.wav", "song.mid"]


def test_asking_needs_no_tensorflow():
    code = "import sys, msw2.cli.request; sys.exit(bool({'tensorflow', 'keras', 'grpc'} & set(sys.modules)))"
    environment = os.environ | {"PYTHONPATH": str(pathlib.Path(msw2.__file__).parents[1])}
    assert subprocess.run([sys.executable, "-c", code], check=False, env=environment).returncode == 0

"""A song asked of a server."""

import os
import pathlib
import subprocess
import sys

import numpy as np
import pytest

import msw2
from msw2.cli import request
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
    monkeypatch.setattr(request, "restore", restore)
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
        (["--midi={}/mine.mid", "--seed=3", "--tempo=90"], "--seed, --tempo and --midi do not go together"),
    ],
)
def test_songs_that_cannot_be_restored_are_one_sentence(command, asked, tmp_path, arguments, message):
    write_song(tmp_path / "mine.mid", join_phrases(PHRASES), GRID, 100)
    before = (tmp_path / "mine.mid").read_bytes()
    with pytest.raises(OptionError, match=message):
        command(request, *(argument.format(tmp_path) for argument in arguments))
    assert asked == []
    assert (tmp_path / "mine.mid").read_bytes() == before


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

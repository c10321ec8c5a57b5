"""A song asked of a server."""

import json

import numpy as np
import pytest

from msw2.cli import request
from msw2.cli.launch import OptionError
from msw2.music.grid import Grid
from msw2.music.midi import midi_bytes, read_song
from msw2.music.pianoroll import join_phrases
from msw2.serving import client

GRID = Grid()
PHRASES = np.random.default_rng(3).random((2, 4, 48, 84, 5)) < 0.02


@pytest.fixture
def asked(monkeypatch):
    """What the server was asked for; it answers with PHRASES."""
    asked = []

    def generate(url, grid, **arguments):
        asked.append((url, arguments))
        return client.pianoroll_from_response(json.dumps({"outputs": PHRASES.tolist()}), grid)

    monkeypatch.setattr(request, "generate", generate)
    return asked


def test_an_answer_becomes_a_song(command, asked, tmp_path, capsys):
    out = tmp_path / "song.mid"
    command(request, "--url=http://there", f"--out={out}", "--phrases=2", "--seed=5", "--tempo=90")
    assert asked == [("http://there", {"seeds": [5, 6], "temperature": 1.0})]
    song = read_song(out, GRID)
    np.testing.assert_array_equal(song.pianoroll, join_phrases(PHRASES))
    assert song.tempo == pytest.approx(90, abs=0.01)
    assert capsys.readouterr().out == f"{out}: 8 bars\n"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["song.mid", "song.ogg", "song.wav"]


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

"""`make generate` as the user meets it."""

import numpy as np
import pretty_midi
import pypianoroll
import pytest

from msw2.cli import generate
from msw2.inference.sampling import SilenceError
from msw2.music.grid import Grid
from msw2.music.midi import read_song
from msw2.music.pianoroll import load_npz
from msw2.sound.soundfont import SoundError

GRID = Grid()


def _files(run):
    return {path.name: path.read_bytes() for path in (run.path / "samples" / "generated").iterdir()}


def test_songs_are_music_in_five_forms_and_the_same_seed_gives_the_same_bytes(command, own_run, capsys):
    arguments = [f"--run={own_run.path}", "--songs=2", "--phrases=2", "--seed=4"]
    command(generate, *arguments, "--tempo=90")
    files = _files(own_run)
    kinds = ("json", "mid", "npz", "ogg", "png", "wav")
    assert sorted(files) == [f"song-00{i}.{kind}" for i in (0, 1) for kind in kinds]
    assert capsys.readouterr().out.startswith("2 songs of 2 phrases, seed 4: ")
    for i in (0, 1):
        song, tempo = load_npz(own_run.path / "samples" / "generated" / f"song-00{i}.npz", GRID)
        assert tempo == 90
        bars = song.reshape(-1, 48, 84, 5)
        assert len(bars) == 8
        assert bars.any(axis=(1, 2, 3)).all()
        read = read_song(own_run.path / "samples" / "generated" / f"song-00{i}.mid", GRID)
        np.testing.assert_array_equal(read.pianoroll, song)
        assert read.tempo == pytest.approx(90, abs=0.01)
    opened = pypianoroll.load(own_run.path / "samples" / "generated" / "song-000.npz")
    assert [track.program for track in opened.tracks] == [0, 0, 24, 32, 48]

    command(generate, *arguments, "--tempo=90")
    assert _files(own_run) == files


def test_flat_songs_without_sound(command, own_run):
    folder = own_run.path / "samples" / "generated"
    for path in [*folder.glob("*.wav"), *folder.glob("*.ogg")]:
        path.unlink()
    for flat, velocities in (("--flat", {96}), ("--noflat", {78, 88, 98, 102, 108})):
        command(generate, f"--run={own_run.path}", "--songs=1", "--phrases=1", flat, "--noaudio")
        midi = pretty_midi.PrettyMIDI(str(folder / "song-000.mid"))
        assert {note.velocity for track in midi.instruments for note in track.notes} <= velocities
    assert not list(folder.glob("*.wav"))
    assert not list(folder.glob("*.ogg"))


def test_a_bad_soundfont_is_refused_before_the_model_is_read(command, own_run, monkeypatch):
    monkeypatch.setattr("msw2.inference.sampling.Sampler.of", None)
    with pytest.raises(SoundError, match=r"none.sf2 cannot be read"):
        command(generate, f"--run={own_run.path}", "--soundfont=none.sf2")


def test_a_model_that_makes_silence_is_refused_and_nothing_is_written(
    command, own_run, tmp_path, monkeypatch
):
    def compose(*_, **__):
        raise SilenceError("only silence")

    monkeypatch.setattr("msw2.inference.sampling.Sampler.compose", compose)
    before = _files(own_run)
    with pytest.raises(SilenceError):
        command(generate, f"--run={own_run.path}", "--seed=99")
    assert _files(own_run) == before

"""`make generate` as the user meets it."""

import runpy
import types

import numpy as np
import pretty_midi
import pypianoroll
import pytest

from msw2.cli import generate, restore
from msw2.cli.launch import OptionError
from msw2.inference.sampling import SilenceError
from msw2.music.grid import Grid
from msw2.music.midi import read_song
from msw2.music.pianoroll import load_npz
from msw2.page.about import AboutError, read_about
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


def test_facts_are_seeds_and_figures(command, own_run):
    command(generate, f"--run={own_run.path}", "--songs=1", "--phrases=3", "--seed=2", "--noaudio")
    folder = own_run.path / "samples" / "generated"
    about = read_about(folder / "song-000.json")
    assert (about.made, about.preset, len(about.seeds)) == ("generated", "smoke", 3)
    midi = pretty_midi.PrettyMIDI(str(folder / "song-000.mid"))
    notes = sum(len(track.notes) for track in midi.instruments)
    assert about.figures["notes a bar"] == pytest.approx(notes / 12, abs=0.05)


def test_flat_songs_without_sound(command, own_run):
    folder = own_run.path / "samples" / "generated"
    for name in ("song-000.wav", "song-000.ogg", "song-000-bass.wav", "song-007.ogg"):
        (folder / name).touch()
    for flat, velocities in (("--flat", {96}), ("--noflat", {78, 88, 98, 102, 108})):
        command(generate, f"--run={own_run.path}", "--songs=1", "--phrases=1", flat, "--noaudio")
        midi = pretty_midi.PrettyMIDI(str(folder / "song-000.mid"))
        assert {note.velocity for track in midi.instruments for note in track.notes} <= velocities
    sounds = [path.name for kind in ("wav", "ogg") for path in folder.glob(f"song-00[07]*.{kind}")]
    assert sounds == ["song-007.ogg"]  # of a song that was not written anew
    (folder / "song-007.ogg").unlink()


def test_the_page_is_new_without_sound_and_too_many_songs_have_none(command, own_run, monkeypatch, capsys):
    page = own_run.path / "samples" / "index.html"
    page.write_text("old")
    arguments = [f"--run={own_run.path}", "--songs=1", "--phrases=1", "--noaudio"]
    command(generate, *arguments)
    assert '"file":"song-000.mid"' in page.read_text("utf-8")
    assert capsys.readouterr().out.endswith(f"\nto listen: {page}\n")
    monkeypatch.setattr("msw2.page.folder.MOST_SONGS", 0)
    command(generate, *arguments)
    assert not page.exists()
    shown = capsys.readouterr()
    assert "to listen" not in shown.out
    assert "no page: folder" in shown.err
    assert "a page holds at most 0" in shown.err


def test_a_place_that_cannot_be_written_is_refused_before_the_work(command, own_run, tmp_path, monkeypatch):
    monkeypatch.setattr("msw2.inference.sampling.Sampler.of", None)
    (tmp_path / "file").touch()
    run = types.SimpleNamespace(path=tmp_path / "file")
    monkeypatch.setattr("msw2.cli.options.open_run", lambda: run)
    with pytest.raises(OptionError, match=r"file/samples/generated cannot be written: Not a directory$"):
        command(generate, f"--run={own_run.path}")
    run.path = tmp_path / "read-only"
    monkeypatch.setattr(
        "msw2.cli.samples.os.access", lambda path, _: path.name != "generated"
    )  # root may always
    with pytest.raises(
        OptionError, match=r"read-only/samples/generated cannot be written: Permission denied$"
    ):
        command(generate, f"--run={own_run.path}")


@pytest.mark.parametrize("module", [generate, restore], ids=lambda module: module.__name__)
@pytest.mark.parametrize(
    "error", [OSError(28, "No space left on device"), AboutError("preset 5 is not text")]
)
def test_a_full_disk_and_odd_facts_are_sentences(module, error, monkeypatch):
    given = []
    monkeypatch.setattr("msw2.cli.launch.launch", lambda _, __, *errors, **___: given.extend(errors))
    runpy.run_path(module.__file__, run_name="__main__")
    assert isinstance(error, tuple(given))


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

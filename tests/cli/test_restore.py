"""`make restore` as the user meets it."""

import os

import numpy as np
import pytest

from msw2.cli import restore
from msw2.cli.launch import OptionError
from msw2.inference.sampling import Sampler
from msw2.music.grid import Grid
from msw2.music.midi import midi_bytes, read_song, write_song
from msw2.music.pianoroll import cut_phrases, join_phrases
from msw2.page.about import read_about
from msw2.page.folder import read_folder
from msw2.sound.soundfont import SoundError

GRID = Grid()


@pytest.fixture(scope="module")
def sampler(smoke_run, smoke_sandwich):
    sandwich, prior = smoke_sandwich
    return Sampler(sandwich, smoke_run.config, prior)


def test_songs_of_the_store_are_restored_beside_their_originals(
    command, own_run, sampler, tiny_store, capsys
):
    command(restore, f"--run={own_run.path}", f"--store={tiny_store.path}", "--split=train", "--songs=2")
    folder = own_run.path / "samples" / "restored"
    songs = list(tiny_store.songs("train"))[:2]
    sounds = [f"{version}.{kind}" for version in ("", "-original") for kind in ("ogg", "wav")]
    kinds = ("-original.mid", ".json", ".mid", ".npz", ".png", *sounds)
    assert sorted(path.name for path in folder.iterdir()) == sorted(s.name + k for s in songs for k in kinds)
    page = own_run.path / "samples" / "index.html"
    assert capsys.readouterr().out == f"2 songs restored: {folder}\nto listen: {page}\n"
    about = read_about(folder / f"{songs[0].name}.json")
    assert (about.made, about.other_file, about.preset) == ("restored", "", "smoke")
    assert about.figures.keys() == {"F1 of notes, %", "F1 of cells, %"}
    for song in songs:
        original = read_song(folder / f"{song.name}-original.mid", GRID)
        np.testing.assert_array_equal(original.pianoroll, join_phrases(song.phrases))
        made = read_song(folder / f"{song.name}.mid", GRID)
        np.testing.assert_array_equal(made.pianoroll, join_phrases(sampler.restore(song.phrases)))
        assert made.tempo == pytest.approx(song.tempo, abs=0.01)


def test_a_midi_file_is_restored_whole_at_its_tempo(command, own_run, sampler, tiny_store, tmp_path):
    phrases = tiny_store.load("train", 3)
    song = join_phrases(phrases)[: 9 * 48]  # two phrases and a bar
    write_song(tmp_path / "my song.mid", song, GRID, 77)
    command(restore, f"--run={own_run.path}", f"--midi={tmp_path / 'my song.mid'}", "--flat", "--noaudio")
    folder = own_run.path / "samples" / "restored"
    made = read_song(folder / "my song.mid", GRID)
    assert made.tempo == pytest.approx(77, abs=0.01)
    expected = sampler.restore(cut_phrases(song, GRID))
    np.testing.assert_array_equal(made.pianoroll, join_phrases(expected)[: len(song)])
    np.testing.assert_array_equal(read_song(folder / "my song-original.mid", GRID).pianoroll, song)
    assert (folder / "my song-original.mid").read_bytes() == midi_bytes(song, GRID, made.tempo, flat=True)
    assert not list(folder.glob("my song*.wav"))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, r"song.mid: cannot be read: No such file or directory$"),
        (b"RIFF", r"song.mid: not a Standard MIDI file$"),
        (b"MThd", r"song.mid: damaged MIDI file"),
    ],
)
def test_a_bad_file_is_one_sentence(command, own_run, tmp_path, content, message):
    if content is not None:
        (tmp_path / "song.mid").write_bytes(content)
    with pytest.raises(OptionError, match=message):
        command(restore, f"--run={own_run.path}", f"--midi={tmp_path / 'song.mid'}")


@pytest.fixture
def short():
    """bool [step, pitch, track] of a bar."""
    cells = np.zeros((48, 84, 5), bool)
    cells[4:40, 36, 3] = True
    return cells


@pytest.mark.parametrize(
    "name",
    ["no\u00a0break", "back\\slash", os.fsdecode(b"no text \xff"), "y" * 220],
    ids=["nbsp", "\\", "byte", "long"],
)
def test_any_name_of_a_file_will_do(command, own_run, tmp_path, short, name):
    write_song(tmp_path / f"{name}.mid", short, GRID, 90)
    command(restore, f"--run={own_run.path}", f"--midi={tmp_path / name}.mid", "--noaudio")
    folder = own_run.path / "samples" / "restored"
    (song,) = [song for song in read_folder(folder, GRID)[0] if song.versions[-1].file == f"{name}.mid"]
    assert [version.label for version in song.versions] == ["original", "restored"]
    np.testing.assert_array_equal(song.versions[0].pianoroll, short)


def test_what_takes_the_place_of_another_song_is_refused_before_the_work(
    command, own_run, tmp_path, short, monkeypatch
):
    monkeypatch.setattr("msw2.inference.sampling.Sampler.of", None)
    write_song(tmp_path / "a-original.mid", short, GRID, 90)
    with pytest.raises(
        OptionError, match=r"a-original.mid: a name that ends in -original is for what a song was"
    ):
        command(restore, f"--run={own_run.path}", f"--midi={tmp_path / 'a-original.mid'}")
    with pytest.raises(
        OptionError, match=r"/ééy.*y.mid: its name has 221 bytes, at most 220: restore a copy"
    ):
        command(restore, f"--run={own_run.path}", f"--midi={tmp_path / ('éé' + 'y' * 217)}.mid")
    inside = own_run.path / "samples" / "restored" / "inside.mid"
    write_song(inside, short, GRID, 90)
    before = inside.read_bytes()
    monkeypatch.chdir(inside.parent)
    with pytest.raises(OptionError, match=r"^inside.mid lies where restored songs go"):
        command(restore, f"--run={own_run.path}", "--midi=inside.mid")
    assert inside.read_bytes() == before
    inside.unlink()


@pytest.mark.parametrize(
    ("given", "error", "message"),
    [
        ("--stems", OptionError, "--noaudio and --stems do not go together"),
        ("--soundfont=none.sf2", OptionError, "--noaudio and --soundfont do not go together"),
        ("--audio --soundfont=none.sf2", SoundError, "none.sf2 cannot be read"),
    ],
)
def test_flags_of_the_sound_are_checked_before_the_songs_are_read(
    command, monkeypatch, given, error, message
):
    monkeypatch.setattr("msw2.cli.given_songs._songs", None)
    with pytest.raises(error, match=message):
        command(restore, "--noaudio", *given.split())

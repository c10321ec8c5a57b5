"""`make restore` as the user meets it."""

import numpy as np
import pytest

from msw2.cli import restore
from msw2.cli.launch import OptionError
from msw2.inference.sampling import Sampler
from msw2.music.grid import Grid
from msw2.music.midi import midi_bytes, read_song, write_song
from msw2.music.pianoroll import cut_phrases, join_phrases
from msw2.page.about import read_about

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
    assert (about.made, about.other, about.preset) == ("restored", "original", "smoke")
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

"""Folders of MIDI files as songs: pairs, facts, and what is left out."""

import numpy as np
import pytest

from msw2.music.grid import Grid
from msw2.music.midi import read_song, write_song
from msw2.page.about import About, write_about
from msw2.page.folder import FolderError, listed, midi_files, original_path, read_folder

GRID = Grid()


@pytest.fixture
def write(two_notes):
    """Returns a function that writes a song of two notes, the lower one at a pitch."""

    def write(folder, name, pitch=40, tempo=100.0):
        write_song(folder / name, two_notes(pitch), GRID, tempo)

    return write


def outline(songs):
    """[(name, [(label, file, lowest sounding pitch)])] of songs."""
    return [
        (
            song.name,
            [(v.label, v.file, int(np.flatnonzero(v.pianoroll.any(axis=(0, 2)))[0])) for v in song.versions],
        )
        for song in songs
    ]


def test_anybody_s_files_make_songs(write, tmp_path):
    write(tmp_path, "b.MIDI", 30)
    write(tmp_path, "a.mid", 31, tempo=90)
    write(tmp_path, "sub/folder/c.mid", 32)
    write(tmp_path, ".hidden/d.mid")
    write(tmp_path, ".e.mid")
    (tmp_path / "notes.txt").write_text("la")
    (tmp_path / "f.mid").mkdir()
    songs, left_out = read_folder(tmp_path, GRID)
    assert outline(songs) == [
        ("a", [("made", "a.mid", 31)]),
        ("b", [("made", "b.MIDI", 30)]),
        ("sub/folder/c", [("made", "c.mid", 32)]),
    ]
    assert left_out == []
    (version,) = songs[0].versions
    assert version.midi == (tmp_path / "a.mid").read_bytes()
    assert version.tempo == pytest.approx(90, abs=0.01)
    np.testing.assert_array_equal(version.pianoroll, read_song(tmp_path / "a.mid", GRID).pianoroll)


def test_midi_files_are_those_that_a_person_sees(tmp_path):
    shown = ["a.mid", "B.MIDI", "deep/er/c.Mid"]
    for name in [*shown, ".d.mid", ".hidden/e.mid", "deep/.f/g.mid", "h.midi.txt", "mid"]:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    (tmp_path / "i.mid").mkdir()
    found = [path.relative_to(tmp_path).as_posix() for path in midi_files(tmp_path)]
    assert found == ["B.MIDI", "a.mid", "deep/er/c.Mid"]
    assert original_path(tmp_path / "a.b.mid") == tmp_path / "a.b-original.mid"


def test_originals_stand_before_what_was_made_of_them(write, tmp_path):
    write(tmp_path, "a.mid", 31)
    write(tmp_path, "a-original.mid", 32)
    write(tmp_path, "b-original.mid", 33)  # without its counterpart, a song like any other
    songs, _ = read_folder(tmp_path, GRID)
    assert outline(songs) == [
        ("a", [("original", "a-original.mid", 32), ("made", "a.mid", 31)]),
        ("b-original", [("made", "b-original.mid", 33)]),
    ]


def test_facts_name_the_versions(write, tmp_path):
    write(tmp_path, "a.mid", 31)
    write(tmp_path, "theme.mid", 32)
    write(tmp_path, "g.mid", 33)
    about = About("varied", "given", "theme.mid", (3, 4, 5, 9), "tuned", {"near": 0.25})
    write_about(tmp_path / "a.json", about)
    write_about(tmp_path / "g.json", About("generated", seeds=(7,)))
    songs, left_out = read_folder(tmp_path, GRID)
    assert outline(songs) == [
        ("a", [("given", "theme.mid", 32), ("varied", "a.mid", 31)]),
        ("g", [("generated", "g.mid", 33)]),
    ]
    assert songs[0].versions[0].facts == {}
    assert songs[0].versions[1].facts == {"preset": "tuned", "seeds": "3 to 5, 9", "near": 0.25}
    assert songs[1].versions[0].facts == {"seed": "7"}
    assert left_out == []


def test_a_version_that_is_not_there_is_named(write, tmp_path):
    write(tmp_path, "a.mid", 31)
    write(tmp_path, "a-original.mid", 32)
    write_about(tmp_path / "a.json", About("varied", "given", "theme.mid"))
    songs, left_out = read_folder(tmp_path, GRID)
    assert [name for name, _ in outline(songs)] == ["a", "a-original"]
    assert left_out == [f"{tmp_path / 'theme.mid'}: not there, though a.json names it"]


def test_an_other_version_of_two_songs_is_shown_with_both(write, tmp_path):
    for name, pitch in (("a.mid", 31), ("b.mid", 32), ("theme.mid", 33)):
        write(tmp_path, name, pitch)
        write_about(tmp_path / name.replace(".mid", ".json"), About("varied", "given", "theme.mid"))
    songs, left_out = read_folder(tmp_path, GRID)
    assert [(name, len(versions)) for name, versions in outline(songs)] == [("a", 2), ("b", 2)]
    # A song that names itself has no other version.
    assert left_out == [f"{tmp_path / 'theme.mid'}: not there, though theme.json names it"]


def test_two_files_that_name_each_other_are_one_song(write, tmp_path):
    write(tmp_path, "a.mid", 31)
    write(tmp_path, "b.mid", 32)
    write_about(tmp_path / "a.json", About("one", "two", "b.mid"))
    write_about(tmp_path / "b.json", About("two", "one", "a.mid"))
    songs, _ = read_folder(tmp_path, GRID)
    assert outline(songs) == [("a", [("two", "b.mid", 32), ("one", "a.mid", 31)])]


def test_files_that_cannot_be_read_are_named_and_left_out(write, tmp_path):
    write(tmp_path, "a.mid", 31)
    (tmp_path / "a-original.mid").write_bytes(b"MThd")
    (tmp_path / "a.json").write_text('{"made": 1}')
    (tmp_path / "b.mid").write_bytes(b"RIFF")
    songs, left_out = read_folder(tmp_path, GRID)
    assert outline(songs) == [("a", [("made", "a.mid", 31)])]
    assert [sentence.replace(f"{tmp_path}/", "").partition(":")[0] for sentence in left_out] == [
        "facts in a.json",
        "a-original.mid",
        "b.mid",
    ]
    assert left_out[2] == f"{tmp_path / 'b.mid'}: not a Standard MIDI file"


def test_folders_without_songs_are_refused_in_a_sentence(tmp_path):
    with pytest.raises(FolderError, match=r"folder .*none does not exist$"):
        read_folder(tmp_path / "none", GRID)
    with pytest.raises(FolderError, match=r"has no MIDI files \(\.mid, \.midi\)$"):
        read_folder(tmp_path, GRID)
    (tmp_path / "a.mid").write_bytes(b"")
    with pytest.raises(FolderError, match=r"has no song that can be read: .*a\.mid: empty file$"):
        read_folder(tmp_path, GRID)
    for number in range(200):
        (tmp_path / f"{number}.mid").touch()
    with pytest.raises(FolderError, match=r"has 201 songs, and a page holds at most 200$"):
        read_folder(tmp_path, GRID)


@pytest.mark.parametrize(
    ("numbers", "text"),
    [((5,), "5"), ((5, 6), "5, 6"), ((5, 6, 7), "5 to 7"), ((9, 1, 2, 3, 4, 0, 0), "9, 1 to 4, 0, 0")],
)
def test_runs_of_seeds_are_short(numbers, text):
    assert listed(numbers) == text

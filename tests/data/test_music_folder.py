import os

import numpy as np
import pytest

from msw2.data.music_folder import MusicError, phrases_of, read_music
from msw2.music.grid import Grid
from msw2.music.midi import write_song
from msw2.music.pianoroll import save_npz

GRID = Grid()


def song(pitch, bars, silent=()):
    """A note of the piano in each bar but the silent ones."""
    pianoroll = np.zeros((bars * 48, 84, 5), bool)
    for bar in range(bars):
        if bar not in silent:
            pianoroll[48 * bar : 48 * bar + 6, pitch, 1] = True
    return pianoroll


def read(folder, limit=0, seed=0, workers=0):
    return read_music(folder, GRID, limit=limit, seed=seed, workers=workers)


@pytest.fixture
def folder(tmp_path):
    """Six songs in two formats, in three folders, and what is none."""
    for name, pianoroll in {
        "b/long.mid": song(40, 13, silent=range(4, 8)),
        "a.mid": song(41, 2),
        "b/c/four.MIDI": song(42, 4),
        "same.mid": song(42, 4),
    }.items():
        write_song(tmp_path / name, pianoroll, GRID, 100)
    save_npz(tmp_path / "b/long.npz", song(50, 4), GRID)  # not read: b/long.mid is there
    save_npz(tmp_path / "d.npz", song(43, 9), GRID)
    (tmp_path / "bad.mid").write_bytes(b"MThd")
    (tmp_path / "bad2.mid").write_bytes(b"MThd")
    (tmp_path / "empty.npz").write_bytes(b"")
    (tmp_path / ".hidden.mid").write_bytes(b"")
    (tmp_path / "picture.png").write_bytes(b"")
    return tmp_path


def test_every_song_counts_and_what_does_not_has_its_reason(folder):
    music = read(folder)
    assert (music.read, music.different, music.there) == (5, 4, 7)
    assert music.left_out == {
        "damaged MIDI file": 2,
        "another format of the song of the same name": 1,
        "damaged .npz file": 1,
    }
    assert music.bent == {}
    # In the order of paths: a.mid, b/c/four.MIDI, b/long.mid, d.npz, same.mid.
    assert music.files.tolist() == [0, 1, 2, 2, 3, 3, 4]
    assert music.songs.tolist() == [0, 1, 2, 2, 3, 3, 1]
    phrases = music.phrases(GRID)
    expected = np.concatenate(
        [phrases_of(song(*each), GRID) for each in ((41, 2), (42, 4), (40, 8), (43, 8), (42, 4))]
    )
    assert (phrases == expected).all()
    assert len(music) == 7


def test_reading_in_processes_is_the_same(folder):
    one, other = read(folder), read(folder, workers=2)
    assert (one.packed == other.packed).all()
    assert (one.left_out, one.songs.tolist()) == (other.left_out, other.songs.tolist())


def test_phrases_are_whole_and_sound():
    assert len(phrases_of(song(1, 3), GRID)) == 1
    assert phrases_of(song(1, 3), GRID)[0, :, 0, 1, 1].tolist() == [True, True, True, False]
    assert len(phrases_of(song(1, 7), GRID)) == 1
    found = phrases_of(song(1, 12, silent=[*range(4, 8), 8]), GRID)
    assert found[:, :, 0, 1, 1].tolist() == [[True] * 4, [False, True, True, True]]
    assert phrases_of(song(1, 4, silent=range(4)), GRID).shape == (0, 4, 48, 84, 5)


def test_a_draw_takes_as_many_of_each_file(tmp_path):
    sizes = {"a": 1, "b": 9, "c": 3, "d": 9}
    for index, (name, phrases) in enumerate(sizes.items()):
        pianoroll = song(20 + index, 4 * phrases)
        pianoroll[np.arange(phrases) * 192, np.arange(phrases) + 40, 2] = True  # each phrase is another
        write_song(tmp_path / f"{name}.mid", pianoroll, GRID, 100)
    everything = read(tmp_path)
    assert everything.there == len(everything) == 22
    counts = {
        limit: np.bincount(read(tmp_path, limit).files, minlength=4).tolist()
        for limit in (2, 4, 7, 12, 21, 22, 30)
    }
    assert counts == {
        2: [1, 0, 1, 0],
        4: [1, 1, 1, 1],
        7: [1, 2, 2, 2],
        12: [1, 4, 3, 4],
        21: [1, 9, 3, 8],
        22: [1, 9, 3, 9],
        30: [1, 9, 3, 9],
    }
    assert (read(tmp_path, 30).packed == everything.packed).all()
    drawn = read(tmp_path, 12)
    assert drawn.there == 22
    assert (drawn.packed == read(tmp_path, 12).packed).all()
    assert (drawn.packed != read(tmp_path, 12, seed=1).packed).any()
    rows = {each.tobytes(): place for place, each in enumerate(everything.packed)}
    places = [rows[each.tobytes()] for each in drawn.packed]
    assert places == sorted(set(places))


def test_files_of_another_meter_count_and_are_named(folder, monkeypatch):
    monkeypatch.setattr(
        "msw2.data.music_folder.read_any_song",
        lambda path, grid: type("Bent", (), {"pianoroll": song(1, 4), "bent": "not in 4/4 throughout: 3/4"}),
    )
    music = read(folder)
    assert music.bent == {"not in 4/4 throughout": 8}
    assert music.different == 1


def test_a_fault_of_the_reader_costs_one_file(folder, monkeypatch):
    def broken(path, grid):
        if "four" in path:
            raise IndexError("at 5")
        return type("Read", (), {"pianoroll": song(1, 4, silent=range(4 * ("same" in path))), "bent": ""})

    monkeypatch.setattr("msw2.data.music_folder.read_any_song", broken)
    assert read(folder).left_out == {
        "another format of the song of the same name": 1,
        "reader failed": 1,
        "no window of four bars sounds": 1,
    }


def test_a_pipe_is_not_waited_for(folder):
    os.mkfifo(folder / "pipe.mid")
    assert read(folder).left_out["not a regular file"] == 1


def test_a_folder_without_music_is_one_sentence(tmp_path):
    with pytest.raises(MusicError, match=f"^folder {tmp_path}/none does not exist$"):
        read(tmp_path / "none")
    (tmp_path / "song.wav").write_bytes(b"")
    with pytest.raises(MusicError, match=r"has no songs: no file ends in \.mid, \.midi, \.npz$"):
        read(tmp_path)
    for name in "ab":
        (tmp_path / f"{name}.mid").write_bytes(b"")
    (tmp_path / "c.npz").write_bytes(b"x")
    with pytest.raises(
        MusicError, match=r"^none of the 3 songs of .* \(2 empty file, 1 damaged \.npz file\)$"
    ):
        read(tmp_path)

"""Songs as files: what is new, and what of earlier songs goes."""

import numpy as np

from msw2.inference.song_files import MadeSong, draw_songs, write_songs
from msw2.music.grid import Grid
from msw2.music.midi import midi_bytes
from msw2.music.pianoroll import load_npz
from msw2.page.about import About, read_about

GRID = Grid()


def cells(pitch, bars=2):
    found = np.zeros((48 * bars, 84, 5), bool)
    found[3:20, pitch, 1] = True
    return found


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_songs_and_originals_have_their_files(tmp_path):
    songs = [
        MadeSong("a", cells(40), 90.0, "made", About("restored", figures={"F1": 0.5}), cells(41)),
        MadeSong("b", cells(42, bars=1), 80.0, "made", About("generated")),
    ]
    folder = tmp_path / "new"
    written = write_songs(folder, songs, GRID, flat=True)
    assert written == [folder / "a-original.mid", folder / "a.mid", folder / "b.mid"]
    assert names(folder) == sorted(
        ["a-original.mid", *(f"{s}.{k}" for s in "ab" for k in ("json", "mid", "npz"))]
    )
    for midi, pitch, tempo, bars in zip(written, (41, 40, 42), (90, 90, 80), (2, 2, 1), strict=True):
        assert midi.read_bytes() == midi_bytes(cells(pitch, bars), GRID, tempo, flat=True)
    npz, tempo = load_npz(folder / "b.npz", GRID)
    np.testing.assert_array_equal(npz, cells(42, bars=1))
    assert tempo == 80
    assert read_about(folder / "a.json") == songs[0].about
    draw_songs(folder, songs, GRID)
    assert (folder / "a.png").stat().st_size > (folder / "b.png").stat().st_size


def test_nothing_of_an_earlier_song_stays_beside_a_new_one(tmp_path):
    gone = ["a.wav", "a.ogg", "a.png", "a-drums.wav", "a-original.wav", "a-original-strings.wav"]
    kept = ["b.wav", "b.mid", "index.html"]
    for name in gone + kept:
        (tmp_path / name).touch()
    song = MadeSong("a", cells(40), 90.0, "made", About("restored"), cells(41))
    write_songs(tmp_path, [song], GRID)
    assert names(tmp_path) == sorted(["a-original.mid", "a.json", "a.mid", "a.npz", *kept])


def test_the_old_sound_goes_before_the_new_song_comes(tmp_path, monkeypatch):
    (tmp_path / "a.wav").touch()
    seen = []
    monkeypatch.setattr("msw2.inference.song_files.write_song", lambda *_, **__: seen.append(names(tmp_path)))
    write_songs(tmp_path, [MadeSong("a", cells(40), 90.0, "made", About("generated"))], GRID)
    assert seen == [[]]

import json
import time
import zipfile

import numpy as np
import pypianoroll
import pytest

from msw2.music import pianoroll
from msw2.music.grid import Grid
from msw2.music.tracks import TRACKS

GRID = Grid(bars=3, steps=8, pitches=14, lowest_pitch=26, beat_resolution=2)


def song_of(*cells, steps):
    song = np.zeros((steps, 14, 5), bool)
    for cell in cells:
        song[cell] = True
    return song


def edit(path, **changes):
    """Rewrites members of an .npz, as another program might have written them."""
    with np.load(path) as file:
        members = {name: file[name] for name in file.files}
    info = json.loads(members.pop("info.json"))
    members |= {name: value for name, value in changes.items() if name != "info"}
    np.savez(path, **{name: value for name, value in members.items() if value is not None})
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("info.json", json.dumps(info | changes.get("info", {})))


def test_binarise_keeps_the_threshold_itself():
    probability = np.array([[0.0, 0.49, 0.5], [0.51, 1.0, 0.2]], np.float32)
    on = pianoroll.binarise(probability)
    assert on.dtype == bool
    assert on.tolist() == [[False, False, True], [True, True, False]]


def test_binarise_reads_signed_values_at_zero():
    assert pianoroll.binarise(np.array([-1.0, -0.2, 0.0, 0.3, 1.0]), 0).tolist() == [
        False,
        False,
        True,
        True,
        True,
    ]


def test_binarise_refuses_nan():
    with pytest.raises(ValueError, match="1 of 3 values are NaN"):
        pianoroll.binarise(np.array([0.2, np.nan, 1.0]))


def test_joined_phrases_follow_one_another_bar_by_bar():
    phrases = np.zeros((2, 3, 8, 14, 5), bool)
    phrases[0, 2, 7, 3, 4] = phrases[1, 0, 0, 4, 1] = phrases[1, 1, 5, 13, 0] = True
    song = pianoroll.join_phrases(phrases)
    assert song.shape == (48, 14, 5)
    assert np.argwhere(song).tolist() == [[23, 3, 4], [24, 4, 1], [37, 13, 0]]


def test_cut_song_is_padded_to_whole_phrases():
    song = song_of((0, 1, 2), (23, 3, 4), (24, 4, 1), (25, 13, 0), steps=26)
    phrases = pianoroll.cut_phrases(song, GRID)
    assert phrases.shape == (2, 3, 8, 14, 5)
    assert np.argwhere(phrases).tolist() == [
        [0, 0, 0, 1, 2],
        [0, 2, 7, 3, 4],
        [1, 0, 0, 4, 1],
        [1, 0, 1, 13, 0],
    ]
    assert (pianoroll.join_phrases(phrases)[:26] == song).all()


def test_song_of_whole_phrases_is_not_padded_and_none_gives_none():
    assert pianoroll.cut_phrases(song_of(steps=48), GRID).shape == (2, 3, 8, 14, 5)
    assert pianoroll.cut_phrases(song_of(steps=0), GRID).shape == (0, 3, 8, 14, 5)


def test_songs_and_phrases_of_other_shapes_are_refused():
    with pytest.raises(ValueError, match=r"song of shape \(26, 13, 5\) is not \[step, 14 pitches, track\]"):
        pianoroll.cut_phrases(np.zeros((26, 13, 5), bool), GRID)
    with pytest.raises(ValueError, match=r"phrases of shape \(3, 8, 14, 5\) are not"):
        pianoroll.join_phrases(np.zeros((3, 8, 14, 5), bool))


def test_npz_is_what_pypianoroll_reads(tmp_path):
    song = song_of((0, 0, 0), (5, 13, 1), (6, 13, 1), (9, 2, 4), steps=19)
    pianoroll.save_npz(tmp_path / "song.npz", song, GRID, tempo=93.5)
    multitrack = pypianoroll.load(tmp_path / "song.npz")
    multitrack.validate()
    assert multitrack.resolution == 2
    assert multitrack.tempo.tolist() == [93.5] * 19
    assert np.flatnonzero(multitrack.downbeat).tolist() == [0, 8, 16]
    assert [(t.name, t.program, t.is_drum) for t in multitrack.tracks] == [
        (track.name.capitalize(), track.program, track.is_drum) for track in TRACKS
    ]
    assert [track.pianoroll.shape for track in multitrack.tracks] == [(19, 128)] * 5
    assert [np.argwhere(track.pianoroll).tolist() for track in multitrack.tracks] == [
        [[0, 26]],
        [[5, 39], [6, 39]],
        [],
        [],
        [[9, 28]],
    ]


def test_npz_of_a_real_grid_has_twelve_steps_a_beat(tmp_path):
    song = np.zeros((192, 84, 5), bool)
    song[191, 83, 3] = True
    pianoroll.save_npz(tmp_path / "song.npz", song, Grid())
    multitrack = pypianoroll.load(tmp_path / "song.npz")
    assert (multitrack.resolution, multitrack.tempo[0]) == (12, 100.0)
    assert np.argwhere(multitrack.tracks[3].pianoroll).tolist() == [[191, 107]]


def test_round_trip_keeps_silence_at_both_ends(tmp_path):
    song = song_of((4, 3, 2), (4, 3, 3), steps=31)
    pianoroll.save_npz(tmp_path / "song.npz", song, GRID, tempo=60)
    back, tempo = pianoroll.load_npz(tmp_path / "song.npz", GRID)
    assert back.dtype == bool
    assert back.shape == (31, 14, 5)
    assert (back == song).all()
    assert tempo == 60.0


def test_same_song_gives_same_bytes_at_another_time(tmp_path, monkeypatch):
    song = song_of((4, 3, 2), steps=31)
    pianoroll.save_npz(tmp_path / "a.npz", song, GRID)
    later = time.localtime(time.time() + 86_400)
    monkeypatch.setattr(time, "localtime", lambda *_: later)
    pianoroll.save_npz(tmp_path / "b.npz", song, GRID)
    assert (tmp_path / "a.npz").read_bytes() == (tmp_path / "b.npz").read_bytes()


def test_song_that_pypianoroll_saved_loads_with_trimmed_tracks_padded(tmp_path):
    tracks = [pypianoroll.StandardTrack(pianoroll=np.zeros((0, 128), np.uint8)) for _ in TRACKS]
    tracks[2].pianoroll = np.zeros((7, 128), np.uint8)
    tracks[2].pianoroll[6, 30] = 77
    pypianoroll.save(tmp_path / "song.npz", pypianoroll.Multitrack(resolution=2, tracks=tracks))
    song, tempo = pianoroll.load_npz(tmp_path / "song.npz", GRID)
    assert song.shape == (7, 14, 5)
    assert np.argwhere(song).tolist() == [[6, 4, 2]]
    assert tempo == 100.0


def test_unfitting_songs_are_not_saved(tmp_path):
    with pytest.raises(ValueError, match=r"song of shape \(9, 14, 4\) is not \[step, 14 pitches, 5 tracks\]"):
        pianoroll.save_npz(tmp_path / "song.npz", np.zeros((9, 14, 4), bool), GRID)
    with pytest.raises(ValueError, match="tempo 0 is not above 0"):
        pianoroll.save_npz(tmp_path / "song.npz", song_of(steps=9), GRID, tempo=0)
    assert list(tmp_path.iterdir()) == []


def test_files_that_do_not_fit_the_grid_are_refused(tmp_path):
    path = tmp_path / "song.npz"
    pianoroll.save_npz(path, song_of((1, 0, 0), steps=9), GRID)
    with pytest.raises(ValueError, match="has 2 steps a beat; the grid has 12"):
        pianoroll.load_npz(path, Grid())
    higher = Grid(bars=3, steps=8, pitches=14, lowest_pitch=27, beat_resolution=2)
    with pytest.raises(ValueError, match=r"notes outside the grid's pitches 27\.\.40"):
        pianoroll.load_npz(path, higher)
    sixth = {"data": np.zeros(0, bool), "indices": np.zeros(0, int), "indptr": np.zeros(129, int)}
    sixth = {
        f"pianoroll_5_csc_{part}": array for part, array in (sixth | {"shape": np.array([9, 128])}).items()
    }
    edit(path, info={"5": {"program": 0, "is_drum": False}}, **sixth)
    with pytest.raises(ValueError, match="has 6 tracks, not the five drums, piano, guitar, bass, strings"):
        pianoroll.load_npz(path, GRID)
    pianoroll.save_npz(path, song_of(steps=9), GRID)
    edit(path, pianoroll_3_csc_shape=np.array([9, 10**6]))
    with pytest.raises(ValueError, match="damaged pianoroll: track 3 is no sparse matrix of 128"):
        pianoroll.load_npz(path, GRID)


def test_chosen_cells_are_of_the_chosen_bars_and_tracks():
    song = np.ones((6, 3, 5), bool)
    chosen = np.zeros((2, 5), bool)
    chosen[0, 4] = chosen[1, 1] = True
    kept = pianoroll.chosen_cells(song, chosen)
    assert kept[:3, :, 4].all()
    assert kept[3:, :, 1].all()
    assert kept.sum() == 2 * 9
    with pytest.raises(
        ValueError, match=r"^\[4, 5\] are not bars and tracks of a song of shape \(6, 3, 5\)$"
    ):
        pianoroll.chosen_cells(song, np.zeros((4, 5), bool))

import mido
import numpy as np
import pypianoroll
import pytest

from msw2.music.any_song import read_any_song
from msw2.music.grid import Grid
from msw2.music.midi import SongError, read_song
from msw2.music.pianoroll import save_npz

GRID = Grid()
DRUMS, PIANO, BASS = 0, 1, 3


def a_song():
    song = np.zeros((2 * 48, 84, 5), bool)
    song[0:6, 12, BASS] = True
    song[50:60, 30, PIANO] = True
    song[[0, 12, 13], 12, DRUMS] = True
    return song


def midi(path, *meta, notes=((60, 0, 240),)):
    """Writes a file of 480 ticks a beat: meta messages at time 0, then notes (pitch, start, length) one by one."""
    file = mido.MidiFile(ticks_per_beat=480)
    track = mido.MidiTrack(meta)
    now = 0
    for pitch, start, length in notes:
        track.append(mido.Message("note_on", note=pitch, velocity=64, time=start - now))
        track.append(mido.Message("note_off", note=pitch, time=length))
        now = start + length
    file.tracks.append(track)
    file.save(path)
    return path


def cells(song):
    return sorted(zip(*(axis.tolist() for axis in np.nonzero(song)), strict=True))


def test_what_fits_the_grid_is_read_as_it_is(tmp_path):
    save_npz(tmp_path / "a.NPZ.npz", a_song(), GRID)
    found = read_any_song(tmp_path / "a.NPZ.npz", GRID)
    assert (found.pianoroll == a_song()).all()
    assert found.bent == ""
    path = midi(tmp_path / "a.MID", notes=((60, 480, 240), (62, 1440, 40)))
    found = read_any_song(path, GRID)
    assert (found.pianoroll == read_song(path, GRID).pianoroll).all()
    assert cells(found.pianoroll) == [*((step, 36, PIANO) for step in range(12, 18)), (36, 38, PIANO)]
    assert found.bent == ""


@pytest.mark.parametrize(
    ("meta", "bent"),
    [
        (mido.MetaMessage("time_signature", numerator=3, denominator=4), "not in 4/4 throughout: 3/4"),
        (mido.MetaMessage("set_tempo", tempo=0), "absurd tempo: 0 microseconds a beat"),
    ],
)
def test_another_meter_or_tempo_is_laid_on_bars_of_four_beats(tmp_path, meta, bent):
    path = midi(tmp_path / "a.mid", meta, notes=((60, 0, 480), (64, 3 * 480, 480), (67, 6 * 480, 480)))
    with pytest.raises(SongError, match=bent):
        read_song(path, GRID)
    found = read_any_song(path, GRID)
    assert found.bent == bent
    assert found.pianoroll.shape == (96, 84, 5)
    starts = [0, 36, 72]
    assert cells(found.pianoroll) == [
        (step, pitch, PIANO)
        for start, pitch in zip(starts, (36, 40, 43), strict=True)
        for step in range(start, start + 12)
    ]


def multitrack(resolution, **more):
    """Piano from step 1 to 3, drums at 1 and 2, of a pianoroll of five steps; also an instrument that LPD drops."""
    rolls = np.zeros((3, 5, 128), np.uint8)
    rolls[0, 1:3, 60] = 100
    rolls[1, 1:3, 36] = 100
    rolls[2, 0, 50] = 100
    tracks = [
        pypianoroll.StandardTrack(program=program, is_drum=is_drum, pianoroll=roll)
        for (program, is_drum), roll in zip(((4, False), (0, True), (120, False)), rolls, strict=True)
    ]
    return pypianoroll.Multitrack(resolution=resolution, tracks=tracks, **more)


def test_a_coarse_pianoroll_goes_to_the_nearest_steps(tmp_path):
    multitrack(4).save(tmp_path / "a.npz")
    found = read_any_song(tmp_path / "a.npz", GRID)
    assert found.bent == "resolution is no multiple of 12 steps a beat: 4"
    assert found.pianoroll.shape == (48, 84, 5)
    assert cells(found.pianoroll) == [
        (3, 12, DRUMS),
        (3, 36, PIANO),
        (4, 36, PIANO),
        (5, 36, PIANO),
        (6, 12, DRUMS),
        *((step, 36, PIANO) for step in range(6, 9)),
    ]


def test_a_fine_pianoroll_goes_to_the_nearest_steps(tmp_path):
    multitrack(40).save(tmp_path / "a.npz")  # a step is 0.3 of the grid's: 1 and 2 are 0.3 and 0.6, 3 is 0.9
    found = read_any_song(tmp_path / "a.npz", GRID)
    assert cells(found.pianoroll) == [(0, 12, DRUMS), (0, 36, PIANO), (1, 12, DRUMS)]


def test_downbeats_of_another_meter_do_not_matter(tmp_path):
    downbeat = np.arange(5) == 3
    multitrack(12, downbeat=downbeat).save(tmp_path / "a.npz")
    found = read_any_song(tmp_path / "a.npz", GRID)
    assert found.bent == "not in 4/4 throughout: downbeats are not four beats apart"
    assert cells(found.pianoroll) == [(1, 12, DRUMS), (1, 36, PIANO), (2, 12, DRUMS), (2, 36, PIANO)]


def test_what_is_no_song_is_refused(tmp_path, monkeypatch):
    (tmp_path / "a.mid").write_bytes(b"RIFF....")
    with pytest.raises(SongError, match="not a Standard MIDI file"):
        read_any_song(tmp_path / "a.mid", GRID)
    with pytest.raises(SongError, match="no notes on the grid's pitches"):
        read_any_song(midi(tmp_path / "b.mid", notes=((3, 0, 10),)), GRID)
    np.savez(tmp_path / "c.npz", roll=np.zeros(3))
    with pytest.raises(SongError, match=r"no info\.json in the \.npz file"):
        read_any_song(tmp_path / "c.npz", GRID)
    save_npz(tmp_path / "d.npz", np.zeros((48, 84, 5), bool), GRID)
    with pytest.raises(SongError, match="no notes on the grid's pitches"):
        read_any_song(tmp_path / "d.npz", GRID)
    multitrack(4).save(tmp_path / "e.npz")
    monkeypatch.setattr("msw2.music.any_song.MAX_CELLS", 128 * 3 * 5 * 3 - 1)
    with pytest.raises(SongError, match="too large: 5760 cells, at most 5759"):
        read_any_song(tmp_path / "e.npz", GRID)

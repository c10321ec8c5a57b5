"""Songs as objects of pypianoroll and pretty_midi, against cells placed by hand."""

import io

import numpy as np
import pretty_midi
import pypianoroll
import pytest

from msw2.music.grid import Grid
from msw2.music.midi import SongError, read_song, write_song
from msw2.music.multitrack import from_multitrack, from_pretty_midi, to_multitrack, to_pretty_midi
from msw2.music.tracks import TRACKS

# Two steps a beat, eight a bar; pitch 0 is MIDI's 26.
GRID = Grid(bars=3, steps=8, pitches=14, lowest_pitch=26, beat_resolution=2)
STANDARD = {"program": 0, "is_drum": False}


def song_of(*cells, steps=16):
    song = np.zeros((steps, 14, 5), bool)
    for cell in cells:
        song[cell] = True
    return song


def multitrack_of(*tracks, resolution=2, **kwargs):
    """Tracks are (dict of a track, steps, cells [step, MIDI pitch])."""
    found = []
    for about, steps, cells in tracks:
        roll = np.zeros((steps, 128), np.uint8)
        for step, pitch in cells:
            roll[step, pitch] = 77
        found.append(pypianoroll.StandardTrack(pianoroll=roll, **(STANDARD | about)))
    return pypianoroll.Multitrack(resolution=resolution, tracks=found, **kwargs)


def cells_of(song):
    return sorted(zip(*(axis.tolist() for axis in np.nonzero(song)), strict=True))


def test_a_multitrack_has_five_binary_tracks_in_midis_pitches():
    found = to_multitrack(song_of((0, 0, 0), (5, 13, 3), steps=19), GRID, 93.5).validate()
    assert (found.resolution, found.tempo.tolist()) == (2, [93.5] * 19)
    assert np.flatnonzero(found.downbeat).tolist() == [0, 8, 16]
    assert [(each.name, each.program, each.is_drum) for each in found.tracks] == [
        (track.name.capitalize(), track.program, track.is_drum) for track in TRACKS
    ]
    assert {type(each) for each in found.tracks} == {pypianoroll.BinaryTrack}
    assert [np.argwhere(each.pianoroll).tolist() for each in found.tracks] == [
        [[0, 26]],
        [],
        [],
        [[5, 39]],
        [],
    ]
    assert [each.pianoroll.shape for each in found.tracks] == [(19, 128)] * 5


def test_there_and_back_is_the_same_song_in_whole_bars():
    song = np.random.default_rng(0).random((24, 14, 5)) < 0.3
    back, tempo = from_multitrack(to_multitrack(song, GRID, 61.0), GRID)
    assert (back.dtype, tempo) == (bool, 61.0)
    np.testing.assert_array_equal(back, song)
    back, _ = from_multitrack(to_multitrack(song[:19], GRID, 61.0), GRID)
    np.testing.assert_array_equal(back[:19], song[:19])
    assert back.shape == (24, 14, 5)
    assert not back[19:].any()


def test_families_are_merged_and_steps_and_pitches_off_the_grid_left_out():
    multitrack = multitrack_of(
        (
            {"program": 3},
            20,
            [(0, 26), (1, 27), (6, 28), (9, 40), (19, 25)],
        ),  # 1 and 9 are between steps of six
        ({"program": 5}, 33, [(30, 39)]),  # a second piano
        ({"program": 127}, 6, [(0, 30)]),  # a gunshot
        ({"program": 9, "is_drum": True}, 6, [(3, 30)]),
        ({"program": 33}, 0, []),
        resolution=6,
        tempo=np.array([90.0, 100.0, 240.0]),
    )
    song, tempo = from_multitrack(multitrack, GRID)
    assert song.shape == (16, 14, 5)  # 33 steps of 24 a bar are two bars
    assert cells_of(song) == [(0, 0, 1), (1, 4, 0), (2, 2, 1), (10, 13, 1)]
    assert tempo == 100.0


def test_a_multitrack_without_a_tempo_has_120_beats_a_minute():
    assert from_multitrack(multitrack_of(({}, 2, [(1, 30)])), GRID)[1] == 120.0


def _downbeats(*steps):
    marks = np.zeros(20, bool)
    marks[list(steps)] = True
    return marks


@pytest.mark.parametrize(
    ("multitrack", "reason"),
    [
        (multitrack_of(({}, 9, []), resolution=3), "resolution is no multiple of 2 steps a beat: 3"),
        (multitrack_of(), "no notes in any track"),
        (multitrack_of(({}, 0, [])), "no notes in any track"),
        (multitrack_of(({}, 32_769, [])), "too long: 4096 bars, at most 4096"),
        (multitrack_of(({"program": 128}, 9, [])), r"track without a program in 0\.\.127: track 0"),
        (multitrack_of(({}, 9, []), downbeat=_downbeats(0, 6)), "not in 4/4 throughout"),
        (multitrack_of(({}, 9, []), tempo=np.full(9, 9.0)), "absurd tempo: 9 beats a minute"),
        (
            pypianoroll.Multitrack(resolution=2, tracks=[pypianoroll.Track(pianoroll=np.zeros((9, 12)))]),
            r"pianoroll is not \[step, 128\]: track 0 \(9, 12\)",
        ),
    ],
)
def test_multitracks_that_do_not_fit_are_one_sentence(multitrack, reason):
    with pytest.raises(SongError, match=f"^{reason}"):
        from_multitrack(multitrack, GRID)


def test_songs_that_do_not_fit_are_one_sentence():
    for convert in (to_multitrack, to_pretty_midi):
        with pytest.raises(ValueError, match=r"shape \(9, 14, 4\) is not \[step, 14 pitches, 5 tracks\]"):
            convert(np.zeros((9, 14, 4), bool), GRID, 100.0)
        with pytest.raises(ValueError, match="tempo 0 is not above 0"):
            convert(song_of(), GRID, 0)


def test_pretty_midi_has_the_notes_in_seconds():
    song = song_of((0, 0, 0), (4, 13, 1), (5, 13, 1), (15, 2, 4))
    midi = to_pretty_midi(song, GRID, 60.0)
    assert [(each.program, each.is_drum) for each in midi.instruments] == [
        (track.program, track.is_drum) for track in TRACKS
    ]
    notes = [[(n.pitch, n.start, n.end, n.velocity) for n in each.notes] for each in midi.instruments]
    # The first beat, the third, and between two beats: the velocities of `midi.write_song`.
    assert notes == [[(26, 0.0, 0.5, 108)], [(39, 2.0, 3.0, 102)], [], [], [(28, 7.5, 8.0, 88)]]
    assert midi.get_tempo_changes()[1].tolist() == [60.0]


@pytest.mark.parametrize("tempo", [60.0, 93.5, 171.0])
@pytest.mark.parametrize("written", [False, True])
def test_pretty_midi_there_and_back(tempo, written):
    song = np.zeros((40, 14, 5), bool)
    for index in range(5):  # notes of three steps, drums of one; none follows another at once
        for start in range(index, 36, 5):
            song[start : start + (3 if index else 1), (start + index) % 14, index] = True
    midi = to_pretty_midi(song, GRID, tempo)
    if written:  # ends are then rounded to its 220 ticks a beat
        content = io.BytesIO()
        midi.write(content)
        midi = pretty_midi.PrettyMIDI(io.BytesIO(content.getvalue()))
    before = [[(n.start, n.end) for n in each.notes] for each in midi.instruments]
    back, found = from_pretty_midi(midi, GRID)
    np.testing.assert_array_equal(back, song)
    assert found == pytest.approx(tempo, rel=1e-4)
    assert [[(n.start, n.end) for n in each.notes] for each in midi.instruments] == before


def test_both_readers_of_midi_agree(tmp_path):
    grid = Grid()
    song = np.zeros((96, 84, 5), bool)
    for index in range(5):
        for start in range(2 * index, 90, 7):
            song[start : start + (4 if index else 1), (5 * start + index) % 84, index] = True
    write_song(tmp_path / "song.mid", song, grid, 107.0)
    back, tempo = from_pretty_midi(pretty_midi.PrettyMIDI(str(tmp_path / "song.mid")), grid)
    np.testing.assert_array_equal(back, read_song(tmp_path / "song.mid", grid).pianoroll)
    assert tempo == pytest.approx(107.0, rel=1e-4)


def midi_of(*notes, signatures=()):
    midi = pretty_midi.PrettyMIDI(initial_tempo=120.0)
    midi.time_signature_changes = [pretty_midi.TimeSignature(*each) for each in signatures]
    midi.instruments.append(pretty_midi.Instrument(0))
    midi.instruments[0].notes = [pretty_midi.Note(64, pitch, start, end) for pitch, start, end in notes]
    return midi


def test_four_overlapping_notes_of_one_pitch_sound():
    """In eight bits four velocities of 64 add up to silence."""
    song, _ = from_pretty_midi(midi_of(*[(30, 0.0, 1.0)] * 4, (31, 1.0, 2.0)), GRID)
    assert song[:3, 4, 1].all()


@pytest.mark.parametrize("silent", [0, 2])
def test_instruments_of_a_pretty_midi_may_be_silent(silent):
    """As those are that `to_pretty_midi` makes of a silent track: drums, or any other."""
    song = np.zeros((8, 14, 5), bool)
    song[3:5, 4, 1] = song[6, 2, 4] = song[7, 3, 2 - silent] = True
    midi = to_pretty_midi(song, GRID, 60.0)
    assert not midi.instruments[silent].notes
    np.testing.assert_array_equal(from_pretty_midi(midi, GRID)[0], song)


@pytest.mark.parametrize(
    ("midi", "reason"),
    [
        (midi_of(), "no notes in any track"),
        (midi_of((30, 0.0, 1.0), signatures=[(3, 4, 0.0)]), "not in 4/4 throughout: 3/4"),
        (midi_of((30, 0.0, 1.0), signatures=[(4, 4, 0.5)]), "first time signature after time zero"),
        (midi_of((30, 0.0, 1e5)), "too long: 50000 bars, at most 4096"),
    ],
)
def test_pretty_midis_that_do_not_fit_are_one_sentence(midi, reason):
    with pytest.raises(SongError, match=f"^{reason}"):
        from_pretty_midi(midi, GRID)

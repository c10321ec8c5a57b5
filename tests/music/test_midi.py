"""Reading and writing MIDI, against files made by mido and reading by pretty_midi."""

import io

import mido
import numpy as np
import pretty_midi
import pytest

from msw2.music import midi
from msw2.music.grid import Grid
from msw2.music.tracks import TRACKS, track_index

GRID = Grid()
DRUMS, PIANO, GUITAR, BASS, STRINGS = range(5)


def _file(*tracks, meta=(), ticks_per_beat=480, kind=1):
    """MIDI bytes. A track is (channel, program, notes), a note (pitch, first tick, last tick); meta is
    (tick, MetaMessage) of the first track."""
    file = mido.MidiFile(ticks_per_beat=ticks_per_beat, type=kind)
    file.tracks.append(_track(list(meta)))
    for channel, program, notes in tracks:
        events = [(0, mido.Message("program_change", channel=channel, program=program))]
        for pitch, start, end in notes:
            events.append((start, mido.Message("note_on", channel=channel, note=pitch, velocity=80)))
            events.append((end, mido.Message("note_off", channel=channel, note=pitch)))
        file.tracks.append(_track(events))
    content = io.BytesIO()
    file.save(file=content)
    return content.getvalue()


def _track(events):
    track, now = mido.MidiTrack(), 0
    for tick, message in sorted(events, key=lambda event: event[0]):
        track.append(message.copy(time=tick - now))
        now = tick
    return track


def _meter(tick, numerator=4, denominator=4):
    return tick, mido.MetaMessage("time_signature", numerator=numerator, denominator=denominator)


def _tempo(tick, beats_per_minute):
    return tick, mido.MetaMessage("set_tempo", tempo=mido.bpm2tempo(beats_per_minute))


def _cells(pianoroll):
    """The sounding cells as a set of (step, pitch, track)."""
    return set(zip(*(axis.tolist() for axis in np.nonzero(pianoroll)), strict=True))


def _one_note(**kwargs):
    return _file((0, 0, [(60, 0, 480)]), **kwargs)


def test_read_song_puts_each_family_on_its_track_and_merges_instruments():
    song = midi.read_song(
        _file(
            (9, 0, [(36, 0, 480), (38, 40, 60)]),  # drums: onsets only
            (0, 7, [(60, 0, 80)]),  # clavinet: piano
            (1, 24, [(64, 40, 120)]),
            (2, 39, [(24, 0, 40)]),
            (3, 40, [(107, 1880, 1920)]),  # violin: strings, top of the grid, last step of the bar
            (4, 104, [(70, 80, 120)]),  # sitar: strings too
            (5, 96, [(71, 0, 480)]),  # an effect: dropped
            (6, 31, [(64, 120, 160)]),  # touches the first guitar's note
        ),
        GRID,
    )
    assert song.pianoroll.shape == (48, 84, 5)
    assert song.pianoroll.dtype == bool
    assert _cells(song.pianoroll) == {
        (0, 12, DRUMS),
        (1, 14, DRUMS),
        (0, 36, PIANO),
        (1, 36, PIANO),
        (1, 40, GUITAR),
        (2, 40, GUITAR),
        (3, 40, GUITAR),
        (0, 0, BASS),
        (47, 83, STRINGS),
        (2, 46, STRINGS),
    }


@pytest.mark.parametrize(
    ("start", "end", "steps"),
    [
        (19, 59, [0]),  # 19 of 40 ticks a step: down; 59: 1
        (20, 61, [1]),  # halves go up; 61: step 2
        (0, 5, [0]),  # shorter than a step: one step
        (20, 21, [1]),
        (0, 59, [0]),
        (0, 60, [0, 1]),
        (1919, 1925, [48]),  # an early note on the next bar line
    ],
)
def test_read_song_rounds_onset_and_end_to_the_nearest_step(start, end, steps):
    pianoroll = midi.read_song(_file((0, 0, [(60, start, end)])), GRID).pianoroll
    assert np.flatnonzero(pianoroll[:, 36, PIANO]).tolist() == steps
    assert len(pianoroll) == (96 if steps == [48] else 48)


def test_a_note_of_no_length_is_heard_only_as_a_drum_hit():
    tick = [(0, 0, [(60, 480, 480), (61, 0, 1)]), (9, 0, [(36, 480, 480)])]
    assert _cells(midi.read_song(_file(*tick), GRID).pianoroll) == {(0, 37, PIANO), (12, 12, DRUMS)}


def test_read_song_drops_notes_off_the_grids_pitches():
    pianoroll = midi.read_song(
        _file((0, 0, [(23, 0, 40), (24, 0, 40), (107, 0, 40), (108, 0, 40)])), GRID
    ).pianoroll
    assert _cells(pianoroll) == {(0, 0, PIANO), (0, 83, PIANO)}


def test_read_song_reads_another_grid_and_resolution():
    grid = Grid(bars=2, steps=16, pitches=12, lowest_pitch=60, beat_resolution=4)
    pianoroll = midi.read_song(_file((0, 0, [(61, 96, 144)]), ticks_per_beat=96), grid).pianoroll
    assert pianoroll.shape == (16, 12, 5)
    assert _cells(pianoroll) == {(4, 1, PIANO), (5, 1, PIANO)}


def test_read_song_takes_the_tempo_that_lasts_longest():
    meta = [_tempo(0, 60), _tempo(480, 150), _tempo(1920, 90)]
    assert midi.read_song(_file((0, 0, [(60, 0, 1960)]), meta=meta), GRID).tempo == pytest.approx(150)
    assert midi.read_song(_one_note(), GRID).tempo == 120  # MIDI's default


@pytest.mark.parametrize(
    "meta",
    [[], [_meter(0)], [_meter(0), _meter(1920 * 3)], [_meter(0), _meter(0)]],
    ids=["none", "one", "later", "twice"],
)
def test_read_song_accepts_four_four(meta):
    assert midi.read_song(_one_note(meta=meta), GRID).pianoroll.any()


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "empty file"),
        (b"name,artist\n", "not a Standard MIDI file"),
        (_one_note()[:-20], "damaged MIDI file"),
        (_one_note()[:14], "no notes"),
        (_one_note(kind=2), "MIDI format 2"),
        (_one_note()[:12] + b"\xe7\x28" + _one_note()[14:], "damaged MIDI file"),  # SMPTE time
        (_one_note()[:12] + b"\x00\x00" + _one_note()[14:], "damaged MIDI file"),  # no ticks a beat
        (_file((5, 96, [(60, 0, 480)])), "no notes"),
        (_file((0, 0, [(108, 0, 480)])), "no notes"),
        (_one_note(meta=[_meter(0, 3)]), "not in 4/4 throughout: 3/4"),
        (_one_note(meta=[_meter(0, 2, 2)]), "not in 4/4 throughout: 2/2"),
        (_one_note(meta=[_meter(0), _meter(1920, 6, 8)]), "not in 4/4 throughout: 6/8"),
        (_one_note(meta=[_meter(1920)]), "first time signature after time zero"),
        (_one_note(meta=[_meter(0), _meter(1000)]), "time signature off the bar line"),
        (_one_note(meta=[_tempo(0, 1001)]), "absurd tempo"),
        (_one_note(meta=[_tempo(0, 9.9)]), "absurd tempo"),
        (_one_note(meta=[(0, mido.MetaMessage("set_tempo", tempo=0))]), "absurd tempo"),
        (_file((0, 0, [(60, 2**27, 2**27 + 9)])), "too long: 69906 bars, at most 4096"),
        (_file((0, 0, [(60, 2**26, 2**26 + 9)]), ticks_per_beat=1), "too long"),
        (_file((0, 0, [(60, 0, 9)]), meta=[(2**27, mido.MetaMessage("marker", text="end"))]), "too long"),
    ],
)
def test_read_song_names_the_reason(content, reason):
    with pytest.raises(midi.SongError, match=f"^{reason}"):
        midi.read_song(content, GRID)


def test_read_song_refuses_times_that_overflow():
    far = 2**28 - 1
    events = [mido.Message("note_on", channel=0, note=60, velocity=1, time=far) for _ in range(12)]
    file = mido.MidiFile(tracks=[mido.MidiTrack(events)])
    content = io.BytesIO()
    file.save(file=content)
    with pytest.raises(midi.SongError):
        midi.read_song(content.getvalue(), GRID)


def test_read_song_checks_the_size_before_reading(tmp_path, monkeypatch):
    path = tmp_path / "long.mid"
    path.write_bytes(_one_note())
    monkeypatch.setattr(midi, "MAX_FILE_BYTES", 20)
    with pytest.raises(midi.SongError, match=r"^file too large: .* at most 20"):
        midi.read_song(path, GRID)


def test_read_song_of_no_file_is_a_song_error(tmp_path):
    with pytest.raises(midi.SongError, match="cannot be read: No such file"):
        midi.read_song(tmp_path / "none.mid", GRID)


def _random_roll(bars, density, seed=3):
    return np.random.default_rng(seed).random((bars * 48, 84, 5)) < density


@pytest.mark.parametrize("bars", [1, 3])
@pytest.mark.parametrize("density", [0.0, 0.01, 0.5, 1.0])
def test_written_songs_read_back_the_same(tmp_path, bars, density):
    pianoroll = _random_roll(bars, density)
    midi.write_song(tmp_path / "song.mid", pianoroll, GRID, 100)
    song = midi.read_song(tmp_path / "song.mid", GRID)
    assert song.pianoroll.shape == pianoroll.shape
    assert np.array_equal(song.pianoroll, pianoroll)
    assert song.tempo == 100


@pytest.mark.parametrize(("cell", "track"), [((60, 3), DRUMS), ((47, 83), STRINGS), ((95, 0), BASS)])
def test_silence_before_and_after_is_kept(tmp_path, cell, track):
    pianoroll = np.zeros((48 * 4, 84, 5), bool)
    pianoroll[(*cell, track)] = True
    midi.write_song(tmp_path / "song.mid", pianoroll, GRID, 100)
    assert np.array_equal(midi.read_song(tmp_path / "song.mid", GRID).pianoroll, pianoroll)


def test_another_grid_reads_back_the_same(tmp_path):
    grid = Grid(bars=2, steps=28, pitches=5, lowest_pitch=50, beat_resolution=7)
    pianoroll = np.random.default_rng(1).random((56, 5, 5)) < 0.4
    midi.write_song(tmp_path / "song.mid", pianoroll, grid, 77)
    assert np.array_equal(midi.read_song(tmp_path / "song.mid", grid).pianoroll, pianoroll)


@pytest.mark.parametrize("tempo", [10, 59.99, 123.456, 1000])
def test_the_tempo_survives_to_a_microsecond_a_beat(tmp_path, tempo):
    midi.write_song(tmp_path / "song.mid", _random_roll(2, 0.1), GRID, tempo)
    song = midi.read_song(tmp_path / "song.mid", GRID)
    assert 60e6 / song.tempo == round(60e6 / tempo)
    midi.write_song(tmp_path / "again.mid", song.pianoroll, GRID, song.tempo)
    assert (tmp_path / "again.mid").read_bytes() == (tmp_path / "song.mid").read_bytes()


def test_pretty_midi_sees_five_tracks_and_the_right_notes(tmp_path):
    pianoroll = np.zeros((96, 84, 5), bool)
    pianoroll[[0, 1, 5], 12, DRUMS] = True  # two hits in a row stay two notes
    pianoroll[3:9, 30, PIANO] = True
    pianoroll[9:12, 31, PIANO] = True
    pianoroll[48:96, 4, BASS] = True
    midi.write_song(tmp_path / "song.mid", pianoroll, GRID, 125)
    song = pretty_midi.PrettyMIDI(str(tmp_path / "song.mid"))
    assert song.get_tempo_changes()[1].tolist() == pytest.approx([125])
    notes = {
        (track.name, note.pitch): (round(note.start / 0.04, 6), round(note.end / 0.04, 6))
        for track in song.instruments
        for note in track.notes
        if not track.is_drum
    }
    assert notes == {("piano", 54): (3, 9), ("piano", 55): (9, 12), ("bass", 28): (48, 96)}
    hits = [note for track in song.instruments if track.is_drum for note in track.notes]
    assert [(note.pitch, round(note.start / 0.04, 6)) for note in hits] == [(36, 0), (36, 1), (36, 5)]


def _events(content, name):
    """(tick, pitch, velocity) of one track's note events, velocity 0 for an end."""
    track = next(track for track in mido.MidiFile(file=io.BytesIO(content)).tracks if track.name == name)
    found, now = [], 0
    for event in track:
        now += event.time
        if event.type in {"note_on", "note_off"}:
            found.append((now, event.note, event.velocity if event.type == "note_on" else 0))
    return found


def _repeated():
    """Strings that repeat a pitch at once and after a while, and drums on three steps in a row."""
    pianoroll = np.zeros((96, 84, 5), bool)
    pianoroll[[*range(5), *range(6, 12), *range(24, 48)], 30, STRINGS] = True
    pianoroll[[47, 48, 49], 12, DRUMS] = True
    return pianoroll


def test_notes_are_written_as_they_are_played():
    content = midi.midi_bytes(_repeated(), GRID, 100)
    # The first note ends 16 of 40 ticks early, since its pitch comes again a step later.
    assert _events(content, "strings") == [
        *[(0, 54, 108), (184, 54, 0), (240, 54, 88), (480, 54, 0), (960, 54, 102), (1920, 54, 0)]
    ]
    assert _events(content, "drums") == [
        *[(1880, 36, 78), (1904, 36, 0), (1920, 36, 108), (1944, 36, 0), (1960, 36, 78), (2000, 36, 0)]
    ]
    flat = midi.midi_bytes(_repeated(), GRID, 100, flat=True)
    assert [velocity for *_, velocity in _events(flat, "strings")] == [96, 0, 96, 0, 96, 0]
    assert [event[:2] for event in _events(flat, "drums")] == [e[:2] for e in _events(content, "drums")]


@pytest.mark.parametrize("flat", [False, True])
@pytest.mark.parametrize("gap", [1, 2, 3, 4])
def test_repeated_notes_read_back_the_same(gap, flat):
    pianoroll = np.zeros((240, 84, 5), bool)
    for track in range(5):
        for length in (1, 2, 5):
            start = 48 * track
            while start + length + gap < 240:
                pianoroll[start : start + length, 10 * length + track, track] = True
                start += length + gap
    content = midi.midi_bytes(pianoroll, GRID, 91, flat=flat)
    assert np.array_equal(midi.read_song(content, GRID).pianoroll, pianoroll)


def test_some_tracks_alone_are_as_long_and_as_loud():
    pianoroll = _repeated()
    content = midi.midi_bytes(pianoroll, GRID, 100, tracks=["strings"])
    song = midi.read_song(content, GRID)
    assert np.array_equal(song.pianoroll[..., STRINGS], pianoroll[..., STRINGS])
    assert song.pianoroll.shape == pianoroll.shape
    assert not song.pianoroll[..., :STRINGS].any()
    assert _events(content, "strings") == _events(midi.midi_bytes(pianoroll, GRID, 100), "strings")
    with pytest.raises(ValueError, match="track 'flute' is not one of"):
        midi.midi_bytes(pianoroll, GRID, 100, tracks=["flute"])


def test_the_file_has_the_bytes(tmp_path):
    for flat in (False, True):
        midi.write_song(tmp_path / "song.mid", _repeated(), GRID, 100, flat=flat)
        assert (tmp_path / "song.mid").read_bytes() == midi.midi_bytes(_repeated(), GRID, 100, flat=flat)


def test_every_track_is_there_with_name_program_and_channel_even_in_silence(tmp_path):
    midi.write_song(tmp_path / "song.mid", np.zeros((48, 84, 5), bool), GRID, 100)
    file = mido.MidiFile(tmp_path / "song.mid")
    found = []
    for track in file.tracks:
        names = [event.name for event in track if event.type == "track_name"]
        programs = [(event.program, event.channel == 9) for event in track if event.type == "program_change"]
        found += [(name, *program) for name, program in zip(names, programs, strict=True)]
    assert found == [(track.name, track.program, track.is_drum) for track in TRACKS]
    assert (
        len({event.channel for track in file.tracks for event in track if event.type == "program_change"})
        == 5
    )


@pytest.mark.parametrize(
    ("shape", "dtype"), [((40, 84, 5), bool), ((0, 84, 5), bool), ((48, 83, 5), bool), ((48, 84, 5), float)]
)
def test_write_song_refuses_what_does_not_fit(tmp_path, shape, dtype):
    with pytest.raises(ValueError, match=r"is not bool \[steps, 84, 5\] in whole bars of 48 steps"):
        midi.write_song(tmp_path / "song.mid", np.zeros(shape, dtype), GRID, 100)


@pytest.mark.parametrize("tempo", [0, 9.9, 1001, float("nan")])
def test_write_song_refuses_absurd_tempo(tmp_path, tempo):
    with pytest.raises(ValueError, match="tempo"):
        midi.write_song(tmp_path / "song.mid", np.zeros((48, 84, 5), bool), GRID, tempo)


def test_a_failed_write_leaves_the_old_file(tmp_path, monkeypatch):
    path = tmp_path / "song.mid"
    path.write_bytes(b"old")

    def fail(*_):
        raise OSError("disk full")

    monkeypatch.setattr(midi.os, "replace", fail)
    with pytest.raises(OSError, match="disk full"):
        midi.write_song(path, np.zeros((48, 84, 5), bool), GRID, 100)
    assert path.read_bytes() == b"old"
    assert [each.name for each in tmp_path.iterdir()] == ["song.mid"]


def test_track_order_is_the_one_these_tests_assume():
    assert [track_index(name) for name in ("drums", "piano", "guitar", "bass", "strings")] == [0, 1, 2, 3, 4]


def test_notes_that_touch_overlap_or_lie_within_others_are_drawn_as_by_a_loop():
    rng = np.random.default_rng(8)
    notes = [
        (int(p), int(s), int(s + d))
        for p, s, d in zip(
            rng.integers(24, 108, 400),
            rng.integers(0, 90, 400) * 40,
            rng.integers(1, 9, 400) ** 2 * 40,
            strict=True,
        )
    ]
    notes = [note for note in notes if note[2] <= 96 * 40] + [
        (107, 0, 96 * 40),
        (24, 0, 40),
        (25, 95 * 40, 96 * 40),
    ]
    # One MIDI track a note: within one track a second onset of a sounding pitch is ambiguous.
    expected = np.zeros((96, 84), bool)
    for pitch, start, end in notes:
        expected[start // 40 : end // 40, pitch - 24] = True
    song = midi.read_song(_file(*((0, 0, [note]) for note in notes)), GRID)
    assert np.array_equal(song.pianoroll[..., PIANO], expected)

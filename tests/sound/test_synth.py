"""The synthesizer: pitch, time and length are those of the MIDI file, and bad files are sentences."""

import io

import mido
import numpy as np
import pytest

from msw2.music.midi import midi_bytes
from msw2.sound import synth
from msw2.sound.soundfont import SoundError, _lists, default_soundfont
from msw2.sound.synth import RATE, TAIL, TooLongError, synthesise

from .conftest import GRID, PIANO, STRINGS


def _one_note(pitch, start, end, track, bars=2):
    pianoroll = np.zeros((48 * bars, 84, 5), bool)
    pianoroll[start:end, pitch, track] = True
    return midi_bytes(pianoroll, GRID, 120)  # a step is 1000 frames, a bar 2 seconds


def _file(*messages, ticks_per_beat=96):
    file, content = mido.MidiFile(ticks_per_beat=ticks_per_beat), io.BytesIO()
    file.tracks.append(mido.MidiTrack(messages))
    file.save(file=content)
    return content.getvalue()


def test_a_note_sounds_at_its_pitch_and_time():
    sound = synthesise(_one_note(45, 36, 60, PIANO))  # MIDI 69, from 1.5 s to 2.5 s
    assert sound.dtype == np.float32
    assert sound.shape == (pytest.approx(RATE * (4 + TAIL), abs=RATE / 500), 2)
    onset = np.flatnonzero(np.abs(sound).max(axis=1) > 0.02 * np.abs(sound).max())[0]
    assert onset == pytest.approx(1.5 * RATE, abs=0.01 * RATE)
    part = sound[int(1.6 * RATE) : int(2.4 * RATE)].mean(axis=1)
    spectrum = np.abs(np.fft.rfft(part * np.hanning(len(part))))
    assert np.argmax(spectrum) * RATE / len(part) == pytest.approx(440, abs=2)


def test_the_end_is_silent_and_the_tail_is_not():
    sound = np.abs(synthesise(_one_note(36, 48, 96, STRINGS)))
    end = 4 * RATE
    assert sound[end : end + RATE // 10].max() > 0.02  # the last note and its echo die away
    assert sound[-RATE // 50 :].max() < 0.005


def test_the_same_file_gives_the_same_sound_and_a_soft_note_a_softer_one():
    loud, soft = (
        _file(mido.Message("note_on", note=60, velocity=v), mido.Message("note_off", note=60, time=96))
        for v in (110, 70)
    )
    assert (synthesise(loud) == synthesise(loud)).all()
    ratio = np.square(synthesise(loud)).sum() / np.square(synthesise(soft)).sum()
    # By the soundfont standard, amplitude is the square of the velocity.
    assert 10 * np.log10(ratio) == pytest.approx(40 * np.log10(110 / 70), abs=0.5)


def test_a_short_release_is_heard():
    file = _one_note(36, 0, 24, STRINGS)  # let go after a second
    long, short = (np.square(synthesise(file, longest_release=each)) for each in (None, 0.3))
    held, gone = slice(RATE // 2, RATE), slice(int(1.25 * RATE), int(1.5 * RATE))
    assert short[held].mean() == pytest.approx(long[held].mean(), rel=0.01)
    assert long[gone].mean() > 4 * short[gone].mean()  # what is left is mostly echo


def test_all_notes_at_once_do_not_clip():
    pianoroll = np.zeros((48, 84, 5), bool)
    pianoroll[::12] = True
    for name in ("drums", "guitar"):
        assert np.abs(synthesise(midi_bytes(pianoroll, GRID, 240, tracks=[name]))).max() < 0.95


@pytest.mark.parametrize("midi", [b"", b"RIFF", b"MThd" + bytes(10), _one_note(45, 0, 9, PIANO)[:-30]])
def test_a_damaged_midi_file_is_one_sentence(midi):
    with pytest.raises(SoundError, match=r"^damaged MIDI file"):
        synthesise(midi)


def test_long_music_is_refused_before_it_is_rendered(monkeypatch):
    monkeypatch.setattr(synth, "read_soundfont", None)
    file = _file(mido.Message("note_on", note=60), mido.Message("note_off", note=60, time=120_000))
    with pytest.raises(TooLongError, match=r"^too long for sound: 10.4 minutes, at most 10$"):
        synthesise(file)


@pytest.mark.parametrize(
    ("name", "record", "field", "reason"),
    [
        (
            "shdr",
            46,
            slice(20, 28),
            "it is damaged",
        ),  # a sample from beyond the last one: a fault in the renderer
        ("igen", 4, slice(2, 4), "SoundFont error: the instrument with the ID"),  # a sample that is not there
    ],
)
def test_a_soundfont_that_cannot_be_played_is_one_sentence(tmp_path, name, record, field, reason):
    damaged = bytearray(default_soundfont().read_bytes())
    start, end = _lists(bytes(damaged))[name.encode()]
    records = np.frombuffer(damaged, np.uint8, end - start, start).reshape(-1, record)
    records[:, field] = 0x7F
    (tmp_path / "font.sf2").write_bytes(damaged)
    with pytest.raises(SoundError, match=f"^soundfont .*font.sf2 cannot be played: {reason}"):
        synthesise(_one_note(45, 0, 9, PIANO), tmp_path / "font.sf2")

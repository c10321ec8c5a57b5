"""The instruments' sounds: where they lie, that they are the renderer's, and that loops have no seam."""

import base64
import io

import numpy as np
import pytest
import soundfile
import symusic

from msw2.music.grid import Grid
from msw2.page.instruments import kit_data
from msw2.page.samples import PEAK, SPACING, VELOCITY, decay_time, looped_sound, mono, record, sampled_pitches
from msw2.sound.synth import RATE, synthesise

SILENT = set()


def rendered(program, pitch, seconds):
    """float32 [frame]: one held note, straight from the renderer."""
    score = symusic.Score(480)
    score.tempos.append(symusic.Tempo(0, mspq=1_000_000, ttype="tick"))
    track = symusic.Track("", program, False, ttype="tick")
    track.notes.append(symusic.Note(0, round(480 * seconds), pitch, VELOCITY, ttype="tick"))
    score.tracks.append(track)
    return mono(synthesise(score.dumps_midi()))


@pytest.fixture(scope="module")
def recording():
    """Two drums, two sounds of the piano for three pitches, one of strings."""
    return record([{38, 36}, {60, 61, 64}, SILENT, SILENT, {70}])


def test_a_group_of_pitches_has_one_sound_two_semitones_away_at_most():
    assert sampled_pitches({60, 61, 63, 64, 24, 107}, is_drum=False) == [26, 62, 66, 106]
    assert sampled_pitches({42, 36}, is_drum=True) == [36, 42]
    for pitch in range(128):
        (sound,) = sampled_pitches({pitch}, is_drum=False)
        assert abs(sound - pitch) <= SPACING // 2
        assert 0 <= sound <= 127


def test_sounds_lie_one_after_another(recording):
    assert [(each.track, each.pitch) for each in recording.samples] == [
        (0, 36),
        (0, 38),
        (1, 62),
        (1, 66),
        (4, 70),
    ]
    end = 0
    for each in recording.samples:
        assert each.start >= end
        end = each.start + each.frames
        sound = recording.sound[each.start : end]
        assert np.abs(sound).max() > 0.2
        assert np.abs(sound[:8]).max() < 0.05  # it starts without a click
    assert end <= len(recording.sound)
    assert np.abs(recording.sound).max() == pytest.approx(PEAK)
    assert [level > 0 for level in recording.levels] == [True, True, False, False, True]


def test_a_sound_is_what_the_renderer_makes(recording):
    (sample,) = [each for each in recording.samples if (each.track, each.pitch) == (1, 62)]
    made = recording.sound[sample.start :][: RATE // 2] * recording.levels[1]
    note = rendered(0, 62, 1.0)
    shift = int(np.argmax(np.correlate(note[: RATE // 2 + 2000], made, "valid")))
    assert 0 <= shift < 0.02 * RATE
    np.testing.assert_allclose(made, note[shift : shift + len(made)], atol=0.02 * np.abs(note).max())


def test_drums_end_softly_and_the_others_go_on(recording):
    for each in recording.samples:
        sound = recording.sound[each.start : each.start + each.frames]
        if each.track == 0:
            assert (each.loop_start, each.loop_end, each.decay) == (0, 0, 0)
            assert each.frames <= 2.2 * RATE
            assert np.abs(sound[-480:]).max() < 0.02 * np.abs(sound).max()
        else:
            assert 0 < each.loop_start < each.loop_end < each.frames
            assert (each.decay == 0) == (each.track == 4)  # strings hold, a piano decays
    assert all(0.4 < each.decay < 2 for each in recording.samples if each.track == 1)


def test_a_short_sound_has_no_loop():
    (high,) = record([SILENT, SILENT, {104}, SILENT, SILENT]).samples  # a guitar's highest notes
    assert (high.loop_end, high.decay) == (0, 0)
    assert high.frames < 2.2 * RATE


@pytest.mark.parametrize("decay", [0.6, 1.5])
def test_a_decaying_note_goes_on_decaying(decay):
    time = np.arange(round(6.0 * RATE)) / RATE
    note = (np.exp(-time / decay) * np.sin(2 * np.pi * 199.7 * time)).astype(np.float32)
    held = note[: round(3.4 * RATE)]
    assert decay_time(held) == pytest.approx(decay, rel=0.02)
    sound, (start, end) = looped_sound(held, decay)
    # As the page plays it: into the loop, round and round, falling from the loop's start on.
    played = np.concatenate([sound[:end], *[sound[start:end]] * 12])[: len(note)]
    played = played * np.exp(-np.maximum(time - start / RATE, 0) / decay)
    np.testing.assert_allclose(played[: end + 2000], note[: end + 2000], atol=2e-3)
    block = lambda sound: np.sqrt(
        np.square(sound[: len(sound) // 4800 * 4800]).reshape(-1, 4800).mean(axis=1)
    )  # noqa: E731
    np.testing.assert_allclose(block(played)[:40], block(note)[:40], rtol=0.02)


def test_what_does_not_fall_has_no_decay():
    tone = np.sin(np.arange(round(3.4 * RATE)) / 20).astype(np.float32)
    assert decay_time(tone) == 0
    assert decay_time(np.zeros_like(tone)) == 0


def test_a_loop_of_a_tone_has_no_seam():
    time = np.arange(round(3.0 * RATE)) / RATE
    tone = np.sin(2 * np.pi * 311.13 * time).astype(np.float32)
    sound, (start, end) = looped_sound(tone)
    played = np.concatenate([sound[:end], sound[start:end], sound[start:end]])
    # A sine obeys x[n+1] + x[n-1] = 2 cos(w) x[n]; a seam would break it.
    bend = played[2:] + played[:-2] - 2 * np.cos(2 * np.pi * 311.13 / RATE) * played[1:-1]
    assert np.abs(bend).max() < 1e-3
    assert np.abs(played).max() < 1.01
    np.testing.assert_array_equal(sound[end:], tone[start : start + len(sound) - end])


def test_a_loop_of_noise_keeps_its_power():
    noise = np.random.default_rng(0).normal(size=round(3.0 * RATE)).astype(np.float32)
    sound, (start, end) = looped_sound(noise)
    played = np.concatenate([sound[:end], sound[start:end]])
    power = np.square(played[: len(played) // 4800 * 4800]).reshape(-1, 4800).mean(axis=1)
    assert power.min() > 0.85
    assert power.max() < 1.15


def test_mono_keeps_the_power_of_unlike_channels():
    stereo = np.random.default_rng(1).normal(size=(9600, 2)).astype(np.float32)
    assert np.mean(mono(stereo) ** 2) == pytest.approx(np.mean(stereo**2), rel=1e-4)
    same = stereo[:, :1].repeat(2, axis=1)
    np.testing.assert_allclose(mono(same), stereo[:, 0], rtol=1e-5)
    assert not mono(np.zeros((5, 2), np.float32)).any()


def test_the_browser_gets_the_same_frames():
    used = [{38}, {60}, SILENT, SILENT, {70}]
    kit, recording = kit_data(used, Grid()), record(used)
    assert kit["samples"][1] == [
        1,
        62,
        recording.samples[1].start,
        recording.samples[1].frames,
        *kit["samples"][1][4:],
    ]
    assert [track["name"] for track in kit["tracks"]] == ["drums", "piano", "guitar", "bass", "strings"]
    assert (kit["bar"], kit["beat"], kit["rate"], kit["velocity"]) == (48, 12, RATE, VELOCITY)
    sound, rate = soundfile.read(io.BytesIO(base64.b64decode(kit["ogg"])), dtype="float32")
    assert (rate, len(sound)) == (RATE, len(recording.sound))
    # Vorbis changes a waveform, and must not move it.
    around = np.correlate(np.pad(sound, 50), recording.sound, "valid")
    assert int(np.argmax(around)) == 50
    error = np.mean((sound - recording.sound) ** 2) / np.mean(recording.sound**2)
    assert error < 0.02


def test_songs_without_notes_have_no_sounds():
    kit = kit_data([SILENT] * 5, Grid())
    assert (kit["ogg"], kit["samples"]) == ("", [])


def test_the_same_input_gives_the_same_bytes():
    used = [SILENT, SILENT, {40}, SILENT, SILENT]
    assert kit_data(used, Grid()) == kit_data(used, Grid())

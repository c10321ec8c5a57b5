"""WAV and Ogg files, read back by libsndfile and by hand."""

import io
import struct

import numpy as np
import pytest
import soundfile

from msw2.sound.audio_file import _checksum, _encoded, _with_serial, ogg_bytes, write_audio
from msw2.sound.soundfont import SoundError


def _sound(frames=30_000, channels=2, rate=48_000):
    time = np.arange(frames)[:, None] / rate
    return (0.4 * np.sin(2 * np.pi * np.array([220.0, 331.0])[:channels] * time)).astype(np.float32)


def test_wav_has_16_bits_and_every_frame(tmp_path):
    write_audio(tmp_path / "new" / "a.wav", _sound(), rate=22_050)
    info = soundfile.info(tmp_path / "new" / "a.wav")
    assert (info.samplerate, info.channels, info.subtype, info.format) == (22_050, 2, "PCM_16", "WAV")
    back, _ = soundfile.read(tmp_path / "new" / "a.wav", dtype="int16")
    np.testing.assert_array_equal(back, np.rint(32767 * _sound()))
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["a.wav"]


@pytest.mark.parametrize("frames", [1, 47_999, 48_000, 130_000])
def test_ogg_is_vorbis_of_the_same_length(tmp_path, frames):
    sound = _sound(frames, channels=1)
    write_audio(tmp_path / "a.OGG", sound)
    content = (tmp_path / "a.OGG").read_bytes()
    assert content == ogg_bytes(sound)
    info = soundfile.info(io.BytesIO(content))
    assert (info.samplerate, info.channels, info.subtype) == (48_000, 1, "VORBIS")
    back, _ = soundfile.read(io.BytesIO(content), dtype="float32", always_2d=True)
    assert back.shape == sound.shape
    if frames > 1:
        assert np.square(back - sound).mean() < 0.001 * np.square(sound).mean()


def test_what_is_too_loud_is_clipped_and_does_not_wrap(tmp_path):
    write_audio(tmp_path / "a.wav", np.array([[2.0, -2.0], [1.0, -1.0]], np.float32))
    back, _ = soundfile.read(tmp_path / "a.wav", dtype="int16")
    assert back.tolist() == [[32767, -32767], [32767, -32767]]


def test_the_same_sound_gives_the_same_bytes():
    assert ogg_bytes(_sound()) == ogg_bytes(_sound())
    first, second = (_encoded(_sound(), 48_000, ".ogg") for _ in range(2))
    assert first != second, "libsndfile draws no serial number any more: _with_serial can go"
    assert _with_serial(first, 7) == _with_serial(second, 7) != _with_serial(first, 8)


def test_pages_have_the_checksum_that_libogg_gives():
    content = _encoded(_sound(), 48_000, ".ogg")
    (serial,) = struct.unpack("<I", content[14:18])
    assert _with_serial(content, serial) == content
    # By the polynomial of RFC 3533, bit by bit.
    crc = 0
    for byte in b"OggS and more":
        crc ^= byte << 24
        for _ in range(8):
            crc = (crc << 1 ^ (0x04C11DB7 if crc & 0x80000000 else 0)) & 0xFFFFFFFF
    assert _checksum(b"OggS and more") == crc


@pytest.mark.parametrize(
    ("name", "sound", "message"),
    [
        ("a.mp3", _sound(), r"a.mp3: a sound is written as .wav or .ogg, not as '.mp3'$"),
        ("a", _sound(), r"a: a sound is written as .wav or .ogg, not as 'no suffix'$"),
        ("a.wav", _sound()[:, 0], r"a sound of shape \[30000\] is not \[frame, 1 or 2 channels\]$"),
        ("a.ogg", np.zeros((9, 3)), r"a sound of shape \[9, 3\] is not"),
        ("a.ogg", np.zeros((0, 2)), r"a sound of shape \[0, 2\] is not"),
        ("a.wav", np.full((9, 2), np.nan), "a sound has values that are no finite numbers"),
    ],
)
def test_what_cannot_be_written_is_one_sentence_and_leaves_nothing(tmp_path, name, sound, message):
    with pytest.raises(SoundError, match=message):
        write_audio(tmp_path / name, sound)
    assert not list(tmp_path.iterdir())

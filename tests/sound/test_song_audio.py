"""A song's audio files."""

import numpy as np
import pytest
import soundfile

from msw2.music.tracks import TRACK_NAMES
from msw2.sound.song_audio import remove_song_audio, write_song_audio
from msw2.sound.soundfont import SoundError
from msw2.sound.synth import RATE, TooLongError

from .conftest import GRID, TEMPO


def _read(path):
    sound, rate = soundfile.read(path, always_2d=True)
    assert rate == RATE
    return sound


def test_the_mix_is_written_twice_and_the_stems_add_up_to_it(tmp_path, song):
    written = write_song_audio(tmp_path / "new", "my song", song, GRID, TEMPO, separate=True)
    names = ["my song.wav", "my song.ogg", *(f"my song-{track}.wav" for track in TRACK_NAMES)]
    assert written == [tmp_path / "new" / name for name in names]
    assert sorted(path.name for path in (tmp_path / "new").iterdir()) == sorted(names)
    wav, ogg, *parts = map(_read, written)
    np.testing.assert_allclose(sum(parts), wav, atol=6 * 0.501 / 32768)  # six roundings of half a unit
    assert ogg.shape == wav.shape
    assert np.square(ogg - wav).mean() < 0.02 * np.square(wav).mean()
    assert all(part.any() for part in parts)


def test_the_same_song_gives_the_same_bytes_and_a_flat_one_others(tmp_path, song):
    first, again, flat = (
        write_song_audio(tmp_path / name, "a", song[:48], GRID, TEMPO, flat=name == "flat")
        for name in ("first", "again", "flat")
    )
    assert [path.name for path in first] == ["a.wav", "a.ogg"]
    assert [path.read_bytes() for path in first] == [path.read_bytes() for path in again]
    assert first[0].read_bytes() != flat[0].read_bytes()


def test_a_song_that_is_too_long_and_a_bad_soundfont_leave_nothing(tmp_path, song):
    with pytest.raises(TooLongError, match=r"^too long for sound: 10.1 minutes, at most 10$"):
        write_song_audio(tmp_path / "new", "a", np.tile(song, (38, 1, 1))[: 75 * 48 + 96], GRID, 30.0)
    (tmp_path / "font.sf2").write_bytes(b"RIFF")
    with pytest.raises(SoundError, match=r"font.sf2 is not a SoundFont 2 file$"):
        write_song_audio(tmp_path / "new", "a", song, GRID, TEMPO, soundfont=tmp_path / "font.sf2")
    assert not (tmp_path / "new").exists()


def test_only_a_song_s_own_sound_is_removed(tmp_path):
    own = ["a.wav", "a.ogg", "a-bass.wav", "a-drums.wav", "a-guitar.wav", "a-piano.wav", "a-strings.wav"]
    others = ["a.mid", "a-original.wav", "ab.wav", "a-drums.ogg", "a-strings.mid", "b.ogg"]
    for name in own + others:
        (tmp_path / name).touch()
    remove_song_audio(tmp_path, "a")
    # `a-strings.wav` is the sound of `a-strings.mid`.
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted([*others, "a-strings.wav"])
    remove_song_audio(tmp_path / "none", "a")

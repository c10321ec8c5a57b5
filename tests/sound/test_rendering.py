"""Several songs at once, in processes of their own."""

import os
import signal
import time

import pytest

from msw2.music.midi import read_song, write_song
from msw2.sound import rendering
from msw2.sound.rendering import Rendering, render_songs, rendering_songs
from msw2.sound.song_audio import write_song_audio
from msw2.sound.soundfont import SoundError, _lists, default_soundfont

from .conftest import GRID, TEMPO


@pytest.fixture
def midis(tmp_path, song):
    paths = [tmp_path / name / "a song.mid" for name in ("one", "two", "three")]
    for index, path in enumerate(paths):
        write_song(path, song[: 48 * (1 + index % 2)], GRID, TEMPO + index)
    return paths


def _names(midi):
    return sorted(path.name for path in midi.parent.iterdir())


def test_songs_sound_as_they_do_alone(tmp_path, midis, monkeypatch):
    monkeypatch.setattr(rendering, "cores", lambda: 2)
    render_songs(midis, GRID, Rendering(audio=True, flat=True))
    for midi in midis:
        assert _names(midi) == ["a song.mid", "a song.ogg", "a song.wav"]
        song = read_song(midi, GRID)
        alone = write_song_audio(tmp_path / "alone", "a song", song.pianoroll, GRID, song.tempo, flat=True)
        for path in alone:
            assert (midi.parent / path.name).read_bytes() == path.read_bytes()


def test_stems_are_written_where_they_are_asked_for(midis):
    render_songs(midis[:1], GRID, Rendering(audio=True, separate=True))
    tracks = ["bass", "drums", "guitar", "piano", "strings"]
    assert _names(midis[0]) == sorted(
        ["a song.mid", "a song.ogg", "a song.wav"] + [f"a song-{t}.wav" for t in tracks]
    )


def test_nothing_is_started_where_no_sound_is_asked_for(midis, monkeypatch):
    monkeypatch.setattr(rendering.children, "start", None)
    render_songs(midis, GRID, Rendering(audio=False, flat=True))
    render_songs([], GRID, Rendering(audio=True))
    assert [_names(midi) for midi in midis] == [["a song.mid"]] * 3


def test_a_song_that_is_too_long_is_left_out_and_named(midis, song, capsys):
    write_song(midis[0], song.repeat(2, axis=0)[: 48 * 4].repeat(20, axis=0)[: 48 * 26], GRID, 10)
    render_songs(midis[:2], GRID, Rendering(audio=True))
    assert _names(midis[0]) == ["a song.mid"]
    assert _names(midis[1]) == ["a song.mid", "a song.ogg", "a song.wav"]
    assert (
        f"no sound of {midis[0]}: too long for sound: 10.4 minutes, at most 10\n" in capsys.readouterr().err
    )


@pytest.mark.parametrize("damage", ["missing", "cannot be played"])
def test_a_bad_soundfont_is_one_sentence_and_ends_the_work(tmp_path, midis, damage):
    path = tmp_path / "font.sf2"
    if damage == "cannot be played":
        font = bytearray(default_soundfont().read_bytes())
        start, end = _lists(bytes(font))[b"shdr"]  # every sample lies beyond the last
        font[start:end] = b"".join(bytes(font[at : at + 20]) + b"\x7f" * 26 for at in range(start, end, 46))
        path.write_bytes(font)
    reason = "cannot be read: No such file" if damage == "missing" else "cannot be played: it is damaged"
    with pytest.raises(SoundError, match=rf"^soundfont .*font.sf2 {reason}"):
        render_songs(midis, GRID, Rendering(audio=True, soundfont=str(path)))
    assert not list(tmp_path.rglob("*.wav"))


def test_a_process_that_dies_is_one_sentence(midis, monkeypatch):
    start = rendering.children.start
    monkeypatch.setattr(
        rendering.children, "start", lambda _, *rest, **how: start("os_that_is_not_there", *rest, **how)
    )
    with pytest.raises(
        SoundError, match=r"^the renderer died \(exit status 1\): is .*TimGM6mb.sf2 a sound soundfont\?$"
    ):
        render_songs(midis, GRID, Rendering(audio=True))


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_that_cannot_be_written_is_one_sentence(midis):
    midis[0].parent.chmod(0o500)
    with pytest.raises(SoundError, match=r"a song.mid: its sound cannot be written: Permission denied$"):
        render_songs(midis[:1], GRID, Rendering(audio=True))


def test_the_sound_is_made_while_the_block_runs(midis):
    end = time.monotonic() + 60
    with rendering_songs(midis[:1], GRID, Rendering(audio=True)):
        while not midis[0].with_suffix(".ogg").exists():
            assert time.monotonic() < end
            time.sleep(0.02)
    assert _names(midis[0]) == ["a song.mid", "a song.ogg", "a song.wav"]


def test_an_error_in_the_block_ends_the_work(midis, monkeypatch):
    started = []
    start = rendering.children.start
    monkeypatch.setattr(
        rendering.children, "start", lambda *a, **k: started.append(start(*a, **k)) or started[-1]
    )
    with (
        pytest.raises(ZeroDivisionError),
        rendering_songs(midis, GRID, Rendering(audio=True)),
    ):
        raise ZeroDivisionError
    assert started
    assert {worker.poll() for worker in started} == {-signal.SIGKILL}


@pytest.mark.parametrize(
    "case",
    [
        (0, False, 1),  # one has to try
        (0.98e9, False, 3),  # 300 MB and 20.8 s * 1.2 MB = 324.96 MB a worker
        (0.97e9, False, 2),
        (0.97e9, True, 2),  # 300 MB and 20.8 s * 2.8 MB = 358.24 MB
        (0.71e9, True, 1),
        (float("inf"), False, 3),
    ],
)
def test_the_memory_bounds_the_processes(midis, song, monkeypatch, case):
    free, separate, expected = case
    write_song(midis[1], song.repeat(10, axis=0)[:960], GRID, 4 * 20 * 60 / 20.8)  # 20 bars in 20.8 seconds
    monkeypatch.setattr(rendering, "available", lambda: free)
    monkeypatch.setattr(rendering, "cores", lambda: 7)
    assert rendering._at_once(midis, Rendering(audio=True, separate=separate)) == expected


def test_a_process_that_takes_too_much_memory_is_no_fault_of_the_soundfont(midis, monkeypatch):
    start = rendering.children.start

    def killed(*arguments, **options):
        worker = start(*arguments, **options)
        worker.kill()
        return worker

    monkeypatch.setattr(rendering.children, "start", killed)
    with pytest.raises(SoundError, match=r"^the memory did not suffice for the sound: close other programs"):
        render_songs(midis, GRID, Rendering(audio=True))

"""Songs as objects: in and out of a trained sandwich, from a run and from a .keras file."""

import os
import pathlib
import re
import subprocess
import sys
import zipfile

import keras
import numpy as np
import pretty_midi
import pypianoroll
import pytest
import soundfile

import msw2
from msw2.inference import pictures
from msw2.inference.band import Band
from msw2.inference.sampling import Sampler
from msw2.music.grid import Grid
from msw2.music.midi import read_song, write_song
from msw2.music.multitrack import from_multitrack, to_multitrack, to_pretty_midi
from msw2.music.pianoroll import cut_phrases, join_phrases, load_npz
from msw2.sound.synth import TAIL
from msw2.training.runs import RunError

GRID = Grid()


@pytest.fixture(scope="module")
def band(smoke_run):
    return msw2.load(smoke_run.path)


@pytest.fixture(scope="module")
def song():
    """Six bars, so that the second phrase has to be padded; each track holds another pitch in every other bar."""
    cells = np.zeros((6 * 48, 84, 5), bool)
    for track in range(5):
        for bar in range(0, 6, 2):
            cells[48 * bar : 48 * bar + 48, 36 + 2 * (track % 2), track] = True
    return cells


@pytest.fixture(scope="module")
def file(band, tmp_path_factory):
    path = tmp_path_factory.mktemp("saved") / "band.keras"
    band.save(path)
    return path


def expected(smoke_run, song):
    phrases = Sampler.of(smoke_run).restore(cut_phrases(song, GRID))
    return join_phrases(phrases)[: len(song)]


def test_a_multitrack_is_restored_as_the_commands_restore_it(band, smoke_run, song):
    given = to_multitrack(song, GRID, 93.0)
    restored = band.restore(given)
    assert isinstance(restored, pypianoroll.Multitrack)
    assert [track.name for track in restored.tracks] == ["Drums", "Piano", "Guitar", "Bass", "Strings"]
    cells, tempo = from_multitrack(restored, GRID)
    assert tempo == 93.0
    assert cells.any()
    assert np.array_equal(cells, expected(smoke_run, song))
    assert np.array_equal(from_multitrack(given, GRID)[0], song)  # what was given is as it was


def test_a_pretty_midi_comes_back_as_one(band):
    midi = pretty_midi.PrettyMIDI(initial_tempo=120.0)
    bass = pretty_midi.Instrument(program=33)
    bass.notes.append(pretty_midi.Note(velocity=90, pitch=60, start=0.0, end=2.0))
    midi.instruments.append(bass)
    restored = band.restore(midi)
    assert isinstance(restored, pretty_midi.PrettyMIDI)
    assert restored.get_end_time() <= 2.01  # one bar at 120


def test_another_object_is_refused(band, tmp_path):
    cells = np.zeros((48, 84, 5))
    for use in (
        lambda: band.restore(cells),
        lambda: band.encode(cells),
        lambda: band.write(tmp_path / "song.mid", cells),
        lambda: band.draw(tmp_path / "song.png", {"song": cells}),
    ):
        with pytest.raises(TypeError, match=r"^ndarray is not one of Multitrack, PrettyMIDI$"):
            use()
    with pytest.raises(TypeError, match=r"^ndarray is not a dict of titles and songs$"):
        band.draw(tmp_path / "song.png", cells)
    assert not any(tmp_path.iterdir())


def test_a_song_is_restored_by_its_latents(band, song):
    given = to_multitrack(song, GRID, 93.0)
    latents = band.encode(given)
    assert (latents.dtype, latents.shape) == (np.float32, (2, 4, band.config.fusion_latent))
    cells, tempo = from_multitrack(band.decode(latents.tolist(), tempo=81.0), GRID)
    assert tempo == 81.0
    assert len(cells) == 8 * 48  # in whole phrases
    assert np.array_equal(cells[: 6 * 48], from_multitrack(band.restore(given), GRID)[0])


def test_latents_of_another_shape_are_refused(band):
    width = band.config.fusion_latent
    for shape in ((4, width), (0, 4, width), (2, 3, width), (2, 4, width + 1)):
        pattern = rf"^latents of shape {re.escape(str(shape))} are not \[1 or more phrases, 4, {width}\]$"
        with pytest.raises(ValueError, match=pattern):
            band.decode(np.zeros(shape))


@pytest.mark.parametrize("convert", [to_multitrack, to_pretty_midi])
def test_a_song_becomes_the_file_that_its_name_says(band, song, tmp_path, convert):
    song = song[: 5 * 48]  # until its last note: pretty_midi keeps no silence at the end
    given = convert(song, GRID, 120.0)
    paths = [tmp_path / "new" / f"song.{suffix}" for suffix in ("mid", "npz", "ogg", "WAV")]
    for path in paths:
        band.write(path, given)
    pitched = slice(1, None)  # pretty_midi joins the hits of drums
    assert np.array_equal(read_song(paths[0], GRID).pianoroll[..., pitched], song[..., pitched])
    read, tempo = load_npz(paths[1], GRID)
    assert np.array_equal(read[..., pitched], song[..., pitched])
    assert tempo == pytest.approx(120.0)
    for path, kind in zip(paths[2:], ("OGG", "WAV"), strict=True):
        sound = soundfile.info(path)
        assert (sound.format, sound.channels) == (kind, 2)
        assert sound.duration == pytest.approx(5 * 2 + TAIL, abs=0.01)


def test_a_written_song_has_the_accents_of_the_commands(band, song, tmp_path):
    band.write(tmp_path / "song.mid", to_multitrack(song, GRID, 120.0))
    write_song(tmp_path / "expected.mid", song, GRID, 120.0)
    assert (tmp_path / "song.mid").read_bytes() == (tmp_path / "expected.mid").read_bytes()


def test_songs_of_both_kinds_are_drawn_side_by_side(band, song, tmp_path, monkeypatch):
    seen = {}
    monkeypatch.setattr(
        pictures, "_draw_track", lambda axis, roll, colour: seen.setdefault(colour, []).append(roll)
    )
    song = song[: 5 * 48]
    given = {"one": to_multitrack(song, GRID, 120.0), "two": to_pretty_midi(song[:240], GRID, 120.0)}
    band.draw(tmp_path / "both.png", given)
    assert (tmp_path / "both.png").read_bytes().startswith(b"\x89PNG")
    bass = seen[pictures.COLOURS[3]]
    assert len(bass) == 2
    assert all(np.array_equal(roll, song[..., 3]) for roll in bass)


def test_other_file_names_are_refused(band, song, tmp_path):
    given = to_multitrack(song, GRID, 120.0)
    with pytest.raises(ValueError, match=r"song\.mp3 does not end in one of \.mid, \.npz, \.ogg, \.wav$"):
        band.write(tmp_path / "song.mp3", given)
    with pytest.raises(ValueError, match=r"song\.svg does not end in \.png$"):
        band.draw(tmp_path / "song.svg", {"song": given})
    assert not any(tmp_path.iterdir())


def test_songs_are_made_as_the_commands_make_them(band, smoke_run):
    made = band.generate(songs=2, phrases=3, seed=5, tempo=80.0)
    songs, _ = Sampler.of(smoke_run).compose(2, 3, seed=5, temperature=1.0)
    assert len(made) == 2
    for multitrack, song in zip(made, songs, strict=True):
        cells, tempo = from_multitrack(multitrack, GRID)
        assert tempo == 80.0
        assert np.array_equal(cells, join_phrases(song))


def test_what_cannot_be_made_is_refused(band):
    for how in ({"songs": 0}, {"phrases": 0}):
        with pytest.raises(ValueError, match=r" cannot be made: at least 1 of each$"):
            band.generate(**how)
    with pytest.raises(ValueError, match=r"^latents are not all finite numbers$"):
        band.decode(np.full((1, 4, band.config.fusion_latent), np.nan))


def test_a_keras_file_answers_as_the_run_it_was_made_of(band, file, song):
    loaded = Band.load(file)
    assert loaded.config == band.config
    given = to_multitrack(song, GRID, 100.0)
    for one, other in zip(loaded.restore(given).tracks, band.restore(given).tracks, strict=True):
        assert np.array_equal(one.pianoroll, other.pianoroll)
    for one, other in zip(loaded.generate(seed=3)[0].tracks, band.generate(seed=3)[0].tracks, strict=True):
        assert np.array_equal(one.pianoroll, other.pianoroll)


def test_keras_itself_loads_the_file(file, band, song):
    model = keras.models.load_model(file)
    phrases = cut_phrases(song, GRID)
    assert np.array_equal(model(phrases)["pianoroll"], band.model(phrases)["pianoroll"])


def test_one_file_serves_a_fresh_process(file, tmp_path):
    code = (
        "import sys, msw2\n"
        "assert not {'tensorflow', 'keras'} & set(sys.modules)\n"
        f"band = msw2.load({str(file)!r})\n"
        "band.summary()\n"
        "print(type(msw2.generate(model=sys.argv[1], songs=1)[0]).__name__)\n"
    )
    line = [sys.executable, "-c", code, str(file)]
    environment = os.environ | {"PYTHONPATH": str(pathlib.Path(msw2.__file__).parents[1])}
    done = subprocess.run(line, capture_output=True, text=True, check=True, cwd=tmp_path, env=environment)
    assert done.stderr == ""  # nothing of what TensorFlow says when it starts
    printed = done.stdout
    for part in (
        "drums_encoder",
        "mfg_encoder",
        "sampling",
        "mfg_decoder",
        "bass_decoder",
        "strings_refiner",
    ):
        assert part in printed
    assert printed.splitlines()[-1] == "Multitrack"


def test_what_is_no_model_is_refused_in_a_sentence(tmp_path, file):
    with pytest.raises(RunError, match=rf"^no model at {tmp_path / 'none.keras'}: `make export` writes one$"):
        msw2.load(tmp_path / "none.keras")
    with pytest.raises(RunError, match=rf"^no run at {tmp_path / 'none'}: "):
        msw2.load(tmp_path / "none")
    cut = tmp_path / "cut.keras"
    cut.write_bytes(file.read_bytes()[:-100])
    bare = tmp_path / "bare.keras"
    with zipfile.ZipFile(file) as source, zipfile.ZipFile(bare, "w") as target:
        for name in source.namelist():
            if not name.startswith("msw2/"):
                target.writestr(name, source.read(name))
    for path in (cut, bare):
        with pytest.raises(RunError, match=rf"^{path} is damaged, or no \.keras file of msw2$"):
            msw2.load(path)


def test_a_file_is_whole_or_not_there(band, tmp_path, monkeypatch):
    with pytest.raises(ValueError, match=r"^.*band\.h5 does not end in \.keras$"):
        band.save(tmp_path / "band.h5")

    def full(*args, **kwargs):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(zipfile.ZipFile, "writestr", full)
    with pytest.raises(OSError):
        band.save(tmp_path / "band.keras")
    assert list(pathlib.Path(tmp_path).iterdir()) == []

"""Songs as objects: in and out of a trained sandwich, from a run and from a .keras file."""

import pathlib
import subprocess
import sys
import zipfile

import keras
import numpy as np
import pretty_midi
import pypianoroll
import pytest

import msw2
from msw2.inference.band import Band
from msw2.inference.sampling import Sampler
from msw2.music.grid import Grid
from msw2.music.multitrack import from_multitrack, to_multitrack
from msw2.music.pianoroll import cut_phrases, join_phrases
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


def test_another_object_is_refused(band):
    with pytest.raises(TypeError, match=r"^ndarray is not one of Multitrack, PrettyMIDI$"):
        band.restore(np.zeros((48, 84, 5)))


def test_songs_are_made_as_the_commands_make_them(band, smoke_run):
    made = band.generate(songs=2, phrases=3, seed=5, tempo=80.0)
    songs, _ = Sampler.of(smoke_run).compose(2, 3, seed=5, temperature=1.0)
    assert len(made) == 2
    for multitrack, song in zip(made, songs, strict=True):
        cells, tempo = from_multitrack(multitrack, GRID)
        assert tempo == 80.0
        assert np.array_equal(cells, join_phrases(song))


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
    printed = subprocess.run(line, capture_output=True, text=True, check=True, cwd=tmp_path).stdout
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

"""Test songs are for measuring what is finished. Whoever chooses by them has no test any more."""

import ast
import pathlib

import pytest

import msw2
from msw2.data.build import build_store
from msw2.data.midi_folder import midi_folder
from msw2.data.store import Store
from msw2.data.stored_units import open_units

from .conftest import song

PACKAGE = pathlib.Path(msw2.__file__).parent
# Who may read the test songs, and why.
MEASURING = {
    "cli/eval.py": "measures a finished run",
    "cli/eval_songs.py": "measures songs and verbs of a finished run",
    "cli/pack.py": "measures the packaged weights, for their card",
    "cli/listening_test.py": "lets people measure a finished run",
}


def _asks(source):
    """Returns whether a module opens a store for measuring, or constructs a `Store` itself."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Call):
            given = [word.value for word in node.keywords if word.arg == "measuring"]
            passed_on = all(isinstance(value, ast.Name) and value.id == "measuring" for value in given)
            if not passed_on or (isinstance(node.func, ast.Name) and node.func.id == "Store"):
                return True
    return False


def test_only_what_measures_finished_runs_reads_test_songs():
    asking = {
        path.relative_to(PACKAGE).as_posix()
        for path in PACKAGE.rglob("*.py")
        if _asks(path.read_text("utf-8"))
    }
    assert asking == set(MEASURING)


def test_every_way_to_ask_is_seen():
    assert _asks("store = Store.open(path, measuring=True)")
    assert _asks("def f(): return dataclasses.replace(store, measuring=not False)")
    assert _asks("Store(path, grid, manifest, True)")
    assert not _asks("def f(*, measuring=False): return Store.open(path, measuring=measuring)")


def test_a_store_gives_its_test_songs_for_measuring_alone(tmp_path, write_songs):
    folder = write_songs({f"{seed}.mid": song(4, seed) for seed in range(3)})
    build_store(midi_folder(folder), tmp_path / "store", workers=0)
    store, measuring = (Store.open(tmp_path / "store", measuring=each) for each in (False, True))
    readers = [
        lambda store, split: store.load(split),
        lambda store, split: store.song_names(split),
        lambda store, split: list(store.songs(split)),
        lambda store, split: list(store.packed(split, size=1)),
        lambda store, split: list(store.located(split, "bass", size=1)),
        lambda store, split: open_units(store, split, "bass"),
    ]
    for read in readers:
        with pytest.raises(ValueError, match="the split test is for measuring alone"):
            read(store, "test")
        assert len(read(measuring, "test")) == len(read(store, "validation")) > 0
    assert store.count("test") == 1  # how many there are is no secret

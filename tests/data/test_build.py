"""From songs to a store and back: splits, report, manifest, and what happens when things go wrong."""

import csv
import hashlib
import importlib
import json
import os
import pathlib
import shutil
import subprocess
import sys

import numpy as np
import pytest
import tensorflow as tf

import msw2
from msw2.data.build import build_store
from msw2.data.lpd import lpd_tree
from msw2.data.midi_folder import midi_folder
from msw2.data.phrase_file import phrase_file
from msw2.data.song_files import SongSource
from msw2.data.store import SPLITS, Store, StoreError
from msw2.music.grid import Grid
from msw2.music.tracks import TRACK_NAMES

from .conftest import lpd_bytes, song

GRID = Grid()


def _report(store):
    with open(store / "report.csv", newline="", encoding="utf-8") as file:
        return {row["name"]: row for row in csv.DictReader(file)}


def _build(source, out, **rules):
    return build_store(source, out, **{"workers": 0} | rules)


def _all_songs(store):
    opened = Store.open(store, measuring=True)
    return {each.name: each for split in SPLITS for each in opened.songs(split)}


def _python(code, *arguments):
    """Runs code in a fresh interpreter that finds this msw2, installed or not."""
    environment = os.environ | {"PYTHONPATH": str(pathlib.Path(msw2.__file__).parents[1])}
    return subprocess.run([sys.executable, "-c", code, *arguments], check=False, env=environment)


def _name(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()[:16]


@pytest.fixture
def folder(write_songs):
    """Twelve good songs of 8 bars and 3 beats, one each of what may be wrong."""
    folder = write_songs({f"good-{seed}.mid": song(9, seed) for seed in range(12)})
    shutil.copy(folder / "good-3.mid", folder / "same.mid")
    write_songs({"deep/er/no drums.mid": song(8, 50, silent=[0]), "short.mid": song(3, 51)})
    (folder / "empty.mid").touch()
    (folder / "cut.mid").write_bytes((folder / "good-0.mid").read_bytes()[:-60])
    (folder / "notes.txt").write_text("not music")
    (folder / "link").symlink_to(folder)
    os.mkfifo(folder / "pipe.mid")
    return folder


def test_what_goes_in_comes_out_again(tmp_path, folder):
    manifest = _build(midi_folder(folder), tmp_path / "store")
    stored = _all_songs(tmp_path / "store")
    assert stored.keys() == {_name(folder / f"good-{seed}.mid") for seed in range(12)}
    for seed in range(12):
        found = stored[_name(folder / f"good-{seed}.mid")]
        assert found.bars.tolist() == [0, 4]
        assert found.tempo == 100
        assert np.array_equal(found.phrases.reshape(8 * 48, 84, 5), song(9, seed)[: 8 * 48])
    assert {split: manifest["splits"][split]["songs"] for split in SPLITS} == {
        split: len(list(Store.open(tmp_path / "store", measuring=True).songs(split))) for split in SPLITS
    }


def test_the_report_accounts_for_every_file(tmp_path, folder):
    manifest = _build(midi_folder(folder), tmp_path / "store")
    rows = _report(tmp_path / "store")
    reasons = {name: row["reason"] for name, row in rows.items() if row["reason"]}
    nothing = "no window in which drums, bass and one more track sound"
    assert reasons.pop("cut.mid").startswith("damaged MIDI file: ")
    assert reasons == {
        "deep/er/no drums.mid": nothing,
        "short.mid": nothing,
        "empty.mid": "empty file",
        "notes.txt": "not a Standard MIDI file",
        "same.mid": "duplicate: same bytes as good-3.mid",
        "link": "not a regular file",
        "pipe.mid": "not a regular file",
    }
    good = {name: row for name, row in rows.items() if not row["reason"]}
    assert good.keys() == {f"good-{seed}.mid" for seed in range(12)}
    assert all(row["phrases"] == "2" and row["split"] in SPLITS for row in good.values())
    assert all(
        row["sha256"] == hashlib.sha256((folder / name).read_bytes()).hexdigest()
        for name, row in good.items()
    )
    assert all(row["tune"] == row["sha256"][:16] for row in good.values())
    assert manifest["files"] == len(rows) == 20
    assert manifest["left_out"] == {
        nothing: 2,
        "not a regular file": 2,
        "duplicate": 1,
        "empty file": 1,
        "not a Standard MIDI file": 1,
        "damaged MIDI file": 1,
    }


def test_the_manifest_counts_what_load_gives(tmp_path, folder):
    manifest = _build(midi_folder(folder), tmp_path / "store", shard_phrases=5)
    store = Store.open(tmp_path / "store", measuring=True)
    assert store.manifest == manifest
    for split in SPLITS:
        phrases = store.load(split)
        about = manifest["splits"][split]
        assert phrases.shape == (store.count(split), 4, 48, 84, 5) == (about["phrases"], 4, 48, 84, 5)
        assert phrases.dtype == bool
        assert about["bars"] == len(phrases) * 4
        assert list(about["sounding_bars"].values()) == phrases.any(axis=(2, 3)).sum(axis=(0, 1)).tolist()
        assert len(store.files(split)) == -(-len(phrases) // 5)
        digests = [hashlib.sha256(pathlib.Path(file).read_bytes()).hexdigest() for file in store.files(split)]
        assert about["sha256"] == digests
        assert np.array_equal(store.load(split, limit=3), phrases[:3])
        names = [song.name for song in store.songs(split) for _ in song.bars]
        assert store.song_names(split).tolist() == names
        assert store.song_names(split, 3).tolist() == names[:3]
        assert np.array_equal(np.concatenate([each.phrases for each in store.songs(split)]), phrases)
    train = store.load("train")
    assert manifest["cells"] == train.sum(axis=(0, 1, 2)).T.tolist()
    assert manifest["steps"] == len(train) * 4 * 48
    assert all(manifest["splits"][split]["songs"] for split in SPLITS)
    report = (tmp_path / "store" / "report.csv").read_bytes()
    assert manifest["report"] == hashlib.sha256(report).hexdigest()


def test_a_record_has_one_packed_feature_a_track(tmp_path, folder):
    _build(midi_folder(folder), tmp_path / "store")
    store = Store.open(tmp_path / "store")
    record = next(iter(tf.data.TFRecordDataset(store.files("train")))).numpy()
    feature = tf.train.Example.FromString(record).features.feature
    assert set(feature) == {*TRACK_NAMES, "song", "bar", "tempo"}
    phrase = store.load("train", 1)[0]
    for track, name in enumerate(TRACK_NAMES):
        assert feature[name].bytes_list.value[0] == np.packbits(phrase[..., track]).tobytes()
        assert len(feature[name].bytes_list.value[0]) == 2016
    assert feature["song"].bytes_list.value[0].decode() == next(store.songs("train")).name
    assert feature["bar"].int64_list.value[0] == 0
    assert feature["tempo"].float_list.value[0] == 100


def test_worker_processes_give_the_same_bytes(tmp_path, folder):
    _build(midi_folder(folder), tmp_path / "here")
    _build(midi_folder(folder), tmp_path / "there", workers=2)
    for path in (tmp_path / "here").iterdir():
        assert path.read_bytes() == (tmp_path / "there" / path.name).read_bytes(), path.name


CRASHING_READER = """
import os
from msw2.music.midi import read_song

def read(path, grid):
    if path.endswith("good-2.mid"):
        os._exit(9)
    if path.endswith("good-4.mid"):
        raise RecursionError("a reader's own fault")
    return read_song(path, grid)
"""


def test_a_file_that_kills_its_reader_is_reported_and_the_run_goes_on(tmp_path, write_songs, monkeypatch):
    folder = write_songs({f"good-{seed}.mid": song(8, seed) for seed in range(6)})
    (tmp_path / "crashing_reader.py").write_text(CRASHING_READER)
    monkeypatch.syspath_prepend(tmp_path)  # worker processes inherit it
    reader = importlib.import_module("crashing_reader").read
    _build(SongSource("midi", reader, midi_folder(folder).items), tmp_path / "store", workers=2)
    reasons = {name: row["reason"] for name, row in _report(tmp_path / "store").items() if row["reason"]}
    assert reasons == {
        "good-2.mid": "reader crashed",
        "good-4.mid": "reader failed: RecursionError: a reader's own fault",
    }


def test_rules_reach_the_windows(tmp_path, folder):
    _build(midi_folder(folder), tmp_path / "store", hop=1, windows_per_song=3, seed=5)
    bars = [each.bars.tolist() for each in _all_songs(tmp_path / "store").values()]
    assert all(len(each) == 3 and sorted(each) == each and set(each) <= set(range(6)) for each in bars)
    assert len({tuple(each) for each in bars}) > 1  # drawn song by song
    _build(midi_folder(folder), tmp_path / "again", hop=1, windows_per_song=3, seed=6)
    assert [each.bars.tolist() for each in _all_songs(tmp_path / "again").values()] != bars


@pytest.mark.parametrize("selection", ["all-five", "musegan"])
def test_a_selection_that_nothing_passes_is_an_error_that_says_so(tmp_path, write_songs, selection):
    folder = write_songs({f"{seed}.mid": song(8, seed, silent=[1]) for seed in range(4)})
    with pytest.raises(
        StoreError, match=r"none of the 4 files of the source gave a phrase \(4 no window in which"
    ):
        _build(midi_folder(folder), tmp_path / "store", selection=selection)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["songs"]


def test_an_empty_folder_is_an_error_that_says_so(tmp_path):
    (tmp_path / "songs").mkdir()
    with pytest.raises(StoreError, match=r"none of the 0 files of the source gave a phrase \(it is empty\)"):
        _build(midi_folder(tmp_path / "songs"), tmp_path / "store")
    with pytest.raises(StoreError, match="does not exist"):
        midi_folder(tmp_path / "none")


def test_the_same_request_is_already_there_and_another_is_refused(tmp_path, folder):
    first = _build(midi_folder(folder), tmp_path / "store")
    age = (tmp_path / "store" / "manifest.json").stat().st_mtime_ns
    assert _build(midi_folder(folder), tmp_path / "store") == first
    assert (tmp_path / "store" / "manifest.json").stat().st_mtime_ns == age
    with pytest.raises(
        StoreError, match=r"holds another store \(different hop, seed\): delete it or give another"
    ):
        _build(midi_folder(folder), tmp_path / "store", hop=2, seed=1)
    (folder / "good-0.mid").unlink()
    with pytest.raises(StoreError, match=r"holds another store \(different fingerprint\)"):
        _build(midi_folder(folder), tmp_path / "store")


def test_a_folder_that_is_no_store_is_not_touched_but_an_empty_one_is_used(tmp_path, folder):
    (tmp_path / "thesis").mkdir()
    (tmp_path / "thesis" / "chapter1").write_text("…")
    with pytest.raises(StoreError, match="is there and is no store"):
        _build(midi_folder(folder), tmp_path / "thesis")
    (tmp_path / "empty").mkdir()
    _build(midi_folder(folder), tmp_path / "empty")
    assert Store.open(tmp_path / "empty").count("train")


def test_a_killed_run_leaves_no_store_and_the_next_one_starts_afresh(tmp_path, folder):
    source = midi_folder(folder)
    script = (
        "import os, sys\n"
        "from msw2.data import build, build_report, midi_folder\n"
        "build_report.Report.write = lambda *_: os._exit(9)\n"  # killed with all shards written
        "build.build_store(midi_folder.midi_folder(sys.argv[1]), sys.argv[2], workers=0)\n"
    )
    killed = _python(script, folder, tmp_path / "store")
    assert killed.returncode == 9
    assert (tmp_path / "store.partial" / "train-00000.tfrecord").exists()
    with pytest.raises(StoreError, match="no store at"):
        Store.open(tmp_path / "store")
    (tmp_path / "store.partial" / "train-00099.tfrecord").touch()
    _build(source, tmp_path / "store")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["songs", "store"]
    assert not (tmp_path / "store" / "train-00099.tfrecord").exists()


def test_a_lock_left_by_a_kill_after_the_store_was_there_is_removed(tmp_path, folder):
    _build(midi_folder(folder), tmp_path / "store")
    (tmp_path / "store.lock").touch()
    _build(midi_folder(folder), tmp_path / "store")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["songs", "store"]


def test_a_store_that_someone_else_is_making_is_left_alone(tmp_path, folder):
    import fcntl  # noqa: PLC0415 - the test's own

    with (tmp_path / "store.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with pytest.raises(StoreError, match="another process is making"):
            _build(midi_folder(folder), tmp_path / "store")


def test_lpd_files_become_a_store(tmp_path):
    for seed in range(3):
        rolls = np.zeros((5, 2 * 384, 128), bool)
        rolls[:, ::2, 24:108] = np.moveaxis(song(8, seed), -1, 0)
        path = tmp_path / "lpd" / "A" / f"{seed}.npz"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(lpd_bytes(rolls, tempo=np.full(768, 133.0)))
    _build(lpd_tree(tmp_path / "lpd"), tmp_path / "store", selection="all-five")
    found = _all_songs(tmp_path / "store")[_name(tmp_path / "lpd" / "A" / "1.npz")]
    assert np.array_equal(found.phrases.reshape(384, 84, 5), song(8, 1))
    assert found.tempo == 133


def test_a_phrase_file_becomes_a_store(tmp_path):
    phrases = np.random.default_rng(0).random((200, 4, 48, 84, 5)) < 0.001
    np.savez_compressed(
        tmp_path / "x.npz", nonzero=np.array(np.nonzero(phrases)), shape=np.array(phrases.shape)
    )
    manifest = _build(phrase_file(tmp_path / "x.npz"), tmp_path / "store")
    assert {split: manifest["splits"][split]["songs"] for split in SPLITS}["train"] >= 1
    found = sorted(_all_songs(tmp_path / "store").values(), key=lambda each: len(each.phrases))
    assert [len(each.phrases) for each in found] == [8, 64, 64, 64]
    assert np.array_equal(found[0].phrases, phrases[192:])
    assert sum(manifest["splits"][split]["phrases"] for split in SPLITS) == 200


def test_a_phrase_file_that_turns_out_damaged_leaves_nothing(tmp_path):
    nonzero = np.array([[0, 199, 3], [0] * 3, [0] * 3, [0] * 3, [0] * 3])
    np.savez(tmp_path / "x.npz", nonzero=nonzero, shape=np.array((200, 4, 48, 84, 5)))
    with pytest.raises(StoreError, match="not sorted"):
        _build(phrase_file(tmp_path / "x.npz"), tmp_path / "store")
    assert [path.name for path in tmp_path.iterdir()] == ["x.npz"]


def test_worker_processes_do_not_load_tensorflow():
    code = "import sys, msw2.data.lpd, msw2.data.midi_folder; sys.exit('tensorflow' in sys.modules)"
    assert _python(code).returncode == 0


@pytest.fixture
def small_store(tmp_path, write_songs):
    _build(midi_folder(write_songs({f"{seed}.mid": song(4, seed) for seed in range(4)})), tmp_path / "store")
    return tmp_path / "store"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"format": 2}, "has format 2, this version reads format 1"),
        ({"tracks": ["drums"]}, r"has tracks \['drums'\]"),
        ({"grid": {"bars": 0}}, "impossible grid"),
        ({"grid": {"colour": 1}}, "impossible grid"),
    ],
)
def test_a_store_of_another_kind_is_refused(small_store, change, message):
    path = small_store / "manifest.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | change))
    with pytest.raises(StoreError, match=message):
        Store.open(small_store)


def test_a_damaged_store_is_refused(small_store):
    shard = small_store / "train-00000.tfrecord"
    shard.write_bytes(shard.read_bytes()[:-5])
    with pytest.raises(StoreError, match="is damaged"):
        Store.open(small_store).load("train")
    (small_store / "manifest.json").write_text("{")
    with pytest.raises(StoreError, match=r"damaged, manifest\.json: not JSON"):
        Store.open(small_store)
    with pytest.raises(StoreError, match=r"no store at .*: make one with `make data`"):
        Store.open(small_store / "none")


def test_a_split_that_does_not_exist_is_refused(small_store):
    with pytest.raises(ValueError, match="split 'tests' is not one of train, validation, test"):
        Store.open(small_store).count("tests")

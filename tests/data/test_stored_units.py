"""Units that stay in the store's files, against the phrases that the store was made of."""

import json
import subprocess
import sys

import numpy as np
import pytest

from msw2.data import packing, shards
from msw2.data.pipeline import evaluation_batches, training_batches
from msw2.data.shards import distance_from_end, encode
from msw2.data.store import MANIFEST, StoredSong, StoreError
from msw2.data.stored_units import Units, open_units
from msw2.music.grid import Grid
from msw2.music.tracks import TRACK_NAMES

from .test_pipeline import GRID, ODD, random_phrases, write_store


def oracle(phrases, track, grid, *, unit_bars, silent_share, limit, seed):
    """The units in memory, chosen by another way: one draw for all, and a loop."""
    own = phrases[..., TRACK_NAMES.index(track)]
    units = own.reshape(-1, unit_bars * own.shape[2], own.shape[3])
    draws = np.random.default_rng(seed).random(len(units))
    kept = [unit for unit, draw in zip(units, draws, strict=True) if unit.any() or draw < silent_share]
    cells = np.array(kept[: limit or None])
    return Units.in_memory(cells, np.full(len(cells), track == "drums"), grid, unit_bars)


@pytest.mark.parametrize("grid", [GRID, ODD])
@pytest.mark.parametrize("whole_phrases", [False, True])
@pytest.mark.parametrize("limit", [0, 17])
def test_batches_are_those_of_units_in_memory_bit_for_bit(tmp_path, monkeypatch, grid, whole_phrases, limit):
    monkeypatch.setattr("msw2.data.stored_units.READ", 7)
    phrases = random_phrases(grid, 40, share=0.06)
    store = write_store(tmp_path / "store", grid, {"train": phrases}, shard_phrases=9)
    parts = {"stored": [], "in memory": []}
    for track in ("strings", "drums", "bass"):
        rules = {
            "unit_bars": grid.bars if whole_phrases else 1,
            "silent_share": 0.4,
            "limit": limit,
            "seed": 5,
        }
        parts["stored"].append(open_units(store, "train", track, **rules))
        parts["in memory"].append(oracle(phrases, track, grid, **rules))
    stored, in_memory = (Units.together(each) for each in parts.values())
    assert len(stored) == len(in_memory) > 40
    assert stored.is_drum.tolist() == in_memory.is_drum.tolist()
    np.testing.assert_array_equal(stored.sounding_share(), in_memory.sounding_share())
    np.testing.assert_array_equal(
        stored.sounding_share(), in_memory.read(np.arange(len(stored))).mean(axis=(0, 1))
    )
    changes = {"batch_size": 6, "epoch_units": 25, "seed": 3, "epochs": 5, "max_shift": 2, "mixed": 0.5}
    whole, expected, tail = (
        [unit.numpy() for unit, _ in training_batches(units, first_epoch=first, **changes)]
        for units, first in ((stored, 0), (in_memory, 0), (stored, 3))
    )
    assert len(whole) == 25
    for found, same in zip([*whole, *tail], [*expected, *expected[15:]], strict=True):
        np.testing.assert_array_equal(found, same)
    for (found, _), (same, _) in zip(
        evaluation_batches(stored, batch_size=9), evaluation_batches(in_memory, batch_size=9), strict=True
    ):
        np.testing.assert_array_equal(found, same)


@pytest.mark.parametrize("grid", [Grid(), GRID, ODD])
def test_the_bits_of_a_track_are_as_far_from_the_end_in_every_record(grid):
    rng = np.random.default_rng(0)
    width = packing.bytes_per_track(grid)
    for bar, tempo in ((0, 10.0), (127, 99.5), (128, 100.0), (4095, 1000.0)):
        packed = rng.integers(0, 256, (5, width), np.uint8)
        record = encode("0123456789abcdef", bar, tempo, packed)
        for row, track in zip(packed, TRACK_NAMES, strict=True):
            start = len(record) - distance_from_end(grid, track)
            assert record[start : start + width] == row.tobytes()


def test_records_of_another_layout_are_one_sentence(tmp_path, monkeypatch):
    def with_more(*args):
        import tensorflow as tf  # noqa: PLC0415

        example = tf.train.Example.FromString(encode(*args))
        example.features.feature["zzz"].bytes_list.value.append(b"more")
        return example.SerializeToString(deterministic=True)

    with monkeypatch.context() as patch:
        patch.setattr(shards, "encode", with_more)
        store = write_store(tmp_path / "store", GRID, {"train": random_phrases(GRID, 3)})
    with pytest.raises(
        StoreError, match=r"^the store .* is damaged: a record does not have bass in its place$"
    ):
        open_units(store, "train", "bass")


def test_a_shard_that_is_cut_off_while_it_is_read_is_one_sentence(tmp_path):
    store = write_store(tmp_path / "store", GRID, {"train": random_phrases(GRID, 3)})
    units = open_units(store, "train", "bass")
    (store.path / "train-00000.tfrecord").write_bytes(b"short")
    with pytest.raises(StoreError, match=r"train-00000\.tfrecord has become shorter: 0 of 5 bytes at byte"):
        units.read(np.array([4]))


def test_of_overlapping_phrases_the_first_of_each_four_bars_is_taken():
    bars = np.array([8, 0, 2, 4, 5, 9, 20])
    phrases = np.arange(7 * 6).reshape(7, 1, 2, 3, 1) % 5 == 0
    song = StoredSong("0" * 16, bars, phrases, 100.0)
    np.testing.assert_array_equal(song.without_overlap(4), phrases[[1, 3, 0, 6]])


MEMORY = """
import sys, pathlib
from msw2.data.pipeline import training_batches
from msw2.data.stored_units import open_units
from msw2.data.store import Store

def most():
    return int(pathlib.Path("/proc/self/status").read_text().split("VmHWM:")[1].split()[0]) / 1024

store = Store.open(sys.argv[1])
for limit in (1000, 0):  # what TensorFlow itself takes is taken before the whole is read
    units = open_units(store, "train", "piano", limit=limit)
    for _ in training_batches(units, batch_size=32, epoch_units=len(units), seed=0, first_epoch=0, epochs=1).take(99):
        pass
    print(most())
"""


def test_a_training_reads_what_it_needs_and_holds_an_index(tmp_path):
    """15,000 phrases are 150 MB in the files, 30 MB of them of one track, and 60,000 units."""
    packed = np.random.default_rng(0).integers(0, 256, (15_000, 5, 2016), np.uint8)
    store = write_store(tmp_path / "store", Grid(), {})
    zeros = np.zeros((5, 84), int)
    phrases = packing.Phrases(np.arange(15_000), packed, 100.0, zeros, zeros[:, 0])
    shards.write_shard(store.path / "train-00000.tfrecord", [("0" * 16, phrases)])
    store.manifest["splits"]["train"] = {"files": ["train-00000.tfrecord"], "phrases": 15_000}
    (store.path / MANIFEST).write_text(json.dumps(store.manifest))
    done = subprocess.run(
        [sys.executable, "-c", MEMORY, store.path], capture_output=True, text=True, check=True, timeout=300
    )
    before, after = map(float, done.stdout.split())
    assert after - before < 60

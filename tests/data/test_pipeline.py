import dataclasses
import json

import numpy as np
import pytest
import tensorflow as tf

from msw2.data import packing, pipeline
from msw2.data.shards import ShardWriter
from msw2.data.store import FORMAT, MANIFEST, SPLITS, Store
from msw2.music.grid import Grid
from msw2.music.tracks import TRACK_NAMES

# 40 cells a bar: five bytes; 120 a phrase. A different size on every axis.
GRID = Grid(bars=3, steps=8, pitches=5, lowest_pitch=60, beat_resolution=2)
ODD = Grid(bars=2, steps=4, pitches=3, lowest_pitch=60, beat_resolution=1)  # 12 cells a bar: half a byte over


def write_store(path, grid, phrases, shard_phrases=4):
    """A store of bool [phrase, bar, step, pitch, track] for each split, in songs of one phrase."""
    path.mkdir()
    splits = {}
    for split in SPLITS:
        writer = ShardWriter(path, split, shard_phrases)
        for index, phrase in enumerate(phrases.get(split, [])):
            writer.add(f"{index:016x}", packing.summarise([phrase[None]], np.array([0]), 100.0, grid))
        writer.close()
        splits[split] = {"files": writer.files, "phrases": len(phrases.get(split, []))}
    manifest = {
        "format": FORMAT,
        "tracks": list(TRACK_NAMES),
        "grid": dataclasses.asdict(grid),
        "splits": splits,
    }
    (path / MANIFEST).write_text(json.dumps(manifest))
    return Store.open(path)


def random_phrases(grid, count, seed=0, share=0.2):
    return np.random.default_rng(seed).random((count, *grid.phrase_shape, 5)) < share


def bars_of(phrases, track):
    return phrases[..., TRACK_NAMES.index(track)].reshape(-1, *phrases.shape[2:4])


def packed(bars, grid=GRID):
    """PackedBars of bool [bar, step, pitch]."""
    return pipeline.PackedBars(np.packbits(bars.reshape(len(bars), -1), axis=1), grid)


def numbered(count, grid=GRID):
    """Bars of which each says its number in the cells of its first step, in binary."""
    bars = np.zeros((count, grid.steps, grid.pitches), bool)
    for bit in range(grid.pitches):
        bars[:, 0, bit] = np.arange(count) >> bit & 1
    return bars


def numbers(batch):
    return (np.asarray(batch)[:, 0] > 0) @ (1 << np.arange(batch.shape[-1]))


@pytest.mark.parametrize("grid", [GRID, ODD])
@pytest.mark.parametrize("track", TRACK_NAMES)
def test_a_tracks_bars_are_read_in_order_from_all_shards(tmp_path, grid, track):
    phrases = random_phrases(grid, 9)
    store = write_store(tmp_path / "store", grid, {"train": phrases, "test": phrases[::-1]})
    assert len(store.files("train")) == 3
    bars = pipeline.load_bars(store, "train", track)
    assert len(bars) == 9 * grid.bars
    assert bars.bits.shape == (9 * grid.bars, -(-grid.steps * grid.pitches // 8))
    assert np.array_equal(bars.dense(), bars_of(phrases, track))
    reverse = bars_of(phrases[::-1], track)
    assert np.array_equal(pipeline.load_bars(store, "test", track).dense(), reverse)


def test_an_empty_split_has_no_bars(tmp_path):
    store = write_store(tmp_path / "store", GRID, {"train": random_phrases(GRID, 2)})
    bars = pipeline.load_bars(store, "validation", "bass")
    assert len(bars) == 0
    assert bars.dense().shape == (0, 8, 5)


def test_unknown_tracks_and_splits_are_refused(tmp_path):
    store = write_store(tmp_path / "store", GRID, {"train": random_phrases(GRID, 2)})
    with pytest.raises(ValueError, match=r"^track 'drum' is not one of drums, piano, guitar, bass, strings$"):
        pipeline.load_bars(store, "train", "drum")
    with pytest.raises(ValueError, match=r"^split 'valid' is not one of train, validation, test$"):
        pipeline.load_bars(store, "valid", "drums")


def test_silent_bars_are_thinned_out_and_no_other(tmp_path):
    phrases = random_phrases(GRID, 200, share=0.05)
    phrases[::2, :, :, :, 3] = False
    store = write_store(tmp_path / "store", GRID, {"train": phrases}, shard_phrases=150)
    bars = bars_of(phrases, "bass")
    sounding = bars.any(axis=(1, 2))
    silent = int((~sounding).sum())
    none = pipeline.load_bars(store, "train", "bass", silent_share=0.0)
    assert np.array_equal(none.dense(), bars[sounding])
    some = pipeline.load_bars(store, "train", "bass", silent_share=0.3, seed=1).dense()
    assert np.array_equal(some[some.any(axis=(1, 2))], bars[sounding])
    kept = len(some) - sounding.sum()
    assert abs(kept - 0.3 * silent) < 4 * (silent * 0.3 * 0.7) ** 0.5
    again = pipeline.load_bars(store, "train", "bass", silent_share=0.3, seed=1).dense()
    other = pipeline.load_bars(store, "train", "bass", silent_share=0.3, seed=2).dense()
    assert np.array_equal(some, again)
    assert some.shape != other.shape or not np.array_equal(some, other)
    assert len(pipeline.load_bars(store, "train", "bass", silent_share=1.0)) == 600


def test_a_limit_takes_the_first_bars_that_are_kept(tmp_path):
    phrases = random_phrases(GRID, 9, share=0.05)
    phrases[0, 1] = False
    store = write_store(tmp_path / "store", GRID, {"train": phrases})
    bars = bars_of(phrases, "guitar")
    assert np.array_equal(pipeline.load_bars(store, "train", "guitar", limit=7).dense(), bars[:7])
    sounding = bars[bars.any(axis=(1, 2))]
    found = pipeline.load_bars(store, "train", "guitar", limit=7, silent_share=0.0)
    assert np.array_equal(found.dense(), sounding[:7])
    assert len(pipeline.load_bars(store, "train", "guitar", limit=1000)) == 27


def test_a_limit_stops_reading(tmp_path, monkeypatch):
    monkeypatch.setattr(pipeline, "READ", 2)
    store = write_store(tmp_path / "store", GRID, {"train": random_phrases(GRID, 9)}, shard_phrases=2)
    for name in store.manifest["splits"]["train"]["files"][2:]:
        (store.path / name).write_bytes(b"not a record")
    assert len(pipeline.load_bars(store, "train", "bass", limit=12)) == 12


def test_packed_phrases_are_all_phrases_in_order_and_as_packed(tmp_path):
    phrases = random_phrases(GRID, 9)
    store = write_store(tmp_path / "store", GRID, {"train": phrases})
    batches = list(pipeline.packed_phrases(store, "train", batch_size=4))
    assert [len(batch) for batch in batches] == [4, 4, 1]
    assert np.array_equal(np.concatenate(batches), packing.pack(phrases))
    assert np.array_equal(packing.unpack(np.concatenate(batches), GRID), phrases)


def test_bits_by_hand():
    # 12 cells: 1010 0000 | 0001 ....: cells 0, 2 and 11, which are (0, 0), (0, 2) and (3, 2)
    cells = pipeline.unpack(tf.constant([[0b10100000, 0b00010000]], tf.uint8), ODD)
    assert cells.shape == (1, 4, 3)
    assert np.argwhere(cells.numpy()[0]).tolist() == [[0, 0], [0, 2], [3, 2]]
    assert cells.numpy().max() == 1


@pytest.mark.parametrize("grid", [Grid(), GRID, ODD])
def test_the_graph_unpacks_as_numpy_packs(grid):
    bars = np.random.default_rng(0).random((7, grid.steps, grid.pitches)) < 0.4
    unpack = tf.function(lambda bits: pipeline.unpack(bits, grid))
    assert np.array_equal(unpack(packed(bars, grid).bits), bars)
    assert np.array_equal(packed(bars, grid).dense(), bars)


def test_to_signed():
    signed = pipeline.to_signed(np.array([[0, 1, 1], [1, 0, 0]], np.uint8))
    assert signed.dtype == tf.float32
    assert signed.numpy().tolist() == [[-1, 1, 1], [1, -1, -1]]
    assert pipeline.to_signed(np.array([False, True])).numpy().tolist() == [-1, 1]


def test_transposition_by_hand():
    cells = np.zeros((5, 2, 6), np.uint8)
    cells[0, 0, 2] = cells[0, 1, 4] = 1  # two up: only one is free
    cells[1, 1, 1] = 1  # two down: only one is free
    cells[2, 0, [0, 5]] = 1  # no way to go
    cells[3, 1, 2] = 1  # three up
    expected = np.zeros_like(cells)  # bar 4 is silent
    expected[0, 0, 3] = expected[0, 1, 5] = 1
    expected[1, 1, 0] = 1
    expected[2] = cells[2]
    expected[3, 1, 5] = 1
    found = pipeline.transpose(tf.constant(cells), tf.constant([2, -2, 3, 3, 4]))
    assert np.array_equal(found, expected)


def test_transposition_loses_no_note():
    rng = np.random.default_rng(1)
    cells = (rng.random((200, 8, 12)) < 0.03).astype(np.uint8)
    shifts = rng.integers(-11, 12, 200).astype(np.int32)
    found = pipeline.transpose(tf.constant(cells), tf.constant(shifts)).numpy()
    assert np.array_equal(found.sum(axis=2), cells.sum(axis=2))
    for before, after, shift in zip(cells, found, shifts, strict=True):
        pitches = np.flatnonzero(before.any(axis=0))
        if len(pitches):
            moved = np.flatnonzero(after.any(axis=0)) - pitches
            assert len(set(moved)) == 1
            assert moved[0] == np.clip(shift, -pitches[0], 11 - pitches[-1])


def batches(bars, track="bass", **kwargs):
    defaults = {"batch_size": 4, "epoch_bars": len(bars), "seed": 3, "first_epoch": 0, "epochs": 1}
    return [batch for batch, _ in pipeline.training_batches(bars, track, **{**defaults, **kwargs})]


def test_every_epoch_is_another_permutation_of_all_bars():
    bars = packed(numbered(30))
    found = batches(bars, epochs=3)
    assert [len(batch) for batch in found] == [4] * 7 + [2] + [4] * 7 + [2] + [4] * 7 + [2]
    orders = [np.concatenate([numbers(b) for b in found[8 * e : 8 * e + 8]]).tolist() for e in range(3)]
    for order in orders:
        assert sorted(order) == list(range(30))
        assert order != sorted(order)
    assert orders[0] != orders[1] != orders[2] != orders[0]


def test_shorter_epochs_go_on_where_the_one_before_ended():
    found = batches(packed(numbered(10)), epoch_bars=4, epochs=5)
    order = np.concatenate([numbers(batch) for batch in found])
    assert len(found) == 5
    assert [sorted(order[:10]), sorted(order[10:])] == [list(range(10))] * 2
    assert list(order[:10]) != list(order[10:])
    tail = batches(packed(numbered(10)), epoch_bars=4, first_epoch=2, epochs=5)
    assert np.array_equal(np.concatenate([numbers(batch) for batch in tail]), order[8:])


def test_an_epoch_of_more_bars_than_there_are_passes_over_them_in_turn_but_mixes_the_passes():
    found = batches(packed(numbered(10)), epoch_bars=23, epochs=2)
    assert [len(batch) for batch in found] == [4, 4, 4, 4, 4, 3] * 2
    for epoch in (found[:6], found[6:]):
        order = np.concatenate([numbers(batch) for batch in epoch])
        assert np.bincount(order).tolist() == [3, 3, 3, 2, 2, 2, 2, 2, 2, 2]
        assert len(set(order[:10])) < 10
    tail = batches(packed(numbered(10)), epoch_bars=23, first_epoch=1, epochs=2)
    assert all(np.array_equal(a, b) for a, b in zip(tail, found[6:], strict=True))


def test_input_and_target_are_the_same_bars_of_minus_and_plus_one():
    source = np.random.default_rng(0).random((6, 8, 5)) < 0.5
    (bar, target), *_ = pipeline.training_batches(
        packed(source), "piano", batch_size=6, epoch_bars=6, seed=0, first_epoch=0, epochs=1
    )
    assert bar.dtype == tf.float32
    assert np.array_equal(bar, target)
    assert set(np.unique(bar)) == {-1.0, 1.0}
    assert sorted(row.tobytes() for row in (bar.numpy() > 0)) == sorted(row.tobytes() for row in source)


@pytest.mark.parametrize("changes", [{}, {"max_shift": 2}, {"max_shift": 2, "mixed": 0.5}])
def test_a_resumed_dataset_is_the_tail_of_the_whole_one(changes):
    bars = packed(np.random.default_rng(2).random((30, 8, 5)) < 0.06)
    whole = batches(bars, epochs=4, **changes)
    for first in (1, 3):
        tail = batches(bars, first_epoch=first, epochs=4, **changes)
        assert len(tail) == 8 * (4 - first)
        for a, b in zip(tail, whole[8 * first :], strict=True):
            assert np.array_equal(a, b)
    assert batches(bars, first_epoch=4, epochs=4, **changes) == []


def test_order_and_transposition_depend_on_the_seed():
    bars = packed(np.random.default_rng(2).random((30, 8, 5)) < 0.06)
    one, same, other = (np.concatenate(batches(bars, seed=s, max_shift=2)) for s in (1, 1, 2))
    assert np.array_equal(one, same)
    assert not np.array_equal(one, other)


def test_all_shifts_up_to_the_largest_occur_and_none_beyond():
    grid = Grid(bars=1, steps=4, pitches=21, lowest_pitch=30, beat_resolution=1)
    cells = np.zeros((300, 4, 21), bool)
    cells[:, 2, 10] = True
    found = np.concatenate(batches(packed(cells, grid), "piano", batch_size=50, max_shift=3))
    pitches = np.argwhere(found > 0)[:, 2]
    assert len(pitches) == 300
    counts = np.bincount(pitches, minlength=21)
    assert np.flatnonzero(counts).tolist() == [7, 8, 9, 10, 11, 12, 13]
    assert counts[7:14].min() > 300 / 7 / 2


def test_drums_are_never_transposed():
    cells = np.random.default_rng(4).random((40, 8, 5)) < 0.1
    found = np.concatenate(batches(packed(cells), "drums", max_shift=4)) > 0
    assert sorted(row.tobytes() for row in found) == sorted(row.tobytes() for row in cells)


def filled(bars=400):
    """Bar i is all ones where i is odd, all zeros where it is even; [bar, step 8, pitch 5]."""
    return np.repeat(np.arange(bars) % 2, 40).reshape(bars, 8, 5).astype(np.uint8)


def test_mixed_bars_end_in_another_bar_from_a_beat_on():
    cells = filled()
    mixed = pipeline.mix(cells, 1.0, is_drum=False, seed=tf.constant([1, 2], tf.int64)).numpy()
    cuts = []
    for before, after in zip(cells, mixed, strict=True):
        own = (after == before).all(axis=1)
        cut = int(own.sum())
        assert (after[:cut] == before[0, 0]).all()
        assert (after[cut:] == 1 - before[0, 0]).all()
        cuts.append(cut)
    counts = np.bincount(cuts, minlength=9)
    assert np.flatnonzero(counts).tolist() == [2, 4, 6]  # beats of two steps
    assert counts[[2, 4, 6]].min() > 90


def test_drums_are_also_mixed_by_instruments():
    cells = filled()
    mixed = pipeline.mix(cells, 1.0, is_drum=True, seed=tf.constant([1, 2], tf.int64)).numpy()
    replaced = mixed != cells
    by_instrument = (replaced == replaced[:, :1]).all(axis=(1, 2))
    by_beat = (replaced == replaced[:, :, :1]).all(axis=(1, 2))
    assert (by_instrument | by_beat).all()
    assert 130 < (by_instrument & ~by_beat).sum() < 270
    assert replaced[by_instrument].mean() == pytest.approx(0.5, abs=0.08)


def test_the_share_of_mixed_bars():
    cells = filled(2000)
    for share in (0.0, 0.25):
        mixed = pipeline.mix(cells, share, is_drum=False, seed=tf.constant([1, 2], tf.int64)).numpy()
        assert (mixed != cells).any(axis=(1, 2)).mean() == pytest.approx(share, abs=0.04)


def test_evaluation_is_all_bars_in_order_as_they_are():
    source = np.random.default_rng(0).random((10, 8, 5)) < 0.3
    found = list(pipeline.evaluation_batches(packed(source), batch_size=4))
    assert [len(bar) for bar, _ in found] == [4, 4, 2]
    assert np.array_equal(np.concatenate([bar for bar, _ in found]), np.where(source, 1.0, -1.0))
    for bar, target in found:
        assert np.array_equal(bar, target)

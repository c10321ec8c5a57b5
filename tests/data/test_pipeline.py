import dataclasses
import json
import zlib

import numpy as np
import pytest
import tensorflow as tf

from msw2.data import packing, pipeline, stored_units
from msw2.data.shards import write_shard
from msw2.data.store import FORMAT, MANIFEST, SPLITS, Store, StoreError
from msw2.data.stored_units import Units, open_units
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
        songs = [
            (f"{index:016x}", packing.summarise([phrase[None]], np.array([0]), 100.0, grid))
            for index, phrase in enumerate(phrases.get(split, []))
        ]
        files = [f"{split}-{number:05d}.tfrecord" for number in range(-(-len(songs) // shard_phrases))]
        for number, file in enumerate(files):
            write_shard(path / file, songs[number * shard_phrases : (number + 1) * shard_phrases])
        splits[split] = {"files": files, "phrases": len(songs)}
    manifest = {
        "format": FORMAT,
        "tracks": list(TRACK_NAMES),
        "grid": dataclasses.asdict(grid),
        "splits": splits,
    }
    (path / MANIFEST).write_text(json.dumps(manifest))
    return Store.open(path, measuring=True)


def random_phrases(grid, count, seed=0, share=0.2):
    return np.random.default_rng(seed).random((count, *grid.phrase_shape, 5)) < share


def bars_of(phrases, track):
    return phrases[..., TRACK_NAMES.index(track)].reshape(-1, *phrases.shape[2:4])


def packed(units, grid=GRID, *, drums=False, unit_bars=1):
    """Units of bool [unit, step, pitch] in memory; `drums` for all of them, or bool [unit]."""
    return Units.in_memory(units, np.broadcast_to(drums, len(units)), grid, unit_bars)


def dense(units):
    return units.read(np.arange(len(units)))


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
    bars = open_units(store, "train", track)
    assert len(bars) == 9 * grid.bars
    assert bars.is_drum.tolist() == [track == "drums"] * 9 * grid.bars
    assert np.array_equal(dense(bars), bars_of(phrases, track))
    reverse = bars_of(phrases[::-1], track)
    assert np.array_equal(dense(open_units(store, "test", track)), reverse)


def test_an_empty_split_has_no_bars(tmp_path):
    store = write_store(tmp_path / "store", GRID, {"train": random_phrases(GRID, 2)})
    bars = open_units(store, "validation", "bass")
    assert len(bars) == 0
    assert dense(bars).shape == (0, 8, 5)


def test_unknown_tracks_and_splits_are_refused(tmp_path):
    store = write_store(tmp_path / "store", GRID, {"train": random_phrases(GRID, 2)})
    with pytest.raises(ValueError, match=r"^track 'drum' is not one of drums, piano, guitar, bass, strings$"):
        open_units(store, "train", "drum")
    with pytest.raises(ValueError, match=r"^split 'valid' is not one of train, validation, test$"):
        open_units(store, "valid", "drums")


def test_silent_bars_are_thinned_out_and_no_other(tmp_path):
    phrases = random_phrases(GRID, 200, share=0.05)
    phrases[::2, :, :, :, 3] = False
    store = write_store(tmp_path / "store", GRID, {"train": phrases}, shard_phrases=150)
    bars = bars_of(phrases, "bass")
    sounding = bars.any(axis=(1, 2))
    silent = int((~sounding).sum())
    none = open_units(store, "train", "bass", silent_share=0.0)
    assert np.array_equal(dense(none), bars[sounding])
    some = dense(open_units(store, "train", "bass", silent_share=0.3, seed=1))
    assert np.array_equal(some[some.any(axis=(1, 2))], bars[sounding])
    kept = len(some) - sounding.sum()
    assert abs(kept - 0.3 * silent) < 4 * (silent * 0.3 * 0.7) ** 0.5
    again = dense(open_units(store, "train", "bass", silent_share=0.3, seed=1))
    other = dense(open_units(store, "train", "bass", silent_share=0.3, seed=2))
    assert np.array_equal(some, again)
    assert some.shape != other.shape or not np.array_equal(some, other)
    assert len(open_units(store, "train", "bass", silent_share=1.0)) == 600


def test_a_limit_takes_the_first_bars_that_are_kept(tmp_path):
    phrases = random_phrases(GRID, 9, share=0.05)
    phrases[0, 1] = False
    store = write_store(tmp_path / "store", GRID, {"train": phrases})
    bars = bars_of(phrases, "guitar")
    assert np.array_equal(dense(open_units(store, "train", "guitar", limit=7)), bars[:7])
    sounding = bars[bars.any(axis=(1, 2))]
    found = open_units(store, "train", "guitar", limit=7, silent_share=0.0)
    assert np.array_equal(dense(found), sounding[:7])
    assert len(open_units(store, "train", "guitar", limit=1000)) == 27


def test_a_limit_stops_reading(tmp_path, monkeypatch):
    monkeypatch.setattr(stored_units, "READ", 2)
    store = write_store(tmp_path / "store", GRID, {"train": random_phrases(GRID, 9)}, shard_phrases=2)
    for name in store.manifest["splits"]["train"]["files"][2:]:
        (store.path / name).write_bytes(b"not a record")
    assert len(open_units(store, "train", "bass", limit=12)) == 12


def test_packed_phrases_are_all_phrases_in_order_and_as_packed(tmp_path):
    phrases = random_phrases(GRID, 9)
    store = write_store(tmp_path / "store", GRID, {"train": phrases})
    batches = list(store.packed("train", size=4))
    assert [len(batch) for batch in batches] == [4, 4, 1]
    assert np.array_equal(np.concatenate(batches), packing.pack(phrases))
    assert np.array_equal(packing.unpack(np.concatenate(batches), GRID), phrases)
    first = list(store.packed("train", size=4, limit=5))
    assert [len(batch) for batch in first] == [4, 1]


@pytest.mark.parametrize("size", [3, 100])
def test_some_phrases_of_a_split_are_spread_evenly(tmp_path, size):
    store = write_store(tmp_path / "store", GRID, {"train": random_phrases(GRID, 12)}, shard_phrases=5)

    def read(**which):
        return np.concatenate(list(store.packed("train", size=size, **which)))

    rows, count = read(), store.count("train")
    np.testing.assert_array_equal(read(limit=10, evenly=4), rows[[2, 4, 7, 9]])
    np.testing.assert_array_equal(read(limit=10, evenly=1), rows[[9]])
    np.testing.assert_array_equal(read(limit=10, evenly=99), rows[:10])
    assert len(read(evenly=count - 1)) == count - 1


def test_no_read_waits_for_a_tuner(tmp_path, monkeypatch):
    """An iterator whose pipeline is tuned waits at its end for a tuner that sleeps."""
    store = write_store(tmp_path / "store", GRID, {"train": random_phrases(GRID, 5)})
    tuned, begin = [], tf.data.Dataset.__iter__

    def noting(dataset):
        tuned.append(dataset.options().autotune.enabled)
        return begin(dataset)

    monkeypatch.setattr(tf.data.Dataset, "__iter__", noting)
    open_units(store, "train", "piano")
    store.load("train")
    store.song_names("train")
    assert tuned == [False, False, False]


def test_a_shard_that_is_cut_off_is_one_sentence(tmp_path):
    store = write_store(tmp_path / "store", GRID, {"train": random_phrases(GRID, 9)})
    shard = store.path / store.manifest["splits"]["train"]["files"][1]
    shard.write_bytes(shard.read_bytes()[:-3])
    reads = [
        lambda: open_units(store, "train", "bass"),
        lambda: store.load("train"),
        lambda: store.song_names("train"),
        lambda: list(store.songs("train")),
    ]
    for read in reads:
        with pytest.raises(StoreError, match=r"^the store .*store is damaged: .*truncated record"):
            read()


def test_a_store_that_has_lost_a_shard_or_a_count_is_one_sentence(tmp_path):
    store = write_store(tmp_path / "store", GRID, {"train": random_phrases(GRID, 9)})
    train = store.manifest["splits"]["train"]
    for change, found in (
        ({"phrases": 8}, "9 phrases of train, not 8"),
        ({"files": train["files"][:2]}, "8 .*not 9"),
    ):
        store.manifest["splits"]["train"] = train | change
        for read in (lambda: list(store.packed("train", size=4)), lambda: open_units(store, "train", "bass")):
            with pytest.raises(StoreError, match=rf"^the store .*store is damaged: {found}"):
                read()


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"splits": {}}, "its 'splits', 'train' is missing"),
        ({"splits": 3}, "its 'splits' is 3, not an object"),
        ({"tracks": None}, "its 'tracks' is None, not a list"),
        ({"grid": {"bars": -1}}, "its 'grid', 'bars' is -1, not a whole number from 0 on"),
    ],
)
def test_a_manifest_that_lacks_what_is_read_is_one_sentence(tmp_path, change, reason):
    store = write_store(tmp_path / "store", GRID, {"train": random_phrases(GRID, 1)})
    (store.path / MANIFEST).write_text(json.dumps(store.manifest | change))
    with pytest.raises(StoreError, match=rf"^the store .*store is damaged, manifest\.json: {reason}$"):
        Store.open(store.path)
    splits = {split: {"files": ["../a"], "phrases": 1} for split in SPLITS}
    (store.path / MANIFEST).write_text(json.dumps(store.manifest | {"splits": splits}))
    with pytest.raises(StoreError, match=r"damaged, manifest\.json: '\.\./a' is no file of it$"):
        Store.open(store.path)


def test_what_only_people_read_is_checked_where_it_is_shown(tmp_path):
    store = write_store(tmp_path / "store", GRID, {"train": random_phrases(GRID, 1)})
    with pytest.raises(StoreError, match=r"damaged, manifest\.json: its 'files' is missing$"):
        store.summary()


def test_to_signed():
    signed = pipeline.to_signed(np.array([[0, 1, 1], [1, 0, 0]], np.uint8))
    assert signed.dtype == tf.float32
    assert signed.numpy().tolist() == [[-1, 1, 1], [1, -1, -1]]
    assert pipeline.to_signed(np.array([False, True])).numpy().tolist() == [-1, 1]


def batches(units, **kwargs):
    defaults = {"batch_size": 4, "epoch_units": len(units), "seed": 3, "first_epoch": 0, "epochs": 1}
    return [batch.numpy() for batch, _ in pipeline.training_batches(units, **{**defaults, **kwargs})]


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
    found = batches(packed(numbered(10)), epoch_units=4, epochs=5)
    order = np.concatenate([numbers(batch) for batch in found])
    assert len(found) == 5
    assert [sorted(order[:10]), sorted(order[10:])] == [list(range(10))] * 2
    assert list(order[:10]) != list(order[10:])
    tail = batches(packed(numbered(10)), epoch_units=4, first_epoch=2, epochs=5)
    assert np.array_equal(np.concatenate([numbers(batch) for batch in tail]), order[8:])


def test_an_epoch_of_more_bars_than_there_are_passes_over_them_in_turn_but_mixes_the_passes():
    found = batches(packed(numbered(10)), epoch_units=23, epochs=2)
    assert [len(batch) for batch in found] == [4, 4, 4, 4, 4, 3] * 2
    for epoch in (found[:6], found[6:]):
        order = np.concatenate([numbers(batch) for batch in epoch])
        assert np.bincount(order).tolist() == [3, 3, 3, 2, 2, 2, 2, 2, 2, 2]
        assert len(set(order[:10])) < 10
    tail = batches(packed(numbered(10)), epoch_units=23, first_epoch=1, epochs=2)
    assert all(np.array_equal(a, b) for a, b in zip(tail, found[6:], strict=True))


def test_input_and_target_are_the_same_bars_of_minus_and_plus_one():
    source = np.random.default_rng(0).random((6, 8, 5)) < 0.5
    (bar, target), *_ = pipeline.training_batches(
        packed(source), batch_size=6, epoch_units=6, seed=0, first_epoch=0, epochs=1
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
    found = np.concatenate(batches(packed(cells, grid), batch_size=50, max_shift=3))
    pitches = np.argwhere(found > 0)[:, 2]
    assert len(pitches) == 300
    counts = np.bincount(pitches, minlength=21)
    assert np.flatnonzero(counts).tolist() == [7, 8, 9, 10, 11, 12, 13]
    assert counts[7:14].min() > 300 / 7 / 2


def test_drums_are_never_transposed():
    cells = np.random.default_rng(4).random((40, 8, 5)) < 0.1
    found = np.concatenate(batches(packed(cells, drums=True), max_shift=4)) > 0
    assert sorted(row.tobytes() for row in found) == sorted(row.tobytes() for row in cells)


def test_evaluation_is_all_bars_in_order_as_they_are():
    source = np.random.default_rng(0).random((10, 8, 5)) < 0.3
    found = list(pipeline.evaluation_batches(packed(source), batch_size=4))
    assert [len(bar) for bar, _ in found] == [4, 4, 2]
    assert np.array_equal(np.concatenate([bar for bar, _ in found]), np.where(source, 1.0, -1.0))
    for bar, target in found:
        assert np.array_equal(bar, target)


@pytest.mark.parametrize(("drums", "content"), [(True, 3669600566), (False, 4046391845)])
def test_the_batches_of_one_track_do_not_change(drums, content):
    """A run that continues in a later version goes on as it began: the checksum is of the first version's."""
    units = packed(np.random.default_rng(2).random((30, 8, 5)) < 0.06, drums=drums)
    found = batches(units, epochs=2, max_shift=2, mixed=0.5)
    assert zlib.crc32(b"".join(batch.tobytes() for batch in found)) == content


def test_of_several_tracks_only_the_pitched_units_are_transposed():
    grid = Grid(bars=1, steps=4, pitches=21, lowest_pitch=30, beat_resolution=1)
    is_drum = np.arange(600) % 3 == 0
    cells = np.zeros((600, 4, 21), bool)
    cells[is_drum, 0, 10] = cells[~is_drum, 2, 10] = True
    found = np.concatenate(batches(packed(cells, grid, drums=is_drum), batch_size=50, max_shift=3)) > 0
    _, steps, pitches = np.nonzero(found)
    assert pitches[steps == 0].tolist() == [10] * 200
    counts = np.bincount(pitches[steps == 2], minlength=21)
    assert np.flatnonzero(counts).tolist() == [7, 8, 9, 10, 11, 12, 13]
    assert counts.sum() == 400


def test_drums_and_pitched_units_are_not_mixed_of_one_another():
    is_drum = np.arange(90) % 3 == 0
    cells = np.random.default_rng(0).random((90, 8, 5)) < 0.5
    cells[is_drum, :, 2:] = cells[~is_drum, :, :2] = False
    found = np.concatenate(batches(packed(cells, drums=is_drum), batch_size=9, mixed=1.0)) > 0
    assert not (found[..., :2].any(axis=(1, 2)) & found[..., 2:].any(axis=(1, 2))).any()
    known = {cell.tobytes() for cell in cells}
    assert sum(unit.tobytes() not in known for unit in found) > 60


def test_parts_are_put_together_with_their_kinds():
    drums, bass = packed(numbered(3), drums=True), packed(numbered(4), drums=False)
    both = Units.together([drums, bass])
    assert numbers(dense(both)).tolist() == [0, 1, 2, 0, 1, 2, 3]
    assert both.is_drum.tolist() == [True] * 3 + [False] * 4
    assert (both.grid, both.unit_bars, both.shape) == (GRID, 1, (8, 5))


@pytest.mark.parametrize("grid", [GRID, ODD])
@pytest.mark.parametrize("track", ["drums", "strings"])
def test_a_phrase_as_a_unit_is_its_bars_one_after_another(tmp_path, grid, track):
    phrases = random_phrases(grid, 9)
    store = write_store(tmp_path / "store", grid, {"train": phrases})
    units = open_units(store, "train", track, unit_bars=grid.bars)
    own = phrases[..., TRACK_NAMES.index(track)]
    expected = np.concatenate([own[:, bar] for bar in range(grid.bars)], axis=1)
    assert units.shape == (grid.bars * grid.steps, grid.pitches)
    assert np.array_equal(dense(units), expected)
    assert units.is_drum.tolist() == [track == "drums"] * 9
    np.testing.assert_allclose(units.sounding_share(), own.mean(axis=(0, 1, 2)))
    (unit, target), *_ = pipeline.evaluation_batches(units, batch_size=9)
    assert np.array_equal(unit, np.where(expected, 1.0, -1.0))
    assert np.array_equal(unit, target)
    shuffled = np.concatenate(batches(units)) > 0
    assert sorted(each.tobytes() for each in shuffled) == sorted(each.tobytes() for each in expected)


def test_limit_and_silence_are_of_phrases_where_they_are_the_units(tmp_path):
    phrases = random_phrases(GRID, 9)
    phrases[2, :, :, :, 2] = False  # a silent phrase
    phrases[4, 1:, :, :, 2] = False  # silent bars in one that is not
    store = write_store(tmp_path / "store", GRID, {"train": phrases})
    units = open_units(store, "train", "guitar", unit_bars=3, silent_share=0.0, limit=5)
    own = phrases[[0, 1, 3, 4, 5], ..., 2].reshape(5, 24, 5)
    assert np.array_equal(dense(units), own)


def test_a_phrase_is_transposed_as_a_whole():
    grid = Grid(bars=2, steps=4, pitches=21, lowest_pitch=30, beat_resolution=1)
    cells = np.zeros((60, 8, 21), bool)
    cells[:, 1, 9] = cells[:, 6, 11] = True
    found = np.concatenate(batches(packed(cells, grid, unit_bars=2), max_shift=3)) > 0
    _, _, pitches = np.nonzero(found)
    assert (np.diff(pitches.reshape(60, 2)) == 2).all()
    assert set(pitches[::2]) == {6, 7, 8, 9, 10, 11, 12}

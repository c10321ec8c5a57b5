"""What the workers of `make bench --only=scale` do, at sizes of no use but to tests."""

import numpy as np
import pytest

from msw2.benchmarks import scale_tasks
from msw2.data.phrase_file import BLOCK, phrase_file
from msw2.data.store import Store
from msw2.music import npz
from msw2.music.grid import Grid


def test_a_phrase_file_of_some_blocks(tmp_path):
    scale_tasks.write_phrase_file(tmp_path / "phrases.npz", 2 * BLOCK)
    assert len(phrase_file(tmp_path / "phrases.npz")) == 2
    with npz.opened(tmp_path / "phrases.npz") as archive:
        cells = npz.array(archive, "nonzero", 2**30)
    count = cells.shape[1] // 2
    assert np.array_equal(cells[1:, :count], cells[1:, count:])
    assert np.array_equal(cells[0, :count] + BLOCK, cells[0, count:])
    assert 0.02 < count / (BLOCK * np.prod(Grid().phrase_shape) * 5) < 0.03  # as full as music
    assert (np.diff(cells[0]) >= 0).all()


def test_stores_and_their_bytes(tmp_path):
    run = scale_tasks.store({"phrases": 3 * BLOCK, "folder": str(tmp_path / "own")})
    units, (seconds,) = run(1)
    assert (units, seconds > 0) == (3 * BLOCK, True)
    store = Store.open(tmp_path / "own" / "store")
    assert sum(store.count(split) for split in ("train", "validation", "test")) == 3 * BLOCK
    _, sizes = run(1, bytes=True)
    files = sum(file.stat().st_size for file in (tmp_path / "own" / "store").iterdir())
    assert sizes == ((tmp_path / "own" / "phrases.npz").stat().st_size / 1e6, files / 1e6)


def test_batches_of_a_store(tmp_path):
    run = scale_tasks.batches({"phrases": 3 * BLOCK, "folder": str(tmp_path), "preset": "smoke"})
    found, _ = run(1, index=True)
    assert found == 4 * Store.open(tmp_path / "store").count("train")  # every bar of piano sounds
    batch, _ = run(2)
    assert batch % 2 == 0


def test_tunes_of_songs_that_share_some_bars(monkeypatch):
    asked = []
    monkeypatch.setattr(scale_tasks, "tunes_of", lambda *songs: asked.append(songs))
    units, _ = scale_tasks.tunes({"songs": 300})(2)
    assert units == 600
    digests, bars = asked[0]
    assert len(set(digests)) == len(bars) == 300
    _, owners = np.unique(np.concatenate(bars), return_counts=True)
    assert owners[owners > 1].mean() == pytest.approx(20, abs=3)
    assert (owners == 1).sum() == 300 * 63


def test_one_process_trains_by_keras_fit(monkeypatch):
    asked = []
    monkeypatch.setattr(
        "msw2.benchmarks.training.stage1", lambda job: asked.append(job) or (lambda amount: (32 * amount, ()))
    )
    run = scale_tasks.train({"hosts": ["here:1"], "index": 0, "threads": 2, "preset": "smoke", "bars": 40})
    assert run(3)[0] == 96
    assert (asked[0]["library"], asked[0]["track"]) == ("ours", "piano")

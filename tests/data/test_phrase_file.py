"""MuseGAN's phrase file, in every layout np.savez may give it, and damaged in every way."""

import io
import zipfile

import numpy as np
import pytest

from msw2.data import packing
from msw2.data import phrase_file as module
from msw2.data.phrase_file import phrase_file
from msw2.data.store import StoreError
from msw2.data.windows import Rules
from msw2.music.grid import Grid

GRID = Grid(bars=2, steps=4, pitches=3, lowest_pitch=60, beat_resolution=1)
SHAPE = (7, 2, 4, 3, 5)


@pytest.fixture(autouse=True)
def small_blocks(monkeypatch):
    """Blocks of two phrases, pieces of eleven cells: every border is crossed."""
    monkeypatch.setattr(module, "BLOCK", 2)
    monkeypatch.setattr(module, "PIECE", 11)


def _dense():
    """Seven phrases; phrases 2 and 3 (a whole block) and the last one are silent."""
    dense = np.random.default_rng(4).random(SHAPE) < 0.2
    dense[[2, 3, 6]] = False
    return dense


def _write(path, nonzero, shape=SHAPE, save=np.savez_compressed):
    save(path, nonzero=nonzero, shape=np.asarray(shape))
    return path


def _outcomes(path, grid=GRID):
    return list(phrase_file(path).outcomes(grid, Rules(), 1))


def _read(path):
    found = _outcomes(path)
    return np.concatenate([packing.unpack(outcome.phrases.packed, GRID) for outcome in found])


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
@pytest.mark.parametrize("dtype", [np.int64, np.int32, np.uint8, ">i8"])
@pytest.mark.parametrize("order", ["C", "F"])
def test_every_layout_gives_the_same_phrases(tmp_path, save, dtype, order):
    nonzero = np.asarray(np.nonzero(_dense()), dtype=dtype, order=order)
    assert np.array_equal(_read(_write(tmp_path / "x.npz", nonzero, save=save)), _dense())


def test_blocks_are_named_by_their_phrases_and_differ_even_where_alike(tmp_path):
    found = _outcomes(_write(tmp_path / "x.npz", np.array(np.nonzero(np.zeros(SHAPE)))))
    assert [outcome.name for outcome in found] == [
        "phrases 0..1",
        "phrases 2..3",
        "phrases 4..5",
        "phrases 6..6",
    ]
    assert len({outcome.digest for outcome in found}) == 4
    assert len(phrase_file(tmp_path / "x.npz")) == 4


def test_first_bars_tempo_and_counts(tmp_path):
    first = _outcomes(_write(tmp_path / "x.npz", np.array(np.nonzero(_dense()))))[0].phrases
    assert first.first_bars.tolist() == [0, 2]
    assert first.tempo == 100
    assert first.cells.sum() == _dense()[:2].sum()
    assert first.sounding_bars.tolist() == _dense()[:2].any(axis=(2, 3)).sum(axis=(0, 1)).tolist()


def test_another_grid_is_refused(tmp_path):
    with pytest.raises(StoreError, match=r"shape \(7, 2, 4, 3, 5\) is not \(7, 4, 48, 84, 5\)"):
        _outcomes(_write(tmp_path / "x.npz", np.array(np.nonzero(_dense()))), Grid())


def _unsorted():
    nonzero = np.array(np.nonzero(_dense()))
    return nonzero[:, ::-1]


def _changed(row, value):
    nonzero = np.array(np.nonzero(_dense()))
    nonzero[row, -1] = value
    return nonzero


@pytest.mark.parametrize(
    ("nonzero", "reason"),
    [
        (_unsorted(), "nonzero is not sorted by phrase"),
        (_changed(3, 3), "nonzero has indices outside the shape"),
        (_changed(4, -1), "nonzero has indices outside the shape"),
        (_changed(0, 7), "nonzero has indices outside the shape"),
        (np.zeros((4, 3), int), r"nonzero is int64 \[4, 3\], not whole numbers \[5, cells\]"),
        (np.zeros((5, 3)), "nonzero is float64"),
        (np.array([[None] * 3] * 5), "array of pickled objects"),
        (np.zeros((5, 841), np.uint8), "nonzero of 841 cells fits neither"),
    ],
)
def test_what_is_wrong_is_named(tmp_path, nonzero, reason):
    with pytest.raises(StoreError, match=f"x.npz: {reason}"):
        _outcomes(_write(tmp_path / "x.npz", nonzero))


@pytest.mark.parametrize(
    ("shape", "reason"),
    [
        ([7, 2, 4, 3], "is not"),
        ([0, 2, 4, 3, 5], "is not"),
        ([10**12, 2, 4, 3, 5], "is not"),
        ([None] * 5, "pickled"),
    ],
)
def test_a_shape_that_is_none_is_refused_at_once(tmp_path, shape, reason):
    path = _write(tmp_path / "x.npz", np.zeros((5, 0), int), shape)
    with pytest.raises(StoreError, match=reason):
        phrase_file(path)


def test_a_file_that_ends_early_is_refused(tmp_path):
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(header, {"descr": "<i8", "fortran_order": False, "shape": (5, 800)})
    path = _write(tmp_path / "x.npz", np.zeros((5, 0), int))
    content = io.BytesIO(path.read_bytes())
    with zipfile.ZipFile(content) as old, zipfile.ZipFile(path, "w") as new:
        new.writestr("shape.npy", old.read("shape.npy"))
        new.writestr("nonzero.npy", header.getvalue() + bytes(100))
    with pytest.raises(StoreError, match="fits neither the shape nor the file"):
        _outcomes(path)


HUGE = [
    ("'descr': '<i8', 'fortran_order': False, 'shape': (5, 3", "damaged array"),  # no end
    ("{'descr': '<i8', 'fortran_order': False, 'shape': (5, 3)}" + "}" * 9, "damaged array"),
    ("{" + "[" * 3000 + "}", "damaged array"),
    ("{'descr': '<i8', 'fortran_order': False, 'shape': (5, 3, }", "damaged array"),
    ("{'descr': '<i8', 'fortran_order': False, 'shape': (5, 03L)}", "damaged array|nonzero"),
    (
        "{'descr': [('a', '<i8')], 'fortran_order': False, 'shape': (5, 3)}",
        "damaged array: .* no plain number",
    ),
    ("{'descr': ('<i8', (2,)), 'fortran_order': False, 'shape': (5, 3)}", "damaged array"),
    ("{'descr': '|S0', 'fortran_order': False, 'shape': (5, 3)}", "damaged array: .* no plain number"),
    (f"{{'descr': '<i8', 'fortran_order': False, 'shape': {(1,) * 65}}}", "damaged array: 65 axes, too many"),
    (
        f"{{'descr': '<i8', 'fortran_order': False, 'shape': (5, {2**62})}}",
        "damaged array: 2 axes, too many or",
    ),
    (
        f"{{'descr': '<i8', 'fortran_order': False, 'shape': (0, {2**70})}}",
        "damaged array: 2 axes, too many or",
    ),
    ("{'descr': '<i8', 'fortran_order': False, 'shape': (5, -3)}", r"damaged array: shape \(5, -3\)"),
    ("{'descr': '<i8', 'fortran_order': False, 'shape': (5, 1.5)}", "damaged array"),
]


@pytest.mark.parametrize(("header", "reason"), HUGE, ids=range(len(HUGE)))
@pytest.mark.parametrize("name", ["shape", "nonzero"])
def test_a_header_that_describes_no_array_is_refused(tmp_path, header, reason, name):
    text = header.encode() + b" " * (64 - (len(header) + 11) % 64) + b"\n"
    version = b"\x02\x00" + len(text).to_bytes(4, "little")
    path = _write(tmp_path / "x.npz", np.zeros((5, 0), int))
    content = io.BytesIO(path.read_bytes())
    with zipfile.ZipFile(content) as old, zipfile.ZipFile(path, "w") as new:
        for member in ("shape", "nonzero"):
            made = b"\x93NUMPY" + version + text + bytes(100)
            new.writestr(f"{member}.npy", made if member == name else old.read(f"{member}.npy"))
    with pytest.raises(StoreError, match=rf"^phrase file [^\n]*x\.npz: ({reason})[^\n]*$"):
        _outcomes(path)


@pytest.mark.parametrize("content", [b"", b"hello", b"PK\3\4"])
def test_what_is_no_npz_file_is_refused(tmp_path, content):
    path = tmp_path / "x.npz"
    path.write_bytes(content)
    with pytest.raises(StoreError, match=r"x\.npz: damaged \.npz file"):
        phrase_file(path)


def test_no_file_is_one_sentence(tmp_path):
    with pytest.raises(StoreError, match="does not exist"):
        phrase_file(tmp_path / "none.npz")


def test_only_a_few_blocks_are_in_memory_at_a_time(tmp_path, monkeypatch):
    tracemalloc = pytest.importorskip("tracemalloc")
    monkeypatch.setattr(module, "BLOCK", 64)
    monkeypatch.setattr(module, "PIECE", 4096)
    grid = Grid()
    count, cells = 2048, 2048 * 100  # 165 MB dense, 8 MB of indices
    rng = np.random.default_rng(0)
    nonzero = [
        np.sort(rng.integers(0, count, cells)),
        *(rng.integers(0, size, cells) for size in (4, 48, 84, 5)),
    ]
    path = _write(tmp_path / "x.npz", np.stack(nonzero), (count, 4, 48, 84, 5))
    del nonzero
    tracemalloc.start()
    phrases_read = sum(len(outcome.phrases) for outcome in phrase_file(path).outcomes(grid, Rules(), 1))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert phrases_read == count
    assert peak < 40 * 2**20


@pytest.mark.parametrize("lost", [1, 8, 13])
def test_a_shape_that_ends_early_is_refused(tmp_path, lost):
    content = io.BytesIO(_write(tmp_path / "x.npz", np.zeros((5, 0), int)).read_bytes())
    with zipfile.ZipFile(content) as old, zipfile.ZipFile(tmp_path / "x.npz", "w") as new:
        for name in old.namelist():
            new.writestr(name, old.read(name)[: -lost if name == "shape.npy" else None])
    with pytest.raises(StoreError, match=r"damaged array: shape is shorter than its shape \(5,\)$"):
        phrase_file(tmp_path / "x.npz")

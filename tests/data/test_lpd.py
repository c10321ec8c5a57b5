"""LPD files: both layouts, read against rolls drawn by hand, and everything that can be wrong with them."""

import io
import zipfile

import numpy as np
import pypianoroll
import pytest

from msw2.data.lpd import lpd_tree, read_lpd
from msw2.data.store import StoreError
from msw2.music.grid import Grid
from msw2.music.midi import SongError

from .conftest import lpd_bytes

GRID = Grid()
EMPTY = np.zeros((0, 128), bool)


def _rolls(steps=24 * 4):
    """Five rolls of a bar at 24 steps a beat; strings are empty, as in LPD."""
    rolls = [np.zeros((steps, 128), bool) for _ in range(4)]
    rolls[0][[0, 5, 6], 36] = True  # step 5 is not on the grid of twelve
    rolls[1][10:20, 60] = True
    rolls[2][95, 24] = True  # off the grid: odd step
    rolls[2][94, 107] = True
    rolls[3][0:4, [23, 24]] = True  # 23 is below the grid
    return [*rolls, EMPTY]


CELLS = {(0, 12, 0), (3, 12, 0), *((step, 36, 1) for step in range(5, 10)), (47, 83, 2), (0, 0, 3), (1, 0, 3)}


def _cells(pianoroll):
    return set(zip(*(axis.tolist() for axis in np.nonzero(pianoroll)), strict=True))


def _read(tmp_path, content):
    (tmp_path / "song.npz").write_bytes(content)
    return read_lpd(tmp_path / "song.npz", GRID)


@pytest.mark.parametrize("key", ["beat_resolution", "resolution"])
def test_both_layouts_are_read(tmp_path, key):
    song = _read(tmp_path, lpd_bytes(_rolls(), key, tempo=np.full(96, 93.0)))
    assert song.pianoroll.shape == (48, 84, 5)
    assert _cells(song.pianoroll) == CELLS
    assert song.tempo == 93


def test_what_pypianoroll_itself_writes_is_read(tmp_path):
    programs = [(0, True), (0, False), (24, False), (32, False)]
    tracks = [
        pypianoroll.BinaryTrack(program=program, is_drum=is_drum, pianoroll=roll)
        for (program, is_drum), roll in zip(programs, _rolls(), strict=False)
    ]
    multitrack = pypianoroll.Multitrack(resolution=24, tempo=np.full((96, 1), 93.0), tracks=tracks)
    multitrack.save(tmp_path / "song.npz")
    song = read_lpd(tmp_path / "song.npz", GRID)
    assert _cells(song.pianoroll) == CELLS
    assert song.tempo == 93


def test_a_last_bar_that_is_cut_short_is_filled_with_silence(tmp_path):
    rolls = [np.zeros((97, 128), bool), EMPTY, EMPTY, EMPTY, EMPTY]
    rolls[0][96, 36] = True
    assert _cells(_read(tmp_path, lpd_bytes(rolls)).pianoroll) == {(48, 12, 0)}
    assert _read(tmp_path, lpd_bytes(rolls)).pianoroll.shape[0] == 96


def test_tracks_of_one_family_are_merged_and_dropped_ones_left_out(tmp_path):
    def change(arrays, info):
        info["2"]["program"], info["3"]["program"] = 5, 127  # guitar becomes a second piano, bass a gunshot

    found = _cells(_read(tmp_path, lpd_bytes(_rolls(), change=change)).pianoroll)
    assert found == {cell for cell in CELLS if cell[2] < 2} | {(47, 83, 1)}


@pytest.mark.parametrize("downbeats", [[0], [0, 96, 192]])
def test_downbeats_of_four_four_are_accepted(tmp_path, downbeats):
    marks = np.zeros(288, bool)
    marks[downbeats] = True
    assert _read(tmp_path, lpd_bytes(_rolls(), downbeat=marks)).pianoroll.any()


def _three_four():
    marks = np.zeros(288, bool)
    marks[::72] = True
    return marks


def _with(name, value):
    def change(arrays, info):
        arrays[name] = value

    return change


def _info(key, value):
    def change(arrays, info):
        info[key] = value

    return change


SPARSE = "pianoroll_1_csc_"


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "damaged .npz file"),
        (b"PK\3\4 no zip", "damaged .npz file"),
        (lpd_bytes(_rolls())[:-30], "damaged .npz file"),
        (lpd_bytes(_rolls(), resolution=10), "resolution is no multiple of 12 steps a beat: 10"),
        (lpd_bytes(_rolls(), resolution="24"), "resolution is no number of steps a beat: '24'"),
        (lpd_bytes(_rolls(), resolution_key="none"), "resolution is no number of steps a beat: None"),
        (lpd_bytes(_rolls(), resolution=-24), "resolution is no number of steps a beat: -24"),
        (lpd_bytes([EMPTY] * 5), "no notes in any track"),
        (lpd_bytes(_rolls(), downbeat=_three_four()), "not in 4/4 throughout"),
        (lpd_bytes(_rolls(), tempo=np.full(96, 1e9)), "absurd tempo"),
        (lpd_bytes(_rolls(), tempo=np.full(96, np.nan)), "absurd tempo"),
        (
            lpd_bytes(_rolls(), change=_with(SPARSE + "shape", np.array([2**40, 128]))),
            "too long: .* at most 4096",
        ),
        (
            lpd_bytes(
                _rolls(),
                resolution=24 * 10**15,
                change=_with(SPARSE + "shape", np.array([2**40, 128])),
            ),
            "too large: [0-9]{15} cells, at most 268435456",
        ),
        (lpd_bytes(_rolls(), change=_with(SPARSE + "shape", np.array([-96, 128]))), "damaged pianoroll"),
        (
            lpd_bytes(_rolls(), change=_with(SPARSE + "shape", np.array([2**64 - 96, 128], np.uint64))),
            "damaged pianoroll",
        ),
        (lpd_bytes(_rolls(), change=_with(SPARSE + "shape", np.array([96, 127]))), "damaged pianoroll"),
        (lpd_bytes(_rolls(), change=_with(SPARSE + "shape", np.array([12, 128]))), "damaged pianoroll"),
        (lpd_bytes(_rolls(), change=_with(SPARSE + "indices", np.full(10, -1))), "damaged pianoroll"),
        (lpd_bytes(_rolls(), change=_with(SPARSE + "indptr", np.arange(129)[::-1])), "damaged pianoroll"),
        (lpd_bytes(_rolls(), change=_with(SPARSE + "indptr", np.zeros(0, int))), "damaged pianoroll"),
        (lpd_bytes(_rolls(), change=_with(SPARSE + "data", np.array(["a"] * 10))), "damaged pianoroll"),
        (
            lpd_bytes(_rolls(), change=_with(SPARSE + "data", np.array([None] * 10))),
            "array of pickled objects",
        ),
        (
            lpd_bytes(_rolls(), change=lambda arrays, info: arrays.pop(SPARSE + "data")),
            "no pianoroll_1_csc_data.npy",
        ),
        (lpd_bytes(_rolls(), change=_info("1", [])), "track without a program"),
        (lpd_bytes(_rolls(), change=_info("1", {"program": 128})), "track without a program"),
    ],
)
def test_what_is_wrong_is_named(tmp_path, content, reason):
    with pytest.raises(SongError, match=f"^{reason}"):
        _read(tmp_path, content)


def _archive(**members):
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, value in members.items():
            archive.writestr(name.replace("_json", ".json").replace("_npy", ".npy"), value)
    return content.getvalue()


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (_archive(readme="hello"), "no info.json"),
        (_archive(info_json="[1, 2"), "damaged info.json"),
        (_archive(info_json="[" * 100_000), "damaged info.json"),
        (_archive(info_json="[1, 2]"), "damaged info.json"),
        (_archive(info_json=" " * 2**21), "info.json too large: 2097152 bytes, at most 1048576"),
        (_archive(**{f"m{number}": "" for number in range(4097)}), "too many members"),
    ],
)
def test_an_archive_that_is_no_song_is_named(tmp_path, content, reason):
    with pytest.raises(SongError, match=f"^{reason}"):
        _read(tmp_path, content)


def test_a_zip_bomb_is_refused_by_its_declared_size_and_never_unpacked(tmp_path):
    def bomb(arrays, info):
        arrays[SPARSE + "indices"] = np.zeros(65 * 2**17, np.int64)  # 65 MiB of zeros in a few kilobytes

    content = lpd_bytes(_rolls(), change=bomb)
    assert len(content) < 200_000
    with pytest.raises(SongError, match=r"pianoroll_1_csc_indices\.npy too large"):
        _read(tmp_path, content)


def test_a_header_that_promises_more_than_the_file_has_is_refused(tmp_path):
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(header, {"descr": "|b1", "fortran_order": False, "shape": (10**12,)})
    original, content = io.BytesIO(lpd_bytes(_rolls())), io.BytesIO()
    with zipfile.ZipFile(original) as old, zipfile.ZipFile(content, "w") as new:
        for name in old.namelist():
            new.writestr(name, header.getvalue() if name == SPARSE + "data.npy" else old.read(name))
    with pytest.raises(SongError, match="shorter than its shape"):
        _read(tmp_path, content.getvalue())


def test_a_member_that_hides_behind_anothers_name_is_not_read(tmp_path):
    """NumPy takes `tempo` for `tempo.npy` where both are there; only the one that was checked may count."""
    content = io.BytesIO(lpd_bytes(_rolls(), tempo=np.full(96, 93.0)))
    with zipfile.ZipFile(content, "a", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("tempo", b"\0" * 2**20)
        archive.writestr(SPARSE + "indices", b"\0" * 2**20)
    assert _read(tmp_path, content.getvalue()).tempo == 93


def test_tracks_whose_numbers_have_gaps_are_read(tmp_path):
    def change(arrays, info):
        del info["2"]

    assert _cells(_read(tmp_path, lpd_bytes(_rolls(), change=change)).pianoroll) == {
        cell for cell in CELLS if cell[2] != 2
    }


def test_velocities_of_any_kind_sound_above_zero(tmp_path):
    for values in (
        np.full(10, 0.25),
        np.full(10, 300),
        np.full(10, 255, np.uint8),
        np.full(10, 7, np.float16),
    ):
        content = lpd_bytes(_rolls(), change=_with(SPARSE + "data", values))
        assert _cells(_read(tmp_path, content).pianoroll) == CELLS
    content = lpd_bytes(_rolls(), change=_with(SPARSE + "data", np.full(10, -1)))
    assert _cells(_read(tmp_path, content).pianoroll) == {cell for cell in CELLS if cell[2] != 1}


def test_lpd_tree_finds_files_however_deep(tmp_path):
    deep = tmp_path / "A" / "B" / "C" / "TRABC"
    deep.mkdir(parents=True)
    (deep / "x.npz").write_bytes(lpd_bytes(_rolls()))
    (tmp_path / "cleansed_ids.txt").write_text("x")
    assert [item.name for item in lpd_tree(tmp_path).items] == ["A/B/C/TRABC/x.npz", "cleansed_ids.txt"]


def test_no_folder_is_one_sentence(tmp_path):
    with pytest.raises(StoreError, match=r"LPD folder .*none does not exist"):
        lpd_tree(tmp_path / "none")

"""Stores in which a tune is in one split, and stores made from a list of songs."""

import csv
import json
import shutil

import numpy as np
import pytest

from msw2.data.build import build_store
from msw2.data.lpd import lpd_tree
from msw2.data.midi_folder import midi_folder
from msw2.data.store import SPLITS, Store, StoreError
from msw2.music.grid import Grid

from .conftest import lpd_bytes

GRID = Grid()
LISTED = {"song-0": "test", "song-1": "train", "song-2": "validation", "song-3": "train", "absent": "train"}


def _song(seed, transposed=0, drums=6):
    """bool [step, pitch, track] of 8 bars: a melody of its own, a bass, drums."""
    rng = np.random.default_rng(seed)
    pianoroll = np.zeros((8 * 48, 84, 5), bool)
    pianoroll[::drums, 12, 0] = True
    steps = np.arange(0, 8 * 48, 6)
    pianoroll[steps, 40 + transposed + rng.integers(0, 12, len(steps)), 1] = True
    pianoroll[::24, 12 + transposed, 3] = True
    return pianoroll


def _rows(store):
    with open(store / "report.csv", newline="", encoding="utf-8") as file:
        return {row["name"]: row for row in csv.DictReader(file)}


def _files(store):
    return {path.name: path.read_bytes() for path in store.iterdir()}


@pytest.fixture
def folder(write_songs):
    """Twelve songs, and versions of song 0 and song 1 in other keys and with other drums."""
    songs = {f"song-{seed}.mid": _song(seed) for seed in range(12)}
    songs |= {f"deep/version-{seed}.mid": _song(seed, transposed=3, drums=9) for seed in (0, 1)}
    return write_songs(songs)


def test_versions_of_a_tune_are_in_one_split_and_the_report_names_the_tune(tmp_path, folder):
    manifest = build_store(midi_folder(folder), tmp_path / "store", workers=0)
    rows = _rows(tmp_path / "store")
    for seed in (0, 1):
        song, version = rows[f"song-{seed}.mid"], rows[f"deep/version-{seed}.mid"]
        assert song["split"] == version["split"]
        assert song["tune"] == version["tune"] == min(song["sha256"], version["sha256"])[:16]
    assert len({row["tune"] for row in rows.values()}) == 12
    assert manifest["joined"] == {"songs": 4, "tunes": 2, "largest": 2}
    assert {row["split"] for row in rows.values()} == set(SPLITS)


def test_a_store_of_songs_without_common_bars_says_so(tmp_path, write_songs):
    folder = write_songs({f"{seed}.mid": _song(seed) for seed in range(3)})
    manifest = build_store(midi_folder(folder), tmp_path / "store", workers=0)
    assert manifest["joined"] == {"songs": 0, "tunes": 0, "largest": 0}


def test_a_list_gives_the_same_bytes_whatever_the_folders_and_what_else_is_in_them(tmp_path, folder, capsys):
    build_store(midi_folder(folder, LISTED, others=False), tmp_path / "store", listed=LISTED, workers=0)
    for path in folder.glob("song-*.mid"):
        other = tmp_path / "other" / path.stem / "deep" / f"{path.stem}.midi"
        other.parent.mkdir(parents=True)
        shutil.copy(path, other)
    (tmp_path / "other" / "again").mkdir()
    shutil.copy(folder / "song-1.mid", tmp_path / "other" / "again")
    (tmp_path / "other" / "unlisted.mid").symlink_to(tmp_path / "nowhere")
    again = dict(reversed(LISTED.items()))
    source = midi_folder(tmp_path / "other", again, others=False)
    build_store(source, tmp_path / "again", listed=again, workers=2)
    assert _files(tmp_path / "store") == _files(tmp_path / "again")
    assert "1 of 5 listed songs are not in" in capsys.readouterr().err
    rows = _rows(tmp_path / "again")
    assert {name: row["split"] for name, row in rows.items()} == LISTED | {"absent": ""}
    assert rows["absent"]["reason"] == "listed song is missing"
    manifest = json.loads((tmp_path / "again" / "manifest.json").read_text())
    assert manifest["left_out"] == {"listed song is missing": 1}
    assert [manifest["splits"][split]["songs"] for split in SPLITS] == [2, 1, 1]
    assert str(tmp_path) not in json.dumps(manifest)


def test_with_others_a_list_holds_out_its_songs_and_what_is_a_version_of_them(tmp_path, folder):
    build_store(midi_folder(folder, LISTED), tmp_path / "store", listed=LISTED, workers=0)
    rows = _rows(tmp_path / "store")
    splits = {name: row["split"] for name, row in rows.items()}
    assert splits.pop("deep/version-0.mid") == splits.pop("absent") == ""
    assert rows["deep/version-0.mid"]["reason"] == "same tune as a listed validation or test song"
    assert rows["deep/version-0.mid"]["phrases"] == "0"
    assert splits == {"deep/version-1.mid": "train"} | {
        f"song-{seed}.mid": LISTED.get(f"song-{seed}", "train") for seed in range(12)
    }
    store = Store.open(tmp_path / "store", measuring=True)
    assert [len(list(store.songs(split))) for split in SPLITS] == [11, 1, 1]


def test_a_copy_under_another_name_does_not_take_the_place_of_a_listed_song(tmp_path, folder):
    shutil.copy(folder / "song-0.mid", folder / "a-copy.mid")
    build_store(midi_folder(folder, LISTED), tmp_path / "store", listed=LISTED, workers=0)
    rows = _rows(tmp_path / "store")
    assert rows["song-0.mid"]["split"] == "test"
    assert rows["a-copy.mid"]["reason"] == "duplicate: same bytes as song-0.mid"


def test_missing_songs_are_named_and_a_list_of_other_songs_is_refused(tmp_path, folder, capsys):
    midi_folder(folder, [*LISTED, *"abcdef"], others=False)
    assert capsys.readouterr().err == f"7 of 11 listed songs are not in {folder}: a, absent, b, c, d, …\n"
    with pytest.raises(StoreError, match=r"none of the 2 listed songs is in .*: its files have other names"):
        midi_folder(folder, ["a", "b"])


def test_only_listed_files_are_opened(tmp_path, folder):
    (folder / "unlisted.mid").touch()
    assert [item.name for item in midi_folder(folder, ["song-3", "song-1"], others=False).items] == [
        "song-1",
        "song-3",
    ]


def test_another_list_is_another_store(tmp_path, folder):
    def build(listed):
        return build_store(midi_folder(folder, listed), tmp_path / "store", listed=listed, workers=0)

    first = build(LISTED)
    assert build(dict(sorted(LISTED.items()))) == first
    for listed in (LISTED | {"song-0": "train"}, None):
        with pytest.raises(StoreError, match=r"holds another store \(different .*splits"):
            build_store(midi_folder(folder, LISTED), tmp_path / "store", listed=listed, workers=0)


def test_a_list_names_pianorolls_as_it_names_midi_files(tmp_path):
    for seed in range(4):
        rolls = np.zeros((5, 2 * 384, 128), bool)
        rolls[:, ::2, 24:108] = np.moveaxis(_song(seed), -1, 0)
        path = tmp_path / "lpd" / "A" / f"song-{seed}.npz"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(lpd_bytes(rolls))
    source = lpd_tree(tmp_path / "lpd", LISTED, others=False)
    manifest = build_store(source, tmp_path / "store", listed=LISTED, workers=0)
    assert [manifest["splits"][split]["songs"] for split in SPLITS] == [2, 1, 1]

"""Freedoom's songs, from a wheel made here: no network."""

import csv
import hashlib
import importlib.resources
import struct
import subprocess
import zipfile

import pytest

from msw2.data import freedoom
from msw2.data.store import StoreError

SONGS = {"D_E1M1": b"MThd one", "D_E1M2": b"MThd two"}


def _wad(lumps, kind=b"IWAD"):
    body, directory = b"", b""
    for name, content in lumps:
        directory += struct.pack("<ii8s", 12 + len(body), len(content), name.encode())
        body += content
    return struct.pack("<4sii", kind, len(lumps), 12 + len(body)) + body + directory


def _wheel(folder, songs):
    folder.mkdir(exist_ok=True)
    with zipfile.ZipFile(folder / "vizdoom-1.3.2-cp311-cp311-manylinux_2_28_x86_64.whl", "w") as wheel:
        wheel.writestr("vizdoom/freedoom1.wad", _wad([("PLAYPAL", b"palette"), *songs.items()]))
        wheel.writestr("vizdoom/freedoom2.wad", _wad([("D_RUNNIN", b"MThd one")]))  # a song once more


@pytest.fixture
def listed(monkeypatch):
    rows = [
        {"name": f"freedoom1-{name.lower()}.mid", "sha256": hashlib.sha256(content).hexdigest()}
        for name, content in SONGS.items()
    ]
    monkeypatch.setattr(freedoom, "_listed", lambda: rows)
    monkeypatch.setattr(freedoom.subprocess, "run", _no_network)


def _no_network(command, **_):
    return subprocess.CompletedProcess(command, 1, "", "noise\nERROR: no connection\n")


def test_the_committed_list_has_75_distinct_songs():
    text = importlib.resources.files("msw2.data").joinpath("freedoom.csv").read_text("utf-8")
    rows = list(csv.DictReader(text.splitlines()))
    assert len(rows) == len({row["name"] for row in rows}) == len({row["sha256"] for row in rows}) == 75
    assert all(len(bytes.fromhex(row["sha256"])) == 32 for row in rows)
    assert all(row["name"].startswith(("freedoom1-d_", "freedoom2-d_")) for row in rows)


def test_a_wheel_in_the_folder_is_enough(tmp_path, listed):
    _wheel(tmp_path / "freedoom", SONGS)
    source = freedoom.freedoom(tmp_path / "freedoom")
    assert [item.name for item in source.items] == ["freedoom1-d_e1m1.mid", "freedoom1-d_e1m2.mid"]
    source.prepare()
    assert (tmp_path / "freedoom" / "freedoom1-d_e1m2.mid").read_bytes() == b"MThd two"
    assert sorted(path.suffix for path in (tmp_path / "freedoom").iterdir()) == [".mid", ".mid", ".whl"]


def test_songs_that_are_there_need_no_wheel_and_damaged_ones_are_mended(tmp_path, listed):
    folder = tmp_path / "freedoom"
    _wheel(folder, SONGS)
    freedoom.freedoom(folder).prepare()
    (folder / "freedoom1-d_e1m1.mid").write_bytes(b"MThd cut")
    freedoom.freedoom(folder).prepare()
    assert (folder / "freedoom1-d_e1m1.mid").read_bytes() == b"MThd one"
    next(folder.glob("*.whl")).unlink()
    freedoom.freedoom(folder).prepare()


def test_a_song_that_is_not_the_listed_one_is_refused(tmp_path, listed):
    _wheel(tmp_path / "freedoom", SONGS | {"D_E1M2": b"MThd two, changed"})
    with pytest.raises(
        StoreError, match=r"1 songs of Freedoom are not in vizdoom==1.3.2 .*freedoom1-d_e1m2.mid"
    ):
        freedoom.freedoom(tmp_path / "freedoom").prepare()


def test_no_network_is_one_sentence_with_advice(tmp_path, listed):
    with pytest.raises(StoreError) as error:
        freedoom.freedoom(tmp_path / "freedoom").prepare()
    assert "pip could not download vizdoom==1.3.2" in str(error.value)
    assert "(ERROR: no connection)" in str(error.value)
    assert "\n" not in str(error.value)


def test_a_truncated_wheel_is_one_sentence(tmp_path, listed):
    (tmp_path / "vizdoom-1.3.2-any.whl").write_bytes(b"PK half")
    with pytest.raises(StoreError, match="is not a wheel: delete it"):
        freedoom.freedoom(tmp_path).prepare()


def _directory(start, size):
    return struct.pack("<4siiii8s", b"IWAD", 1, 12, start, size, b"A")


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"IWAD",
        _wad([("A", b"x")], kind=b"ELF!"),
        _wad([("A", b"xyz")])[:-16],
        _directory(8, 999),
        _directory(-8, 4),
        _directory(8, -4),
        struct.pack("<4sii", b"IWAD", 1, -50),
    ],
)
def test_a_damaged_wad_is_a_store_error(content):
    with pytest.raises(StoreError, match="WAD"):
        list(freedoom.lumps(content))

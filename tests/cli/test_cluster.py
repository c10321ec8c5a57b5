"""Commands on a real Ray cluster of two nodes, one of which is killed: what they make is what they make without Ray."""

import dataclasses
import importlib
import importlib.util
import os
import pathlib
import shutil
import subprocess
import sys
import time

import pytest

import msw2
from msw2.data.build import build_store
from msw2.data.midi_folder import midi_folder
from msw2.music.grid import Grid
from msw2.music.midi import write_song
from msw2.system.owners import Owner

from ..conftest import held_notes
from .ray_nodes import Nodes

ROOT = pathlib.Path(msw2.__file__).parents[1]
PATIENCE = 300.0  # seconds for a command on a busy machine

pytestmark = pytest.mark.skipif(
    importlib.util.find_spec("ray") is None, reason="Ray is not installed: pip install 'msw2[ray]'"
)


@pytest.fixture(scope="module")
def nodes():
    nodes = Nodes()
    try:
        nodes.add()
        yield nodes
    finally:
        nodes.close()


def start(folder, *arguments):
    paths = [str(folder), str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(paths)}
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
    return subprocess.Popen([sys.executable, *arguments], cwd=folder, env=environment, **pipes)


def finish(process):
    said, _ = process.communicate(timeout=PATIENCE)
    assert process.returncode == 0, said
    return said


def wait_for(found, process):
    """Returns what a function finds, as soon as that is something."""
    until = time.monotonic() + PATIENCE
    while not (result := found()):
        assert process.poll() is None and time.monotonic() < until, process.communicate()
        time.sleep(0.01)
    return result


def assert_same(folder, other):
    files = sorted(path.name for path in folder.iterdir())
    assert files == sorted(path.name for path in other.iterdir())
    for name in files:
        assert (folder / name).read_bytes() == (other / name).read_bytes(), name


@pytest.fixture
def songs(tmp_path):
    """Fifteen songs at two depths, a file that is none and the same file twice."""
    folder = tmp_path / "songs"
    for seed in range(15):
        path = folder / ("deep/er" if seed % 3 else ".") / f"{seed}.mid"
        path.parent.mkdir(parents=True, exist_ok=True)
        write_song(path, held_notes(seed), Grid(), 100 + seed)
    (folder / "notes.txt").write_text("not music")
    shutil.copy(folder / "3.mid", folder / "deep" / "same.mid")
    return folder


def test_data_by_the_command(nodes, songs, tmp_path):
    build_store(midi_folder(songs), tmp_path / "here", workers=0)
    command = ["-m", "msw2.cli.data", "--midi=songs", "--store=there", f"--cluster={nodes.address}"]
    said = finish(start(tmp_path, *command))
    assert "there: 17 files, source midi" in said
    assert_same(tmp_path / "here", tmp_path / "there")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["here", "songs", "there"]


READER = """
import os, pathlib, time
from msw2.music.midi import read_song

def read(path, grid):
    name, begun = pathlib.Path(path).stem, pathlib.Path("begun")
    first = not any(begun.glob(f"{name} *"))
    (begun / f"{name} {os.getpid()}").touch()
    if name == "7":
        os._exit(9)
    if name == "11" and first:
        time.sleep(600)  # until its node is killed
    return read_song(path, grid)
"""
DRIVER = """
import dataclasses, sys
import reader
from msw2.data.build import build_store
from msw2.data.midi_folder import midi_folder
from msw2.system import cluster

cluster.RETRIES = 1  # the reader crashes each time
with cluster.joined(sys.argv[1]) as ray:
    source = dataclasses.replace(midi_folder("songs", workers=ray), read=reader.read)
    build_store(source, "there", workers=ray, shard_phrases=4)
"""


def test_data_with_a_node_killed_and_a_reader_that_crashes(nodes, songs, tmp_path, monkeypatch):
    nodes.add()
    (tmp_path / "reader.py").write_text(READER)
    (tmp_path / "driver.py").write_text(DRIVER)
    (tmp_path / "begun").mkdir()
    process = start(tmp_path, "driver.py", nodes.address)

    def at_work():
        return [int(path.name.split()[1]) for path in (tmp_path / "begun").glob("11 *")]

    nodes.kill(wait_for(at_work, process)[0])
    finish(process)
    assert len(at_work()) == 2  # it was begun again elsewhere

    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)  # worker processes inherit it
    source = dataclasses.replace(midi_folder("songs"), read=importlib.import_module("reader").read)
    manifest = build_store(source, "here", workers=1, shard_phrases=4)
    assert manifest["left_out"]["reader crashed"] == 1
    assert_same(tmp_path / "here", tmp_path / "there")


def test_a_track_whose_node_is_killed(nodes, tiny_store, tmp_path):
    nodes.add()
    flags = [f"--store={tiny_store.path}", "--preset=smoke", "--track=bass", "--threads=1"]
    flags += ["--bvae_epochs=30", "--batch_size=8"]
    process = start(tmp_path, "-m", "msw2.cli.stage1", "--run=there", *flags, f"--cluster={nodes.address}")
    history, lock = (
        tmp_path / "there" / "history" / "bass_bvae.csv",
        tmp_path / "there" / ".bass_bvae.lock",
    )
    wait_for(lambda: history.exists() and len(history.read_text().splitlines()) > 3, process)
    first = Owner.parse(lock.read_text())
    nodes.kill(first.pid)
    wait_for(lambda: lock.exists() and Owner.parse(lock.read_text()) not in (None, first), process)
    said = finish(process)
    assert "stage1: bass done" in said
    finish(start(tmp_path, "-m", "msw2.cli.stage1", "--run=here", *flags))
    assert_same(tmp_path / "here" / "weights", tmp_path / "there" / "weights")

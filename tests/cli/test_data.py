"""`make data` as the user meets it."""

import os
import pathlib
import subprocess
import sys

import numpy as np
import pytest

import msw2
from msw2.music.grid import Grid
from msw2.music.midi import write_song

ROOT = pathlib.Path(msw2.__file__).parents[1]


@pytest.fixture(autouse=True)
def without_ray(tmp_path_factory, monkeypatch):
    """A Ray that cannot be imported: what is done on this machine alone must not try."""
    folder = tmp_path_factory.mktemp("no-ray")
    (folder / "ray.py").write_text("raise ImportError('it is not needed')\n")
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(folder), str(ROOT)]))


def _run(*arguments):
    command = [sys.executable, "-m", "msw2.cli.data", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_a_folder_of_midi_becomes_a_store_and_is_not_made_twice(tmp_path):
    (tmp_path / "songs").mkdir()
    for seed in range(4):
        pianoroll = np.random.default_rng(seed).random((4 * 48, 84, 5)) < 0.01
        write_song(tmp_path / "songs" / f"{seed}.mid", pianoroll, Grid(), 100)
    (tmp_path / "songs" / "bad.mid").write_bytes(b"MThd")
    arguments = [f"--midi={tmp_path / 'songs'}", f"--store={tmp_path / 'store'}"]
    done = _run(*arguments)
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert lines[0] == f"{tmp_path / 'store'}: 5 files, source midi"
    assert [line.split()[0] for line in lines[1:4]] == ["train", "validation", "test"]
    assert sum(int(line.split()[3]) for line in lines[1:4]) == 4
    assert lines[4] == f"left out (each file in {tmp_path / 'store' / 'report.csv'}):"
    assert lines[5].split() == ["1", "damaged", "MIDI", "file"]
    again = _run(*arguments)
    assert (again.returncode, again.stdout, again.stderr) == (0, done.stdout, "")


def test_listed_songs_become_a_store_and_versions_are_counted(tmp_path):
    (tmp_path / "songs").mkdir()
    pianorolls = [np.random.default_rng(seed).random((4 * 48, 84, 5)) < 0.01 for seed in range(3)]
    pianorolls.append(np.roll(pianorolls[0], 1, axis=0))
    pianorolls.append(np.concatenate([pianorolls[0], pianorolls[0]]))
    for name, pianoroll in zip("abcde", pianorolls, strict=True):
        write_song(tmp_path / "songs" / f"{name}.mid", pianoroll, Grid(), 100)
    (tmp_path / "list.csv").write_text("song,split\na,train\nb,validation\nc,test\ne,train\n")
    done = _run(
        f"--midi={tmp_path / 'songs'}",
        f"--songs={tmp_path / 'list.csv'}",
        f"--store={tmp_path / 'store'}",
    )
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert lines[0] == f"{tmp_path / 'store'}: 4 files, source midi"
    assert [line.split()[:2] for line in lines[1:4]] == [["train", "2"], ["validation", "1"], ["test", "1"]]
    assert lines[4:] == ["  2 songs are versions of 1 tunes, at most 2 of one tune"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--midi=none"], "error: MIDI folder none does not exist"),
        (["--lpd=none"], "error: LPD folder none does not exist"),
        (["--npz=none"], "error: phrase file none does not exist"),
        (["--midi=none", "--songs=none"], "error: the list of songs none cannot be read: "),
        (
            ["--midi=none", "--others"],
            "error: --others goes with --songs: without a list, all songs are taken",
        ),
        (["--midi=a", "--npz=b"], "error: --midi and --npz are given: give one source"),
        (["--store=gs://bucket/store"], "error: gs://bucket/store is no folder: give one that all"),
        (["--cluster=here"], "error: Ray is not installed: pip install 'msw2[ray]'"),
    ],
)
def test_what_cannot_be_done_is_one_sentence(tmp_path, arguments, message):
    done = _run(f"--store={tmp_path / 'store'}", *arguments)
    assert done.returncode == 1
    assert done.stderr.startswith(message)
    assert done.stderr.count("\n") == 1

"""The command that compares two folders, as the user meets it."""

import os
import pathlib
import subprocess
import sys

import numpy as np
import pytest

import msw2
from msw2.music.grid import Grid
from msw2.music.midi import write_song
from msw2.music.pianoroll import save_npz

ROOT = pathlib.Path(msw2.__file__).parents[1]


def run(*arguments, folder):
    command = [sys.executable, "-m", "msw2.cli.compare", *arguments]
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    return subprocess.run(command, capture_output=True, text=True, check=False, env=environment, cwd=folder)


def songs(folder, count, seed, write):
    rng = np.random.default_rng(seed)
    folder.mkdir()
    for index in range(count):
        pianoroll = rng.random((8 * 48, 84, 5)) < rng.uniform(0.002, 0.01)
        write(folder / f"{index}{'.mid' if write is write_song else '.npz'}", pianoroll, Grid(), 100)


def test_two_folders_and_the_training_songs(tmp_path):
    songs(tmp_path / "real", 6, 1, write_song)
    songs(tmp_path / "made", 3, 2, save_npz)
    (tmp_path / "made" / "bad.npz").write_bytes(b"")
    arguments = ["--real=real", "--made=made", "--train=made", "--seed=4"]
    done = run(*arguments, folder=tmp_path)
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert " ".join(lines[0].split()) == "real 6 files 12 of 12 phrases"
    assert " ".join(lines[1].split()) == "made 3 files 6 of 6 phrases"
    assert " ".join(lines[2].split()) == "train 3 files 6 of 6 phrases"
    assert lines[3].split() == ["1", "damaged", ".npz", "file"]
    assert "made: 0.0 % from the nearest training phrase (median), 100.0 % are near copies" in lines
    assert lines[-3:] == ["compare/compare.md", "compare/compare.csv", "compare/compare.png"]
    assert lines[-4].startswith("seed 4; ")
    assert sorted(path.name for path in (tmp_path / "compare").iterdir()) == [
        "compare.csv",
        "compare.md",
        "compare.png",
    ]
    assert (tmp_path / "compare/compare.md").read_text("utf-8").startswith("# Made songs beside real ones\n")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--made=one"], "error: --real is missing: it names a folder of MIDI or .npz files\n"),
        (["--real=one"], "error: --made is missing: it names a folder of MIDI or .npz files\n"),
        (["--real=none", "--made=one"], "error: folder none does not exist\n"),
        (
            ["--real=empty", "--made=one"],
            "error: folder empty has no songs: no file ends in .mid, .midi, .npz\n",
        ),
        (
            ["--real=one", "--made=one"],
            "error: the real phrases are of one song; two songs or more tell how far real songs are apart\n",
        ),
    ],
)
def test_what_cannot_be_compared_is_one_sentence(tmp_path, arguments, message):
    (tmp_path / "empty").mkdir()
    songs(tmp_path / "one", 1, 1, write_song)
    done = run(*arguments, folder=tmp_path)
    assert done.returncode == 1
    assert done.stderr.endswith(message)
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "compare").exists()

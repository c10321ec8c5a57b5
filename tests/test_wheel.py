"""The wheel: installed into a fresh environment, in an empty folder, with the network off, it makes a song."""

import os
import pathlib
import shutil
import subprocess
import sys
import sysconfig
import zipfile

import pytest

ROOT = pathlib.Path(__file__).parents[1]
SOURCES = ("msw2", "experiments", "setup.py", "setup.cfg", "README.md", "LICENSE")
MEBIBYTE = 2**20


def call(*line, **options):
    """Runs a command; returns what it printed, and fails with it if the command fails."""
    done = subprocess.run(line, capture_output=True, text=True, check=False, **options)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """Builds the wheel from a copy of what the repository has, as `make wheel` does."""
    source, made = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("wheel")
    leave = shutil.ignore_patterns("__pycache__", "*.so")
    for name in SOURCES:
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, source / name, symlinks=True, ignore=leave)
        else:
            shutil.copy(ROOT / name, source / name)
    build = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation"]
    call(*build, "--wheel-dir", str(made), str(source))
    (path,) = made.iterdir()
    return path


def test_it_holds_what_the_commands_need_and_is_small(wheel):
    assert wheel.stat().st_size <= 50 * MEBIBYTE
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
        packaged = sum(archive.getinfo(name).file_size for name in names if name.startswith("msw2/weights/"))
    assert packaged <= 48 * MEBIBYTE
    for name in ("tuned", "demo"):
        assert {f"msw2/weights/{name}.keras", f"msw2/weights/{name}.md"} <= names
    assert {path.name for path in (ROOT / "experiments").glob("*.flags")} == {
        name.rpartition("/")[2]
        for name in names
        if name.startswith("msw2/recipes/") and name.endswith(".flags")
    }
    assert {"msw2/py.typed", "msw2/__init__.pyi", "msw2/data/freedoom.csv"} <= names
    for path in (ROOT / "msw2").rglob("*"):  # pages, scripts and styles too
        if path.suffix in {".py", ".js", ".css", ".html"} and "recipes" not in path.parts:
            assert path.relative_to(ROOT).as_posix() in names
    assert any(name.startswith("msw2/kernels/_generic.") and name.endswith(".so") for name in names)


def test_installed_it_makes_a_song_with_the_network_off(wheel, tmp_path):
    call(sys.executable, "-m", "venv", "--without-pip", str(tmp_path / "venv"))
    python = str(tmp_path / "venv" / "bin" / "python")
    install = [sys.executable, "-m", "pip", f"--python={python}", "install", "--quiet", "--no-index"]
    call(*install, "--no-deps", str(wheel))
    # The other packages are those of this environment. Its own msw2 is not: a path of a .pth file has no finders.
    (site,) = (tmp_path / "venv").glob("lib/python*/site-packages")
    (site / "others.pth").write_text(sysconfig.get_path("purelib") + "\n")
    offline = ["unshare", "--map-root-user", "--net"]
    if subprocess.run([*offline, "true"], capture_output=True, check=False).returncode:
        offline = []  # no such right here: the song is made all the same
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    empty = tmp_path / "empty"
    empty.mkdir()
    run = {"cwd": empty, "env": environment}
    where = call(python, "-c", "import msw2; print(msw2.__file__)", **run)
    assert where.startswith(str(site))
    command = str(tmp_path / "venv" / "bin" / "msw2")
    printed = call(*offline, command, "generate", "--songs=1", "--phrases=2", **run)
    assert printed.startswith("1 songs of 8 bars, seed 0: msw2-tuned/samples/generated")
    made = {path.name: path.stat().st_size for path in (empty / "msw2-tuned/samples/generated").iterdir()}
    assert {"song-000.mid", "song-000.npz", "song-000.png", "song-000.wav", "song-000.ogg"} <= made.keys()
    assert min(made.values()) > 100

"""Make hands what is set to Python untouched. A script that writes down its arguments stands in for Python."""

import os
import pathlib
import shutil
import subprocess

import pytest

ROOT = pathlib.Path(__file__).parents[1]
ODD = [
    "it's",
    'say "la"',
    "a  b",
    "$HOME $$ ${HOME} $(HOME)",
    "'; touch owned; '",
    "$(touch owned) `touch owned`",
    "$(shell touch owned)",
    "a;b&c|d>owned",
    "back\\slash*?[a]",
    "#hash ~ é",
]


@pytest.fixture
def make(tmp_path):
    """Returns a function (*arguments) -> what Python would be called with."""
    if not shutil.which("make"):
        pytest.skip("make is not installed")
    for name in ("Makefile", "setup.cfg", "setup.py"):
        shutil.copy(ROOT / name, tmp_path)
    python = tmp_path / ".venv" / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.write_text("#!/bin/sh\nprintf '%s\\n' \"$@\" >> called\n")
    python.chmod(0o755)
    (tmp_path / ".venv" / "installed").touch()

    def run(*arguments, **variables):
        called = tmp_path / "called"
        called.unlink(missing_ok=True)
        environment = os.environ | {"MAKEFLAGS": ""} | variables
        subprocess.run(["make", "--silent", *arguments], cwd=tmp_path, check=True, env=environment)
        assert not (tmp_path / "owned").exists()
        return called.read_text("utf-8").splitlines()

    return run


def command(name, *arguments):
    return ["-m", f"msw2.cli.{name}", *arguments]


@pytest.mark.parametrize("path", ODD)
def test_what_is_set_reaches_python_untouched(make, path):
    for variable, flag in (("MIDI", "midi"), ("LPD", "lpd"), ("NPZ", "npz")):
        called = make("data", f"{variable}={path}", f"DATA=here {path}")
        assert called == command("data", f"--store=here {path}", f"--{flag}={path}")
    called = make("compare", f"REAL={path}", f"MADE=made {path}", "FLAGS=--phrases=3")
    assert called == command("compare", f"--real={path}", f"--made=made {path}", "--phrases=3")
    called = make("reproduce", f"DATA={path}", f"RECIPE_SET=set {path}")
    store = f"--store={path}"
    assert called == command("data", store) + command("reproduce", f"--set=set {path}", store)


@pytest.mark.parametrize("path", ODD)
def test_a_store_and_a_run_are_found_by_any_name(tmp_path, make, path):
    where = f"--run=run {path}", f"--store={path}"
    given = f"RUN=run {path}", f"DATA={path}"
    (tmp_path / path).mkdir()
    (tmp_path / path / "manifest.json").touch()
    called = make("refine", *given, f"RECIPE=recipe {path}", f"TRACK=track {path}")
    recipe, track = f"--recipe=recipe {path}", f"--track=track {path}"
    assert called == command("stage1", recipe, *where, track) + command("refine", recipe, *where, track)
    called = make("stage1", *given, f"FROM=from {path}")
    assert called == command("stage1", f"--from=from {path}", *where)

    weights = tmp_path / f"run {path}" / "weights"
    weights.mkdir(parents=True)
    for track in ("drums", "piano", "guitar", "bass", "strings"):
        for kind in ("encoder", "decoder", "refiner"):
            (weights / f"{track}_{kind}.weights.h5").touch()
    called = make("eval", *given)
    assert called == command("stage2", "--recipe=tuned", *where) + command("eval", *where)
    for part in ("mfg_encoder", "mfg_decoder"):
        (weights / f"{part}.weights.h5").touch()
    for name in ("restore", "eval", "figures", "listening-test"):
        assert make(name, *given) == command(name.replace("-", "_"), *where)

    home = tmp_path / f"run {path}"
    assert make("serve", *given) == command("export", where[0]) + command("serve", where[0])
    for made in ("samples/generated/0.mid", "export/msw2/3/saved_model.pb"):
        (home / made).parent.mkdir(parents=True)
        (home / made).touch()
    assert make("serve", *given) == command("serve", where[0])
    assert make("page", *given) == command("page", f"--folder=run {path}/samples")


@pytest.mark.parametrize("path", ODD[2:7])
def test_the_environment_may_set_them_and_a_demo_hands_its_store_on(tmp_path, make, path):
    (tmp_path / path).mkdir()
    (tmp_path / path / "manifest.json").touch()
    for called in (make("demo", DATA=path), make("demo", f"DATA={path}")):
        assert {line for line in called if line.startswith("--store")} == {f"--store={path}"}
        assert {line for line in called if line.startswith("--run")} == {"--run=runs/demo"}
        assert "msw2.cli.data" not in called


@pytest.mark.parametrize("path", ODD)
def test_any_python_makes_the_environment(tmp_path, make, path):
    shutil.copy(tmp_path / ".venv" / "bin" / "python", tmp_path / path)
    (tmp_path / ".venv" / "installed").unlink()
    assert make("install", f"PYTHON=./{path}")[:3] == ["-m", "venv", ".venv"]


@pytest.mark.parametrize("path", ODD)
def test_help_shows_what_is_set(tmp_path, make, path, capfd):
    (tmp_path / "called").touch()
    with pytest.raises(FileNotFoundError):  # it calls no Python
        make("help", f"DATA={path}", f"RUN=run {path}", f"RECIPE=recipe {path}")
    said = capfd.readouterr().out
    assert f"songs -> {path}   [MIDI=folder" in said
    assert f"run {path}/samples/index.html" in said
    assert f"RECIPE=recipe {path} (paper" in said


def test_the_commands_that_work_on_a_cluster_are_told_of_it(make):
    def told(target):
        """Which commands a target runs, and whether they are told of the cluster."""
        commands = "\n".join(make(target, "CLUSTER=$HOME it's")).split("-m\nmsw2.cli.")[1:]
        return {each.split("\n")[0]: "\n--cluster=$HOME it's" in each for each in commands}

    assert told("refine") == {"data": True, "stage1": True, "refine": True}
    assert told("stage2") == {"data": True, "stage1": True, "stage2": False}
    assert told("reproduce") == {"data": True, "reproduce": True}


def test_what_is_not_given_is_no_flag(make):
    assert make("data") == command("data", "--store=data/store")
    assert make("stage1", "DATA=here") == [
        *command("data", "--store=here"),
        *command("stage1", "--recipe=tuned", "--run=runs/tuned", "--store=here"),
    ]


def test_a_run_is_named_after_what_it_begins_with(make):
    for begun, run in (("", "tuned"), ("demo", "from-demo"), ("runs/it's $mine/", "from-it's $mine")):
        assert make("stage1", f"FROM={begun}")[-2] == f"--run=runs/{run}"
    assert make("stage1", "RECIPE=demo")[-2] == "--run=runs/demo"


def test_packaged_weights_and_files_are_not_trained(make):
    for run in ("tuned", "demo", "my models/of mine.keras"):
        assert make("generate", f"RUN={run}") == command("generate", f"--run={run}")
    assert "msw2.cli.stage1" in make("generate", "RUN=my tuned")  # a folder
    assert make("page", "RUN=models/mine.keras")[-1] == "--folder=msw2-mine/samples"


def test_flags_are_words_of_the_shell(make):
    called = make("generate", "RUN=tuned", "FLAGS=--songs=2 --out='my $HOME songs' \"--title=a  b\"")
    assert called == command("generate", "--run=tuned", "--songs=2", "--out=my $HOME songs", "--title=a  b")


@pytest.mark.parametrize("path", ODD)
def test_verbs_take_what_is_set_and_the_packaged_weights(make, path):
    own = ["--run=tuned", "--store=here", f"--midi={path}"]
    asked = {
        "continue": ({"BARS": "16"}, ["--bars=16"]),
        "infill": ({"BARS": "5-8"}, ["--bars=5-8"]),
        "accompany": ({"TRACKS": "bass,drums"}, ["--tracks=bass,drums"]),
        "interpolate": ({"TO": f"b {path}", "POINTS": "7"}, [f"--to=b {path}", "--points=7"]),
        "vary": ({"AMOUNT": "0.3"}, ["--amount=0.3"]),
    }
    for verb, (variables, flags) in asked.items():
        given = [f"{name}={value}" for name, value in variables.items()]
        called = make(verb, f"MIDI={path}", "DATA=here", *given)
        module = "msw2.cli.continue_" if verb == "continue" else f"msw2.cli.{verb}"
        assert called == ["-m", module, *own, *flags]


def test_songs_are_eight_of_64_bars(make):
    called = ["-m", "msw2.cli.generate", "--run=tuned", "--songs=8", "--bars=64"]
    assert make("songs") == called
    assert make("songs", "RUN=some.keras", "FLAGS=--seed=3") == [
        "-m",
        "msw2.cli.generate",
        "--run=some.keras",
        *called[3:],
        "--seed=3",
    ]


def test_a_verb_makes_the_store_only_where_it_needs_it(make):
    assert make("vary")[:2] == ["-m", "msw2.cli.data"]
    assert make("vary", "MIDI=a.mid")[:2] == ["-m", "msw2.cli.vary"]

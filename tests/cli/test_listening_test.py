"""`make listening-test` and `msw2.cli.listeners` as the experimenter meets them. All answers here are invented."""

import dataclasses
import json
import re
import shutil

import numpy as np
import pytest

from msw2.cli import listeners, listening_test
from msw2.cli.launch import OptionError
from msw2.evaluation.listeners import NAMES
from msw2.inference.listening import excerpts
from msw2.inference.sampling import Sampler
from msw2.music.grid import Grid
from msw2.music.midi import write_song
from msw2.music.pianoroll import join_phrases
from msw2.page import listening_page
from msw2.page.listening_key import Key, ListeningError
from msw2.sound.soundfont import SoundError
from msw2.training.runs import Run, RunError
from msw2.training.stage2 import train_fusion

GRID = Grid()


@pytest.fixture
def dry(monkeypatch):
    """Leaves rendering out: the sound of a clip is its tempo and its cells as bytes. Returns the clips by system."""
    seen = {}

    def build(page, key, systems, grid, **others):
        seen.update(systems=systems, **others)
        return real(page, key, systems, grid, **others)

    def sounds(clips, grid, *, soundfont):
        return [
            np.frombuffer(f"{c.tempo}".encode() + c.pianoroll.tobytes(), np.uint8)[:, None] for c in clips
        ]

    real = listening_page.build_listening_test
    monkeypatch.setattr(listening_test, "build_listening_test", build)
    monkeypatch.setattr(listening_page, "sounds", sounds)
    monkeypatch.setattr(listening_page, "ogg_bytes", lambda sound: sound.tobytes())
    return seen


@pytest.fixture
def split(monkeypatch):
    """The songs to choose from are those of the split `train`: the store of the tests has most of its songs there."""
    monkeypatch.setattr("msw2.inference.listening.SPLIT", "train")


@pytest.fixture
def build(command, own_run, tiny_store, dry, split):
    """Returns a function that runs the command on the tests' run and store."""

    def run(*arguments):
        command(listening_test, f"--run={own_run.path}", f"--store={tiny_store.path}", *arguments)
        return dry

    return run


def test_the_systems_of_a_run(build, own_run, tiny_store, tmp_path, capsys):
    made = build("--clips=2", "--seed=5", f"--out={tmp_path}")
    assert list(made["systems"]) == ["restore", "generate", "generate without refine", "real songs"]
    chosen = excerpts(tiny_store, 5, 2, seed=5)
    names = [clip.source for clip in made["systems"]["restore"] + made["systems"]["real songs"]]
    assert names == [excerpt.clip().source for excerpt in chosen[:4]]
    assert made["practice"].source == chosen[4].clip().source
    assert len({name.split()[1] for name in names}) == 4  # no song is heard twice
    np.testing.assert_array_equal(
        made["systems"]["real songs"][1].pianoroll.reshape(2, 4, 48, 84, 5), chosen[3].phrases
    )
    tempos = [excerpt.tempo for excerpt in chosen[:2]]
    for system in ("restore", "generate", "generate without refine"):
        assert [clip.tempo for clip in made["systems"][system]] == tempos
    seeds = {
        system: {int(word) for clip in made["systems"][system] for word in re.findall(r"\d+", clip.source)}
        for system in ("generate", "generate without refine")
    }
    assert min(seeds["generate"]) >= 5
    assert not seeds["generate"] & seeds["generate without refine"]
    page, key = tmp_path / "listening-test.html", tmp_path / "listening-key.json"
    assert Key.read(key).systems == tuple(made["systems"])
    assert capsys.readouterr().out.splitlines() == [
        "left out: no fusion, as there is no --no_fusion_run",
        f"8 clips of 4 systems, {page.stat().st_size / 1e6:.1f} MB: {page}",
        f"the key, not for the listeners: {key}",
        f"with their answers: python -m msw2.cli.listeners --key={key} answers-*.json",
    ]


def test_it_goes_to_the_run_and_takes_other_systems(build, own_run, tmp_path, capsys):
    song = np.zeros((4 * 48, 84, 5), bool)
    song[:, 40, 1] = True
    for name in ("a", "b"):
        write_song(tmp_path / f"{name}.mid", song, GRID, 120)
    made = build("--clips=1", f"--system=MuseGAN:{tmp_path}")
    assert list(made["systems"])[-1] == "MuseGAN"
    assert len(made["systems"]["MuseGAN"]) == 1
    assert (own_run.path / "listening" / "listening-test.html").exists()
    capsys.readouterr()


def test_a_bad_soundfont_is_refused_before_the_run_is_opened(build, monkeypatch):
    monkeypatch.setattr("msw2.cli.options.open_run", None)
    with pytest.raises(SoundError, match=r"none.sf2 cannot be read"):
        build("--clips=1", "--soundfont=none.sf2")


def test_a_run_without_fusion_must_be_one(build, own_run, tmp_path):
    with pytest.raises(OptionError, match=r"its fusion is 'vrae', not 'none'$"):
        build("--clips=1", f"--no_fusion_run={own_run.path}")
    with pytest.raises(RunError):
        build("--clips=1", f"--no_fusion_run={tmp_path / 'nothing'}")


def test_a_run_without_fusion_is_a_system(build, own_run, tiny_store, tmp_path):
    unfused = Run.create(tmp_path / "unfused", dataclasses.replace(own_run.config, fusion="none"))
    shutil.copytree(own_run.path / "weights", unfused.path / "weights", ignore=lambda *_: ["prior.npz"])
    train_fusion(unfused, tiny_store)
    made = build("--clips=1", "--seed=3", f"--no_fusion_run={unfused.path}", f"--out={tmp_path}")
    assert list(made["systems"])[-2:] == ["no fusion", "real songs"]
    (clip,) = made["systems"]["no fusion"]
    first = int(re.findall(r"\d+", clip.source)[0])
    assert first >= 2_000_003  # no other system draws with these seeds
    alone = Sampler.of(unfused).generate(1, seed=first, temperature=1.0)
    np.testing.assert_array_equal(clip.pianoroll[: 4 * 48], join_phrases(alone))


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        (["--clips=9"], OptionError, r"songs with 2 phrases in a row, and 18 are needed"),
        (["--clips=1", "--phrases=3"], OptionError, r"has 0 songs with 3 phrases in a row, and 2 are needed"),
        (["--system=MuseGAN"], OptionError, r"^--system='MuseGAN' is not NAME:FOLDER$"),
        (["--system=:x"], OptionError, r"^--system=':x' is not NAME:FOLDER$"),
        (["--system=restore:x"], OptionError, r"^--system='restore:x': there is a system 'restore' already$"),
        (["--system=a:x", "--system=a:y"], OptionError, r"^--system='a:y': there is a system 'a' already$"),
        (["--clips=1", "--system=a:/nothing"], ListeningError, r"^folder /nothing does not exist$"),
    ],
)
def test_what_cannot_be_is_one_sentence(build, arguments, error, message):
    with pytest.raises(error, match=message):
        build(*arguments)


def invented(key, listener, scores):
    """Invented answers: one score for all questions, by system."""
    return {
        "kind": "msw2 listening answers",
        "format": 1,
        "test": key.test,
        "seed": key.seed,
        "listener": listener,
        "answers": [
            {"clip": entry.clip, "scores": dict.fromkeys(NAMES, scores[entry.system]), "seconds": 19.5}
            for entry in key.clips
        ],
    }


def test_table_2_of_two_invented_listeners(build, command, tmp_path, capsys):
    build("--clips=1", f"--out={tmp_path}")
    key = Key.read(tmp_path / "listening-key.json")
    files = []
    for listener, scores in (("p", (4, 3, 2, 5)), ("q", (4, 2, 1, 5))):
        files.append(tmp_path / f"{listener}.json")
        given = dict(zip(key.systems, scores, strict=True))
        files[-1].write_text(json.dumps(invented(key, listener, given)))
    capsys.readouterr()
    command(listeners, f"--key={tmp_path / 'listening-key.json'}", f"--answers={files[0]},{files[1]}")
    printed = capsys.readouterr().out
    rows = re.findall(
        r"^\| (real songs|restore|generate|generate without refine) \| (\S+ ± \S+) ", printed, re.M
    )
    assert rows == [
        ("real songs", "5.00 ± 0.00"),
        ("restore", "4.00 ± 0.00"),
        ("generate", "2.50 ± 6.35"),
        ("generate without refine", "1.50 ± 6.35"),
    ]
    results = tmp_path / "results"
    assert (results / "table2.md").read_text("utf-8") + "\n" in printed
    assert printed.endswith(f"{results / 'agreement.csv'}\n")


def test_without_a_key_it_says_so(command):
    with pytest.raises(OptionError, match=r"^--key is missing"):
        command(listeners)

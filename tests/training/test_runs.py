import dataclasses
import json
import pathlib
import shutil
import threading

import numpy as np
import pytest

from msw2.models import bvae, sandwich
from msw2.models.prior import Prior
from msw2.models.sandwich import build_sandwich
from msw2.music.tracks import TRACK_NAMES
from msw2.system.owners import Owner
from msw2.training import runs
from msw2.training.runs import Run, RunError, stage1_parts

PARTS = [
    *("drums_encoder", "piano_encoder", "guitar_encoder", "bass_encoder", "strings_encoder"),
    *("drums_decoder", "piano_decoder", "guitar_decoder", "bass_decoder", "strings_decoder"),
    *("drums_refiner", "piano_refiner", "guitar_refiner", "bass_refiner", "strings_refiner"),
    *("mfg_encoder", "mfg_decoder"),
]


def test_names_of_the_parts():
    assert sorted(sandwich.PARTS) == sorted(PARTS)
    assert stage1_parts("bass") == ("bass_encoder", "bass_decoder")


def test_a_run_says_what_it_is(tmp_path, config):
    run = Run.create(tmp_path / "deep" / "run", config, "--seed=0\n")
    fields = json.loads((run.path / "config.json").read_text())
    assert {name: fields[name] for name in dataclasses.asdict(config)} == dataclasses.asdict(config)
    assert (run.path / "flags.txt").read_text() == "--seed=0\n"
    assert Run.open(run.path).config == config
    assert sorted(path.name for path in run.path.iterdir()) == ["config.json", "flags.txt"]


def test_a_run_that_is_there_is_opened_and_left_as_it_is(tmp_path, config):
    Run.create(tmp_path / "run", config, "first")
    assert Run.create(tmp_path / "run", config, "second").config == config
    assert (tmp_path / "run" / "flags.txt").read_text() == "first"


def test_another_config_is_refused_with_the_fields_that_differ(tmp_path, config):
    Run.create(tmp_path / "run", config)
    with pytest.raises(RunError) as refused:
        Run.create(tmp_path / "run", dataclasses.replace(config, bvae_latent=5, seed=9))
    assert str(refused.value) == (
        f"the run {tmp_path / 'run'} was made with bvae_latent 3 (not 5), seed 0 (not 9): "
        "give the same flags, or another run"
    )
    many = dataclasses.replace(config, bvae_latent=5, bvae_hidden=8, mfg_latent=5, mfg_hidden=8, seed=9)
    with pytest.raises(
        RunError, match=r"bvae_hidden 7 \(not 8\), bvae_latent 3 \(not 5\), mfg_hidden .* and 2 more"
    ):
        Run.create(tmp_path / "run", many)


def test_a_run_that_is_not_there(tmp_path):
    with pytest.raises(RunError, match=rf"^no run at {tmp_path / 'none'}: train one with `make stage1`$"):
        Run.open(tmp_path / "none")


@pytest.mark.parametrize(
    "content", ["", "{", "[]", '"run"', "3", '{"bars": 4}', '{"colour": 1}', "[" * 10**5, '{"preset": 3}']
)
def test_a_config_that_cannot_be_read_is_one_sentence(tmp_path, content):
    (tmp_path / "config.json").write_text(content)
    with pytest.raises(RunError, match=r"config\.json (cannot be read|does not fit this version): "):
        Run.open(tmp_path)


def test_a_config_of_another_version_or_out_of_range_is_refused(tmp_path, config):
    path = Run.create(tmp_path / "run", config).path / "config.json"
    fields = json.loads(path.read_text())
    path.write_text(json.dumps({**fields, "colour": 1}))
    with pytest.raises(RunError, match=r"does not fit this version: .*colour"):
        Run.open(tmp_path / "run")
    for name, value in (("bars", 2**40), ("bvae_hidden", 2**31), ("bvae_kl", 1e39), ("seed", [[]])):
        path.write_text(json.dumps({**fields, name: value}))
        with pytest.raises(RunError, match=rf"does not fit this version: {name} .* (at most|above|of type)"):
            Run.open(tmp_path / "run")
    path.write_text(json.dumps({**fields, "bvae_hidden": 0}))
    with pytest.raises(
        RunError, match="does not fit this version: bvae_hidden 0 is out of range: at least 1"
    ):
        Run.open(tmp_path / "run")


def finished(path, config):
    """A run with all parts, and a prior, none of them trained."""
    run, made = Run.create(path, config), build_sandwich(config)
    for name in PARTS:
        for weight in made.get_layer(name).weights:
            weight.assign(weight + 0.25)
        run.save_weights(made.get_layer(name), name)
    Prior.isotropic(config.bars, config.mfg_latent, 0.5).save(run.prior)
    return run, made


@pytest.fixture(scope="module")
def whole(tmp_path_factory, config):
    return finished(tmp_path_factory.mktemp("runs") / "whole", config)


@pytest.fixture
def copy(tmp_path, whole):
    """A run of the same files that a test may damage."""
    shutil.copytree(whole[0].path, tmp_path / "run")
    return Run.open(tmp_path / "run")


def test_what_is_saved_is_loaded(whole):
    run, saved = whole
    assert sorted(path.name for path in (run.path / "weights").iterdir()) == sorted(
        ["prior.npz", *(f"{part}.weights.h5" for part in PARTS)]
    )
    assert run.has(*PARTS)
    loaded, prior = run.load_sandwich()
    for name in PARTS:
        weights = [made.get_layer(name).get_weights() for made in (loaded, saved)]
        assert weights[0]
        for a, b in zip(*weights, strict=True):
            assert np.array_equal(a, b)
    assert (prior.units, prior.latent, prior.noise) == (2, 4, 0.5)


@pytest.mark.parametrize(
    ("lost", "listed", "command"),
    [
        (["piano_encoder"], "piano_encoder", "make stage1 TRACK=piano"),
        (["bass_refiner", "mfg_decoder"], "bass_refiner, mfg_decoder", "make refine TRACK=bass"),
        (["mfg_encoder"], "mfg_encoder", "make stage2"),
    ],
)
def test_a_missing_stage_is_named_with_the_command_that_makes_it(copy, whole, lost, listed, command):
    for part in lost:
        copy.weights(part).unlink()
    assert not copy.has(*PARTS)
    with pytest.raises(RunError) as refused:
        copy.load_weights(whole[1], *PARTS)
    assert str(refused.value) == f"the run {copy.path} has no trained {listed}: run `{command}` first"


@pytest.fixture(scope="module")
def victim(config):
    """A sandwich to load damaged files into."""
    return build_sandwich(config)


@pytest.mark.parametrize("damage", ["truncated", "empty", "text", "other sizes", "other part"])
def test_damaged_weights_are_one_sentence(copy, config, victim, damage):
    path = copy.weights("guitar_decoder")
    if damage == "truncated":
        path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    elif damage == "empty":
        path.write_bytes(b"")
    elif damage == "text":
        path.write_text("not HDF5")
    elif damage == "other sizes":
        other = bvae.build_decoder(dataclasses.replace(config, bvae_hidden=8), "guitar")
        copy.save_weights(other, "guitar_decoder")
    else:
        shutil.copy(copy.weights("guitar_refiner"), path)
    with pytest.raises(RunError) as refused:
        copy.load_weights(victim, "guitar_decoder")
    assert str(refused.value) == f"{path} is damaged or of another model"


def test_a_single_other_byte_in_weights_is_noticed(copy, victim):
    path = copy.weights("guitar_decoder")
    content = path.read_bytes()
    for at in range(60, len(content), 997):
        path.write_bytes(content[:at] + bytes([content[at] ^ 16]) + content[at + 1 :])
        with pytest.raises(RunError, match=r"guitar_decoder\.weights\.h5 is damaged"):
            copy.load_weights(victim, "guitar_decoder")
    path.write_bytes(content)
    copy.load_weights(victim, "guitar_decoder")


def test_weights_of_an_earlier_version_have_no_checksum(copy, whole, victim):
    path = copy.weights("bass_decoder")
    made = whole[1].get_layer("bass_decoder")
    made.save_weights(path)
    assert b"sha256" not in path.read_bytes()
    copy.load_weights(victim, "bass_decoder")
    for a, b in zip(victim.get_layer("bass_decoder").get_weights(), made.get_weights(), strict=True):
        assert np.array_equal(a, b)


def test_a_prior_of_another_model_is_refused(copy, whole, monkeypatch):
    monkeypatch.setattr(runs, "build_sandwich", lambda *args, **kwargs: whole[1])
    Prior.isotropic(copy.config.bars + 1, copy.config.mfg_latent, 0.5).save(copy.prior)
    with pytest.raises(
        RunError, match=r"prior\.npz is damaged: .* \(it draws 3 x 4 numbers, the model reads 2 x 4\)$"
    ):
        copy.load_sandwich()


@pytest.mark.parametrize("content", ["", "[]", "{", '{"store": "a"}', '{"store": "a", "digest": 3}', "\xff"])
def test_a_binding_that_is_damaged_is_one_sentence(tmp_path, config, content):
    run = Run.create(tmp_path / "run", config)
    run.data.write_text(content, "latin-1")
    with pytest.raises(RunError, match=r"^[^\n]*data\.json is damaged: "):
        run.bound()


@pytest.mark.parametrize("content", [None, b"", b"PK\x03\x04 no archive", b"text"])
def test_a_prior_that_is_missing_or_damaged_is_one_sentence(copy, content, whole, monkeypatch):
    monkeypatch.setattr(runs, "build_sandwich", lambda *args, **kwargs: whole[1])  # no time for new ones
    copy.prior.unlink()
    if content is not None:
        copy.prior.write_bytes(content)
    with pytest.raises(
        RunError, match=r"has no prior: run `make stage2` first$|prior\.npz is damaged: delete it"
    ):
        copy.load_sandwich()


def test_a_write_that_fails_leaves_the_earlier_file(copy, config, monkeypatch):
    model = bvae.build_encoder(config, "bass")
    before = copy.weights("bass_encoder").read_bytes()
    files = sorted(copy.path.rglob("*"))

    def fail(path, content):
        with open(path, "wb") as file:
            file.write(content[:100])
        raise OSError("no space left on device")

    monkeypatch.setattr(pathlib.Path, "write_bytes", fail)
    with pytest.raises(OSError, match="no space left"):
        copy.save_weights(model, "bass_encoder")
    assert copy.weights("bass_encoder").read_bytes() == before
    assert sorted(copy.path.rglob("*")) == files


def test_a_copied_bvae_is_that_of_the_first_track(copy):
    copy.weights("piano_encoder").unlink()
    before = copy.weights("guitar_encoder").read_bytes()
    copy.copy_bvae(("bass", "piano"))
    for kind in ("encoder", "decoder"):
        assert copy.weights(f"piano_{kind}").read_bytes() == copy.weights(f"bass_{kind}").read_bytes()
    assert copy.weights("guitar_encoder").read_bytes() == before


def test_one_process_at_a_time_does_a_stage_of_a_run(tmp_path, config):
    """Another lock on the same file stands for another process: the kernel treats it so."""
    run = Run.create(tmp_path / "run", config)
    here = Owner.me()
    with run.alone("bass_bvae"):
        with pytest.raises(RunError) as refused, run.alone("bass_bvae"):
            pass
        with run.alone("drums_bvae"):
            pass
    assert str(refused.value) == (
        f"process {here.pid} on {here.host} is at work on bass_bvae of the run {run.path}: wait for it to end"
    )
    with run.alone("bass_bvae"):
        pass
    assert sorted(path.name for path in run.path.iterdir()) == ["config.json", "flags.txt"]


def test_two_processes_that_make_a_run_make_one(tmp_path, config):
    other = dataclasses.replace(config, seed=9)
    made = []

    def make(asked):
        try:
            made.append(Run.create(tmp_path / "run", asked).config)
        except RunError as error:
            made.append(str(error))

    threads = [threading.Thread(target=make, args=(asked,)) for asked in (config, other)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    (refused,) = [each for each in made if isinstance(each, str)]
    assert "was made with seed" in refused
    assert Run.open(tmp_path / "run").config in made


def test_a_run_is_bound_once(tmp_path, config):
    run = Run.create(tmp_path / "run", config)
    run.bind("first", "1")
    run.bind("second", "2")
    assert run.bound() == {"store": "first", "digest": "1"}


def test_every_file_has_its_own_place(tmp_path, config):
    run = Run(tmp_path, config)
    stages = [f"{track}_{kind}" for track in TRACK_NAMES for kind in ("bvae", "refiner")] + [
        "mfg_vae",
        "finetune",
    ]
    paths = {place(stage) for stage in stages for place in (run.history, run.figure, run.checkpoint)}
    paths |= {place(part) for part in PARTS for place in (run.weights, run.finetuned)}
    paths |= {run.prior, run.finetuned_prior}
    assert len(paths) == 3 * 12 + 2 * (17 + 1)

import dataclasses
import importlib
import json

import pytest

from msw2.benchmarks import groups
from msw2.benchmarks.groups import GROUPS, Setting
from msw2.data.store import StoreError


@pytest.fixture
def setting(machine, tmp_path):
    return Setting(machine, tmp_path)


@pytest.fixture
def songs(monkeypatch):
    """Freedoom's songs are there."""

    class Songs:
        def prepare(self):
            pass

        def __len__(self):
            return 75

    monkeypatch.setattr(groups, "freedoom", lambda folder: Songs())


def compared(name, setting):
    return list(GROUPS[name](setting))


def on(setting, **fields):
    return dataclasses.replace(setting, machine=dataclasses.replace(setting.machine, **fields))


@pytest.mark.parametrize("name", GROUPS)
@pytest.mark.parametrize("gpus", [(), ("H200",)])
def test_every_group_is_whole(name, gpus, setting, songs):
    for comparison in compared(name, on(setting, gpus=gpus)):
        assert comparison.group == name
        names = [contender.name for contender in comparison.contenders]
        assert len(set(names)) == len(names)
        assert {side for ratio in comparison.ratios for side in (ratio.over, ratio.under)} <= set(names)
        for contender in comparison.contenders:
            for job in contender.jobs:
                json.dumps(job)
                module, function = job["task"].split(":")
                if module.endswith("pytorch"):
                    pytest.importorskip("torch")
                assert callable(getattr(importlib.import_module(module), function))
        assert comparison.contenders or comparison.notes


def test_stage_1_is_compared_at_both_sizes_with_the_goals_for_five_tracks(setting):
    small, large, tuned, released = compared("stage1", setting)
    assert [each.title for each in (small, large)] == ["PAPER 128/64", "PAPER 256/256"]
    assert [each.title for each in (tuned, released)] == ["TUNED 64/256", "RELEASED 256/256"]
    for comparison, goals in ((small, [3.0, 1.2, 1.2]), (large, [3.5, 1.3, 1.3])):
        found = {ratio.title: ratio.goal for ratio in comparison.ratios if ratio.goal}
        assert list(found.values()) == goals
        assert all(title.startswith("five tracks: ours / ") for title in found)
    contenders = {contender.name: contender for contender in small.contenders}
    threads = {
        name: [(job["track"], job["threads"]) for job in each.jobs if "track" in job]
        for name, each in contenders.items()
    }
    assert threads["ours"] == threads["stock Keras"] == [("drums", 0)]
    assert threads["ours, side by side"] == threads["PyTorch, side by side"] == [("drums", 1), ("piano", 1)]
    assert contenders["PyTorch"].jobs[0]["threads"] == 2
    assert {contender.jobs[0]["threads"] for contender in small.contenders[-2:]} == {0, 1}


@pytest.mark.parametrize("there", [False, True])
def test_training_in_bfloat16_is_measured_beside_float32_where_it_is_to_be_had(setting, monkeypatch, there):
    monkeypatch.setattr(groups, "has_bfloat16", lambda: there)
    small, *_ = compared("stage1", setting)
    jobs = {each.name: [job.get("policy") for job in each.jobs] for each in small.contenders}
    assert jobs["ours, side by side"] == [None, None]
    assert jobs.get("ours, side by side, bfloat16") == (["mixed_bfloat16"] * 2 if there else None)
    titles = [ratio.title for ratio in small.ratios if "bfloat16" in ratio.title]
    assert len(titles) == (2 if there else 0)


@pytest.mark.parametrize(
    ("fields", "expected"),
    [({"cores": 1}, [0]), ({"cores": 12}, [2] * 5), ({"cores": 12, "gpus": ("H200",)}, [0])],
)
def test_tracks_run_side_by_side_as_make_stage1_runs_them(fields, expected, setting):
    small, *_ = compared("stage1", on(setting, **fields))
    (side,) = (each for each in small.contenders if each.name == "ours, side by side")
    assert [job["threads"] for job in side.jobs] == expected


def test_what_is_not_installed_is_said_and_left_out(setting, songs):
    missing = {"PyTorch": "not installed", "pretty_midi": "not installed"}
    small, *_ = compared("stage1", on(setting, versions=missing))
    assert not any("PyTorch" in each.name for each in small.contenders)
    assert "PyTorch is not installed: no ratio to it" in small.notes
    (data,) = compared("data", on(setting, versions=missing))
    assert [each.name for each in data.contenders] == ["make data"]
    assert data.notes == ("pretty_midi is not installed: no ratio to it",)


def test_the_store_and_the_parser_read_every_song_in_a_slice(setting, songs):
    (data,) = compared("data", on(setting, versions={"pretty_midi": "0.2"}))
    assert [(each.name, each.amount) for each in data.contenders] == [
        ("make data", 1),  # a slice of it is a whole store
        ("pretty_midi, parsing alone", 75),
    ]
    assert len(data.ratios) == 1


def test_without_freedoom_its_reason_is_said(setting, monkeypatch):
    class Songs:
        def prepare(self):
            raise StoreError("pip could not download it")

    monkeypatch.setattr(groups, "freedoom", lambda folder: Songs())
    (data,) = compared("data", setting)
    assert data.contenders == ()
    assert data.notes == ("make data is not measured: pip could not download it",)


def test_without_a_gpu_one_line_says_so(setting):
    (gpu,) = compared("gpu", setting)
    assert (gpu.contenders, len(gpu.notes)) == ((), 1)
    assert "no GPU was found" in gpu.notes[0]


def test_the_pipeline_is_measured_on_a_track_that_is_transposed(setting):
    for comparison in compared("pipeline", setting):
        assert {job["track"] for each in comparison.contenders for job in each.jobs} == {"piano"}


def test_growth_has_the_same_work_for_every_track(setting):
    (comparison,) = compared("growth", setting)
    epochs, tracks = comparison.contenders[:3], comparison.contenders[3:]
    assert [(each.amount, each.call["bars"]) for each in epochs] == [(10, 320), (40, 1280), (160, 5120)]
    assert [(len(each.jobs), each.at_once, each.amount) for each in tracks] == [
        (1, 1, 20), (2, 2, 20), (5, 2, 20),
    ]  # fmt: skip
    assert all(each.timed for each in comparison.contenders)

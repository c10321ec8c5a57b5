"""A few accidents of each campaign of `make torture`; and that the campaigns notice what they are to notice."""

import importlib

import numpy as np
import pytest

SEED = 20


def campaign(name):
    """A module of this folder."""
    return importlib.import_module(name)


@pytest.mark.parametrize(("kind", "count"), [("midi", 60), ("lpd", 20), ("phrases", 60)])
def test_mutated_files_are_read_or_refused(tmp_path, kind, count):
    tally = campaign("readers").campaign(kind, tmp_path, count, SEED, workers=0)
    assert tally.failures == []
    assert tally.counts["phrases"] >= 1
    assert sum(tally.counts.values()) == count


def test_a_file_that_crashes_or_ends_the_reader_is_noticed(tmp_path, monkeypatch):
    readers = campaign("readers")
    lines = [
        {"name": "00000.npz", "outcome": "phrases", "seconds": 6.0, "memory": 1},
        {"name": "00001.npz", "outcome": "phrases", "seconds": 0.0, "memory": 2**32},
        {"name": "00002.npz", "outcome": "Traceback: ZeroDivisionError", "seconds": 0.0, "memory": 1},
    ]
    monkeypatch.setattr(readers, "_read_in_process", lambda kind, folder: (lines, -11))
    assert readers.campaign("phrases", tmp_path, 4, SEED).failures == [
        "00000.npz took 6.0 s",
        "00001.npz: 4,096 MiB",
        "00002.npz: Traceback: ZeroDivisionError",
        "the process ended with status -11 at 00003.npz",
    ]


def test_the_same_seed_makes_the_same_files(tmp_path):
    mutations = campaign("mutations")
    base = mutations.lpd_bytes(np.random.default_rng(1))
    made = [mutations.mutated_archive(base, np.random.default_rng(seed)) for seed in (1, 1, 2)]
    assert made[0] == made[1] != made[2]


def test_damaged_files_of_a_run_are_noticed(tmp_path, smoke_run, smoke_sandwich, tiny_store):
    flips = campaign("flips")
    tally = flips.campaign(smoke_run.path, tiny_store.path, smoke_sandwich[0], tmp_path, count=45, seed=SEED)
    assert tally.failures == []
    assert tally.counts["refused in a sentence"] >= 20


def test_a_full_disk_is_one_sentence(smoke_run, tmp_path):
    disk = campaign("full_disk")
    if not disk.is_possible():
        pytest.skip("this user may not mount a file system in memory")
    campaign("kills").write_songs(tmp_path / "songs", SEED)
    tally = disk.campaign(smoke_run, tmp_path / "songs", shares=(0.5,), slow=False)
    assert tally.failures == []
    assert tally.counts["one sentence, then written"] >= 5
    assert tally.counts["read-only, one sentence"] == 9


@pytest.fixture
def kills(monkeypatch):
    """The campaign with the one command that needs no TensorFlow."""
    kills = campaign("kills")
    monkeypatch.setattr(kills, "COMMANDS", {"data": kills.COMMANDS["data"]})
    return kills


def test_a_killed_command_goes_on(tmp_path, kills):
    tally = kills.campaign(tmp_path, kills=2, seed=SEED)
    assert tally.failures == []
    assert tally.counts["killed at a change"] + tally.counts["killed at a time"] == 2
    assert tally.counts["ended after kills"] >= 1
    assert tally.counts["the same file"] >= 8 + 4  # songs, shards, manifest, report


def test_a_command_is_killed_just_before_or_after_any_change_of_its_files(tmp_path, kills):
    forks, arguments = campaign("forks"), kills.COMMANDS["data"]
    kills.write_songs(tmp_path / "songs", SEED)
    forks.import_once(["data"])
    for moment in (forks.Moment(0.0, change=2), forks.Moment(0.001, change=2), forks.Moment(0.01)):
        ended = forks.run("data", arguments, tmp_path, moment)
        assert ended.killed
        assert not (ended.well or ended.orphans or (tmp_path / "store").exists())
        assert ended.changes == 2 or moment.seconds
    ended = forks.run("data", arguments, tmp_path, forks.Moment(0.0, change=1000))
    assert ended.well
    assert ended.status == 0
    assert ended.changes > 4
    assert (tmp_path / "store" / "manifest.json").exists()
    refused = forks.run("data", ["--store=store", "--hop=0"], tmp_path)
    assert not (refused.well or refused.killed)
    assert "hop" in refused.said


def test_files_that_differ_or_are_left_over_or_missing_are_noticed(tmp_path, kills):
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    for folder, names in ((whole, ["same", "other", "missing"]), (killed, ["same", "other", "left"])):
        folder.mkdir()
        for name in names:
            (folder / name).write_text(f"{folder.name if name == 'other' else ''}")
    for partly, missing in ((True, []), (False, ["missing is missing"])):
        tally = campaign("tally").Tally("kills")
        for _ in range(2):  # each is said once
            kills._compare(tally, whole, killed, partly=partly)
        assert tally.failures == ["left is left over", *missing, "other is another one"]

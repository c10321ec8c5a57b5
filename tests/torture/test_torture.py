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


def test_a_killed_command_goes_on(tmp_path, monkeypatch):
    kills = campaign("kills")
    monkeypatch.setattr(kills, "COMMANDS", {"data": kills.COMMANDS["data"]})
    tally = kills.campaign(tmp_path, kills=1, seed=SEED)
    assert tally.failures == []
    assert tally.counts["ended after kills"] == 1
    assert tally.counts["the same file"] >= 8 + 4  # songs, shards, manifest, report

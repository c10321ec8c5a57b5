"""Songs made by hand, in every source's format."""

import io
import json
import zipfile

import numpy as np
import pytest

from msw2.music.grid import Grid
from msw2.music.midi import write_song

GRID = Grid()


def song(bars=8, seed=0, silent=()):
    """bool [step, pitch, track] in which every track but the silent ones sounds in every bar."""
    rng = np.random.default_rng(seed)
    pianoroll = np.zeros((bars * 48, 84, 5), bool)
    for track in range(5):
        if track not in silent:
            steps = np.arange(bars * 48)[:: 12 if track else 6]
            pitches = 12 * (track + 1) + rng.integers(0, 12, len(steps))
            pianoroll[steps, pitches, track] = True
            if track:
                pianoroll[steps + 1, pitches, track] = True
    return pianoroll


def sparse(arrays, name, roll):
    """Adds bool [step, 128] to `arrays` as pypianoroll's compressed columns, made cell by cell."""
    steps, starts = [], [0]
    for pitch in range(128):
        steps += [step for step in range(len(roll)) if roll[step, pitch]]
        starts.append(len(steps))
    arrays[f"{name}_csc_data"] = np.ones(len(steps), bool)
    arrays[f"{name}_csc_indices"] = np.array(steps, np.int32)
    arrays[f"{name}_csc_indptr"] = np.array(starts, np.int32)
    arrays[f"{name}_csc_shape"] = np.array([len(roll), 128])


def lpd_bytes(rolls, resolution_key="beat_resolution", resolution=24, change=None, **extra):
    """An LPD-5 file: rolls are five bool [step, 128]; `change` may alter the arrays and the info."""
    programs = [(0, True), (0, False), (24, False), (32, False), (48, False)]
    arrays, info = dict(extra), {resolution_key: resolution, "name": "song"}
    for index, ((program, is_drum), roll) in enumerate(zip(programs, rolls, strict=True)):
        sparse(arrays, f"pianoroll_{index}", roll)
        info[str(index)] = {"program": program, "is_drum": is_drum, "name": "any"}
    if change:
        change(arrays, info)
    content = io.BytesIO()
    np.savez_compressed(content, **arrays)
    with zipfile.ZipFile(content, "a") as archive:
        archive.writestr("info.json", json.dumps(info))
    return content.getvalue()


@pytest.fixture
def write_songs(tmp_path):
    """Returns a function (name -> pianoroll) -> folder of MIDI files."""

    def write(pianorolls, folder="songs"):
        for name, pianoroll in pianorolls.items():
            path = tmp_path / folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            write_song(path, pianoroll, GRID, 100)
        return tmp_path / folder

    return write

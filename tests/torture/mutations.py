"""Files that are nearly right: valid songs, and what chance makes of their bytes."""

import io
import json
import pathlib
import zipfile

import numpy as np

from msw2.music.grid import Grid
from msw2.music.midi import write_song

GRID = Grid()
PROGRAMS = ((0, True), (0, False), (24, False), (32, False), (48, False))
NUMBERS = (0, 1, 0x7F, 0x80, 0xFF, 0x7FFF, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF)


def song(rng: np.random.Generator, bars: int = 8) -> np.ndarray:
    """Returns a song, bool [step, pitch, track]: each track holds one of two pitches a bar, which tiny models learn."""
    cells = np.zeros((bars, GRID.steps, GRID.pitches, 5), bool)
    for bar in range(bars):
        for track in range(5):
            cells[bar, :, 36 + 2 * rng.integers(0, 2), track] = True
    return cells.reshape(-1, GRID.pitches, 5)


def midi_bytes(rng: np.random.Generator, folder: pathlib.Path) -> bytes:
    """Returns a MIDI file."""
    path = folder / "base.mid"
    write_song(path, song(rng, int(rng.integers(1, 12))), GRID, 100)
    content = path.read_bytes()
    path.unlink()
    return content


def lpd_bytes(rng: np.random.Generator) -> bytes:
    """Returns an LPD-5 file, as pypianoroll writes it."""
    cells = np.zeros((96 * int(rng.integers(4, 9)), 128, 5), bool)
    cells[rng.integers(0, len(cells), 400), rng.integers(24, 108, 400), rng.integers(0, 5, 400)] = True
    arrays, info = {}, {"beat_resolution": 24, "name": "song"}
    for track, (program, is_drum) in enumerate(PROGRAMS):
        pitches, steps = np.nonzero(cells[..., track].T)
        starts = np.concatenate([[0], np.cumsum(np.bincount(pitches, minlength=128))])
        arrays |= {
            f"pianoroll_{track}_csc_data": np.ones(len(steps), bool),
            f"pianoroll_{track}_csc_indices": steps.astype(np.int32),
            f"pianoroll_{track}_csc_indptr": starts.astype(np.int32),
            f"pianoroll_{track}_csc_shape": np.array([len(cells), 128]),
        }
        info[str(track)] = {"program": program, "is_drum": is_drum, "name": "any"}
    return archive(
        {f"{name}.npy": array_bytes(array) for name, array in arrays.items()}
        | {"info.json": json.dumps(info).encode()}
    )


def phrase_bytes(rng: np.random.Generator) -> bytes:
    """Returns a phrase file of a few phrases."""
    phrases = int(rng.integers(1, 130))
    cells = [np.sort(rng.integers(0, phrases, 500)), *(rng.integers(0, size, 500) for size in (4, 48, 84, 5))]
    shape = np.array([phrases, 4, 48, 84, 5])
    return archive({"nonzero.npy": array_bytes(np.stack(cells)), "shape.npy": array_bytes(shape)})


def array_bytes(array: np.ndarray) -> bytes:
    """Returns an array as NumPy saves it."""
    content = io.BytesIO()
    np.save(content, array, allow_pickle=False)
    return content.getvalue()


def archive(members: dict[str, bytes]) -> bytes:
    """Returns a zip archive."""
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as made:
        for name, member in members.items():
            made.writestr(name, member)
    return content.getvalue()


def mutated(content: bytes, rng: np.random.Generator) -> bytes:
    """Returns what a few accidents make of a file."""
    for _ in range(int(rng.choice([1, 1, 1, 2, 4]))):
        content = ACCIDENTS[int(rng.integers(len(ACCIDENTS)))](bytearray(content), rng)
    return bytes(content)


def mutated_archive(content: bytes, rng: np.random.Generator) -> bytes:
    """Returns an archive with accidents in one of its members, whose checksum then fits; or in the archive itself."""
    if rng.random() < 0.25:
        return mutated(content, rng)
    with zipfile.ZipFile(io.BytesIO(content)) as whole:
        members = {name: whole.read(name) for name in whole.namelist()}
    name = list(members)[int(rng.integers(len(members)))]
    if rng.random() < 0.1:
        del members[name]
    elif rng.random() < 0.5:  # of an array, the header is what matters
        members[name] = mutated(members[name][:128], rng) + members[name][128:]
    else:
        members[name] = mutated(members[name], rng)
    return archive(members)


def _flip(content: bytearray, rng: np.random.Generator) -> bytes:
    for _ in range(int(rng.choice([1, 1, 2, 8]))):
        if content:
            content[int(rng.integers(len(content)))] ^= 1 << int(rng.integers(8))
    return content


def _cut(content: bytearray, rng: np.random.Generator) -> bytes:
    return content[: int(rng.integers(len(content) + 1))]


def _insert(content: bytearray, rng: np.random.Generator) -> bytes:
    at = int(rng.integers(len(content) + 1))
    return content[:at] + rng.bytes(int(rng.integers(1, 65))) + content[at:]


def _remove(content: bytearray, rng: np.random.Generator) -> bytes:
    at = int(rng.integers(len(content) + 1))
    return content[:at] + content[at + int(rng.integers(1, 65)) :]


def _repeat(content: bytearray, rng: np.random.Generator) -> bytes:
    first, last = sorted(rng.integers(0, len(content) + 1, 2).tolist())
    return content[:last] + content[first:last] * int(rng.integers(1, 4)) + content[last:]


def _number(content: bytearray, rng: np.random.Generator) -> bytes:
    size = int(rng.choice([1, 2, 4]))
    at = int(rng.integers(len(content) + 1))
    value = NUMBERS[int(rng.integers(len(NUMBERS)))] & (256**size - 1)
    content[at : at + size] = value.to_bytes(size, "big" if rng.random() < 0.5 else "little")
    return content


def _digit(content: bytearray, rng: np.random.Generator) -> bytes:
    """Changes or adds digits, brackets and quotes where there is text."""
    places = [at for at, byte in enumerate(content[:4096]) if chr(byte) in "0123456789()[]{}',:"]
    if places:
        at = places[int(rng.integers(len(places)))]
        content[at : at + 1] = rng.choice(
            [b"9" * 30, b"(", b")", b"'", b"-1", b"", b"[" * 200, b"1e9", b"None"]
        )
    return content


ACCIDENTS = (_flip, _cut, _insert, _remove, _repeat, _number, _digit)

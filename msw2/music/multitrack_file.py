"""pypianoroll's .npz files, of versions 0.x and 1.x alike, of unknown origin.

Both versions keep each track as a sparse matrix in compressed columns (`pianoroll_0_csc_data`, …) beside
`info.json`; 0.x calls the resolution `beat_resolution`. pypianoroll reads the files, and believes what it reads:
indices outside a matrix would be written outside its memory. So it gets a copy of
the checked arrays alone.
"""

import io
import json
import os
import zipfile

import numpy as np

from msw2.music import npz
from msw2.music.midi import SongError
from msw2.music.multitrack import MIDI_PITCHES, check_length
from msw2.system.files import replacing

MAX_ARRAY_BYTES = 64 * 2**20
MAX_INFO_BYTES = 2**20
MAX_TRACKS = 256
MAX_CELLS = 2**28  # a byte each in memory; five tracks of 4,096 bars of LPD have 252 million
_ZIP_EPOCH = (1980, 1, 1, 0, 0, 0)  # the earliest date that zip can hold: same song, same bytes


def load_multitrack(path: str | os.PathLike):
    """Reads a file as `pypianoroll.Multitrack` of binary tracks: a velocity above 0 sounds.

    Sizes, headers and indices are checked before pypianoroll sees them. No object is unpickled.

    Raises:
        SongError: if it is no such file, or is damaged, hostile or too long.
    """
    import pypianoroll  # noqa: PLC0415 - see multitrack

    content = io.BytesIO()
    with npz.opened(path) as archive:
        info, arrays = _checked(archive)
    np.savez(content, **arrays)
    with zipfile.ZipFile(content, "a") as copy:
        copy.writestr("info.json", json.dumps(info))
    content.seek(0)
    return pypianoroll.load(content)


def save_multitrack(path: str | os.PathLike, multitrack) -> None:
    """Writes a `pypianoroll.Multitrack`, whole or not at all; the same one gives the same bytes."""
    content = io.BytesIO()
    multitrack.save(content)
    with (
        zipfile.ZipFile(content) as written,
        replacing(path) as temporary,
        zipfile.ZipFile(temporary, "w") as archive,
    ):
        for name in written.namelist():
            # Date and system are the two fields that differ from run to run.
            member = zipfile.ZipInfo(name, _ZIP_EPOCH)
            member.create_system = 3  # Unix, wherever it is written
            member.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(member, written.read(name))


def _checked(archive: zipfile.ZipFile) -> tuple[dict, dict[str, np.ndarray]]:
    """Returns what pypianoroll needs of a file, checked: the content of info.json, and the arrays by name."""
    found = _info(archive)
    resolution = found.get("resolution", found.get("beat_resolution"))
    if not isinstance(resolution, int) or resolution < 1:
        raise SongError(f"resolution is no number of steps a beat: {resolution!r}"[:100])
    info, arrays = {"name": "", "resolution": resolution}, {}
    numbers = [index for index in range(MAX_TRACKS) if str(index) in found]
    for number, index in enumerate(numbers):
        info[str(number)] = _about(found[str(index)], index)
        for part, array in _matrix(archive, index).items():
            arrays[f"pianoroll_{number}_csc_{part}"] = array
    lengths = [int(arrays[f"pianoroll_{number}_csc_shape"][0]) for number in range(len(numbers))]
    check_length(max(lengths, default=0), resolution)
    if sum(lengths) * MIDI_PITCHES > MAX_CELLS:
        raise SongError(f"too large: {sum(lengths) * MIDI_PITCHES} cells, at most {MAX_CELLS}")
    for name in {"tempo", "downbeat"} & {each.removesuffix(".npy") for each in archive.namelist()}:
        array = npz.array(archive, name, MAX_ARRAY_BYTES).ravel()
        if array.dtype.kind in "biuf":
            arrays[name] = array
    return info, arrays


def _info(archive: zipfile.ZipFile) -> dict:
    """Returns the content of info.json."""
    content = archive.read(npz.member(archive, "info.json", MAX_INFO_BYTES))
    try:
        info = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise SongError("damaged info.json") from error
    if not isinstance(info, dict):
        raise SongError("damaged info.json")
    return info


def _about(about, index: int) -> dict:
    """Returns what info.json says of a track, checked."""
    program = about.get("program") if isinstance(about, dict) else None
    if not isinstance(program, int) or not 0 <= program < MIDI_PITCHES:
        raise SongError(f"track without a program in 0..127: track {index}")
    return {"name": str(about.get("name")), "program": program, "is_drum": bool(about.get("is_drum"))}


def _matrix(archive: zipfile.ZipFile, index: int) -> dict[str, np.ndarray]:
    """Returns the sparse matrix of a track, bool [step, 128], checked: data, indices, indptr, shape."""
    parts = ("data", "indices", "indptr", "shape")
    data, steps, columns, shape = (
        npz.array(archive, f"pianoroll_{index}_csc_{part}", MAX_ARRAY_BYTES) for part in parts
    )
    if any(each.dtype.kind not in "biu" for each in (steps, columns, shape)) or data.dtype.kind not in "biuf":
        raise SongError(f"damaged pianoroll: track {index} is not made of numbers")
    # A number that wraps round here becomes negative, and is refused.
    steps, columns, shape = (each.astype(np.int64) for each in (steps, columns, shape))
    whole = (
        shape.shape == (2,)
        and shape[0] >= 0
        and shape[1] == MIDI_PITCHES
        and columns.shape == (MIDI_PITCHES + 1,)
        and steps.shape == data.shape == (columns[-1],)
        and columns[0] == 0
        and (np.diff(columns) >= 0).all()
        and ((steps >= 0) & (steps < shape[0])).all()
    )
    if not whole:
        raise SongError(f"damaged pianoroll: track {index} is no sparse matrix of {MIDI_PITCHES} columns")
    return dict(zip(parts, (data > 0, steps, columns, shape), strict=True))

"""SoundFont 2 files: the default one, whether one is whole, and shorter releases.

A renderer trusts the sizes in a soundfont. A size that lies can end the whole process, so they are checked first.
"""

import importlib.util
import math
import os
import pathlib
import struct
from collections.abc import Iterator

import numpy as np

DEFAULT, LICENCE = "TimGM6mb", "GPL-2"  # the soundfont that pretty_midi brings
MAX_BYTES = 512 * 2**20
# Bytes of one record of each list (SoundFont 2.04, section 7). The last record of a list only marks its end.
RECORDS = {
    **{b"phdr": 38, b"pbag": 4, b"pmod": 10, b"pgen": 4},
    **{b"inst": 22, b"ibag": 4, b"imod": 10, b"igen": 4, b"shdr": 46},
}
RELEASE = 38  # the generator of the volume envelope's release (section 8.1.2): timecents to fall by 100 dB


class SoundError(ValueError):
    """Sound that cannot be made. The message is one sentence."""


def default_soundfont() -> pathlib.Path:
    """Returns the path of TimGM6mb.sf2 in pretty_midi's package, which is not imported (it takes a second).

    Raises:
        SoundError: if pretty_midi is not installed.
    """
    spec = importlib.util.find_spec("pretty_midi")
    if spec is None or not spec.submodule_search_locations:
        raise SoundError("no soundfont: pretty_midi, which brings one, is not installed")
    return pathlib.Path(spec.submodule_search_locations[0]) / f"{DEFAULT}.sf2"


def read_soundfont(path: str | os.PathLike) -> bytes:
    """Returns the content of a soundfont that is whole.

    Raises:
        SoundError: if it cannot be read, is too large, cut off, damaged, or no SoundFont 2 file.
    """
    try:
        size = os.stat(path).st_size
        if size > MAX_BYTES:
            raise SoundError(f"soundfont {path} is too large: {size} bytes, at most {MAX_BYTES}")
        content = pathlib.Path(path).read_bytes()
    except OSError as error:
        raise SoundError(f"soundfont {path} cannot be read: {error.strerror}") from error
    try:
        _lists(content)
    except SoundError as error:
        raise SoundError(f"soundfont {path} is {error}") from error
    return content


def with_short_releases(content: bytes, seconds: float) -> bytes:
    """Returns a soundfont without long releases. A release is the time that a note let go takes to fall by 100 dB.

    Args:
        content: a whole soundfont, from `read_soundfont`.
        seconds: the longest release, above 0.
    """
    changed = bytearray(content)
    lists = _lists(content)
    # What a preset states is added to what its instrument states.
    for name, most in ((b"igen", round(1200 * math.log2(seconds))), (b"pgen", 0)):
        start, end = lists[name]
        generators = np.frombuffer(changed, [("kind", "<u2"), ("amount", "<i2")], (end - start) // 4, start)
        long = (generators["kind"] == RELEASE) & (generators["amount"] > most)
        generators["amount"][long] = most
    return bytes(changed)


def _lists(content: bytes) -> dict[bytes, tuple[int, int]]:
    """Returns where the samples and each list lie. The chunks fill the file, and the lists have whole records."""
    if content[:4] != b"RIFF" or content[8:12] != b"sfbk":
        raise SoundError("not a SoundFont 2 file")
    (size,) = struct.unpack("<I", content[4:8])
    if size + 8 > len(content):
        raise SoundError(f"cut off: {len(content)} of {size + 8} bytes")
    found = {}
    for name, start, end in _chunks(content, 12, size + 8):
        if name == b"LIST":
            found |= {part: (at, to) for part, at, to in _chunks(content, start + 4, end)}
    if b"smpl" not in found:
        raise SoundError("damaged: it has no samples")
    for name, record in RECORDS.items():
        start, end = found.get(name, (0, 0))
        least = 0 if name in {b"pmod", b"imod"} else 2 * record
        if (end - start) % record or end - start < least:
            raise SoundError(f"damaged: its list {name.decode()} has {end - start} bytes")
    return found


def _chunks(content: bytes, start: int, end: int) -> Iterator[tuple[bytes, int, int]]:
    """Yields (name, start, end) of the chunks that lie one after another; each begins at an even place."""
    while start < end:
        if start + 8 > end:
            raise SoundError(f"damaged: {end - start} stray bytes at {start}")
        name, size = struct.unpack_from("<4sI", content, start)
        if start + 8 + size > end:
            raise SoundError(
                f"damaged: a chunk at {start} claims {size} bytes, and {end - start - 8} are left"
            )
        yield name, start + 8, start + 8 + size
        start += 8 + size + size % 2

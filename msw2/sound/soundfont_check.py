"""Whether a file is a whole soundfont. A renderer trusts the sizes in it, and one that lies can end the process."""

import struct


class SoundError(ValueError):
    """Sound that cannot be made. The message is one sentence."""


# Bytes of one record, in the order of the standard (SoundFont 2.04, section 7). The last record of each list ends it.
RECORDS = {
    **{b"phdr": 38, b"pbag": 4, b"pmod": 10, b"pgen": 4},
    **{b"inst": 22, b"ibag": 4, b"imod": 10, b"igen": 4, b"shdr": 46},
}


def check_soundfont(content: bytes) -> None:
    """Refuses what is not a whole SoundFont 2 file: chunks that fill the file, and lists of whole records.

    Args:
        content: of the file.

    Raises:
        SoundError: with the reason.
    """
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
        if (end - start) % record or end - start < 2 * record * (name not in {b"pmod", b"imod"}):
            raise SoundError(f"damaged: its list {name.decode()} has {end - start} bytes")


def _chunks(content: bytes, start: int, end: int):
    """Yields (name, start, end) of the chunks that lie one after another; each begins at an even place."""
    while start < end:
        if start + 8 > end:
            raise SoundError(f"damaged: {end - start} stray bytes at {start}")
        name, size = struct.unpack_from("<4sI", content, start)
        if start + 8 + size > end:
            raise SoundError(f"damaged: chunk at {start} claims {size} bytes, and {end - start - 8} are left")
        yield name, start + 8, start + 8 + size
        start += 8 + size + size % 2

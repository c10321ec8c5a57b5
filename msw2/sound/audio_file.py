"""Sounds as files: WAV, 16 bits a sample, and Ogg Vorbis. The same sound gives the same bytes."""

import io
import os
import pathlib
import struct
import zlib

import numpy as np
import soundfile

from msw2.sound.soundfont import SoundError
from msw2.sound.synth import RATE
from msw2.system.files import replacing

FORMATS = {".wav": ("WAV", "PCM_16"), ".ogg": ("OGG", "VORBIS")}
PAGE_HEADER = 27  # bytes of an Ogg page before its table of segments (RFC 3533, section 6)
REVERSED_BITS = bytes(int(f"{byte:08b}"[::-1], 2) for byte in range(256))


def write_audio(path: str | os.PathLike, sound: np.ndarray, *, rate: int = RATE) -> None:
    """Writes a sound as WAV or Ogg Vorbis, by the file's suffix. The file appears whole or not at all.

    Args:
        path: ends in `.wav` or `.ogg`; missing folders are made.
        sound: float [frame, channel], one or two channels; what is beyond -1..1 is clipped.
        rate: frames a second.

    Raises:
        SoundError: for another suffix, or a sound of another shape, without frames, or with values that are no numbers.
    """
    suffix = pathlib.Path(path).suffix.lower()
    if suffix not in FORMATS:
        raise SoundError(
            f"{path}: a sound is written as {' or '.join(FORMATS)}, not as {suffix or 'no suffix'!r}"
        )
    content = ogg_bytes(sound, rate=rate) if suffix == ".ogg" else _encoded(sound, rate, suffix)
    with replacing(path) as temporary:
        temporary.write_bytes(content)


def ogg_bytes(sound: np.ndarray, *, rate: int = RATE, compression: float | None = None) -> bytes:
    """Returns a sound as Ogg Vorbis, about 110 kbit/s in stereo. The other arguments and errors are `write_audio`'s.

    Args:
        sound: as in `write_audio`.
        rate: frames a second.
        compression: 0 (best) to 1 (smallest); None: what libsndfile takes.
    """
    return _with_serial(_encoded(sound, rate, ".ogg", compression), 0)


def _encoded(sound: np.ndarray, rate: int, suffix: str, compression: float | None = None) -> bytes:
    """Returns the content of a file."""
    if sound.ndim != 2 or sound.shape[1] not in {1, 2} or not len(sound):
        raise SoundError(f"a sound of shape {list(sound.shape)} is not [frame, 1 or 2 channels]")
    if not np.isfinite(sound).all():
        raise SoundError("a sound has values that are no finite numbers")
    kind, subtype = FORMATS[suffix]
    content = io.BytesIO()
    with soundfile.SoundFile(
        content, "w", rate, sound.shape[1], subtype, format=kind, compression_level=compression
    ) as file:
        # A second at a time: a Vorbis block of many minutes in one call ends the process.
        for start in range(0, len(sound), rate):
            part = sound[start : start + rate]
            if suffix == ".wav":
                part = np.rint(np.clip(part, -1, 1) * 32767).astype(np.int16)  # libsndfile would round down
            file.write(part)
    return content.getvalue()


def _with_serial(content: bytes, serial: int) -> bytes:
    """Returns an Ogg file with a serial number of its stream that is not drawn by chance."""
    pages, start = [], 0
    while start < len(content):
        segments = content[start + PAGE_HEADER - 1]
        table = content[start + PAGE_HEADER : start + PAGE_HEADER + segments]
        end = start + PAGE_HEADER + segments + sum(table)
        page = bytearray(content[start:end])
        page[14:18] = struct.pack("<I", serial)
        page[22:26] = bytes(4)
        page[22:26] = struct.pack("<I", _checksum(page))
        pages.append(page)
        start = end
    return b"".join(pages)


def _checksum(page: bytes) -> int:
    """Returns Ogg's CRC-32. It is zlib's with the bits of bytes and result reversed, and without its two inversions."""
    crc = zlib.crc32(page.translate(REVERSED_BITS), 0xFFFFFFFF) ^ 0xFFFFFFFF
    return int(f"{crc:032b}"[::-1], 2)

"""Soundfonts: whole, damaged, hostile, and with shorter releases."""

import struct

import pytest

from msw2.sound.soundfont import (
    SoundError,
    _lists,
    default_soundfont,
    read_soundfont,
    with_short_releases,
)


def _chunk(name, content):
    return name + struct.pack("<I", len(content)) + content + b"\0" * (len(content) % 2)


def _font(generators=((38, 1200), (0, 0)), preset_generators=((38, 300), (0, 0)), **other):
    """The least that is whole: one preset, one instrument, one sample, each list with its end."""
    lists = {
        **{"phdr": bytes(2 * 38), "pbag": bytes(2 * 4), "pmod": bytes(10)},
        "pgen": b"".join(struct.pack("<Hh", *each) for each in preset_generators),
        **{"inst": bytes(2 * 22), "ibag": bytes(2 * 4), "imod": bytes(10)},
        "igen": b"".join(struct.pack("<Hh", *each) for each in generators),
        "shdr": bytes(2 * 46),
    } | other
    hydra = b"".join(_chunk(name.encode(), content) for name, content in lists.items() if content is not None)
    parts = [b"INFO" + _chunk(b"INAM", b"odd"), b"sdta" + _chunk(b"smpl", bytes(6)), b"pdta" + hydra]
    return _chunk(b"RIFF", b"sfbk" + b"".join(_chunk(b"LIST", part) for part in parts))


def _read(tmp_path, content):
    path = tmp_path / "font.sf2"
    path.write_bytes(content)
    return read_soundfont(path)


def test_a_whole_font_is_read(tmp_path):
    assert _read(tmp_path, _font()) == _font()
    assert _read(tmp_path, _font() + b"more") == _font() + b"more"  # some writers leave bytes after the end
    assert read_soundfont(default_soundfont())[8:12] == b"sfbk"


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "not a SoundFont 2 file"),
        (b"RIFF", "not a SoundFont 2 file"),
        (b"MThd" + _font()[4:], "not a SoundFont 2 file"),
        (_font()[:8] + b"WAVE" + _font()[12:], "not a SoundFont 2 file"),
        (_font()[:-1], f"cut off: {len(_font()) - 1} of {len(_font())} bytes"),
        (_font()[:100], f"cut off: 100 of {len(_font())} bytes"),
        (_font().replace(b"RIFF" + _font()[4:8], b"RIFF" + b"\xff" * 4), "cut off"),
        (
            _font().replace(b"smpl" + struct.pack("<I", 6), b"smpl" + b"\xf0" + b"\xff" * 3),
            "damaged: a chunk",
        ),
        (_font().replace(b"imod" + struct.pack("<I", 10), b"imod" + b"\xff" * 4), "damaged: a chunk"),
        (_font().replace(b"smpl", b"none"), "damaged: it has no samples"),
        (_font(phdr=b""), "damaged: its list phdr has 0 bytes"),
        (_font(inst=bytes(22)), "damaged: its list inst has 22 bytes"),
        (_font(ibag=bytes(9)), "damaged: its list ibag has 9 bytes"),
        (_font(shdr=None), "damaged: its list shdr has 0 bytes"),
    ],
)
def test_what_is_not_whole_is_one_sentence(tmp_path, content, reason):
    with pytest.raises(SoundError, match=rf"^soundfont .*font.sf2 is {reason}"):
        _read(tmp_path, content)


def test_a_file_that_cannot_be_read_is_one_sentence(tmp_path, monkeypatch):
    with pytest.raises(SoundError, match=r"none.sf2 cannot be read: No such file or directory$"):
        read_soundfont(tmp_path / "none.sf2")
    with pytest.raises(SoundError, match=r"cannot be read: Is a directory$"):
        read_soundfont(tmp_path)
    monkeypatch.setattr("msw2.sound.soundfont.MAX_BYTES", 9)
    with pytest.raises(SoundError, match=rf"is too large: {len(_font())} bytes, at most 9$"):
        _read(tmp_path, _font())


def test_releases_become_shorter_and_never_longer():
    font = _font([(38, 1200), (34, 1200), (38, -1300), (38, -885), (0, 0)], [(38, 300), (38, -300), (0, 0)])
    changed = with_short_releases(font, 0.6)
    assert len(changed) == len(font)
    lists = _lists(changed)
    found = {
        name: list(struct.iter_unpack("<Hh", changed[slice(*lists[name])])) for name in (b"igen", b"pgen")
    }
    # 0.6 seconds are 1200 log2(0.6) = -884.4 timecents.
    assert found[b"igen"] == [(38, -884), (34, 1200), (38, -1300), (38, -885), (0, 0)]
    assert found[b"pgen"] == [(38, 0), (38, -300), (0, 0)]
    outside = [index for index in range(len(font)) if font[index] != changed[index]]
    assert all(any(start <= index < end for start, end in lists.values()) for index in outside)

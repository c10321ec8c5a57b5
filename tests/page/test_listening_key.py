"""The key of a listening test goes to a file and comes back, or is refused in a sentence."""

import json

import pytest

from msw2.page.listening_key import Key, KeyEntry, ListeningError

KEY = Key(
    "0123abcd",
    5,
    (
        KeyEntry("c2", "generate", "seeds 5 and 6"),
        KeyEntry("c0", "Café | co", "x.mid"),
        KeyEntry("c1", "generate", "seed 9"),
    ),
)


def test_it_comes_back_and_knows_its_systems(tmp_path):
    path = tmp_path / "new" / "key.json"
    KEY.write(path)
    assert Key.read(path) == KEY
    assert KEY.systems == ("generate", "Café | co")
    before = path.read_bytes()
    KEY.write(path)
    assert path.read_bytes() == before


WHOLE = {
    "kind": "msw2 listening key",
    "format": 1,
    "test": "t",
    "seed": 5,
    "clips": [{"clip": "c", "system": "s", "source": "o"}],
}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            {"kind": "msw2 listening answers"},
            'not the key of a listening test: its "kind" is \'msw2 listening answers\', not "msw2 listening key"',
        ),
        ({"format": 2}, 'not the key of a listening test: its "format" is 2, not 1'),
        ({"clips": []}, "the key has no clips"),
        ({"clips": {"c": "s"}}, "the key has no clips"),
        ({"clips": [["c", "s", "o"]]}, "clip 0 of the key is not the texts clip, source, system"),
        (
            {"clips": [*WHOLE["clips"], {"clip": "d", "system": "s"}]},
            "clip 1 of the key is not the texts clip, source, system",
        ),
        (
            {"clips": [{"clip": "d", "system": 3, "source": "o"}]},
            "clip 0 of the key is not the texts clip, source, system",
        ),
        ({"clips": WHOLE["clips"] * 2}, "the key has a clip twice"),
        ({"test": None}, "the key has no digest of its test, or no seed"),
        ({"seed": True}, "the key has no digest of its test, or no seed"),
    ],
)
def test_a_broken_key_is_one_sentence(tmp_path, change, message):
    path = tmp_path / "key.json"
    path.write_text(json.dumps(WHOLE | change))
    with pytest.raises(ListeningError) as caught:
        Key.read(path)
    assert str(caught.value) == f"{path}: {message}"

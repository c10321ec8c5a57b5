"""Facts beside a song: what is written comes back, and nonsense is refused in a sentence."""

import dataclasses
import json

import pytest

from msw2.page.about import About, AboutError, about_path, read_about, write_about

FULL = About(
    made="restored",
    other="original",
    other_file="a song-original.mid",
    seeds=(3, 4, 7),
    preset="tuned",
    figures={"F1": 0.912, "key": "C♯ minor", "bars": 16},
)


@pytest.mark.parametrize("about", [FULL, About("generated")])
def test_what_is_written_is_read(tmp_path, about):
    path = about_path(tmp_path / "a song.v2.mid")
    assert path.name == "a song.v2.json"
    write_about(path, about)
    assert read_about(path) == about
    first = path.read_bytes()
    write_about(path, about)
    assert path.read_bytes() == first


def test_the_file_is_plain_json_in_order(tmp_path):
    write_about(tmp_path / "a.json", FULL)
    assert json.loads((tmp_path / "a.json").read_text("utf-8")) == {
        "msw2": 1,
        "made": "restored",
        "other": "original",
        "other_file": "a song-original.mid",
        "seeds": [3, 4, 7],
        "preset": "tuned",
        "figures": {"F1": 0.912, "key": "C♯ minor", "bars": 16},
    }


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"made": ""}, "made is empty"),
        ({"made": 3}, "made 3 is not text"),
        ({"preset": "x" * 201}, "preset has 201 characters, at most 200"),
        ({"preset": "a\nb"}, r"preset 'a\\nb' has a control character"),
        ({"made": "\ud800"}, "control character"),
        ({"other": "given"}, "go together"),
        (
            {"other": "given", "other_file": "../a.mid"},
            "'../a.mid' is not the name of a file in the same folder",
        ),
        ({"other": "given", "other_file": "c:\\a.mid"}, "is not the name of a file"),
        ({"other": "given", "other_file": ".."}, "is not the name of a file"),
        ({"seeds": 3}, "seeds 3 is not a list"),
        ({"seeds": (True,)}, "seed True is not a whole number"),
        ({"seeds": (-1,)}, "seed -1 is not a whole number of at least 0"),
        ({"seeds": (0.5,)}, "seed 0.5 is not a whole number"),
        ({"seeds": (2**63,)}, "is not a whole number"),
        ({"figures": [1]}, r"figures \[1\] is not a mapping"),
        ({"figures": {"F1": None}}, "figure 'F1' is None, which is no number and no text"),
        ({"figures": {"F1": [1]}}, r"figure 'F1' is \[1\], which"),
        ({"figures": {"F1": True}}, "figure 'F1' is True, which"),
        ({"figures": {"F1": float("nan")}}, "figure 'F1' is nan, which is not finite"),
        ({"figures": {"F1": float("inf")}}, "figure 'F1' is inf, which is not finite"),
        ({"figures": {"F1": 10**400}}, "which is not finite"),
    ],
)
def test_nonsense_is_refused_in_a_sentence(change, message):
    with pytest.raises(AboutError, match=message):
        dataclasses.replace(About("made"), **change)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "not JSON"),
        (b"\xff\xfe", "not JSON"),
        (b"[" * 5000, "not JSON"),
        (b"[1]", 'not facts about a song: it has no "msw2": 1'),
        (b'{"made": "restored"}', 'it has no "msw2": 1'),
        (b'{"msw2": true, "made": "restored"}', 'not facts about a song: its "msw2" is True, not 1'),
        (b'{"msw2": 2, "made": "restored"}', 'its "msw2" is 2, not 1'),
        (b'{"msw2": 1}', "made is missing"),
        (b'{"msw2": 1, "made": "restored", "tempo": 3}', "'tempo' is not one of figures, made, other"),
        (b'{"msw2": 1, "made": "restored", "figures": {"a": NaN}}', "is nan, which is not finite"),
        (b'{"msw2": 1, "made": "' + b"x" * 70_000 + b'"}', "file too large: 70023 bytes, at most 65536"),
    ],
)
def test_a_bad_file_is_one_sentence(tmp_path, content, message):
    (tmp_path / "a.json").write_bytes(content)
    with pytest.raises(AboutError, match=message):
        read_about(tmp_path / "a.json")


def test_a_missing_file_is_one_sentence(tmp_path):
    with pytest.raises(AboutError, match="cannot be read: No such file or directory"):
        read_about(tmp_path / "a.json")

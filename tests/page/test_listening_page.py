"""The page of a listening test: all that it needs is in it, and nothing that tells where a clip is from."""

import base64
import hashlib
import io
import json
import re

import numpy as np
import pytest
import soundfile

from msw2.music.grid import Grid
from msw2.page.listening_key import Key, ListeningError
from msw2.page.listening_page import build_listening_test
from msw2.page.listening_sound import Clip
from msw2.sound.loudness import loudness

GRID = Grid()


def clip(bars, track, source, tempo=240.0):
    """A clip of so many seconds and a half: a bar takes one."""
    pianoroll = np.zeros((bars * 48, 84, 5), bool)
    pianoroll[::12, 30 + bars, track] = True
    pianoroll[1::12, 30 + bars, track] = True
    return Clip(pianoroll, tempo, source)


# Every clip has another length.
SYSTEMS = {
    "restore</script>": [clip(1, 1, "secret-a"), clip(2, 1, "secret-b")],
    "MuseGAN": [clip(3, 2, "secret-c")],
    "real songs": [clip(4, 4, "secret-d"), clip(5, 1, "secret-e")],
}
PRACTICE = clip(6, 4, "secret-f")


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """The page's text, the data in it, and the key."""
    folder = tmp_path_factory.mktemp("listening")
    key = build_listening_test(folder / "t.html", folder / "k.json", SYSTEMS, GRID, seed=9, practice=PRACTICE)
    assert Key.read(folder / "k.json") == key
    text = (folder / "t.html").read_text("utf-8")
    return text, content(text), key


def content(text):
    """The data in a page."""
    return json.loads(re.search(r'<script type="application/json" id="data">(.*?)</script>', text, re.S)[1])


def test_the_key_says_what_each_clip_is(built):
    _, data, key = built
    seconds = {embedded["id"]: embedded["seconds"] for embedded in data["clips"]}
    found = {entry.clip: (entry.system, entry.source) for entry in key.clips}
    assert {seconds[name]: found[name] for name in found} == {
        1.5: ("restore</script>", "secret-a"),
        2.5: ("restore</script>", "secret-b"),
        3.5: ("MuseGAN", "secret-c"),
        4.5: ("real songs", "secret-d"),
        5.5: ("real songs", "secret-e"),
    }
    assert key.systems == tuple(SYSTEMS)
    assert (key.seed, key.test) == (data["seed"], data["test"]) == (9, key.test)


def test_the_page_does_not_say_it(built):
    text, data, _ = built
    for word in ("secret", "restore", "MuseGAN", "real songs"):
        assert word not in re.sub(r'"audio":"[^"]*"', "", text)
    ids = [embedded["id"] for embedded in data["clips"]]
    assert ids == sorted(ids)  # by hash, not by system
    assert all(re.fullmatch("[0-9a-f]{16}", name) for name in ids)
    assert data["practice"]["id"] == "practice"
    assert data["practice"]["seconds"] == 6.5


def test_the_sounds_are_whole_and_equally_loud(built):
    levels = []
    for embedded in [*built[1]["clips"], built[1]["practice"]]:
        sound, rate = soundfile.read(io.BytesIO(base64.b64decode(embedded["audio"])), always_2d=True)
        assert len(sound) / rate == pytest.approx(embedded["seconds"], abs=1e-3)
        assert np.abs(sound).max() < 1
        levels.append(loudness(sound))
    assert max(levels) - min(levels) < 0.5


def test_nothing_is_fetched_and_no_other_code_runs(built):
    text = built[0]
    assert not re.findall(
        r"""(?:https?:)?//[\w.]+\.\w+|\ssrc=|@import|url\(""", re.sub(r'"audio":"[^"]*"', "", text)
    )
    policy = re.search(r'http-equiv="Content-Security-Policy" content="([^"]*)"', text)[1]
    rules = dict(rule.split(" ", 1) for rule in policy.split("; "))
    assert rules["default-src"] == "'none'"
    script = re.search(r"<script>(.*?)</script>", text, re.S)[1]
    style = re.search(r"<style>(.*?)</style>", text, re.S)[1]
    for inline, rule in ((script, "script-src"), (style, "style-src")):
        digest = base64.b64encode(hashlib.sha256(inline.encode()).digest()).decode()
        assert rules[rule] == f"'sha256-{digest}'"
    assert not re.search(r"\son\w+=|\sstyle=", text)  # what the policy would stop
    assert "$" not in re.sub(r"<script.*?</script>", "", text, flags=re.S)


def test_the_same_input_gives_the_same_bytes_and_another_seed_other_ids(built, tmp_path):
    text, data, key = built
    again = build_listening_test(
        tmp_path / "t.html", tmp_path / "k.json", SYSTEMS, GRID, seed=9, practice=PRACTICE
    )
    assert again == key
    assert (tmp_path / "t.html").read_text("utf-8") == text
    other = build_listening_test(tmp_path / "t.html", tmp_path / "k.json", SYSTEMS, GRID, seed=10)
    assert other.test != key.test
    assert not {entry.clip for entry in other.clips} & {entry.clip for entry in key.clips}
    assert content((tmp_path / "t.html").read_text("utf-8"))["practice"] is None
    assert {each["seconds"] for each in data["clips"]} == {1.5, 2.5, 3.5, 4.5, 5.5}


def test_the_same_music_twice_is_two_clips(tmp_path):
    twice = {"a": [clip(1, 1, "x")], "b": [clip(1, 1, "y")]}
    key = build_listening_test(tmp_path / "t.html", tmp_path / "k.json", twice, GRID, seed=0)
    assert len({entry.clip for entry in key.clips}) == 2
    assert [(entry.system, entry.source) for entry in key.clips] == [("a", "x"), ("b", "y")]


@pytest.mark.parametrize(
    ("systems", "message"),
    [
        ({}, "a listening test needs at least one system"),
        ({"a": [clip(1, 1, "x")], "b": []}, "system 'b' has no clips"),
    ],
)
def test_a_test_without_music_is_refused(tmp_path, systems, message):
    with pytest.raises(ListeningError, match=f"^{message}$"):
        build_listening_test(tmp_path / "t.html", tmp_path / "k.json", systems, GRID, seed=0)
    assert not list(tmp_path.iterdir())

"""The page as a file: one HTML document that fetches nothing and runs no code but its own."""

import base64
import hashlib
import html.parser
import importlib.resources
import json
import re

import pytest

from msw2.music.grid import Grid
from msw2.music.tracks import TRACKS
from msw2.page.build import SCRIPTS, build_page
from msw2.page.document import asset, inline_json
from msw2.page.songs import song_data
from msw2.sound.soundfont import SoundError, default_soundfont


class Page(html.parser.HTMLParser):
    """Collects a page's elements, and the text inside each script, style and title."""

    def __init__(self, text):
        super().__init__()
        self.elements, self.texts, self._open = [], {}, None
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        self.elements.append((tag, dict(attributes)))
        if tag in {"script", "style", "title"}:
            self._open = (tag, dict(attributes).get("id"))
            assert self._open not in self.texts
            self.texts[self._open] = ""

    def handle_endtag(self, tag):
        if self._open and self._open[0] == tag:
            self._open = None

    def handle_data(self, data):
        if self._open:
            self.texts[self._open] += data


@pytest.fixture
def text(songs, hostile, tmp_path):
    build_page(tmp_path / "index.html", songs, title=f"my songs {hostile}")
    return (tmp_path / "index.html").read_bytes().decode("utf-8")


def test_texts_that_look_like_code_stay_texts(text, songs, hostile):
    page = Page(text)
    assert [tag for tag, _ in page.elements].count("script") == 2
    assert page.texts["title", None] == f"my songs {hostile}"
    assert "alert(1)" not in page.texts["script", None]
    data = json.loads(page.texts["script", "data"])
    assert data["songs"] == [song_data(song, Grid()) for song in songs]
    assert data["songs"][1]["versions"][0]["facts"] == [[hostile, hostile]]
    assert "<" not in page.texts["script", "data"]


def test_nothing_is_fetched(text):
    for tag, attributes in Page(text).elements:
        for name in {"src", "href", "action", "data", "poster", "srcset"} & attributes.keys():
            assert (tag, name, attributes[name]) == ("link", "href", "data:,")
    without_names = text.replace("http://www.w3.org/2000/svg", "")  # SVG's name, which no browser fetches
    assert not re.search(r"https?://|//cdn|@import|url\(|\bfetch\(|XMLHttpRequest|WebSocket", without_names)


def test_the_policy_allows_the_page_s_own_code_and_no_other(text):
    page = Page(text)
    (policy,) = [a["content"] for tag, a in page.elements if tag == "meta" and "http-equiv" in a]
    rules = dict(rule.strip().split(" ", 1) for rule in policy.split(";"))
    assert rules["default-src"] == "'none'"
    for kind in ("script", "style"):
        content = page.texts[kind, None].encode("utf-8")
        digest = base64.b64encode(hashlib.sha256(content).digest()).decode()
        assert rules[f"{kind}-src"] == f"'sha256-{digest}'"
    assert not any(re.match("on|style$", name) for _, attributes in page.elements for name in attributes)


def test_every_script_is_on_the_page(text):
    scripts = [file.name for file in (importlib.resources.files("msw2.page") / "assets").iterdir()]
    scripts = [name for name in scripts if name.endswith(".js") and not name.startswith("listening")]
    assert sorted(SCRIPTS) == sorted(scripts)
    assert all(asset(name) in text for name in SCRIPTS)


CREDIT = "The sounds are short notes, rendered with the soundfont TimGM6mb (GPL-2)."


def test_the_soundfont_whose_licence_is_known_has_its_credit(text, songs, tmp_path):
    assert f'<footer class="credit">{CREDIT}</footer>' in text
    other = tmp_path / "Other.sf2"
    other.write_bytes(default_soundfont().read_bytes())
    build_page(tmp_path / "other.html", songs, title="a", soundfont=other)
    assert '<footer class="credit"></footer>' in (tmp_path / "other.html").read_text("utf-8")
    build_page(tmp_path / "same.html", songs, title="a", soundfont=default_soundfont())
    assert CREDIT in (tmp_path / "same.html").read_text("utf-8")


def test_the_charset_comes_first(text):
    assert text.startswith("<!doctype html>")
    assert text.index('<meta charset="utf-8">') < 1024


def test_tracks_have_their_colours(text):
    style = Page(text).texts["style", None]
    light, dark = style.split("@media", 1)
    for index, track in enumerate(TRACKS):
        assert f"--track-{index}:{track.colour};" in light
        assert f"--track-{index}:{track.colour_on_dark};" in dark


def test_the_same_songs_give_the_same_bytes(text, songs, hostile, tmp_path):
    build_page(tmp_path / "again.html", songs, title=f"my songs {hostile}")
    assert (tmp_path / "again.html").read_bytes() == text.encode("utf-8")


def test_a_page_of_two_short_songs_is_small(text):
    assert 50_000 < len(text) < 250_000


def test_a_page_has_songs(tmp_path):
    with pytest.raises(ValueError, match="no songs were given"):
        build_page(tmp_path / "index.html", [], title="none")


def test_a_missing_soundfont_leaves_no_page(songs, tmp_path):
    with pytest.raises(SoundError, match="cannot be read: No such file"):
        build_page(tmp_path / "index.html", songs, title="a", soundfont=tmp_path / "none.sf2")
    assert list(tmp_path.iterdir()) == []


def test_json_stays_inside_its_element():
    assert (
        inline_json({"a": "</script><!--", "é": [1.5, None]})
        == '{"a":"\\u003c/script>\\u003c!--","é":[1.5,null]}'
    )
    with pytest.raises(ValueError, match="not JSON compliant"):
        inline_json(float("nan"))

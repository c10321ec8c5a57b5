"""The listening test as a listener takes it, in a real browser, and its answers read afterwards."""

import json
import time

import numpy as np
import pytest

from msw2.evaluation.listeners import NAMES, read_answers
from msw2.music.grid import Grid
from msw2.page.listening_page import build_listening_test
from msw2.page.listening_sound import Clip
from msw2.page.shuffle import listening_order

GRID = Grid()
SEED = 6
LISTENER = "Zoë 07"


def clip(bars, track, tempo=240.0):
    """A clip of so many seconds and a half."""
    pianoroll = np.zeros((bars * 48, 84, 5), bool)
    pianoroll[::12, 30 + 3 * bars, track] = True
    pianoroll[1::12, 30 + 3 * bars, track] = True
    return Clip(pianoroll, tempo, f"{bars} bars")


@pytest.fixture(scope="module")
def listening(tmp_path_factory):
    """A test of two systems with one and two clips; its page and its key."""
    folder = tmp_path_factory.mktemp("listening")
    systems = {"restore": [clip(2, 1)], "generate": [clip(1, 4), clip(1, 1)]}
    key = build_listening_test(
        folder / "t.html", folder / "k.json", systems, GRID, seed=SEED, practice=clip(1, 2)
    )
    return folder / "t.html", key


class Listener:
    """Does what a person does at the page."""

    def __init__(self, browser, page):
        self.browser = browser
        browser.get(page.as_uri())

    def shown(self, name):
        """The text of an element, empty where it is not shown."""
        return self.element(name).text

    def element(self, name):
        return self.browser.find_element("id", name)

    def click(self, name):
        self.element(name).click()

    def enter(self, name=LISTENER):
        self.element("name").clear()
        self.element("name").send_keys(name)
        self.browser.find_element("css selector", "#enter button").click()

    def hear(self, seconds=15):
        self.click("play")
        end = time.monotonic() + seconds
        while self.shown("heard") != "Heard to its end.":
            assert time.monotonic() < end, self.shown("notice") or "the clip does not come to its end"
            time.sleep(0.05)

    def answer(self, scores):
        for name, score in zip(NAMES, scores, strict=True):
            self.browser.find_elements("name", name)[score - 1].click()

    def chosen(self):
        """The score of each question, None where nothing is chosen."""
        radios = [self.browser.find_elements("name", name) for name in NAMES]
        return [next((i + 1 for i, r in enumerate(group) if r.is_selected()), None) for group in radios]


def scores_of(place):
    """The invented answers at a place; 0 is practice."""
    return [(place + q) % 5 + 1 for q in range(6)]


def test_the_order_is_the_same_in_the_browser_and_in_python(chromium, listening):
    chromium.get(listening[0].as_uri())
    for seed, name, count in ((0, "L1", 7), (3, "Zoë 音", 9), (123456, "a b", 40), (5, "x", 0)):
        found = chromium.execute_script("return msw2.listeningOrder(...arguments)", seed, name, count)
        assert found == listening_order(seed, name, count)


def test_a_listener_takes_the_whole_test(chromium, listening, downloads):
    page, key = listening
    listener = Listener(chromium, page)
    assert "You will hear 3 short pieces of music" in listener.shown("summary")
    listener.enter()

    # Practice. The next clip waits until this one was heard and answered.
    assert listener.shown("clip-title") == "Practice"
    assert not listener.element("back").is_displayed()
    listener.click("next")
    assert listener.shown("hint") == "First play the clip to its end."
    listener.hear()
    listener.answer(scores_of(0))
    listener.click("next")

    order = listening_order(SEED, LISTENER, 3)
    clips = sorted(entry.clip for entry in key.clips)
    for place in (1, 2, 3):
        assert listener.shown("clip-title") == f"Clip {place} of 3"
        assert listener.chosen() == [None] * 6
        listener.answer(scores_of(place))
        if place == 2:  # a reload keeps place and answers, and the way back is open
            chromium.refresh()
            assert listener.shown("clip-title") == "Clip 2 of 3"
            assert listener.chosen() == scores_of(2)
            listener.click("back")
            assert listener.chosen() == scores_of(1)
            listener.click("next")  # it was heard before
        listener.click("next")
        assert listener.shown("clip-title") == f"Clip {place} of 3"  # not heard yet
        listener.hear()
        listener.click("next")
    assert listener.shown("end-title") == "Thank you"

    listener.click("save")
    saved = downloads.wait_for("answers-Zoë-07-")
    content = json.loads(saved.read_text("utf-8"))
    assert [answer["clip"] for answer in content["answers"]] == [clips[index] for index in order]
    assert [answer["place"] for answer in content["answers"]] == [1, 2, 3]
    assert content["listener"] == LISTENER
    assert all(answer["plays"] == 1 for answer in content["answers"])
    assert all(content["started"] < answer["first"] < content["saved"] for answer in content["answers"])
    listener.click("copy")
    text = json.loads(listener.element("text").get_attribute("value"))
    assert text["answers"] == content["answers"]

    ratings = read_answers([saved], key)
    for answer, row in zip(content["answers"], (1, 2, 3), strict=True):
        index = [entry.clip for entry in key.clips].index(answer["clip"])
        np.testing.assert_array_equal(ratings.scores[0, index], scores_of(row))
    lengths = {entry.clip: int(entry.source[0]) + 0.5 for entry in key.clips}
    for entry, seconds in zip(key.clips, ratings.seconds[0], strict=True):
        assert seconds == pytest.approx(lengths[entry.clip], abs=0.3)
    assert chromium.problems() == []
    fetched = chromium.execute_script(
        "return performance.getEntriesByType('resource').map((entry) => entry.name)"
    )
    assert [name for name in fetched if not name.startswith(("blob:", "data:"))] == []


def test_what_is_missing_is_named_and_digits_answer(chromium, listening):
    listener = Listener(chromium, listening[0])
    listener.enter("digits")
    listener.hear()
    chromium.find_elements("name", "rhythm")[0].send_keys("4")
    chromium.switch_to.active_element.send_keys("2")
    chromium.switch_to.active_element.send_keys("9")  # no score, and no step on
    chromium.switch_to.active_element.send_keys("5")
    assert listener.chosen() == [4, 2, 5, None, None, None]
    listener.click("next")
    assert listener.shown("hint") == "Not answered yet: structure, harmonious, melodic motion."
    assert chromium.switch_to.active_element.get_attribute("name") == "structure"
    for digit in "123":
        chromium.switch_to.active_element.send_keys(digit)
    assert chromium.switch_to.active_element.get_attribute("id") == "next"
    chromium.switch_to.active_element.click()
    assert listener.shown("clip-title") == "Clip 1 of 3"


def test_a_skipped_part_does_not_count(chromium, listening):
    listener = Listener(chromium, listening[0])
    listener.enter("hasty")
    chromium.execute_script("msw2.player.audio.currentTime = 1.2")
    listener.click("play")
    end = time.monotonic() + 15
    while not listener.shown("hint"):
        assert time.monotonic() < end
        time.sleep(0.05)
    assert listener.shown("hint") == "A part was skipped. Play the clip once from start to end."
    listener.hear()


def test_two_listeners_share_a_browser(chromium, listening):
    listener = Listener(chromium, listening[0])
    listener.enter("one")
    listener.answer([1] * 6)
    listener = Listener(chromium, listening[0])
    assert listener.chosen() == [1] * 6  # the page knows who was here
    assert listener.shown("who") == "These are the answers of one. Not you?"
    listener.click("another")
    listener.enter("two")
    assert listener.chosen() == [None] * 6
    listener.answer([2] * 6)
    listener.click("another")
    listener.enter("one")
    assert listener.chosen() == [1] * 6
    assert chromium.execute_script("return Object.keys(localStorage)") == [
        f"msw2-listening-{listening[1].test}"
    ]


def test_a_name_is_asked_for(chromium, listening):
    listener = Listener(chromium, listening[0])
    listener.enter("   ")
    assert listener.shown("name-help") == "Please give 1 to 40 letters, digits and signs."


def test_it_fits_a_narrow_phone(chromium, listening):
    chromium.set_window_size(360, 740)
    listener = Listener(chromium, listening[0])
    listener.enter("phone")
    width, shown = chromium.execute_script("return [document.documentElement.scrollWidth, innerWidth]")
    assert width <= shown

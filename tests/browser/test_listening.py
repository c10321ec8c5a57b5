"""The listening test as a listener takes it, in real browsers, and the answers read afterwards. They are invented."""

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
HEARD = "Heard to its end."


def clip(bars, track, tempo=240.0):
    """A clip of so many seconds and a half."""
    pianoroll = np.zeros((bars * 48, 84, 5), bool)
    pianoroll[::12, 30 + 3 * bars, track] = True
    pianoroll[1::12, 30 + 3 * bars, track] = True
    return Clip(pianoroll, tempo, f"{bars} bars")


@pytest.fixture(scope="module")
def listening(tmp_path_factory):
    """A test of two systems with one and two clips: its page and its key."""
    folder = tmp_path_factory.mktemp("listening")
    systems = {"restore": [clip(2, 1)], "generate": [clip(1, 4), clip(1, 1)]}
    page, key = folder / "t.html", folder / "k.json"
    return page, build_listening_test(page, key, systems, GRID, seed=SEED, practice=clip(1, 2))


class Listener:
    """What a person does at the page: buttons by the mouse, answers by the keyboard."""

    def __init__(self, browser, page):
        self.browser, self.page = browser, page

    def until(self, condition, what):
        """Returns the first true value of a function; a busy machine is late."""
        end = time.monotonic() + 60
        while not (value := condition()):
            assert time.monotonic() < end, f"{what} does not come; the page says {self.shown('notice')!r}"
            time.sleep(0.05)
        return value

    def enter(self, name=LISTENER):
        self.browser.open(self.page)
        if self.run("document.getElementById('start').hidden"):  # the page knows who was here before
            self.click("another")
        self.run(f"document.getElementById('name').value = {json.dumps(name)}")
        self.run("document.querySelector('#enter button').click()")

    def run(self, expression):
        return self.browser.run(expression)

    def click(self, name):
        self.run(f"document.getElementById('{name}').click()")

    def shown(self, name):
        """The text of an element; empty where it is not shown."""
        element = f"document.getElementById('{name}')"
        return self.run(
            f"{element}.offsetParent === null ? '' : {element}.textContent.trim().replace(/\\s+/g, ' ')"
        )

    def hear(self):
        self.click("play")
        self.until(lambda: self.shown("heard") == HEARD, "the end of the clip")

    def answer(self, scores):
        self.run(f"document.getElementsByName('{NAMES[0]}')[0].focus()")
        for score in scores:
            self.browser.press(str(score))

    def chosen(self):
        """The score of each question, 0 where nothing is chosen."""
        names = json.dumps(NAMES)
        return self.run(
            f"{names}.map((name) => [...document.getElementsByName(name)].findIndex((e) => e.checked) + 1)"
        )

    def focus(self):
        """The name or the id of what has the focus."""
        return self.run("document.activeElement.name || document.activeElement.id")


@pytest.fixture
def listener(browser, listening):
    return Listener(browser, listening[0])


def scores_at(place):
    """The invented answers at a place; 0 is practice."""
    return [(place + q) % 5 + 1 for q in range(6)]


def test_the_order_is_the_same_in_the_browser_and_in_python(browser, listening):
    browser.open(listening[0])
    for case in ((0, "L1", 7), (3, "Zoë 音", 9), (123456, "a b", 40), (5, "x", 0)):
        found = browser.run(f"msw2.listeningOrder(...{json.dumps(case)})")
        assert found == listening_order(*case)


def test_a_listener_takes_the_whole_test(listener, listening, tmp_path):
    page, key = listening
    listener.browser.save_to(tmp_path)
    listener.browser.open(page)
    assert listener.shown("summary").startswith(
        "You will hear 3 short pieces of music, and answer six questions"
    )
    listener.enter()

    assert listener.shown("clip-title") == "Practice"
    assert listener.shown("back") == ""
    listener.click("next")
    assert listener.shown("hint") == "First play the clip to its end."
    listener.hear()
    listener.answer(scores_at(0))
    listener.click("next")

    for place in (1, 2, 3):
        assert listener.shown("clip-title") == f"Clip {place} of 3"
        assert listener.chosen() == [0] * 6
        listener.answer(scores_at(place))
        if place == 2:  # a reload keeps place and answers, and the way back is open
            listener.browser.open(page)
            assert listener.shown("clip-title") == "Clip 2 of 3"
            assert listener.chosen() == scores_at(2)
            listener.click("back")
            assert listener.chosen() == scores_at(1)
            listener.click("next")  # it was heard before
        listener.click("next")
        assert listener.shown("clip-title") == f"Clip {place} of 3"  # not heard yet
        listener.hear()
        listener.click("next")
    assert listener.shown("end-title") == "Thank you"

    listener.click("save")
    listener.until(lambda: list(tmp_path.glob("answers-Zoë-07-*.json")), "the file of answers")
    (saved,) = tmp_path.glob("answers-*.json")
    content = json.loads(listener.until(lambda: saved.read_text("utf-8"), "its content"))
    clips = sorted(entry.clip for entry in key.clips)
    order = listening_order(SEED, LISTENER, 3)
    assert [answer["clip"] for answer in content["answers"]] == [clips[index] for index in order]
    assert [answer["place"] for answer in content["answers"]] == [1, 2, 3]
    assert [answer["plays"] for answer in content["answers"]] == [1, 1, 1]
    assert all(content["started"] < answer["first"] < content["saved"] for answer in content["answers"])
    text = json.loads(listener.run("document.getElementById('text').value"))
    assert text["answers"] == content["answers"]

    ratings = read_answers([saved], key)
    assert ratings.listeners == (LISTENER,)
    places = {answer["clip"]: answer["place"] for answer in content["answers"]}
    for row, entry in enumerate(key.clips):
        np.testing.assert_array_equal(ratings.scores[0, row], scores_at(places[entry.clip]))
        assert ratings.seconds[0, row] == pytest.approx(int(entry.source[0]) + 0.5, abs=0.3)


@pytest.mark.parametrize("name", ["constructor", "__proto__"])
def test_names_that_every_object_has_are_names_like_others(listener, listening, name):
    listener.enter(name)
    assert listener.shown("clip-title") == "Practice"
    assert listener.shown("listener") == name
    listener.answer(scores_at(0))
    listener.browser.open(listening[0])  # a reload keeps the answers
    assert listener.shown("listener") == name
    assert listener.chosen() == scores_at(0)
    assert listener.browser.errors() == []


def test_nothing_is_fetched_and_nothing_is_complained_about(listener, listening):
    listener.enter("quiet")
    listener.hear()
    fetched = {url for url in listener.browser.requests() if not url.startswith(("blob:", "data:"))}
    assert fetched <= {listening[0].as_uri()}
    assert listener.browser.errors() == []


def test_what_is_missing_is_named_and_digits_answer(listener):
    listener.enter("digits")
    listener.hear()
    listener.answer("42")
    listener.browser.press("9")  # no score, and no step on
    assert listener.focus() == "integrity"
    listener.browser.press("5")
    assert listener.chosen() == [4, 2, 5, 0, 0, 0]
    listener.click("next")
    assert listener.shown("hint") == "Not answered yet: structure, harmonious, melodic motion."
    assert listener.focus() == "structure"
    for digit in "123":
        listener.browser.press(digit)
    assert listener.focus() == "next"
    listener.run("document.activeElement.click()")  # a headless Firefox presses no button by a key
    assert listener.shown("clip-title") == "Clip 1 of 3"
    assert listener.focus() == "clip-title"


def test_a_skipped_part_does_not_count(listener):
    listener.enter("hasty")
    listener.until(lambda: listener.run("msw2.player.audio.readyState") >= 2, "the clip")
    listener.run("msw2.player.audio.currentTime = 1.2")
    listener.click("play")
    listener.until(lambda: listener.shown("hint"), "the end of the clip")
    assert listener.shown("hint") == "A part was skipped. Play the clip once from start to end."
    assert listener.shown("heard") != HEARD
    listener.hear()


def test_listeners_share_a_browser(listener, listening):
    listener.enter("one")
    listener.answer([1] * 6)
    assert listener.shown("who") == "These are the answers of one. Not you?"
    listener.enter("two")
    assert listener.chosen() == [0] * 6
    listener.answer([2] * 6)
    listener.enter("one")
    assert listener.chosen() == [1] * 6
    assert listener.run("Object.keys(localStorage)") == [f"msw2-listening-{listening[1].test}"]


def test_a_name_is_asked_for(listener):
    listener.enter(" \t ")
    assert listener.shown("name-help") == "Please give 1 to 40 letters, digits and signs."
    listener.enter("a   b")
    assert listener.shown("listener") == "a b"


@pytest.mark.parametrize(
    ("width", "height", "dark"), [(1100, 900, False), (360, 740, False), (1100, 900, True)]
)
def test_it_fits_the_screen_and_can_be_pressed(listener, shots, width, height, dark):
    listener.enter("looking")
    listener.answer([2, 4, 5])
    name = f"listening-{type(listener.browser).__name__.lower()}-{width}{'-dark' if dark else ''}.png"
    listener.browser.screenshot(shots / name, width, height, dark=dark)
    assert listener.run("document.documentElement.scrollWidth <= innerWidth")
    sizes = listener.run(
        "[...document.querySelectorAll('.score')].map((e) => e.getBoundingClientRect().height)"
    )
    assert min(sizes) >= 40

"""Answers of a listening test are read whole, or refused in a sentence."""

import copy
import json

import numpy as np
import pytest

from msw2.evaluation.listeners import NAMES, read_answers
from msw2.page.listening_key import Key, KeyEntry, ListeningError

# Three systems with two, one and one clips; ids in another order than their places.
KEY = Key(
    "d1",
    7,
    (
        KeyEntry("c3", "restore", "song a"),
        KeyEntry("c1", "restore", "song b"),
        KeyEntry("c4", "generate", "seed 1"),
        KeyEntry("c2", "MuseGAN", "x.mid"),
    ),
)
ORDER = ("c1", "c2", "c3", "c4")  # as the listener heard them


def answers(listener="L1", first=(1, 2, 3, 4)):
    """Answers whose score of question q is the clip's first score + q, in 1..5 (wrapped)."""
    return {
        "kind": "msw2 listening answers",
        "format": 1,
        "test": "d1",
        "seed": 7,
        "listener": listener,
        "answers": [
            {
                "clip": clip,
                "place": place,
                "scores": {name: (score + q - 1) % 5 + 1 for q, name in enumerate(NAMES)},
                "seconds": 10.5 + place,
            }
            for place, (clip, score) in enumerate(zip(ORDER, first, strict=True), start=1)
        ],
    }


@pytest.fixture
def write(tmp_path):
    """Returns a function that writes an object as `<name>.json`, or bytes as they are."""

    def save(content, name="a"):
        path = tmp_path / f"{name}.json"
        path.write_bytes(content if isinstance(content, bytes) else json.dumps(content).encode())
        return path

    return save


def test_scores_stand_in_the_order_of_the_key(write):
    read = read_answers([write(answers()), write(answers("L2", (5, 5, 4, 1)), "b")], KEY)
    assert read.listeners == ("L1", "L2")
    assert read.scores.shape == (2, 4, 6)
    np.testing.assert_array_equal(read.scores[0, :, 0], [3, 1, 4, 2])  # c3, c1, c4, c2
    np.testing.assert_array_equal(read.scores[0, 0], [3, 4, 5, 1, 2, 3])
    np.testing.assert_array_equal(read.scores[1, :, 0], [4, 5, 1, 5])
    np.testing.assert_array_equal(read.seconds[0], [13.5, 11.5, 14.5, 12.5])


def test_means_are_by_listener_and_system(write):
    means = read_answers([write(answers())], KEY).by_system()
    assert list(means) == ["restore", "generate", "MuseGAN"]
    np.testing.assert_array_equal(means["restore"], [[2, 3, 4, 2.5, 3.5, 2]])  # 3 4 5 1 2 3 and 1 2 3 4 5 1
    np.testing.assert_array_equal(means["MuseGAN"], [[2, 3, 4, 5, 1, 2]])


def changed(*path_and_value):
    """Answers with one value replaced, at a path of keys."""
    *path, last, value = path_and_value
    content = place = copy.deepcopy(answers())
    for step in path:
        place = place[step]
    place[last] = value
    return content


NOT_ANSWERS = "not the answers of a listening test"
BROKEN = [
    (b"", "not JSON"),
    (b"\xff\xfe", "not JSON"),
    (b"[" * 100_000, "not JSON"),
    (json.dumps(answers())[:-9].encode(), "not JSON"),
    ([1], f'{NOT_ANSWERS}: it has no "kind": "msw2 listening answers"'),
    (changed("kind", "no"), f"{NOT_ANSWERS}: its \"kind\" is 'no', not \"msw2 listening answers\""),
    (changed("format", 2), f'{NOT_ANSWERS}: its "format" is 2, not 1'),
    (changed("test", "d2"), "answers to test 'd2', the key is of 'd1'"),
    (changed("listener", ""), "listener '' is not a name of 1 to 40 signs"),
    (changed("listener", 7), "listener '7' is not a name of 1 to 40 signs"),
    (changed("listener", "a\nb"), "listener 'a\\nb' is not a name of 1 to 40 signs"),
    (changed("listener", "x" * 41), f"listener '{'x' * 40}' is not a name of 1 to 40 signs"),
    (changed("answers", {}), "the answers are not a list"),
    (changed("answers", answers()["answers"][:3]), "1 of 4 clips are not answered, first 'c4'"),
    (changed("answers", []), "4 of 4 clips are not answered, first 'c3'"),
    (changed("answers", 1, 5), "clip None is not in the key"),
    (changed("answers", 1, "clip", ["c1"]), "clip ['c1'] is not in the key"),
    (changed("answers", 1, "clip", "c9"), "clip 'c9' is not in the key"),
    (changed("answers", 1, "clip", "c1"), "clip 'c1' is answered twice"),
    (changed("answers", 0, "scores", [1] * 6), f"the scores of clip 'c1' are not those of {', '.join(NAMES)}"),
    (changed("answers", 0, "scores", {}), f"the scores of clip 'c1' are not those of {', '.join(NAMES)}"),
    (changed("answers", 0, "scores", "melody", 0), "melody 0 of clip 'c1' is not a whole number in 1..5"),
    (changed("answers", 0, "scores", "melody", 6), "melody 6 of clip 'c1' is not a whole number in 1..5"),
    (changed("answers", 0, "scores", "melody", 3.0), "melody 3.0 of clip 'c1' is not a whole number in 1..5"),
    (changed("answers", 0, "scores", "melody", True), "melody True of clip 'c1' is not a whole number in 1..5"),
    (changed("answers", 0, "scores", "melody", None), "melody None of clip 'c1' is not a whole number in 1..5"),
    (changed("answers", 0, "seconds", float("nan")), "seconds nan of clip 'c1' are not a number from 0 on"),
    (changed("answers", 0, "seconds", -1), "seconds -1 of clip 'c1' are not a number from 0 on"),
    (changed("answers", 0, "seconds", "9"), "seconds '9' of clip 'c1' are not a number from 0 on"),
    (b"x" * (4 * 2**20 + 1), "file too large: 4194305 bytes, at most 4194304"),
]  # fmt: skip


@pytest.mark.parametrize(("content", "message"), BROKEN, ids=[message for _, message in BROKEN])
def test_a_broken_file_is_one_sentence(write, content, message):
    path = write(content)
    with pytest.raises(ListeningError) as caught:
        read_answers([path], KEY)
    assert str(caught.value) == f"{path}: {message}"


def test_a_listener_answers_once(write):
    first, second = write(answers("Ann"), "a"), write(answers("ann", (2, 2, 2, 2)), "b")
    with pytest.raises(ListeningError) as caught:
        read_answers([first, second], KEY)
    assert str(caught.value) == f"{second}: listener 'ann' has answered in {first}, too"


def test_no_files_and_no_file(tmp_path):
    with pytest.raises(ListeningError, match=r"^no answers are given"):
        read_answers([], KEY)
    with pytest.raises(ListeningError, match=r"a.json: cannot be read: No such file or directory$"):
        read_answers([tmp_path / "a.json"], KEY)

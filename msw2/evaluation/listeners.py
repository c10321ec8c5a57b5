"""The answers of a listening test: files that the page saved, read and checked."""

import dataclasses
import itertools
import os
from collections.abc import Sequence

import numpy as np

from msw2.page.listening_key import ANSWERS_FORMAT, ANSWERS_KIND, Key, ListeningError, read_json
from msw2.page.questions import QUESTIONS, SCORES

NAMES = tuple(question.name for question in QUESTIONS)
MAX_NAME = 40  # characters, as on the page


@dataclasses.dataclass(frozen=True, eq=False)
class Ratings:
    """What all listeners said.

    Attributes:
        key: of the test.
        listeners: their names or codes, as they typed them.
        scores: int64 [listener, clip, question], 1..5; clips in the order of the key.
        seconds: float64 [listener, clip], for how long each clip was played.
    """

    key: Key
    listeners: tuple[str, ...]
    scores: np.ndarray
    seconds: np.ndarray

    def by_system(self) -> dict[str, np.ndarray]:
        """Returns the listeners' means of each system, float64 [listener, question], in the order of the key."""
        systems = np.array([entry.system for entry in self.key.clips])
        return {system: self.scores[:, systems == system].mean(axis=1) for system in self.key.systems}


def read_answers(paths: Sequence[str | os.PathLike], key: Key) -> Ratings:
    """Reads the answers to one test, a file a listener.

    Args:
        paths: JSON files that the page saved, at least one.
        key: of the test.

    Raises:
        ListeningError: if a file cannot be read, is not whole, answers another test, or has a value that the page
            does not write; or if a listener answered twice.
    """
    if not paths:
        raise ListeningError("no answers are given: name the JSON files that the listeners saved")
    found: dict[str, str | os.PathLike] = {}  # names in one case, since `Ann` and `ann` are one person
    listeners, scores, seconds = [], [], []
    for path in paths:
        listener, its_scores, its_seconds = _read(path, key)
        same = listener.casefold()
        if same in found:
            raise ListeningError(f"{path}: listener {listener!r} has answered in {found[same]}, too")
        found[same] = path
        listeners.append(listener)
        scores.append(its_scores)
        seconds.append(its_seconds)
    return Ratings(key, tuple(listeners), np.array(scores), np.array(seconds))


def _read(path: str | os.PathLike, key: Key) -> tuple[str, np.ndarray, np.ndarray]:
    """Returns a listener, the scores [clip, question] and the seconds [clip]."""
    content = read_json(path, "answers", ANSWERS_KIND, ANSWERS_FORMAT)
    if content.get("test") != key.test:
        raise ListeningError(f"{path}: answers to test {content.get('test')!r}, the key is of {key.test!r}")
    listener, answers = content.get("listener"), content.get("answers")
    if not isinstance(listener, str) or not 0 < len(listener) <= MAX_NAME or not listener.isprintable():
        raise ListeningError(
            f"{path}: listener {str(listener)[:MAX_NAME]!r} is not a name of 1 to {MAX_NAME} signs"
        )
    if not isinstance(answers, list):
        raise ListeningError(f"{path}: the answers are not a list")
    rows = {entry.clip: row for row, entry in enumerate(key.clips)}
    scores = np.zeros((len(rows), len(NAMES)), np.int64)
    seconds = np.zeros(len(rows))
    for answer in answers:
        clip = answer.get("clip") if isinstance(answer, dict) else None
        if not isinstance(clip, str) or clip not in rows:
            raise ListeningError(f"{path}: clip {clip!r} is not in the key")
        if scores[rows[clip]].any():
            raise ListeningError(f"{path}: clip {clip!r} is answered twice")
        scores[rows[clip]] = _scores(path, clip, answer.get("scores"))
        seconds[rows[clip]] = _seconds(path, clip, answer.get("seconds"))
    missing = list(itertools.compress(rows, ~scores.any(axis=1)))
    if missing:
        raise ListeningError(
            f"{path}: {len(missing)} of {len(rows)} clips are not answered, first {missing[0]!r}"
        )
    return listener, scores, seconds


def _scores(path: str | os.PathLike, clip: str, scores: object) -> list[int]:
    """Returns the six scores of a clip."""
    if not isinstance(scores, dict) or scores.keys() != set(NAMES):
        raise ListeningError(f"{path}: the scores of clip {clip!r} are not those of {', '.join(NAMES)}")
    for name, score in scores.items():
        if type(score) is not int or not 1 <= score <= len(SCORES):
            raise ListeningError(
                f"{path}: {name} {score!r} of clip {clip!r} is not a whole number in 1..{len(SCORES)}"
            )
    return [scores[name] for name in NAMES]


def _seconds(path: str | os.PathLike, clip: str, seconds: object) -> float:
    """Returns for how long a clip was played."""
    if type(seconds) not in (int, float) or not 0 <= seconds < 1e6:  # NaN is in no range
        raise ListeningError(f"{path}: seconds {seconds!r} of clip {clip!r} are not a number from 0 on")
    return float(seconds)

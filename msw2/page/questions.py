"""What listeners are asked: the six questions of the paper's Table II, each answered from 1 to 5."""

import dataclasses


@dataclasses.dataclass(frozen=True)
class Question:
    """A question of the listening test.

    Attributes:
        name: the paper's word.
        short: the paper's letter for it, heading of a column.
        text: what it asks, in our words: the paper prints no explanation.
    """

    name: str
    short: str
    text: str


QUESTIONS = (
    Question("rhythm", "R", "Is the beat steady, and do the instruments keep together?"),
    Question("melody", "M", "Is there a tune, and do you like it?"),
    Question("integrity", "I", "Does the music sound whole, with no part missing or out of place?"),
    Question(
        "structure", "St", "Is the music in order, with phrases that repeat, vary and answer each other?"
    ),
    Question("harmonious", "H", "Do the notes and the instruments sound good together?"),
    Question("melodic motion", "MM", "Does the tune move naturally from note to note?"),
)
# The words for 1 to 5: those of the mean opinion score (ITU-T P.800).
SCORES = ("bad", "poor", "fair", "good", "excellent")

"""The paper's Table II as printed: thirteen listeners, six questions, scores from 1 to 5."""

import dataclasses

LISTENERS = 13


@dataclasses.dataclass(frozen=True)
class PrintedRow:
    """A row of Table II.

    Attributes:
        scores: of the six questions, in the order of `page.questions.QUESTIONS`.
        average: the printed average. It is up to 0.013 below the mean of the printed scores.
    """

    scores: tuple[float, ...]
    average: float


PRINTED = {
    "restore": PrintedRow((4.26, 3.68, 3.22, 3.28, 4.08, 3.22), 3.62),
    "MuseGAN": PrintedRow((4.12, 3.98, 3.12, 3.57, 3.48, 2.55), 3.47),
    "generate": PrintedRow((3.82, 3.14, 3.38, 2.65, 3.27, 2.12), 3.05),
    "MidiNet": PrintedRow((3.89, 3.29, 2.68, 3.14, 2.96, 2.18), 3.02),
    "no fusion": PrintedRow((2.92, 2.43, 2.58, 2.13, 2.32, 2.46), 2.46),
}

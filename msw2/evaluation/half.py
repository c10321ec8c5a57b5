"""What half precision costs: the same songs restored with whole and with half precision."""

import dataclasses

import numpy as np

from msw2.inference.sampling import Sampler
from msw2.music.metrics import f1_scores
from msw2.music.note_metrics import note_f1


@dataclasses.dataclass(frozen=True)
class Cost:
    """Compares songs restored in whole precision and in half precision.

    Attributes:
        agreement: of the cells that sound in either, the share that sounds in both, 0..1.
        notes: F1 of notes against the songs with whole and with half precision, 0..1, each [track].
        cells: F1 of cells, likewise.
    """

    agreement: float
    notes: tuple[np.ndarray, np.ndarray]
    cells: tuple[np.ndarray, np.ndarray]


def cost_of_half(whole: Sampler, half: Sampler, phrases: np.ndarray) -> Cost:
    """Restores phrases with both, and compares.

    Args:
        whole: in whole precision.
        half: the same weights, rounded.
        phrases: bool [phrase, bar, step, pitch, track], at least one.
    """
    made = [sampler.restore(phrases) for sampler in (whole, half)]
    either, both = np.count_nonzero(made[0] | made[1]), np.count_nonzero(made[0] & made[1])
    return Cost(
        agreement=both / either if either else 1.0,
        notes=tuple(note_f1(phrases, each).pooled() for each in made),
        cells=tuple(f1_scores(phrases, each)[2].pooled() for each in made),
    )

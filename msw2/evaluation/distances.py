"""How far each row is from the dataset row, a number for each metric: the mean over its columns of |row - dataset|.

Chance makes distances larger, because a value that it moves counts as distance whichever way it goes. The effect is
strongest where the true distance is small. So the percentile interval of a bootstrap lies too high, and never reaches
0. This module mirrors that interval at the value, (2 value - high, 2 value - low), and cuts it at 0: the basic
bootstrap interval (Davison and Hinkley 1997, section 5.2). In simulations with normal noise it covers the true
distance in 7 to 9.5 cases of 10, so read it as somewhat too narrow. The percentile interval covers it in as few as
0 of 10. The value keeps its bias: the paper's values have it too, and stay comparable. So the interval may lie below
the value.
"""

from collections.abc import Hashable

import numpy as np

from msw2.evaluation import measures
from msw2.evaluation.bootstrap import Sample
from msw2.evaluation.measures import TABLE1, TONAL_DISTANCE, Measure
from msw2.evaluation.results import ALL, Estimate, Key
from msw2.music.table1 import PRINTED_CELL_TRACKS

COMPARED = (*measures.COMPARED, TONAL_DISTANCE)  # the correct metrics that have a distance


def name(metric: str) -> str:
    """Returns what metrics.csv calls the distance of a metric."""
    return f"distance_{metric}"


def estimates(
    row: str, samples: dict[Hashable, Sample], dataset: dict[Hashable, Sample]
) -> dict[Key, Estimate]:
    """Returns the distances of a row to the dataset row, for Table I's released metrics and the correct ones.

    Both sides are resampled. A row with the dataset's songs and seed is resampled in pairs with it. That is right for
    restorations.

    Args:
        row: name of the row.
        samples: of the row, by (name, definition) of a measure.
        dataset: of the dataset row, with as many resamples.

    Returns:
        `distance_<metric>`, in the units of the tables: percentage points where the metric is in percent. Released
        cells are compared over the tracks that the paper prints, all else over all columns. NaN where one of them
        has no value on either side, such as the SR of a silent track.
    """
    found = {}
    for measure in (*TABLE1, *COMPARED):
        key = measure.name, measure.definition
        distance = _distance(measure, samples[key], dataset[key])
        found[Key(row, name(measure.name), measure.definition, ALL)] = _estimate(distance)
    return found


def _distance(measure: Measure, sample: Sample, dataset: Sample) -> Sample:
    """Returns the distance as a sample of one column."""
    released_cells = (measure.name, measure.definition) == ("cells", "released")
    columns = list(PRINTED_CELL_TRACKS) if released_cells else slice(None)
    value, draws = (
        measure.scale * np.abs(ours - real)[..., columns].mean(axis=-1, keepdims=True)
        for ours, real in ((sample.value, dataset.value), (sample.draws, dataset.draws))
    )
    return Sample(value, draws)


def _estimate(distance: Sample) -> Estimate:
    low, high = distance.interval()
    basic = np.maximum(2 * distance.value - np.stack([high, low]), 0)
    return Estimate(*np.concatenate([distance.value, *basic]).tolist())

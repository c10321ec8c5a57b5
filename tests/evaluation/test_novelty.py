import numpy as np
import pytest

from msw2.data import augmentation, packing
from msw2.evaluation import novelty
from msw2.music.grid import Grid


def transposed(phrases, semitones):
    return augmentation.transpose_phrases(phrases, semitones).numpy()


GRID = Grid(bars=2, steps=16, pitches=22, lowest_pitch=26, beat_resolution=4)
SHAPE = (2, 16, 22, 5)


def random_phrases(number, seed, density=0.04):
    """Music with pitches 7 to 14 only, so that it can be transposed."""
    phrases = np.random.default_rng(seed).random((number, *SHAPE)) < density
    phrases[:, :, :, :7] = phrases[:, :, :, 15:] = False
    return phrases


def sought(phrases, training, batch=100):
    packed = packing.pack(training)
    return novelty.nearest(phrases, [packed[i : i + batch] for i in range(0, len(packed), batch)], GRID)


def dice(first, second):
    return 1 - 2 * (first & second).sum() / (first.sum() + second.sum())


def brute(phrase, training):
    """The smallest distance, over training phrases and all transpositions that keep every note."""
    moved = [transposed(phrase[None], shift)[0] for shift in range(-6, 7)]
    return min(dice(each, other) for each in moved for other in training)


TRAINING = random_phrases(40, seed=1)


@pytest.mark.parametrize("batch", [100, 7])
def test_copies_are_found_wherever_they_are(batch):
    half = TRAINING[21].copy()
    half[1] = False
    partly = dice(half, TRAINING[21])
    phrases = np.stack(
        [TRAINING[3], transposed(TRAINING[38:39], -6)[0], transposed(TRAINING[:1], 5)[0], half]
    )
    found = sought(phrases, TRAINING, batch)
    assert found.index.tolist() == [3, 38, 0, 21]
    assert found.semitones.tolist() == [0, 6, -5, 0]
    assert found.distance[:3].tolist() == [0, 0, 0]
    assert found.distance[3] == pytest.approx(partly)
    assert 0.2 < partly < 0.5


def test_the_search_is_exact():
    phrases = np.concatenate([random_phrases(12, seed=2), random_phrases(4, seed=3, density=0.3)])
    phrases[5, :, :, 21, 2] = True  # at the edge: it cannot go up
    phrases[6, :, :, 0, 4] = True
    training = np.concatenate([TRAINING, random_phrases(10, seed=4, density=0.3)])
    found = sought(phrases, training, batch=17)
    assert found.distance == pytest.approx([brute(phrase, training) for phrase in phrases])
    for phrase, index, shift, distance in zip(phrases, *found[1:], found.distance, strict=True):
        assert dice(transposed(phrase[None], shift)[0], training[index]) == pytest.approx(distance)


def test_groups_are_put_together_in_order(monkeypatch):
    monkeypatch.setattr(novelty, "_GROUP", 3)
    monkeypatch.setattr(novelty, "_PAIRS", 5)
    monkeypatch.setattr(novelty, "_UNPACKED", 4)
    assert sought(TRAINING[10:20], TRAINING).index.tolist() == list(range(10, 20))


def test_drums_are_not_transposed_and_another_track_is_not_the_same():
    drums, other = TRAINING[2:3].copy(), np.roll(TRAINING[2:3], 1, axis=4)
    drums[..., 0] = np.roll(drums[..., 0], 1, axis=3)
    distances = sought(np.concatenate([drums, other]), TRAINING[2:3]).distance
    assert distances[0] == pytest.approx(brute(drums[0], TRAINING[2:3]))
    assert min(distances) > 0.1


def test_silence_is_like_silence_only():
    silent = np.zeros((1, *SHAPE), bool)
    found = sought(np.concatenate([silent, TRAINING[:1]]), TRAINING)
    assert found.distance.tolist() == [1, 0]
    assert found.index.tolist() == [-1, 0]
    found = sought(np.concatenate([silent, TRAINING[:1]]), silent)
    assert found.distance.tolist() == [0, 1]


def test_the_summary_of_a_row():
    distances = np.array([0, 0, 0.1, 0.5, 0.7] * 20)
    found = novelty.estimates("MSG2", distances, seed=1, resamples=400)
    means = {key: estimate.mean for key, estimate in found.items()}
    assert means == pytest.approx(
        {
            ("MSG2", "nearest_median", "correct", "all"): 0.1,
            ("MSG2", "nearest_5", "correct", "all"): 0,
            ("MSG2", "copies", "correct", "all"): 0.4,
            ("MSG2", "near_copies", "correct", "all"): 0.6,
        }
    )
    half = 1.96 * np.sqrt(0.4 * 0.6 / 100)
    assert found["MSG2", "copies", "correct", "all"] == pytest.approx((0.4, 0.4 - half, 0.4 + half), abs=0.02)
    assert found == novelty.estimates("MSG2", distances, seed=1, resamples=400)


def test_the_summary_draws_songs():
    distances = np.repeat(np.arange(100) < 40, 5) * -0.5 + 0.5  # 100 songs of five phrases; 40 are copies
    found = novelty.estimates(
        "dataset", distances, seed=1, resamples=2000, songs=np.repeat(np.arange(100), 5)
    )
    half = 1.96 * np.sqrt(0.4 * 0.6 / 100)
    copies = found["dataset", "copies", "correct", "all"]
    assert copies == pytest.approx((0.4, 0.4 - half, 0.4 + half), abs=0.01)
    alone = novelty.estimates("dataset", distances, seed=1, resamples=5, songs=np.zeros(500))
    assert alone["dataset", "copies", "correct", "all"] == pytest.approx((0.4, np.nan, np.nan), nan_ok=True)

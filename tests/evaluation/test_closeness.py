import numpy as np
import pytest

from msw2.data.music_folder import MusicError
from msw2.evaluation import closeness as module
from msw2.evaluation.closeness import closeness, halves
from msw2.evaluation.quality import frechet_distance

RNG = np.random.default_rng(3)


def vectors(size, shift=0.0):
    return {"texture": RNG.normal(size=(size, 3)) * [1, 5, 0.2], "order": RNG.normal(size=(size, 2)) + shift}


def test_halves_have_no_song_in_common_and_are_about_equal():
    songs = np.repeat([4, 7, 1, 9, 2], [3, 1, 4, 2, 2])
    seen = set()
    for seed in range(40):
        first, second = halves(songs, np.random.default_rng(seed))
        assert sorted([*first, *second]) == list(range(12))
        assert not set(songs[first]) & set(songs[second])
        assert 4 <= len(first) <= 8
        seen.add(tuple(sorted(set(songs[first]))))
    assert len(seen) > 10
    first, second = halves(np.array([3, 3, 3, 8]), np.random.default_rng(0))
    assert sorted([len(first), len(second)]) == [1, 3]


def test_distances_are_between_as_many_phrases(monkeypatch):
    real, made = vectors(12), vectors(4, shift=1.0)
    songs = np.repeat(np.arange(4), [4, 3, 3, 2])
    pairs = [(np.arange(7), np.arange(7, 12)), (np.arange(4, 12), np.arange(4))]
    draws = iter(pairs * 10)
    monkeypatch.setattr(module, "SPLITS", 2)
    monkeypatch.setattr(module, "halves", lambda *_: next(draws))
    found = closeness(real, made, songs, np.arange(4), seed=0)
    assert found.size == 4
    made_sum = floor_sum = 0
    for aspect, each in real.items():
        mean, scale = each.mean(axis=0), np.maximum(each.std(axis=0), 0.05)
        scaled, other = (each - mean) / scale, (made[aspect] - mean) / scale
        taken = [([0, 1, 3, 5], [7, 8, 9, 10]), ([4, 6, 8, 10], [0, 1, 2, 3])]
        floor = np.mean([frechet_distance(scaled[first], scaled[second]) for first, second in taken])
        value = np.mean([frechet_distance(scaled[first], other) for first, _ in taken])
        assert found.floor[aspect].mean == pytest.approx(floor)
        assert found.made[aspect].mean == pytest.approx(value)
        assert found.ratio[aspect].mean == pytest.approx(value / floor)
        made_sum, floor_sum = made_sum + value, floor_sum + floor
    assert found.made["total"].mean == pytest.approx(made_sum)
    assert found.ratio["total"].mean == pytest.approx(made_sum / floor_sum)
    assert np.isnan(found.ratio["total"].low)  # too few songs for an interval


def test_songs_like_the_real_ones_are_at_the_floor_and_intervals_say_so():
    centres = RNG.normal(size=(60, 1, 2))  # phrases of a song are alike
    real = {"order": (centres + 0.3 * RNG.normal(size=(60, 5, 2))).reshape(300, 2)}
    alike = {"order": (RNG.normal(size=(30, 1, 2)) + 0.3 * RNG.normal(size=(30, 5, 2))).reshape(150, 2)}
    songs = np.repeat(np.arange(60), 5)
    found = closeness(real, alike, songs, np.repeat(np.arange(30), 5), seed=1)
    assert found.size in range(145, 151)
    low, high = found.ratio["total"][1:]
    assert low < 1 < high
    far = {"order": alike["order"] + 3}
    found = closeness(real, far, songs, np.repeat(np.arange(30), 5), seed=1)
    assert found.ratio["total"].low > 10
    assert found == closeness(real, far, songs, np.repeat(np.arange(30), 5), seed=1)
    assert found != closeness(real, far, songs, np.repeat(np.arange(30), 5), seed=2)


def test_what_is_left_out_is_whole_songs():
    songs, made_songs = np.repeat(np.arange(23), 3), np.repeat(np.arange(40), 2)
    sets = module._Sets(
        {"order": np.arange(69.0)[:, None]}, {"order": np.arange(80.0)[:, None]}, songs, made_songs
    )
    gone = []
    for group in range(10):
        kept = sets.without(group)
        assert (kept.real["order"][:, 0] // 3 == kept.real_songs).all()
        left = np.setdiff1d(songs, kept.real_songs)
        assert len(left) in (2, 3)
        assert len(kept.real_songs) == 69 - 3 * len(left)
        assert len(kept.made["order"]) == 72
        gone += left.tolist()
    assert gone == list(range(23))


def test_a_floor_of_nothing_has_no_ratio():
    real = {"order": np.ones((4, 2))}
    found = closeness(real, {"order": np.zeros((4, 2))}, np.arange(4), np.arange(4), seed=0)
    assert found.floor["order"].mean == 0
    assert found.made["order"].mean == pytest.approx(2 * 20**2)
    assert np.isnan(found.ratio["order"].mean)


@pytest.mark.parametrize(
    ("real_songs", "made_songs", "message"),
    [
        (
            [5, 5, 5],
            [0, 1],
            "the real phrases are of one song; two songs or more tell how far real songs are apart",
        ),
        ([5, 6, 6], [0], "1 made phrase; a distance is between two or more of each"),
    ],
)
def test_too_little_is_one_sentence(real_songs, made_songs, message):
    with pytest.raises(MusicError, match=f"^{message}$"):
        closeness(vectors(3), vectors(len(made_songs)), np.array(real_songs), np.array(made_songs), seed=0)

"""What is written where something was hidden, by composers whose answers are known."""

import numpy as np
import pytest

from msw2.data import packing
from msw2.data.song_bars import SongBars
from msw2.evaluation import gap_scores, gaps
from msw2.evaluation.results import ALL, Key
from msw2.evaluation.stretches import Stretches
from msw2.music.grid import Grid
from msw2.music.tracks import TRACK_NAMES

GRID = Grid(steps=16, pitches=26, beat_resolution=4)
DRUMS, PIANO, GUITAR, BASS, STRINGS = range(5)
JUDGING = {"grid": GRID, "seed": 0, "resamples": 50}


def songs(*basses):
    """Songs of eight bars: a piano on C, and a bass with one note a bar, of the pitch of the song."""
    cells = np.zeros((len(basses), 8, 16, 26, 5), bool)
    cells[:, :, 3:5, 12, PIANO] = True
    for song, pitch in zip(cells, basses, strict=True):
        song[:, :2, pitch, BASS] = True
    return cells


def stretches(cells):
    phrases = cells.reshape(-1, *GRID.phrase_shape, 5)
    rows = np.arange(len(phrases)).reshape(len(cells), 2)
    source = SongBars(GRID, packing.pack(phrases), list(rows), [np.array([0, 4])] * len(cells))
    return Stretches(source, rows, np.arange(len(cells)))


class Composer:
    """Writes what a function of the context says, and notes what it was given."""

    def __init__(self, write):
        self.write, self.asked = write, []

    def complete(self, song, given, *, seed, temperature):
        self.asked.append((seed, temperature))
        seen = given[:, None, None]
        return np.where(seen, song, self.write(song & seen))


def score(cells, made, gap, others=None):
    return gap_scores.judged(cells, made, others or {}, np.arange(len(cells)), gap, **JUDGING)


def value(estimates, row, metric="F1_notes", column="bass"):
    return estimates[Key(row, metric, "correct", column)].mean


def test_the_perfect_composer_has_all_notes():
    cells, gap = songs(3, 5, 5), gaps.Gap.of_track(BASS)
    found = score(cells, np.stack([cells, cells]), gap)
    assert value(found, "accompany") == value(found, "accompany, seed 1") == 1
    assert value(found, "accompany", "notes_made") == 1
    # Songs 1 and 2 have the same bass. One step on: 0 takes 1's, 1 takes 2's, 2 takes 0's; two steps on: 0 takes 2's,
    # 1 takes 0's, 2 takes 1's. So two of six are right.
    assert value(found, "accompany, another song's context") == pytest.approx(2 / 6)
    assert value(found, "accompany - another song's context") == pytest.approx(4 / 6)
    interval = found[Key("accompany - another song's context", "F1_notes", "correct", "bass")]
    assert 0 <= interval.low < 4 / 6 < interval.high <= 1


def test_the_silent_composer_has_none():
    cells, gap = songs(3, 5, 7), gaps.Gap.of_track(BASS)
    made = gaps.drawn(Composer(np.zeros_like), stretches(cells), gap, draws=2, seed=10, temperature=0.5)
    assert not made[..., BASS].any()
    assert (made[..., :BASS] == cells[..., :BASS]).all()
    found = score(cells, made, gap)
    assert value(found, "accompany") == value(found, "accompany", "notes_made") == 0
    assert np.isnan(value(found, "accompany", "tonal_distance"))


def test_each_draw_of_each_song_has_its_seed():
    composer = Composer(np.zeros_like)
    gaps.drawn(composer, stretches(songs(1, 2, 3)), gaps.Gap.of_bars(), draws=2, seed=10, temperature=0.5)
    assert composer.asked == [(seed, 0.5) for seed in range(10, 16)]


def test_a_composer_that_doubles_the_piano_is_in_tune_but_wrong():
    def double(context):
        written = np.zeros_like(context)
        written[..., BASS] = context[..., PIANO]
        return written

    cells, gap = songs(3, 5), gaps.Gap.of_track(BASS)
    cells[:, :, 2:5, 9, STRINGS] = True
    cells[:, :, 3, 1, DRUMS] = True
    made = gaps.drawn(Composer(double), stretches(cells), gap, draws=1, seed=0, temperature=1.0)
    found = score(cells, made, gap)
    assert value(found, "accompany") == 0
    assert value(found, "accompany", "notes_made") == 1
    # The bass now starts at step 3, with the drums; the original does not.
    assert value(found, "accompany", "onsets_together") == 1
    assert value(found, "accompany, real", "onsets_together") == 0
    assert value(found, "accompany - real", "onsets_together") == 1
    # Piano C in steps 3 and 4, strings A in steps 2 to 4. First beat: bass C against C once and A twice. Second beat:
    # C against C and A. Centroids of C and A are d apart, so the distances are 2/3 d and d/2, the mean 7/12 d.
    angles = np.pi * np.array([7 / 6, 3 / 2, 2 / 3])
    far = np.sqrt((np.array([1, 1, 0.5]) ** 2 * 2 * (1 - np.cos(9 * angles))).sum())
    assert value(found, "accompany", "tonal_distance") == pytest.approx(7 / 12 * far)
    original = value(found, "accompany, real", "tonal_distance")
    assert value(found, "accompany - real", "tonal_distance") == pytest.approx(7 / 12 * far - original)


def test_infill_hides_two_bars_and_scores_no_others():
    gap = gaps.Gap.of_bars()
    assert (~gap.given).nonzero()[0].tolist() == [5] * 5 + [6] * 5
    cells = songs(3, 5)
    cells[0, 1, :2, 3, BASS] = False
    cells[0, 1, :2, 4, BASS] = True  # bar 1 is four bars before bar 5
    made = cells.copy()
    made[:, :5] = made[:, 7:] = False  # not looked at
    made[1, 6, :, :, PIANO] = False
    others = gaps.copies(cells, gap, packing.pack(cells[:1, 4:]), GRID)
    found = score(cells, made[None], gap, others)
    assert value(found, "infill") == 1
    assert value(found, "infill", column="piano") == pytest.approx(2 * 3 / (4 + 3))
    assert value(found, "infill", column=ALL) == pytest.approx(2 * 7 / (8 + 7))
    assert np.isnan(value(found, "infill", column="strings"))
    # Song 0's bars are copied: right for itself. Song 1's bass is 5: what is given of song 0 is nearest unmoved.
    assert value(found, "infill, nearest phrase") == pytest.approx(2 / 4)
    assert value(found, "infill, four bars before") == pytest.approx(3 / 4)
    assert value(found, "infill - four bars before") == pytest.approx(1 / 4)
    assert value(found, "infill, another song's context") == 0
    assert value(found, "infill, another song's context", column="piano") == pytest.approx(6 / 7)


def test_stretches_count_where_both_parts_sound():
    accompany, infill = (gap.fits(GRID) for gap in (gaps.Gap.of_track(BASS), gaps.Gap.of_bars()))

    def packed(cells):
        return packing.pack(cells.reshape(2, *GRID.phrase_shape, 5))

    whole = songs(3)[0]
    assert accompany(packed(whole)) and infill(packed(whole))
    silent = whole.copy()
    silent[..., BASS] = False
    assert not accompany(packed(silent)) and infill(packed(silent))
    late = whole.copy()
    late[:4, ..., PIANO] = False  # nothing beside the bass in the first phrase
    assert not accompany(packed(late)) and infill(packed(late))
    hole = whole.copy()
    hole[5:7] = False
    assert accompany(packed(hole)) and not infill(packed(hole))
    alone = whole.copy()
    alone[[4, 7]] = False  # nothing beside the two bars in their phrase
    assert not infill(packed(alone))


def test_names():
    assert gaps.Gap.of_track(STRINGS).name == "accompany strings"
    assert gaps.Gap.of_bars().name == "infill"
    assert gaps.Gap.of_track(STRINGS).phrases(GRID) == 2
    assert gaps.Gap.of_bars().phrases(GRID) == 1
    assert gaps.Gap.of_bars().columns == (*TRACK_NAMES, ALL)

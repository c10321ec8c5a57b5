"""Table II from answers. All answers in this file are invented: no person gave them."""

import csv
import math
from types import SimpleNamespace

import numpy as np
import pytest
from scipy import stats

from msw2.evaluation.listener_report import FILES, agree, compare, markdown, score, write_report
from msw2.evaluation.listeners import Ratings
from msw2.page.listening_key import Key, KeyEntry

# What the invented listeners think, on average; and how many clips each system has.
EFFECTS = {"no fusion": (2.0, 2), "restore": (4.0, 3), "generate": (3.2, 4), "real | songs": (4.1, 2)}


def invented(listeners=13, seed=0):
    """Ratings with these effects, a harshness of each listener and noise, rounded to 1..5."""
    rng = np.random.default_rng(seed)
    clips = tuple(
        KeyEntry(f"{system}{place}", system, "invented")
        for system, (_, count) in EFFECTS.items()
        for place in range(count)
    )
    means = np.array([EFFECTS[clip.system][0] for clip in clips])
    harsh = rng.normal(0, 0.4, listeners)
    exact = means[:, None] + harsh[:, None, None] + rng.normal(0, 0.7, (listeners, len(clips), 6))
    names = tuple(f"invented {index}" for index in range(listeners))
    scores = np.clip(np.rint(exact), 1, 5).astype(np.int64)
    return Ratings(Key("t3st", 7, clips), names, scores, np.full(scores.shape[:2], 19.2))


def rows_of(text, title):
    """Returns the cells of the first table below a title, without its header."""
    lines = text.split(f"## {title}\n")[1].split("## ")[0].splitlines()
    tabled = [line for line in lines if line.startswith("|")]
    return [[cell.strip() for cell in line.strip("|").split(" | ")] for line in tabled[2:]]


def test_systems_stand_in_the_order_of_what_was_invented():
    scores = score(invented())
    assert list(scores)[2:] == ["generate", "no fusion"]
    assert set(scores) == set(EFFECTS)
    for system in ("generate", "no fusion"):
        found, effect = scores[system], EFFECTS[system][0]
        assert abs(found.mean[-1] - effect) < found.half[-1] < 0.4


def test_an_interval_is_students_over_one_mean_a_listener():
    ratings = invented()
    found = score(ratings)["generate"]
    mine = ratings.scores[:, 5:9]  # its four clips
    for column in range(6):
        by_listener = mine[:, :, column].mean(axis=1)
        low, high = stats.t.interval(0.95, 12, by_listener.mean(), stats.sem(by_listener))
        assert found.mean[column] - found.half[column] == pytest.approx(low)
        assert found.mean[column] + found.half[column] == pytest.approx(high)
    overall = mine.mean(axis=(1, 2))
    assert found.mean[6] == pytest.approx(overall.mean())
    assert found.half[6] == pytest.approx(stats.t.ppf(0.975, 12) * stats.sem(overall))


def test_pairs_are_tested_over_listeners_and_corrected_together():
    ratings = invented()
    pairs = {(pair.first, pair.second): pair for pair in compare(ratings)}
    assert len(pairs) == 6
    mean = {
        system: ratings.scores[:, [c.system == system for c in ratings.key.clips]].mean(axis=(1, 2))
        for system in EFFECTS
    }
    for (first, second), pair in pairs.items():
        differences = mean[first] - mean[second]
        assert pair.difference == pytest.approx(differences.mean())
        assert pair.deviation == pytest.approx(differences.std(ddof=1))
        assert pair.p <= pair.adjusted <= min(1, 6 * pair.p)
        assert pair.needed <= pair.needed_in_all
    apart = pairs["generate", "no fusion"]
    assert apart.p == pytest.approx(2 / 2**13)  # every listener prefers the first
    assert apart.adjusted < 0.01
    close = [pair for names, pair in pairs.items() if set(names) == {"restore", "real | songs"}]
    assert close[0].adjusted > 0.05


def test_agreement_is_by_question():
    ratings = invented()
    scores = ratings.scores.copy()
    scores[..., 2] = scores[:1, :, 2]  # all say of integrity what the first says
    found = agree(Ratings(ratings.key, ratings.listeners, scores, ratings.seconds))
    assert list(found) == ["rhythm", "melody", "integrity", "structure", "harmonious", "melodic motion"]
    assert found["integrity"] == pytest.approx(1)
    assert 0.2 < found["rhythm"] < 0.9


def test_the_report_by_hand():
    key = Key(
        "t", 7, (KeyEntry("a", "restore", "x"), KeyEntry("b", "other", "y"), KeyEntry("c", "other", "z"))
    )
    first = [[5, 5, 5, 5, 5, 5], [1, 1, 1, 1, 1, 1], [3, 1, 1, 1, 1, 1]]
    second = [[5, 4, 3, 4, 3, 5], [2, 2, 2, 2, 2, 2], [2, 2, 2, 2, 2, 2]]
    ratings = Ratings(key, ("p", "q"), np.array([first, second]), np.array([[9.0, 8, 7], [9, 20, 21]]))
    text = markdown(ratings)
    assert (
        "2 listeners, 3 clips of 2 systems, scores from 1 (bad) to 5 (excellent). Test `t`, seed 7." in text
    )
    assert "for 9 seconds (median)" in text
    restore, other, *printed = rows_of(text, "Table II")
    # Students's t of one degree of freedom is 12.706; half the range of two values is its standard error.
    assert restore == [
        "restore", "5.00 ± 0.00", "4.50 ± 6.35", "4.00 ± 12.71", "4.50 ± 6.35", "4.00 ± 12.71", "5.00 ± 0.00",
        "4.50 ± 6.35",
    ]  # fmt: skip
    assert other[:3] == ["other", "2.00 ± 0.00", "1.50 ± 6.35"]
    assert other[-1] == "1.58 ± 5.29"  # means 7 / 6 and 2
    assert printed[0] == [
        "*restore, paper*",
        *(f"*{x}*" for x in ["4.26", "3.68", "3.22", "3.28", "4.08", "3.22", "3.62"]),
    ]
    assert [row[0] for row in printed] == [
        "*restore, paper*", "*MuseGAN, paper*", "*generate, paper*", "*MidiNet, paper*", "*no fusion, paper*"
    ]  # fmt: skip
    # Differences 5 - 7 / 6 and 2; their deviation is 11 / 6 / sqrt(2).
    (pair,) = rows_of(text, "Pairs of systems")
    assert pair[:5] == ["restore / other", "2.92 ± 11.65", "1.30", "0.5", "0.5"]
    assert "2 listeners cannot reach a p below 0.5." in text
    assert [row[0] for row in rows_of(text, "Do the listeners agree?")][:2] == ["rhythm", "melody"]


def test_one_listener_and_one_system_are_no_failure():
    whole = invented(listeners=1)
    text = markdown(whole)
    assert rows_of(text, "Pairs of systems")[0][2:] == ["n/a", "1", "1", "n/a", "n/a"]
    alone = SimpleNamespace(clips=whole.key.clips[:2])
    key = Key("t", 0, alone.clips)
    text = markdown(Ratings(key, ("x",), whole.scores[:, :2], whole.seconds[:, :2]))
    assert "## Pairs" not in text
    assert "1 listener, 2 clips of 1 system" in text


def test_the_files_hold_the_same_figures(tmp_path):
    ratings = invented()
    assert write_report(tmp_path / "out", ratings) == [tmp_path / "out" / name for name in FILES]
    assert (tmp_path / "out" / "table2.md").read_text("utf-8") == markdown(ratings)
    with open(tmp_path / "out" / "table2.csv", newline="", encoding="utf-8") as file:
        lines = list(csv.DictReader(file))
    assert len(lines) == 4 * 7
    found = {(line["system"], line["question"]): line for line in lines}
    expected = score(ratings)["restore"]
    line = found["restore", "integrity"]
    assert float(line["mean"]) == pytest.approx(expected.mean[2], rel=1e-5)
    assert float(line["high"]) == pytest.approx(expected.mean[2] + expected.half[2], rel=1e-5)
    assert line["printed"] == "3.22"
    assert found["no fusion", "overall"]["printed"] == "2.46"
    assert found["real | songs", "overall"]["printed"] == ""
    with open(tmp_path / "out" / "pairs.csv", newline="", encoding="utf-8") as file:
        pairs = list(csv.DictReader(file))
    assert [pair["first"] for pair in pairs] == [pair.first for pair in compare(ratings)]
    assert all(math.isfinite(float(pair["needed_in_all"])) for pair in pairs)
    with open(tmp_path / "out" / "agreement.csv", newline="", encoding="utf-8") as file:
        assert len(list(csv.reader(file))) == 7


def test_a_bar_in_a_name_does_not_cut_a_table():
    for line in markdown(invented()).splitlines():
        if "real" in line and line.startswith("|"):
            assert "real \\| songs" in line

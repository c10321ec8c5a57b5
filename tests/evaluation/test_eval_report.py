import csv
import dataclasses
import re

import numpy as np
import pytest

from msw2.evaluation import eval_report, novelty
from msw2.evaluation.measures import MEASURES
from msw2.music.grid import Grid

GRID = Grid(bars=3, steps=16, pitches=14, lowest_pitch=26, beat_resolution=4)
SHAPE = (3, 16, 14, 5)  # of a phrase
NAN = np.nan


def phrases_of(number, *cells):
    phrases = np.zeros((number, *SHAPE), bool)
    for cell in cells:
        phrases[cell] = True
    return phrases


def random_phrases(number, seed, density=0.05):
    return np.random.default_rng(seed).random((number, *SHAPE)) < density


def read(path):
    with open(path, newline="", encoding="utf-8") as file:
        return {tuple(line[:4]): tuple(map(float, line[4:])) for line in list(csv.reader(file))[1:]}


# Drums sound in bar 0 of both phrases, bass in bars 0 and 1 of phrase 1.
DATASET = phrases_of(2, (slice(None), 0, 4, 2, 0), (1, slice(0, 2), slice(0, 4), 0, 3))
# Drums move to bar 1 in phrase 1; bass loses half of bar 0 and all of bar 1; piano appears.
RESTORED = phrases_of(2, (0, 0, 4, 2, 0), (1, 1, 4, 2, 0), (1, 0, slice(0, 2), 0, 3), (0, 0, 0, 0, 1))


@pytest.fixture(scope="module")
def evaluation():
    rows = {"MSR": RESTORED, "dataset": DATASET}
    return eval_report.evaluate(rows, GRID, seed=7, resamples=200, original=DATASET, restored=RESTORED)


def mean(evaluation, *key):
    return evaluation.estimates[key].mean


def test_each_row_has_every_metric_for_each_of_its_tracks(evaluation):
    assert mean(evaluation, "dataset", "EB", "correct", "bass") == pytest.approx(4 / 6)
    assert mean(evaluation, "dataset", "EB", "released", "bass") == pytest.approx(2 / 6)
    assert mean(evaluation, "dataset", "silent_phrases", "correct", "bass") == pytest.approx(1 / 2)
    assert mean(evaluation, "dataset", "bars_sounding", "correct", "drums") == pytest.approx(2 / 6)
    assert mean(evaluation, "dataset", "QN", "correct", "bass") == 1
    assert mean(evaluation, "MSR", "QN", "correct", "bass") == 0
    assert mean(evaluation, "dataset", "SR", "correct", "bass") == 1  # D, which C major has
    assert mean(evaluation, "dataset", "DP", "correct", "drums") == 1
    assert mean(evaluation, "dataset", "cells", "released", "bass") == pytest.approx(8 / 6)
    for row in ("dataset", "MSR"):
        for measure in MEASURES:
            for column in measure.columns:
                assert (row, measure.name, measure.definition, column) in evaluation.estimates


def test_metrics_of_pitch_are_not_given_for_drums(evaluation):
    given = {key[3] for key in evaluation.estimates if key[1] in {"QN", "PCE", "SR_best"}}
    assert given == {"piano", "guitar", "bass", "strings"}
    assert ("dataset", "DP", "correct", "bass") not in evaluation.estimates


def test_tonal_distance_names_its_pair():
    rows = {
        "dataset": phrases_of(1, (0, 0, 0, 10, 2), (0, 0, 1, 4, 4))
    }  # C of the guitar, F sharp of the strings
    evaluation = eval_report.evaluate(rows, GRID, seed=1, resamples=5)
    assert mean(evaluation, "dataset", "TD", "correct", "guitar-strings") == pytest.approx(np.sqrt(8))
    assert np.isnan(mean(evaluation, "dataset", "TD", "correct", "piano-bass"))


def test_restoration_is_scored_a_track_and_as_the_mean_of_those_that_sound(evaluation):
    f1 = {key[3]: estimate.mean for key, estimate in evaluation.estimates.items() if key[1] == "F1"}
    expected = {"drums": 2 / 4, "piano": 0, "guitar": NAN, "bass": 4 / 10, "strings": NAN, "mean": 0.9 / 3}
    assert f1 == pytest.approx(expected, nan_ok=True)
    notes = {key[3]: estimate.mean for key, estimate in evaluation.estimates.items() if key[1] == "F1_notes"}
    assert notes["drums"] == pytest.approx(2 / 4)  # each cell of the drums is a note
    assert notes.keys() == f1.keys()
    assert mean(evaluation, "MSR", "precision", "correct", "bass") == 1
    assert mean(evaluation, "MSR", "recall", "correct", "bass") == pytest.approx(2 / 8)
    assert mean(evaluation, "MSR", "bars_kept", "correct", "drums") == pytest.approx(1 / 2)
    # Of the bass two notes are there, and half of the first is made. Of the drums one bar of two is exact.
    bass = {
        "precision_notes": 1, "recall_notes": 1 / 2, "F1_notes": 2 / 3, "F1_notes_near": 2 / 3,
        "F1_notes_offset": 0, "notes_made": 1 / 2, "bars_exact": 0, "fragments_there": 0, "fragments_made": 1,
    }  # fmt: skip
    assert {score: mean(evaluation, "MSR", score, "correct", "bass") for score in bass} == pytest.approx(bass)
    assert mean(evaluation, "MSR", "bars_exact", "correct", "mean") == pytest.approx((1 / 2 + 0) / 2)
    assert np.isnan(mean(evaluation, "MSR", "fragments_made", "correct", "drums"))
    assert mean(evaluation, "MSR", "fragments_made", "correct", "mean") == 1  # of the piano and the bass
    assert mean(evaluation, "MSR", "bars_kept", "correct", "bass") == pytest.approx(1 / 2)


def test_cells_are_compared_with_the_dataset_even_if_it_comes_last(evaluation):
    assert mean(evaluation, "MSR", "cells_ratio", "correct", "bass") == pytest.approx(2 / 8)
    assert mean(evaluation, "MSR", "cells_ratio", "correct", "drums") == 1
    assert np.isnan(mean(evaluation, "MSR", "cells_ratio", "correct", "piano"))
    assert evaluation.estimates["dataset", "cells_ratio", "correct", "bass"] == (1, 1, 1)


def test_interval_of_a_share_is_that_of_the_binomial():
    phrases = phrases_of(400, (slice(0, 100), 1, 2, 3, 1))
    evaluation = eval_report.evaluate({"dataset": phrases}, GRID, seed=2, resamples=2000)
    estimate = evaluation.estimates["dataset", "silent_phrases", "correct", "piano"]
    half = 1.96 * np.sqrt(0.75 * 0.25 / 400)
    assert estimate == pytest.approx((0.75, 0.75 - half, 0.75 + half), abs=0.005)


def test_songs_are_resampled_with_all_their_phrases_and_generated_phrases_by_themselves():
    # 100 songs of four phrases that are alike, and their restorations; one piano of four is silent.
    alike = np.repeat(phrases_of(100, (slice(0, 25), 1, 2, 3, 1)), 4, axis=0)
    both = {"original": alike, "restored": alike}
    rows = {"dataset": alike, "MSR": alike, "MSG2": alike}
    songs = np.repeat(np.arange(100), 4)
    found = eval_report.evaluate(rows, GRID, seed=2, resamples=2000, songs=songs, **both)
    half = 1.96 * np.sqrt(0.75 * 0.25 / 100)
    for row, width in (("dataset", half), ("MSR", half), ("MSG2", half / 2)):
        estimate = found.estimates[row, "silent_phrases", "correct", "piano"]
        assert estimate == pytest.approx((0.75, 0.75 - width, 0.75 + width), abs=0.01)
    assert found.estimates["MSR", "distance_EB", "correct", "all"] == (0, 0, 0)  # drawn with its originals
    assert found.estimates["MSR", "F1_notes", "correct", "piano"] == (1, 1, 1)
    assert found.songs == 100


def test_scores_of_restored_songs_are_resampled_by_songs():
    original = phrases_of(60, (slice(None), 0, 2, 3, 1))
    restored = original.copy()
    restored[:30, 0, 2, 3, 1] = False  # three songs of six are lost
    songs = np.repeat(np.arange(6), 10)
    widths = []
    for names in (songs, None):
        found = eval_report.restoration("MSR", original, restored, names, seed=1, resamples=2000)
        estimate = found["MSR", "recall_notes", "correct", "mean"]
        assert estimate.mean == 0.5
        widths.append(estimate.high - estimate.low)
    assert widths[0] == pytest.approx(4 / 6)  # of six songs 1 to 5 are drawn in 96.5 % of the cases
    assert widths[1] == pytest.approx(2 * 1.96 * np.sqrt(0.25 / 60), rel=0.1)


def test_same_seed_gives_same_intervals_and_another_seed_others():
    rows = {"dataset": random_phrases(20, seed=1)}
    first, again, other = (eval_report.evaluate(rows, GRID, seed=seed, resamples=50) for seed in (4, 4, 5))
    key = ("dataset", "UPC", "correct", "piano")
    assert first.estimates[key] == again.estimates[key]
    assert first.estimates[key].mean == other.estimates[key].mean
    assert first.estimates[key][1:] != other.estimates[key][1:]


def test_csv_holds_every_estimate(evaluation, tmp_path):
    _, path = eval_report.write_reports(tmp_path / "eval", evaluation, split="test", preset="smoke")
    assert path.read_text().splitlines()[0] == "row,metric,definition,track,mean,low,high"
    written = read(path)
    assert written.keys() == evaluation.estimates.keys()
    for key, estimate in evaluation.estimates.items():
        assert written[key] == pytest.approx(estimate, rel=1e-5, nan_ok=True)
    assert sorted(file.name for file in path.parent.iterdir()) == ["metrics.csv", "table1.md"]


def test_markdown_sets_our_rows_beside_the_papers(evaluation, tmp_path):
    path, _ = eval_report.write_reports(tmp_path, evaluation, split="validation", preset="smoke")
    lines = path.read_text(encoding="utf-8").splitlines()
    assert lines[2].startswith("Preset `smoke`, split `validation`, seed 7; phrases: 2 in MSR, 2 in dataset.")
    assert (
        "(200 resamples of songs with all their phrases; a generated phrase is a song of its own)" in lines[2]
    )
    paper = "| *MSR, paper* | *55.9* | *71.6* | *72.5* | *50.3* | *77.3* "
    paper += "| *14* | n/a | *72* | *48* | *78* | *97.6* |"
    assert paper in lines
    assert "| *MSR, paper* | *3.18* | *3.75* | *3.20* |" in lines
    ours = next(line for line in lines if line.startswith("| dataset |")).split(" | ")
    # Drums: position 2 is band 1, out of scale; bass: position 0 is band 0, in scale.
    scale, cells = ["0.0", "n/a", "n/a", "100.0", "n/a"], ["0.33", "0.00", "0.00", "1.33", "0.00"]
    assert [cell.split(" ± ")[0] for cell in ours] == ["| dataset", *scale, *cells, "10.0"]


def test_markdown_gives_distances_in_the_units_of_the_paper(tmp_path):
    dataset = phrases_of(2, (slice(None), 0, 0, 0))  # every track: band 0, in scale, one cell in three bars
    generated = phrases_of(
        2, (slice(None), 0, 0, 0), (slice(None), 0, 1, 2, 4)
    )  # strings: band 1, out of scale, too
    rows = {"dataset": dataset, "MSG2": generated, "MSR": RESTORED}
    path, _ = eval_report.write_reports(
        tmp_path, eval_report.evaluate(rows, GRID, seed=7, resamples=10), split="test", preset="smoke"
    )
    lines = path.read_text(encoding="utf-8").splitlines()
    assert "| MSG2, generate | 10.00 ± 0.00 | 0.08 ± 0.00 | 0.00 ± 0.00 |" in lines
    assert "| *MSG2, paper* | *4.26* | *7.50* | *3.00* |" in lines
    assert "| metric | MSG2 | MSR |" in lines
    assert any(line.startswith("| Sounding cells a bar | 0.07 ± 0.00 | 0.") for line in lines)  # 1 / 3 / 5
    # Guitar and strings are silent, so that they have no SR; cells differ by 1/3 in guitar, bass and strings.
    assert any(line.startswith("| MSR, restore | n/a | 0.") for line in lines)


def test_markdown_has_what_is_alike_and_what_is_copied(tmp_path):
    dataset, made = random_phrases(6, seed=1), random_phrases(4, seed=2)
    evaluation = eval_report.evaluate(
        {"dataset": dataset, "MSG2": made}, GRID, seed=7, resamples=10, songs=np.array(list("aaabbb"))
    )
    for row, share in (("MSG2", 0.25), ("dataset", 0.5)):
        evaluation.estimates.update(novelty.estimates(row, np.full(4, share), seed=1, resamples=5))
    evaluation = dataclasses.replace(evaluation, searched=(40, 1200))
    path, _ = eval_report.write_reports(tmp_path, evaluation, split="test", preset="smoke")
    text = path.read_text(encoding="utf-8")
    assert "phrases: 6 in dataset, 4 in MSG2; those of dataset are of 2 songs. " in text
    for row in ("MSG2", "floor"):
        drums, average = (
            evaluation.estimates[row, "OA", "correct", column].mean for column in ("drums", "mean")
        )
        assert 0 < drums < 1
        section = text.partition("## Overlapping area")[2]
        line = next(line for line in section.splitlines() if re.match(rf"\| (mean)? \| {row} \|", line))
        assert line.split(" | ")[2] == f"{100 * drums:.1f}"
        assert line.endswith(f"| {100 * average:.1f} |")
    whole, half = (
        evaluation.estimates["MSG2", metric, "correct", "all"].mean for metric in ("FD", "FD_half")
    )
    assert f"| MSG2 | {whole:.2f} | {half:.2f} |" in text
    floor = evaluation.estimates["floor", "FD_half", "correct", "all"].mean
    assert f"| floor |  | {floor:.2f} |" in text
    assert "the nearest of 40 of the 1,200 training phrases" in text
    assert "| MSG2 | 25.0 ± 0.0 | 25.0 ± 0.0 | 0.0 ± 0.0 | 0.0 ± 0.0 |" in text


def test_silence_is_measured_and_written(tmp_path):
    silent = np.zeros((4, *SHAPE), bool)
    rows = {"dataset": silent, "MSG2": silent[:3]}
    evaluation = eval_report.evaluate(rows, GRID, seed=1, resamples=5, songs=np.array(list("aabb")))
    assert mean(evaluation, "MSG2", "OA_EB", "correct", "bass") == 1
    assert np.isnan(mean(evaluation, "MSG2", "OA_UPC", "correct", "bass"))
    assert mean(evaluation, "MSG2", "FD", "correct", "all") == 0
    path, _ = eval_report.write_reports(tmp_path, evaluation, split="test", preset="smoke")
    assert "nan" not in path.read_text(encoding="utf-8")


def test_markdown_tables_are_rectangular(evaluation, tmp_path):
    path, _ = eval_report.write_reports(tmp_path, evaluation, split="test", preset="smoke")
    tables = re.findall(r"(?:^\|.*\|\n)+", path.read_text(encoding="utf-8"), re.MULTILINE)
    widths = [{line.count("|") - 1 for line in table.splitlines()} for table in tables]
    assert widths == [{7}, {7}, {12}, {4}, {7}, {8}, {2}, {8}, {3}, {7}]


def test_report_without_a_restoration_says_nothing_of_it(tmp_path):
    evaluation = eval_report.evaluate({"dataset": DATASET}, GRID, seed=7, resamples=10)
    path, _ = eval_report.write_reports(tmp_path, evaluation, split="test", preset="smoke")
    assert "Restored" not in path.read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("rows", "arguments", "message"),
    [
        ({"MSR": DATASET}, {}, "rows MSR do not include 'dataset'"),
        ({"dataset": DATASET[:0]}, {}, r"dataset is bool of shape \(0, 3, 16, 14, 5\), not bool of shape"),
        ({"dataset": DATASET.astype(np.uint8)}, {}, "dataset is uint8 of shape"),
        ({"dataset": DATASET, "MSG2": DATASET[..., :4]}, {}, r"MSG2 is bool of shape \(2, 3, 16, 14, 4\)"),
        (
            {"dataset": DATASET},
            {"original": DATASET},
            "original and restored are given together or not at all",
        ),
        ({"dataset": DATASET}, {"resamples": 0}, "resamples 0 is below 1"),
        (
            {"dataset": DATASET},
            {"original": DATASET, "restored": RESTORED[:1]},
            r"prediction of shape \(1, 3, 16, 14, 5\) does not match",
        ),
    ],
)
def test_unfitting_input_is_refused(rows, arguments, message):
    with pytest.raises(ValueError, match=message):
        eval_report.evaluate(rows, GRID, seed=1, **arguments)

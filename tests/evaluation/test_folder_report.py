"""A comparison of folders so small that its figures can be counted by hand."""

import csv

import numpy as np
import pytest

from msw2.data.music_folder import MusicError, read_music
from msw2.evaluation import folder_report
from msw2.evaluation.closeness import closeness, halves
from msw2.evaluation.folder_comparison import compare_music
from msw2.evaluation.folder_report import glance, markdown, write_comparison
from msw2.evaluation.quality import overlapping_area
from msw2.music.aspects import aspects
from msw2.music.grid import Grid
from msw2.music.midi import write_song

GRID = Grid()
DRUMS, PIANO = 0, 1


def song(seed, bars, piano, length=12):
    """Each bar has notes of the piano, of one length and different pitches, and three hits of the drums."""
    rng = np.random.default_rng(seed)
    pianoroll = np.zeros((bars * 48, 84, 5), bool)
    for bar in range(bars):
        for pitch in rng.permutation(np.arange(30, 60))[:piano]:
            start = 48 * bar + rng.integers(0, 49 - length)
            pianoroll[start : start + length, pitch, PIANO] = True
        pianoroll[48 * bar + rng.choice(48, 3, replace=False), 12, DRUMS] = True
    return pianoroll


def folder(path, songs):
    for name, pianoroll in songs.items():
        write_song(path / name, pianoroll, GRID, 100)
    return path


@pytest.fixture(scope="module")
def music(tmp_path_factory):
    top = tmp_path_factory.mktemp("music")
    real = folder(top / "real", {f"{seed}.mid": song(seed, 8, 4) for seed in range(4)})
    made = folder(top / "made", {f"{seed}.mid": song(seed, 4, 2, length=2) for seed in (9, 8, 7)})
    write_song(made / "again.mid", song(9, 4, 2, length=2), GRID, 100)
    (made / "bad.mid").write_bytes(b"MThd")
    train = folder(top / "train", {"copied.mid": song(8, 4, 2, length=2), "other.mid": song(50, 8, 5)})
    return {
        row: read_music(each, GRID, limit=0, seed=0, workers=0)
        for row, each in (("real", real), ("made", made), ("train", train))
    }


@pytest.fixture(scope="module")
def comparison(music):
    return compare_music(music, GRID, seed=0)


def section(text, title):
    """Returns the lines below a title."""
    return text.partition(f"\n## {title}\n")[2].partition("\n## ")[0].splitlines()


def test_what_was_read_is_counted(comparison):
    lines = section(markdown(comparison), "What was read")
    assert [line for line in lines if line.startswith("|")] == [
        "| row | files with phrases | songs | phrases there | phrases drawn | files left out |",
        "| --- | ---: | ---: | ---: | ---: | ---: |",
        "| real | 4 | 4 | 8 | 8 | 0 |",
        "| made | 4 | 3 | 4 | 4 | 1 |",
        "| train | 2 | 2 | 3 | 3 | 0 |",
        "| row | reason | files | outcome |",
        "| --- | --- | ---: | --- |",
        "| made | damaged MIDI file | 1 | left out |",
    ]


def test_metrics_are_those_that_a_hand_counts(comparison):
    lines = section(markdown(comparison), "Metrics")

    def rows(title):
        place = next(index for index, line in enumerate(lines) if line.startswith(f"| {title}"))
        return [
            [cell.strip().partition(" ±")[0] for cell in line.split("|")[3:-1]]
            for line in lines[place : place + 2]
        ]

    silent = ["n/a"] * 3
    assert rows("Notes a sounding bar") == [["3.00", "4.00", *silent], ["3.00", "2.00", *silent]]
    assert rows("Length of a note (steps)") == [["", "12.00", *silent], ["", "2.00", *silent]]
    assert rows("Fragments") == [["", "0.0", *silent], ["", "100.0", *silent]]
    assert rows("Bars that repeat") == [["0.0", "0.0", *silent], ["0.0", "0.0", *silent]]
    assert rows("Sounding cells") == [["3.00", "48.00", *["0.00"] * 3], ["3.00", "4.00", *["0.00"] * 3]]
    assert lines[1].startswith("| metric | row | drums ")


def test_distances_are_those_of_the_aspects(music, comparison):
    real, made = music["real"], music["made"]
    vectors = [aspects(each.phrases(GRID), GRID) for each in (real, made)]
    expected = closeness(*vectors, np.repeat([0, 1, 2, 3], 2), np.array([0, 1, 2, 0]), seed=0)
    assert comparison.closeness.size == expected.size == 4
    lines = section(markdown(comparison), "How far from real songs?")
    header, _, *ratios = [line for line in lines if line.startswith("|")][:6]
    assert header == "| row | total | texture | tones | order |"
    names = ("total", "texture", "tones", "order")
    assert ratios[0] == f"| made | {' | '.join(f'{expected.ratio[name].mean:.2f}' for name in names)} |"
    assert [line.split(" | ")[0] for line in ratios[1:]] == [
        "| noise",
        "| one real song, repeated",
        "| real notes in random order",
    ]
    distances = [line for line in lines if line.startswith("|")][8:]
    for line, values in zip(distances, (expected.floor, expected.made), strict=False):
        assert line.split(" | ", 1)[1] == " | ".join(f"{values[name].mean:.2f}" for name in names) + " |"
    assert any(line.startswith("With 4 phrases, one real song, repeated (") for line in lines)


def test_overlapping_areas_and_their_floor(music, comparison):
    estimates = comparison.evaluation.estimates
    real, made = (music[row].phrases(GRID).sum(axis=(1, 2, 3))[:, PIANO] / 4.0 for row in ("real", "made"))
    assert estimates["made", "OA_cells", "correct", "piano"].mean == overlapping_area(real, made, seed=0)
    first, second = halves(music["real"].songs, np.random.default_rng(0))
    floor = overlapping_area(real[first], real[second], seed=0)
    assert estimates["floor", "OA_cells", "correct", "piano"].mean == floor
    assert section(markdown(comparison), "Overlapping area with the real songs (%)")[5].startswith(
        "| mean | made |"
    )


def test_what_is_copied_is_found(comparison):
    lines = section(markdown(comparison), "Is it copied?")
    assert "to the nearest of 3 training phrases" in lines[1]
    made = next(line for line in lines if line.startswith("| made |")).split(" | ")
    assert made[3].startswith("25.0")  # one phrase of four
    assert next(line for line in lines if line.startswith("| real |")).split(" | ")[3].startswith("0.0")
    assert any(line.startswith("made: ") and "25.0 % are near copies" in line for line in glance(comparison))


def test_without_training_songs_nothing_is_said_of_copies(music):
    found = compare_music({row: music[row] for row in ("real", "made")}, GRID, seed=0)
    assert "copied" not in markdown(found)
    lines = glance(found)
    assert lines[:3] == [
        "real         4 files        8 of 8 phrases",
        "made         4 files        4 of 4 phrases",
        "        1 damaged MIDI file",
    ]
    assert lines[3].split() == [
        "distance",
        "/",
        "floor,",
        "4",
        "phrases",
        "total",
        "texture",
        "tones",
        "order",
    ]
    ratios = [found.closeness.ratio[name].mean for name in ("total", "texture", "tones", "order")]
    assert lines[4].split() == ["made", *(f"{ratio:.1f}" for ratio in ratios)]
    assert [line.split()[0] for line in lines[5:8]] == ["noise", "one", "real"]
    assert lines[8].startswith("With 4 phrases, ")


def test_files_are_whole_and_the_same_again(tmp_path, comparison):
    paths = write_comparison(tmp_path / "out", comparison)
    assert [path.name for path in paths] == ["compare.md", "compare.csv", "compare.png"]
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == sorted(path.name for path in paths)
    assert paths[0].read_text("utf-8") == markdown(comparison)
    with paths[1].open(encoding="utf-8", newline="") as file:
        lines = {
            (line["row"], line["metric"], line["track"]): float(line["mean"]) for line in csv.DictReader(file)
        }
    assert lines["made", "notes_a_bar", "piano"] == 2
    assert lines["made", "FD", "all"] == pytest.approx(comparison.closeness.made["total"].mean, rel=1e-5)
    assert lines["floor", "FD_order", "all"] == pytest.approx(
        comparison.closeness.floor["order"].mean, rel=1e-5
    )
    assert lines["noise", "FD_ratio", "all"] == pytest.approx(
        comparison.controls["noise"].ratio["total"].mean, rel=1e-5
    )
    assert lines["made", "near_copies", "all"] == 0.25
    assert paths[2].read_bytes()[:4] == b"\x89PNG"
    before = [path.read_bytes() for path in paths]
    assert [path.read_bytes() for path in write_comparison(tmp_path / "out", comparison)] == before


def test_a_report_that_fails_leaves_the_earlier_one(tmp_path, comparison, monkeypatch):
    (tmp_path / "compare.png").write_bytes(b"earlier")
    monkeypatch.setattr(folder_report, "draw_comparison", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        write_comparison(tmp_path, comparison)
    assert (tmp_path / "compare.png").read_bytes() == b"earlier"


def test_one_real_song_is_refused(tmp_path, music):
    folder(tmp_path / "one", {"a.mid": song(3, 16, 4), "copy.mid": song(3, 16, 4)})
    one = read_music(tmp_path / "one", GRID, limit=0, seed=0, workers=0)
    with pytest.raises(MusicError, match=r"^the real phrases are of one song"):
        compare_music({"real": one, "made": music["made"]}, GRID, seed=0)

import numpy as np
import pytest
from matplotlib.colors import to_hex
from matplotlib.image import imread

from msw2.evaluation import figures
from msw2.music.grid import Grid

GRID = Grid(bars=3, steps=16, pitches=28, lowest_pitch=34, beat_resolution=4)


def song_of(*cells, steps=48):
    song = np.zeros((steps, 28, 5), bool)
    for cell in cells:
        song[cell] = True
    return song


@pytest.fixture
def drawn(monkeypatch):
    """The figures that were saved, to look into."""
    saved = []
    save = figures._save
    monkeypatch.setattr(figures, "_save", lambda figure, path: (saved.append(figure), save(figure, path)))
    return saved


def boxes(axis):
    """The corners (left, low, right, high) of the notes drawn in an axis."""
    vertices = [path.get_extents().extents for path in axis.collections[0].get_paths()]
    return sorted(tuple(map(int, box)) for box in vertices)


def test_note_boxes_are_runs_of_cells():
    roll = np.zeros((9, 5), bool)
    roll[0:2, 3] = roll[3, 3] = roll[7:9, 1] = True
    assert figures.note_boxes(roll).tolist() == [[7, 9, 1], [0, 2, 3], [3, 4, 3]]
    assert figures.note_boxes(roll[:0]).shape == (0, 3)


def test_notes_of_every_track_stand_where_they_sound(tmp_path, drawn):
    songs = {"original": song_of((slice(5, 9), 14, 1), (20, 3, 4)), "restored": song_of((5, 14, 1), steps=32)}
    figures.draw_pianorolls(tmp_path / "song.png", songs, GRID)
    axes = np.array(drawn[0].axes).reshape(5, 2)
    assert [boxes(axis) for axis in axes[:, 0]] == [[], [(5, 14, 9, 15)], [], [], [(20, 3, 21, 4)]]
    assert [boxes(axis) for axis in axes[:, 1]] == [[], [(5, 14, 6, 15)], [], [], []]
    assert [axis.get_title() for axis in axes[0]] == ["original", "restored"]
    assert [axis.get_ylabel() for axis in axes[:, 0]] == ["drums", "piano", "guitar", "bass", "strings"]
    assert {axis.get_xlim() for axis in axes.flat} == {(0, 48)}
    colours = [to_hex(axis.collections[0].get_facecolor()[0]) for axis in axes[:, 0]]
    assert colours == list(figures.COLOURS)
    assert len(set(colours)) == 5


def test_bars_beats_and_octaves_are_ruled(tmp_path, drawn):
    # Positions 2, 14 and 26 are C2, C3 and C4 (MIDI 36, 48, 60).
    song = song_of((0, 3, 1), (0, 25, 1), (40, 9, 2), steps=47)
    figures.draw_pianorolls(tmp_path / "song.png", {"": song}, GRID)
    piano, guitar = drawn[0].axes[1:3]
    assert [label.get_text() for label in piano.get_yticklabels()] == ["C2", "C3", "C4"]
    assert piano.get_yticks().tolist() == [2, 14, 26]
    assert piano.get_ylim() == (1, 28)
    assert guitar.get_ylim() == (7, 19)
    strings = drawn[0].axes[4]
    assert strings.get_xticks().tolist() == [0, 16, 32]
    assert [label.get_text() for label in strings.get_xticklabels()] == ["1", "2", "3"]
    assert set(range(0, 48, 4)) - set(strings.get_xticks()) <= set(strings.get_xticks(minor=True))


def test_long_songs_number_only_some_bars(tmp_path, drawn):
    figures.draw_pianorolls(tmp_path / "song.png", {"long": song_of((0, 3, 1), steps=16 * 70)}, GRID)
    assert [label.get_text() for label in drawn[0].axes[4].get_xticklabels()] == [
        str(n) for n in range(1, 71, 4)
    ]


def test_png_has_ink_where_there_are_notes_and_the_same_bytes_each_time(tmp_path):
    loud, silent = song_of((slice(0, 40), slice(3, 9), 3)), song_of()
    for name, song in (("loud", loud), ("again", loud), ("silent", silent)):
        figures.draw_pianorolls(tmp_path / f"{name}.png", {"song": song}, GRID)
    assert (tmp_path / "loud.png").read_bytes() == (tmp_path / "again.png").read_bytes()
    bass = np.array([int(figures.COLOURS[3][i : i + 2], 16) / 255 for i in (1, 3, 5)])
    share = {}
    for name in ("loud", "silent"):
        pixels = imread(tmp_path / f"{name}.png")[..., :3]
        share[name] = np.isclose(pixels, bass, atol=0.01).all(axis=-1).mean()
    assert share["loud"] > 0.05
    assert share["silent"] < 0.002
    assert sorted(file.name for file in tmp_path.iterdir()) == ["again.png", "loud.png", "silent.png"]


def test_unfitting_songs_are_refused(tmp_path):
    with pytest.raises(ValueError, match="no songs were given"):
        figures.draw_pianorolls(tmp_path / "song.png", {}, GRID)
    with pytest.raises(
        ValueError, match=r"song 'x' of shape \(9, 28, 4\) is not \[step, 28 pitches, 5 tracks\]"
    ):
        figures.draw_pianorolls(tmp_path / "song.png", {"x": np.zeros((9, 28, 4), bool)}, GRID)


def test_history_is_read_by_column(tmp_path):
    (tmp_path / "history.csv").write_text("epoch,loss,val_loss\n1,0.5,\n2,0.25,0.75\n")
    history = figures.read_history(tmp_path / "history.csv")
    assert list(history) == ["epoch", "loss", "val_loss"]
    assert history["loss"] == [0.5, 0.25]
    assert history["val_loss"] == pytest.approx([np.nan, 0.75], nan_ok=True)


def test_broken_history_is_refused(tmp_path):
    (tmp_path / "history.csv").write_text("epoch,loss\n1,0.5\n2\n")
    with pytest.raises(ValueError, match="has 1 cells in line 3; its header has 2"):
        figures.read_history(tmp_path / "history.csv")


def test_curves_show_training_and_validation_with_a_fitting_scale(tmp_path, drawn):
    histories = {
        "steep": {"loss": [90.0, 9.0, 3.0], "val_loss": [95.0, np.nan, 7.0]},
        "flat": {"loss": [3.0, 2.0], "kl": [5.0, 500.0]},
        "negative": {"loss": [100.0, -1.0]},
        "short": {"loss": [4.0]},
    }
    figures.draw_curves(tmp_path / "curves.png", histories)
    axes = [axis for axis in drawn[0].axes if axis.get_visible()]
    assert [axis.get_title() for axis in axes] == list(histories)
    assert [axis.get_yscale() for axis in axes] == ["log", "linear", "linear", "linear"]
    lines = {line.get_label(): line.get_xydata().tolist() for line in axes[0].get_lines()}
    assert lines == {"training": [[1, 90], [2, 9], [3, 3]], "validation": [[1, 95], [3, 7]]}
    assert [line.get_label() for line in axes[1].get_lines()] == ["training"]
    assert imread(tmp_path / "curves.png").shape == (806, 1716, 4)


def test_several_columns_have_a_row_of_panels_each(tmp_path, drawn):
    histories = {
        "drums": {"loss": [9.0, 1.0], "accuracy": [0.25, 0.5], "val_loss": [8.0, 2.0]},
        "bass": {"loss": [3.0, 0.1], "accuracy": [0.01, 0.75], "val_accuracy": [0.02, 0.5]},
    }
    figures.draw_curves(tmp_path / "curves.png", histories, ("accuracy", "loss"))
    axes = np.array(drawn[0].axes).reshape(2, 2)
    assert [[axis.get_title() for axis in row] for row in axes] == [["drums", "bass"]] * 2
    assert [[axis.get_ylabel() for axis in row] for row in axes] == [["accuracy"] * 2, ["loss"] * 2]
    lines = [[line.get_ydata().tolist() for line in axis.get_lines()] for axis in axes.flat]
    assert lines == [[[0.25, 0.5]], [[0.01, 0.75], [0.02, 0.5]], [[9, 1], [8, 2]], [[3, 0.1]]]
    # A share is read against 0 and 1, however small it was at first.
    assert [axis.get_yscale() for axis in axes.flat] == ["linear", "linear", "linear", "log"]


def test_curves_of_another_column_or_none_at_all(tmp_path, drawn):
    history = {"loss": [1.0], "kl": [5.0, 500.0]}
    figures.draw_curves(tmp_path / "curves.png", {"bass": history}, columns=["kl"])
    assert drawn[0].axes[0].get_lines()[0].get_ydata().tolist() == [5, 500]
    with pytest.raises(ValueError, match="history 'bass' has no column 'val_f1', only loss, kl"):
        figures.draw_curves(tmp_path / "curves.png", {"bass": history}, columns=["loss", "val_f1"])
    with pytest.raises(ValueError, match="no histories were given"):
        figures.draw_curves(tmp_path / "curves.png", {})

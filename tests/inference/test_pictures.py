import numpy as np
import pytest
from matplotlib.colors import to_hex
from matplotlib.image import imread

from msw2.inference import pictures
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
    save = pictures.save_figure
    monkeypatch.setattr(
        pictures, "save_figure", lambda figure, path: (saved.append(figure), save(figure, path))
    )
    return saved


def boxes(axis):
    """The corners (left, low, right, high) of the notes drawn in an axis."""
    return corners(axis.collections[0])


def corners(collection):
    """The same of one collection."""
    return sorted(tuple(map(int, path.get_extents().extents)) for path in collection.get_paths())


def test_notes_of_every_track_stand_where_they_sound(tmp_path, drawn):
    songs = {"original": song_of((slice(5, 9), 14, 1), (20, 3, 4)), "restored": song_of((5, 14, 1), steps=32)}
    pictures.draw_pianorolls(tmp_path / "song.png", songs, GRID)
    axes = np.array(drawn[0].axes).reshape(5, 2)
    assert [boxes(axis) for axis in axes[:, 0]] == [[], [(5, 14, 9, 15)], [], [], [(20, 3, 21, 4)]]
    assert [boxes(axis) for axis in axes[:, 1]] == [[], [(5, 14, 6, 15)], [], [], []]
    assert [axis.get_title() for axis in axes[0]] == ["original", "restored"]
    assert [axis.get_ylabel() for axis in axes[:, 0]] == ["drums", "piano", "guitar", "bass", "strings"]
    assert {axis.get_xlim() for axis in axes.flat} == {(0, 48)}
    colours = [to_hex(axis.collections[0].get_facecolor()[0]) for axis in axes[:, 0]]
    assert colours == list(pictures.COLOURS)
    assert len(set(colours)) == 5


def test_bars_beats_and_octaves_are_ruled(tmp_path, drawn):
    # Positions 2, 14 and 26 are C2, C3 and C4 (MIDI 36, 48, 60).
    song = song_of((0, 3, 1), (0, 25, 1), (40, 9, 2), steps=47)
    pictures.draw_pianorolls(tmp_path / "song.png", {"": song}, GRID)
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
    pictures.draw_pianorolls(tmp_path / "song.png", {"long": song_of((0, 3, 1), steps=16 * 70)}, GRID)
    assert [label.get_text() for label in drawn[0].axes[4].get_xticklabels()] == [
        str(n) for n in range(1, 71, 4)
    ]


def test_png_has_ink_where_there_are_notes_and_the_same_bytes_each_time(tmp_path):
    loud, silent = song_of((slice(0, 40), slice(3, 9), 3)), song_of()
    for name, song in (("loud", loud), ("again", loud), ("silent", silent)):
        pictures.draw_pianorolls(tmp_path / f"{name}.png", {"song": song}, GRID)
    assert (tmp_path / "loud.png").read_bytes() == (tmp_path / "again.png").read_bytes()
    bass = np.array([int(pictures.COLOURS[3][i : i + 2], 16) / 255 for i in (1, 3, 5)])
    share = {}
    for name in ("loud", "silent"):
        pixels = imread(tmp_path / f"{name}.png")[..., :3]
        share[name] = np.isclose(pixels, bass, atol=0.01).all(axis=-1).mean()
    assert share["loud"] > 0.05
    assert share["silent"] < 0.002
    assert sorted(file.name for file in tmp_path.iterdir()) == ["again.png", "loud.png", "silent.png"]


def test_what_was_given_is_paler_than_what_was_made(tmp_path, drawn):
    song = song_of((slice(10, 20), 14, 1), (slice(30, 34), 3, 1), (2, 5, 4))
    given = np.ones((3, 5), bool)
    given[1, 1] = False  # steps 16 to 31 of the piano
    pictures.draw_pianorolls(tmp_path / "song.png", {"a": song, "b": song}, GRID, given={"b": given})
    axes = np.array(drawn[0].axes).reshape(5, 2)
    made, kept = axes[1, 1].collections
    assert corners(made) == [(16, 14, 20, 15), (30, 3, 32, 4)]
    assert corners(kept) == [(10, 14, 16, 15), (32, 3, 34, 4)]
    assert to_hex(made.get_facecolor()[0]) == pictures.COLOURS[1]
    assert to_hex(kept.get_facecolor()[0]) == to_hex(pictures.pale(pictures.COLOURS[1]))
    assert len(axes[1, 0].collections) == 1  # of a song that nothing is said about
    (legend,) = drawn[0].legends
    assert [text.get_text() for text in legend.get_texts()] == ["given", "made"]


def test_without_anything_given_there_is_no_legend(tmp_path, drawn):
    pictures.draw_pianorolls(tmp_path / "song.png", {"a": song_of((2, 5, 4))}, GRID)
    assert not drawn[0].legends


def test_a_pale_colour_is_mixed_with_white():
    assert pictures.pale("#0033ff") == pytest.approx((0.6, 0.68, 1.0))


def test_unfitting_songs_are_refused(tmp_path):
    with pytest.raises(ValueError, match="no songs were given"):
        pictures.draw_pianorolls(tmp_path / "song.png", {}, GRID)
    with pytest.raises(
        ValueError, match=r"song 'x' of shape \(9, 28, 4\) is not \[step, 28 pitches, 5 tracks\]"
    ):
        pictures.draw_pianorolls(tmp_path / "song.png", {"x": np.zeros((9, 28, 4), bool)}, GRID)

"""`make continue`, `infill`, `accompany`, `interpolate`, `vary` and `generate --bars` as the user meets them."""

import itertools
import runpy

import numpy as np
import pytest

from msw2.cli import accompany, continue_, generate, infill, interpolate, vary
from msw2.cli.launch import OptionError
from msw2.inference import song_files
from msw2.inference.songs import Composer, NoComposerError
from msw2.inference.verbs import VerbError
from msw2.music.grid import Grid
from msw2.music.midi import read_song, write_song
from msw2.music.pianoroll import load_npz
from msw2.page.about import read_about
from msw2.page.folder import read_folder

GRID = Grid()
VERBS = continue_, infill, accompany, interpolate, vary


@pytest.fixture(scope="module")
def song(tmp_path_factory):
    """(path, cells) of a MIDI file of six bars."""
    cells = np.zeros((6 * 48, 84, 5), bool)
    for track in range(5):
        for bar in range(6):
            cells[48 * bar : 48 * bar + 40, 36 + 2 * ((track + bar) % 3), track] = True
    path = tmp_path_factory.mktemp("songs") / "my song.mid"
    write_song(path, cells, GRID, 77)
    return path, cells


@pytest.fixture
def shades(monkeypatch):
    """What each picture was asked to draw as given."""
    seen = []
    draw = song_files.draw_pianorolls

    def drawn(path, songs, grid, *, given):
        seen.append({title: given[title].tolist() for title in songs})
        draw(path, songs, grid, given=given)

    monkeypatch.setattr(song_files, "draw_pianorolls", drawn)
    return seen


def made(run, done, name="my song"):
    folder = run.path / "samples" / done
    song = read_song(folder / f"{name}.mid", GRID)
    cells, tempo = load_npz(folder / f"{name}.npz", GRID)
    np.testing.assert_array_equal(song.pianoroll, cells)
    assert (song.tempo, tempo) == (pytest.approx(77, abs=0.01), pytest.approx(77, abs=0.01))
    return cells, read_about(folder / f"{name}.json")


def test_a_song_is_continued_with_all_its_files(command, song_home, song, shades, capsys):
    path, cells = song
    command(continue_, f"--run={song_home.path}", f"--midi={path}", "--bars=2", "--seed=5")
    folder = song_home.path / "samples" / "continued"
    kinds = ("json", "mid", "npz", "ogg", "png", "wav")
    names = [f"my song.{kind}" for kind in kinds] + [f"my song-original.{k}" for k in ("mid", "ogg", "wav")]
    assert sorted(file.name for file in folder.iterdir()) == sorted(names)
    page = song_home.path / "samples" / "index.html"
    assert capsys.readouterr().out == f"1 song continued: {folder}\nto listen: {page}\n"
    longer, about = made(song_home, "continued")
    assert len(longer) == 8 * 48
    np.testing.assert_array_equal(longer[: len(cells)], cells)
    assert (about.made, about.seeds, about.preset) == ("continued", (5,), "smoke")
    assert about.figures["made"] == "bars 7 to 8"
    given = 6 * [[True] * 5] + 2 * [[False] * 5]
    assert shades == [{"original": [[True] * 5], "continued: bars 7 to 8": given}]


def test_bars_are_infilled(command, song_home, song):
    path, cells = song
    command(infill, f"--run={song_home.path}", f"--midi={path}", "--bars=2-3", "--noaudio")
    filled, about = made(song_home, "infilled")
    kept = np.r_[:48, 3 * 48 : 6 * 48]
    np.testing.assert_array_equal(filled[kept], cells[kept])
    assert about.figures["made"] == "bars 2 to 3"
    original = read_song(song_home.path / "samples" / "infilled" / "my song-original.mid", GRID)
    np.testing.assert_array_equal(original.pianoroll, cells)


def test_tracks_are_accompanied(command, song_home, song, shades):
    path, cells = song
    command(accompany, f"--run={song_home.path}", f"--midi={path}", "--tracks=bass,drums", "--noaudio")
    played, about = made(song_home, "accompanied")
    np.testing.assert_array_equal(played[..., [1, 2, 4]], cells[..., [1, 2, 4]])
    assert about.figures["made"] == "drums, bass"
    assert shades[0]["accompanied: drums, bass"] == 6 * [[False, True, True, False, True]]


def test_a_song_is_varied(command, song_home, song, shades):
    path, cells = song
    command(vary, f"--run={song_home.path}", f"--midi={path}", "--amount=0.5", "--noaudio")
    other, about = made(song_home, "varied")
    assert other.shape == cells.shape
    assert about.figures["made"] == "amount 0.5"
    kept = (other == cells).reshape(6, 48, 84, 5).all(axis=(1, 2))
    assert 0.2 < kept.mean() < 0.8
    assert shades[0]["varied: amount 0.5"] == kept.tolist()
    assert {"notes a bar", "F1 of cells, %"} <= about.figures.keys()


def test_a_path_stands_beside_its_two_ends(command, song_home, song, tmp_path):
    path, cells = song
    write_song(tmp_path / "b.mid", cells[48:], GRID, 90)
    run = f"--run={song_home.path}"
    command(interpolate, run, f"--midi={path}", f"--to={tmp_path / 'b.mid'}", "--points=3", "--noaudio")
    cells_of_path, about = made(song_home, "interpolated", "my song-to-b")
    assert len(cells_of_path) == 12 * 48
    assert about.figures["made"] == "3 phrases"
    songs, left_out = read_folder(song_home.path / "samples" / "interpolated", GRID)
    assert not left_out
    ends, _ = songs[0].versions
    assert ends.label == "original"
    np.testing.assert_array_equal(ends.pianoroll, np.concatenate([cells[: 4 * 48], cells[48 : 5 * 48]]))


def test_songs_of_the_store_have_seeds_of_their_own(command, song_home, tiny_store, monkeypatch):
    asked = []

    def complete(composer, song, given, *, seed, temperature, told):
        asked.append((len(song), seed, temperature))
        return song

    monkeypatch.setattr(Composer, "complete", complete)
    store = f"--store={tiny_store.path}", "--split=train", "--songs=2"
    command(continue_, f"--run={song_home.path}", *store, "--bars=3", "--seed=4", "--temperature=0.5")
    assert asked == [(11, 4, 0.5), (11, 5, 0.5)]


def test_songs_of_the_store_have_a_path_from_each_to_the_next(command, song_home, tiny_store, capsys):
    store = f"--store={tiny_store.path}", "--split=train"
    command(interpolate, f"--run={song_home.path}", *store, "--songs=3", "--points=2", "--noaudio")
    names = [song.name for _, song in zip(range(3), tiny_store.songs("train"), strict=False)]
    folder = song_home.path / "samples" / "interpolated"
    for first, second in itertools.pairwise(names):
        assert (folder / f"{first}-to-{second}.mid").exists()
    assert capsys.readouterr().out.startswith("2 songs interpolated: ")
    with pytest.raises(OptionError, match=r"^a path has two ends, and there is one song: give more --songs"):
        command(interpolate, f"--run={song_home.path}", *store, "--songs=1")


def test_songs_of_bars_are_generated_whole(command, song_home, capsys):
    command(generate, f"--run={song_home.path}", "--songs=2", "--bars=6", "--seed=3", "--noaudio")
    folder = song_home.path / "samples" / "generated"
    assert capsys.readouterr().out.startswith(f"2 songs of 6 bars, seed 3: {folder}\n")
    for index, seed in enumerate((3, 4)):
        song, _ = load_npz(folder / f"song-00{index}.npz", GRID)
        assert len(song) == 6 * 48
        assert read_about(folder / f"song-00{index}.json").seeds == (seed,)


@pytest.fixture
def refused(command, song_home, song, monkeypatch):
    """Returns a function (verb, flag) that runs a command which has to end before the weights are read."""
    monkeypatch.setattr(Composer, "of", None)
    return lambda verb, asked: command(verb, f"--run={song_home.path}", f"--midi={song[0]}", asked)


@pytest.mark.parametrize(
    ("verb", "asked", "message"),
    [
        (infill, "--bars=5-7", r"^my song: bars 5 to 7 are not in a song of 6 bars: they count from 1$"),
        (infill, "--bars=five", r"^--bars=five is no range of bars such as 5-8, and no bar such as 5$"),
        (infill, "--seed=0", r"^--bars is missing: it names the bars to write, such as 5-8$"),
        (
            accompany,
            "--tracks=bass,flute",
            r"^track 'flute' is not one of drums, piano, guitar, bass, strings",
        ),
        (
            accompany,
            "--seed=0",
            r"^no track to write: name one or more of drums, piano, guitar, bass, strings$",
        ),
        (continue_, "--bars=4096", r"^my song: 4096 bars cannot follow a song of 6 bars"),
        (interpolate, "--seed=0", r"^a path has two ends: give --midi and --to, or neither"),
    ],
)
def test_what_does_not_fit_is_refused_before_the_weights_are_read(refused, verb, asked, message):
    with pytest.raises((OptionError, VerbError), match=message):
        refused(verb, asked)


def test_bars_are_read_as_people_write_them():
    assert infill.asked_bars("5-8") == (5, 8)
    assert infill.asked_bars("12") == (12, 12)
    for text in ("", "-3", "3-", "1-2-3", "5 - 8", "٣"):
        with pytest.raises(OptionError):
            infill.asked_bars(text)


def test_a_prior_of_phrases_is_refused(command, own_run, song, monkeypatch):
    monkeypatch.setattr("msw2.training.runs.Run.load_sandwich", None)
    message = r"^the prior 'mixture' of this model has learnt phrases, not songs: take the packaged weights"
    with pytest.raises(NoComposerError, match=message):
        command(continue_, f"--run={own_run.path}", f"--midi={song[0]}")
    with pytest.raises(NoComposerError, match=message):
        command(generate, f"--run={own_run.path}", "--bars=8")
    with pytest.raises(OptionError, match=r"^--bars and --phrases do not go together"):
        command(generate, f"--run={own_run.path}", "--bars=8", "--phrases=2")


@pytest.mark.parametrize("verb", VERBS, ids=lambda module: module.__name__)
def test_errors_of_the_user_are_sentences_and_a_word_is_the_song(verb, monkeypatch):
    given = []

    def launch(_, __, *errors, positional):
        given.append((errors, positional))

    monkeypatch.setattr("msw2.cli.launch.launch", launch)
    runpy.run_path(verb.__file__, run_name="__main__")
    ((errors, positional),) = given
    assert positional == "midi"
    assert {NoComposerError, VerbError, OSError} <= set(errors)

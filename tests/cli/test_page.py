"""`make page` as the user meets it."""

import numpy as np
import pytest

from msw2.cli import page
from msw2.cli.launch import OptionError
from msw2.music.grid import Grid
from msw2.music.midi import write_song
from msw2.sound.soundfont import SoundError


@pytest.fixture
def samples(tmp_path):
    """A run's samples: one song, and a file that is none."""
    folder = tmp_path / "demo" / "samples"
    cells = np.zeros((96, 84, 5), bool)
    cells[5:30, 40, 3] = True
    write_song(folder / "generated" / "song-000.mid", cells, Grid(), 100)
    (folder / "generated" / "bad.mid").write_bytes(b"RIFF")
    return folder


def test_a_folder_becomes_a_page(command, samples, capsys):
    command(page, f"--folder={samples}")
    text = (samples / "index.html").read_text("utf-8")
    assert "<title>demo: samples</title>" in text
    assert '"name":"generated/song-000"' in text
    size = len(text.encode("utf-8")) / 1e6
    assert capsys.readouterr().out == (
        f"left out: {samples / 'generated' / 'bad.mid'}: not a Standard MIDI file\n"
        f"1 songs, {size:.1f} MB: {samples / 'index.html'}\n"
    )


def test_the_page_has_the_place_and_title_that_are_asked_for(command, samples, tmp_path):
    command(page, f"--folder={samples}", f"--out={tmp_path / 'new' / 'a.html'}", "--title=My <songs>")
    assert "<title>My &lt;songs&gt;</title>" in (tmp_path / "new" / "a.html").read_text("utf-8")
    assert not (samples / "index.html").exists()


def test_facts_that_cannot_be_read_do_not_look_like_a_song_that_is_left_out(command, samples, capsys):
    (samples / "generated" / "song-000.json").write_text("{}")
    command(page, f"--folder={samples}")
    first = capsys.readouterr().out.splitlines()[0]
    facts = samples / "generated" / "song-000.json"
    assert first == f'left out: facts in {facts}: not facts about a song: it has no "msw2": 1'


def test_a_folder_as_the_page_and_a_bad_soundfont_are_refused_before_the_songs_are_read(
    command, samples, monkeypatch
):
    monkeypatch.setattr(page, "read_folder", None)
    with pytest.raises(OptionError, match=r"generated is a folder: --out names an HTML file to write$"):
        command(page, f"--folder={samples}", f"--out={samples / 'generated'}")
    with pytest.raises(SoundError, match=r"none.sf2 cannot be read"):
        command(page, f"--folder={samples}", "--soundfont=none.sf2")


def test_a_folder_has_to_be_named(command):
    with pytest.raises(OptionError, match="--folder is missing"):
        command(page)

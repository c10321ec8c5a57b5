"""The notebook that shows msw2 to people who program: it runs, and it is committed as it came out."""

import re

import nbformat
import pytest

from .tour import KERNEL, ROOT, TOUR, execute

MOST_BYTES = 1_500_000
PICTURE, SOUND = "image/png", 'src="data:audio/ogg;base64,T2dnUw'  # an Ogg file begins with OggS


@pytest.fixture(scope="module")
def committed():
    return nbformat.read(TOUR, as_version=4)


@pytest.fixture(scope="module")
def executed(committed, tmp_path_factory):
    """What the cells give now; a cell that fails raises."""
    return execute(committed, tmp_path_factory.mktemp("tour"))


def code(notebook):
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def kinds(cell):
    """What a cell shows: the names of streams, and the sorted types of each display."""
    return [output.get("name") or sorted(output.data) for output in cell.outputs]


def shown(notebook):
    """Returns how many pictures and sounds a notebook has."""
    data = [output.get("data", {}) for cell in code(notebook) for output in cell.outputs]
    return sum(PICTURE in each for each in data), sum(SOUND in each.get("text/html", "") for each in data)


def test_it_runs_and_shows_pictures_and_sounds(executed):
    pictures, sounds = shown(executed)
    assert (pictures, sounds) == (4, 3)


def test_it_is_committed_with_what_its_cells_show(committed, executed):
    assert shown(committed) == shown(executed)
    assert [kinds(cell) for cell in code(committed)] == [kinds(cell) for cell in code(executed)]
    assert not any("stderr" in kinds(cell) for cell in code(committed))


def test_it_is_committed_as_executed_once_from_top_to_bottom(committed):
    nbformat.validate(committed)
    cells = code(committed)
    assert [cell.execution_count for cell in cells] == list(range(1, len(cells) + 1))
    assert committed.metadata == {"kernelspec": KERNEL, "language_info": {"name": "python"}}
    assert not any(cell.metadata for cell in committed.cells)


def test_it_is_small_and_names_no_place_of_the_machine_that_ran_it(committed):
    assert TOUR.stat().st_size <= MOST_BYTES
    text = re.sub(r"base64,[\w+/=]+", "", TOUR.read_text("utf-8"))
    for name in (str(ROOT), "/home/", "/root/", "/tmp/"):
        assert name not in text


def test_what_the_cells_say_holds(executed):
    printed = "".join(output.get("text", "") for cell in code(executed) for output in cell.outputs)
    assert "the same seed gives the same song: True" in printed
    assert "restored alike: True" in printed
    shares = dict(re.findall(r"^(drums|piano|bass|strings) +(\d+) %$", printed, re.MULTILINE))
    assert list(shares) == ["drums", "piano", "bass", "strings"]
    assert "guitar   silent in both" in printed
    assert int(shares["drums"]) >= 80  # packaged weights restore a plain beat

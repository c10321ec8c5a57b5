"""Executes examples/tour.ipynb; `python tests/tour.py` also writes it back, with its new outputs."""

import os
import pathlib
import tempfile

import nbformat
from nbclient import NotebookClient

ROOT = pathlib.Path(__file__).parents[1]
TOUR = ROOT / "examples" / "tour.ipynb"
KERNEL = {"display_name": "Python 3", "language": "python", "name": "python3"}


def execute(notebook: nbformat.NotebookNode, folder: str | os.PathLike) -> nbformat.NotebookNode:
    """Returns a notebook with the outputs of its cells, executed one after another in a fresh process.

    Args:
        notebook: with or without outputs; not changed.
        folder: where its files go.

    Raises:
        nbclient.exceptions.CellExecutionError: if a cell fails.
    """
    made = nbformat.from_dict(notebook)
    made.metadata = nbformat.from_dict({"kernelspec": KERNEL, "language_info": {"name": "python"}})
    client = NotebookClient(
        made,
        timeout=300,
        kernel_name=KERNEL["name"],
        record_timing=False,
        resources={"metadata": {"path": str(folder)}},
    )
    own = {"PYTHONPATH": str(ROOT), "IPYTHONDIR": str(folder)}  # this msw2, and nothing in the user's home
    client.execute(env={**os.environ, **own})
    made.metadata.language_info = {"name": "python"}  # without the version of this Python
    return made


def main() -> None:
    """Executes the notebook and writes it back."""
    with tempfile.TemporaryDirectory() as folder:
        notebook = execute(nbformat.read(TOUR, as_version=4), folder)
    nbformat.write(notebook, TOUR)


if __name__ == "__main__":
    main()

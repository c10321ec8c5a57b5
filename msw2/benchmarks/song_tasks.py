"""What a worker does to measure `make data`: the store of Freedoom's songs, and pretty_midi on the same files.

Jobs have `freedoom`: the folder with the songs, which are there.
"""

import itertools
import pathlib
import tempfile
import warnings

from msw2.data.build import build_store
from msw2.data.freedoom import freedoom


def build(job: dict):
    """Builds the store as `make data` does, in processes of its own. A slice is so many stores."""

    def run(amount):
        for _ in range(amount):
            with tempfile.TemporaryDirectory() as scratch:
                manifest = build_store(freedoom(job["freedoom"]), pathlib.Path(scratch) / "store")
        return amount * manifest["files"], ()

    return run


def parse(job: dict):
    """Merely parses songs, one after the other in one process. A slice is so many of them, from the first on.

    Some are too damaged for pretty_midi.
    """
    import pretty_midi  # noqa: PLC0415 - in the test extra only

    paths = [item.path for item in freedoom(job["freedoom"]).items]

    def run(amount):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of tempo changes in the wrong track
            for path in itertools.islice(itertools.cycle(paths), amount):
                try:
                    pretty_midi.PrettyMIDI(path)
                except Exception:  # whatever it makes of such a file, it has been through it
                    continue
        return amount, ()

    return run

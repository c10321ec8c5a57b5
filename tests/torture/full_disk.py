"""Campaign: everything that msw2 writes goes to disks that are too small, or only read; then once more with room.

The disks are real, of the kind that lies in memory, which needs the right to mount them. A write that fails is one
sentence that names the file; what was there before stays whole, and nothing else is left.
"""

import contextlib
import io
import pathlib
import subprocess
import tempfile
import types
from collections.abc import Callable, Iterator

import keras
import numpy as np
from mutations import GRID, song
from tally import Tally

from msw2.cli import machine_errors
from msw2.data.build import build_store
from msw2.data.midi_folder import midi_folder
from msw2.evaluation.figures import draw_curves
from msw2.inference.model_file import write_model_file
from msw2.inference.song_files import MadeSong, draw_songs, write_songs
from msw2.inference.trained import Trained
from msw2.models.weights import write_weights
from msw2.page.about import About
from msw2.page.build import build_page
from msw2.page.folder import read_folder
from msw2.serving.export import export_run
from msw2.sound.song_audio import write_song_audio
from msw2.system import files
from msw2.system.files import replacing
from msw2.system.locks import alone
from msw2.training import fit

PAGE = 4096  # bytes: sizes of such disks are whole pages
ROOM = 2**28


class Disk:
    """A disk of a size that can be changed. Its files are gone at the end of the block."""

    def __init__(self):
        self._folder = tempfile.TemporaryDirectory()
        self.path = pathlib.Path(self._folder.name)

    def __enter__(self) -> "Disk":
        options = ["-t", "tmpfs", "-o", f"size={ROOM}", "tmpfs", str(self.path)]
        subprocess.run(["mount", *options], check=True, capture_output=True)
        return self

    def __exit__(self, *_) -> None:
        subprocess.run(["umount", "--lazy", str(self.path)], check=True)
        self._folder.cleanup()

    def resize(self, size: int) -> None:
        """Gives the disk another size, at least what lies on it."""
        size = max(PAGE, -(-size // PAGE) * PAGE)
        subprocess.run(["mount", "-o", f"remount,size={size}", str(self.path)], check=True)

    def used(self) -> int:
        """Returns the bytes that lie on it."""
        return sum(-(-path.stat().st_size // PAGE) * PAGE for path in self.path.rglob("*") if path.is_file())


def is_possible() -> bool:
    """Returns whether this process may mount a disk."""
    try:
        with Disk():
            return True
    except (OSError, subprocess.CalledProcessError):
        return False


def works(run: Trained, songs: pathlib.Path, *, slow: bool) -> dict[str, Callable[[pathlib.Path], object]]:
    """Returns what is written, by name: a function of the folder to write to.

    Args:
        run: a finished run.
        songs: a folder of MIDI files.
        slow: whether to write what takes many seconds, too.
    """
    sandwich, prior = run.load_sandwich()
    cells = song(np.random.default_rng(0), 4)
    about = About("generated", seeds=(0,), preset="smoke", figures={"notes a bar": 3.5})
    made = [MadeSong("song-000", cells, 100.0, "a song", about)]
    history = {"loss": [3.0, 2.0, 1.0]}

    def page(folder):
        write_songs(folder, made, GRID)
        build_page(folder / "index.html", read_folder(folder, GRID)[0], title="songs")

    def model(folder):
        write_model_file(folder / "a.keras", sandwich, run.config, prior, preset="smoke")

    def export(folder):
        there = {"path": folder, "load_sandwich": lambda: (sandwich, prior)}
        export_run(types.SimpleNamespace(**vars(run) | there))

    quick = {
        "weights": lambda folder: write_weights(sandwich.get_layer("bass_decoder"), folder / "a.weights.h5"),
        "prior": lambda folder: prior.save(folder / "prior.npz"),
        "training state": _state,
        "store": lambda folder: build_store(midi_folder(songs), folder / "store", workers=0),
        "model file": model,
        "songs": lambda folder: write_songs(folder, made, GRID),
        "pictures": lambda folder: draw_songs(folder, made, GRID),
        "curves": lambda folder: draw_curves(folder / "loss.png", {"bass": history}),
        "lock": _lock,
    }
    long = {
        "sound": lambda folder: write_song_audio(folder, "song", cells, GRID, 100.0),
        "page": page,
        "export": export,
    }
    return quick | (long if slow else {})


def campaign(
    run: Trained, songs: pathlib.Path, *, shares: tuple[float, ...] = (0.0, 0.5, 0.95), slow: bool = True
) -> Tally:
    """Writes everything to disks with a share of the needed room. The other arguments are as for `works`."""
    tally = Tally("full disks")
    for name, work in works(run, songs, slow=slow).items():
        with Disk() as disk, _quiet():
            work(disk.path)
            needed, whole = disk.used(), _content(disk.path)
        for share in shares:
            with Disk() as disk, _quiet():
                what = f"{name}, {100 * share:.0f} % of {needed:,} bytes"
                _try(tally, what, work, disk, size=int(share * needed), whole=whole)
        with Disk() as disk, _quiet():
            _try_read_only(tally, name, work, disk)
    return tally


def _try_read_only(tally: Tally, name: str, work: Callable, disk: Disk) -> None:
    """Writes to a disk that only reads."""
    subprocess.run(["mount", "-o", "remount,ro", str(disk.path)], check=True)
    try:
        work(disk.path)
    except BaseException as error:
        told = machine_errors.sentence(error)
        if told and told.startswith(str(disk.path)) and told.endswith(": Read-only file system"):
            tally.held("read-only, one sentence")
        else:
            tally.failed(f"{name}, read-only: {type(error).__name__}: {error}")
    else:
        tally.failed(f"{name} was written to a disk that only reads")


def _try(tally: Tally, what: str, work: Callable, disk: Disk, *, size: int, whole: dict[str, bytes]) -> None:
    """Writes to a disk that is too small, then once more with room."""
    disk.resize(size)
    files._clear_once.cache_clear()  # as in the process that comes next
    try:
        work(disk.path)
    except BaseException as error:
        told = machine_errors.sentence(error)
        if told is None or "the disk is full" not in told or str(disk.path) not in told or "\n" in told:
            tally.failed(f"{what}: {type(error).__name__}: {error}")
            return
    else:
        tally.held("fitted all the same")
        return
    for path in disk.path.rglob("*"):
        name = str(path.relative_to(disk.path))
        if path.is_file() and whole.get(name, b"")[:64] != path.read_bytes()[:64]:
            tally.failed(f"{what}: {name} is left")
            return
    disk.resize(ROOM)
    work(disk.path)
    if _content(disk.path).keys() != whole.keys():
        tally.failed(f"{what}: with room there is {sorted(_content(disk.path).keys() ^ whole.keys())}")
    else:
        tally.held("one sentence, then written")


def _content(folder: pathlib.Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def _state(folder: pathlib.Path) -> None:
    """Writes what an epoch leaves: the history and the state."""
    model = keras.Sequential([keras.Input((64,)), keras.layers.Dense(64)])
    model.compile("sgd", "mse")
    resume = fit.Resume(folder / "state.npz", folder / "history.csv", "torture")
    resume.set_model(model)
    resume.restore(model)
    resume.on_epoch_begin(0)
    resume.on_epoch_end(0, {"loss": 1.0})
    resume._save()


def _lock(folder: pathlib.Path) -> None:
    with replacing(folder / "kept") as temporary, alone(folder / "work.lock"):
        temporary.write_bytes(b"x" * PAGE)


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    with contextlib.redirect_stderr(io.StringIO()), contextlib.redirect_stdout(io.StringIO()):
        yield

"""Commands run in this process, on a copy of the trained run that they may write into."""

import contextlib
import shutil
import signal

import pytest
from absl import flags

from msw2.training.runs import Run


@pytest.fixture(autouse=True)
def own_interrupts():
    """Gives Ctrl-C back to the tests after a command has taken it."""
    before = signal.getsignal(signal.SIGINT)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.fixture
def command():
    """Returns a function (module, *arguments) that runs a command with flags of its own."""
    defined = set(flags.FLAGS)

    def run(module, *arguments):
        module.define_flags()
        try:
            flags.FLAGS(["msw2", *arguments])
            module.main()
        finally:
            for name in set(flags.FLAGS) - defined:
                delattr(flags.FLAGS, name)

    return run


@pytest.fixture(scope="module")
def own_run(tmp_path_factory, smoke_run, smoke_sandwich):
    """A copy of `smoke_run` for the commands of one module to write into; its weights are read once for all."""
    with copied(smoke_run, smoke_sandwich, tmp_path_factory.mktemp("runs") / "own") as run:
        yield run


@pytest.fixture(scope="module")
def song_home(tmp_path_factory, song_run, song_sandwich):
    """The same of `song_run`."""
    with copied(song_run, song_sandwich, tmp_path_factory.mktemp("runs") / "songs") as run:
        yield run


@contextlib.contextmanager
def copied(run, sandwich, folder):
    """Yields a copy of a run in a folder; its weights are not read again."""
    shutil.copytree(run.path, folder)
    load = Run.load_sandwich
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Run, "load_sandwich", lambda run: sandwich if run.path == folder else load(run))
        yield Run.open(folder)

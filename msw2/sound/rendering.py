"""Several songs as audio files, rendered by a process for each core.

The renderer holds Python's lock, so threads would not help. A process that dies leaves this one alive.
"""

import contextlib
import dataclasses
import json
import os
import pathlib
import signal
import subprocess
from collections.abc import Iterable, Iterator, Sequence
from typing import BinaryIO

from msw2.music.grid import Grid
from msw2.sound.soundfont import SoundError, default_soundfont
from msw2.sound.synth import MAX_SECONDS, duration
from msw2.system import children
from msw2.system.cores import cores
from msw2.system.memory import available
from msw2.system.progress import Progress, say

# Bytes of a worker at its peak: for itself, and for each second of its song. Measured on songs of 60 and of 588 s.
WORKER_BYTES, MIX_BYTES, STEM_BYTES = 3e8, 1.2e6, 2.8e6


@dataclasses.dataclass(frozen=True)
class Rendering:
    """How songs are played, and which audio files are written.

    Attributes:
        audio: whether any are.
        soundfont: a SoundFont 2 file; None: as `synth.synthesise`.
        separate: whether each track has a file of its own too.
        flat: whether all notes are equally loud.
    """

    audio: bool = False
    soundfont: str | None = None
    separate: bool = False
    flat: bool = False


def render_songs(midis: Sequence[pathlib.Path], grid: Grid, rendering: Rendering) -> None:
    """Writes the sound of MIDI files beside them. All is as in `rendering_songs`, with nothing to do meanwhile."""
    with rendering_songs(midis, grid, rendering):
        pass


@contextlib.contextmanager
def rendering_songs(midis: Sequence[pathlib.Path], grid: Grid, rendering: Rendering) -> Iterator[None]:
    """Writes the sound of MIDI files beside them while the block runs, as `song_audio.write_song_audio` does.

    The end of the block waits for the sound, and shows the progress. An error in the block ends the work. Songs that
    are too long for a sound are named and left out.

    Args:
        midis: files that `midi.write_song` wrote.
        grid: the grid to lay the songs on.
        rendering: what is written.

    Raises:
        SoundError: at the end of the block, if the soundfont cannot be played, or a file cannot be written.
    """
    if not rendering.audio or not midis:
        yield
        return
    at_once = _at_once(midis, rendering)
    reading, writing = os.pipe()
    workers: list[subprocess.Popen] = []
    try:
        with open(reading, encoding="utf-8") as lines:
            with open(writing, "wb") as output:
                for first in range(at_once):
                    workers.append(_start(midis[first::at_once], grid, rendering, output))
            yield
            _follow(lines, len(midis))
        statuses = [worker.wait() for worker in workers]
    finally:
        for worker in workers:
            worker.kill()
            worker.wait()
    if any(statuses):
        raise SoundError(_death(min(statuses), max(statuses), rendering))


def _follow(lines: Iterable[str], songs: int) -> None:
    """Reads the workers' reports until all have ended."""
    progress = Progress(songs, "songs", label="sound")
    try:
        for done, line in enumerate(lines, start=1):
            report = json.loads(line)
            if report["error"]:
                raise SoundError(report["error"])
            if report["left_out"]:
                say(f"no sound of {report['left_out']}")
            progress.update(done)
    finally:
        progress.close()


def _at_once(midis: Sequence[pathlib.Path], rendering: Rendering) -> int:
    """Returns how many processes work at a time: at most one a core, and no more than the memory holds."""
    seconds = min(MAX_SECONDS, max(map(duration, midis)))
    each = WORKER_BYTES + seconds * (STEM_BYTES if rendering.separate else MIX_BYTES)
    return max(1, min(cores(), len(midis), int(min(available() / each, len(midis)))))


def _death(lowest: int, highest: int, rendering: Rendering) -> str:
    """Returns a sentence on workers that died, of the lowest and the highest of their exit statuses."""
    if lowest == -signal.SIGKILL:  # by the kernel, which ends what takes too much
        return "the memory did not suffice for the sound: close other programs, or make shorter songs"
    font = rendering.soundfont or default_soundfont()
    return f"the renderer died (exit status {lowest or highest}): is {font} a sound soundfont?"


def _start(
    midis: Sequence[pathlib.Path], grid: Grid, rendering: Rendering, output: BinaryIO
) -> subprocess.Popen:
    """Starts a process for some of the songs, which writes its reports to `output`."""
    orders = {
        "midis": [str(midi) for midi in midis],
        "grid": dataclasses.asdict(grid),
        "how": {
            "soundfont": rendering.soundfont,
            "flat": rendering.flat,
            "separate": rendering.separate,
        },
    }
    worker = children.start("msw2.sound.worker", [], stdin=subprocess.PIPE, stdout=output, text=True)
    with contextlib.suppress(BrokenPipeError), worker.stdin:  # its exit status says more
        worker.stdin.write(json.dumps(orders))
    return worker

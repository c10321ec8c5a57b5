"""Several songs as audio files, rendered by a process for each core.

The renderer holds Python's lock, so threads would not help. A process that dies leaves this one alive.
"""

import contextlib
import dataclasses
import json
import os
import pathlib
import subprocess
from collections.abc import Sequence
from typing import BinaryIO

from msw2.music.grid import Grid
from msw2.sound.soundfont import SoundError, default_soundfont
from msw2.system import children
from msw2.system.cores import cores
from msw2.system.progress import Progress, say


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
    """Writes the sound of MIDI files beside them, as `song_audio.write_song_audio` does. Shows the progress.

    It names songs that are too long for a sound, and leaves them out.

    Args:
        midis: files that `midi.write_song` wrote.
        grid: the grid to lay the songs on.
        rendering: what is written.

    Raises:
        SoundError: if the soundfont cannot be played, or a file cannot be written.
    """
    if not rendering.audio or not midis:
        return
    at_once = min(cores(), len(midis))
    progress = Progress(len(midis), "songs", label="sound")
    reading, writing = os.pipe()
    workers = []
    try:
        with open(reading, encoding="utf-8") as lines:
            with open(writing, "wb") as output:
                for first in range(at_once):
                    workers.append(_start(midis[first::at_once], grid, rendering, output))
            for done, line in enumerate(lines, start=1):
                report = json.loads(line)
                if report["error"]:
                    raise SoundError(report["error"])
                if report["left_out"]:
                    say(f"no sound of {report['left_out']}")
                progress.update(done)
        statuses = [worker.wait() for worker in workers]
    finally:
        progress.close()
        for worker in workers:
            worker.kill()
            worker.wait()
    if any(statuses):
        font = rendering.soundfont or default_soundfont()
        raise SoundError(
            f"the renderer died (exit status {max(statuses, key=abs)}): is {font} a sound soundfont?"
        )


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

"""A process that renders some songs: `python -m msw2.sound.worker`, started by `msw2.sound.rendering`.

It reads its orders from standard input and writes a line of JSON to standard output for each song.
"""

import json
import pathlib
import sys

from msw2.music.grid import Grid
from msw2.music.midi import SongError, read_song
from msw2.sound.song_audio import write_song_audio
from msw2.sound.soundfont import SoundError
from msw2.sound.synth import TooLongError


def main() -> None:
    """Renders the MIDI files that standard input names, one after another, until one cannot be rendered."""
    orders = json.load(sys.stdin)
    grid = Grid(**orders["grid"])
    for path in map(pathlib.Path, orders["midis"]):
        report = {"left_out": "", "error": ""}
        try:
            song = read_song(path, grid)
            write_song_audio(path.parent, path.stem, song.pianoroll, grid, song.tempo, **orders["how"])
        except TooLongError as error:
            report["left_out"] = f"{path}: {error}"
        except (SoundError, SongError) as error:
            report["error"] = str(error)
        except MemoryError:
            report["error"] = f"{path}: the memory did not suffice for its sound"
        except OSError as error:
            report["error"] = f"{path}: its sound cannot be written: {error.strerror}"
        # In one piece: others write to the same pipe, and `print` may write the end of the line by itself.
        sys.stdout.write(json.dumps(report) + "\n")
        sys.stdout.flush()
        if report["error"]:
            return


if __name__ == "__main__":
    main()

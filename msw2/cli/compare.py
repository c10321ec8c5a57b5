"""`make compare`: compares a folder of songs of any model with a folder of real songs: `--real=FOLDER --made=FOLDER`.

Both hold MIDI files (`.mid`, `.midi`) or pypianoroll files (`.npz`), however deep. The report has the metrics of
`make eval` that need no pairs, for both; overlapping areas; and a Fréchet distance as a multiple of the distance
between two halves of the real songs. With `--train=FOLDER` it also says how near the made phrases are to training
phrases.

Both folders are read by the same rules. Instruments are merged into drums, piano, guitar, bass and strings, by their
General MIDI programs. Every four bars that sound are a phrase. A bar is four beats from the beginning of the file,
whatever its meter, and the report counts files of another meter. Files that cannot be read are counted with the reason.
"""

import time

from absl import flags

from msw2.cli.launch import OptionError, launch
from msw2.data.music_folder import MusicError, read_music
from msw2.music.grid import Grid
from msw2.system.progress import say

TRAIN_PHRASES = 50_000  # most training phrases to search, spread over all files


def define_flags() -> None:
    """Defines the command's flags."""
    flags.DEFINE_string(
        "real", None, "Folder of real songs, of at least two; the more, the finer the comparison."
    )
    flags.DEFINE_string("made", None, "Folder of the songs that a model made.")
    flags.DEFINE_string("train", None, "Folder of the songs that the model was trained on, to seek copies.")
    flags.DEFINE_string("out", "compare", "Folder of the report.")
    flags.DEFINE_integer(
        "phrases", 2000, "Most phrases of each folder, spread over all its files; 0: all.", lower_bound=0
    )
    flags.DEFINE_integer("seed", 0, "Seed of all draws.", lower_bound=0)


def main() -> None:
    """Writes `compare.md`, `compare.csv` and `compare.png`, and prints the main figures."""
    values, grid, start = flags.FLAGS, Grid(), time.monotonic()
    for name in ("real", "made"):
        if not values[name].value:
            raise OptionError(f"--{name} is missing: it names a folder of MIDI or .npz files")
    music = {
        row: read_music(values[row].value, grid, limit=limit, seed=values.seed)
        for row, limit in (("real", values.phrases), ("made", values.phrases), ("train", TRAIN_PHRASES))
        if values[row].value
    }
    # The reading processes import this module, and do not need these two.
    from msw2.evaluation.folder_comparison import compare_music  # noqa: PLC0415
    from msw2.evaluation.folder_report import glance, write_comparison  # noqa: PLC0415

    say("measuring")
    comparison = compare_music(music, grid, seed=values.seed)
    paths = write_comparison(values.out, comparison)
    print(*glance(comparison), sep="\n")
    print(f"seed {values.seed}; {time.monotonic() - start:.0f} s")
    print(*paths, sep="\n")


if __name__ == "__main__":
    launch(define_flags, main, MusicError, OSError)

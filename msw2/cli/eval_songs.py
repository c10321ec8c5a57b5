"""`make eval-songs`: measures songs and verbs of a run beside held-out songs.

Songs are made from nothing. Tracks and bars of held-out songs are hidden and written anew, songs are continued, and
phrases of two songs joined. The originals show what was right, and copying shows what is easy.
"""

import dataclasses
import functools
import time

from absl import flags

from msw2.benchmarks.machine import Machine
from msw2.cli import options
from msw2.cli.launch import launch
from msw2.data.store import SPLITS
from msw2.evaluation.gap_scores import F1
from msw2.evaluation.gaps import ACCOMPANY, INFILL
from msw2.evaluation.results import ALL, Key
from msw2.evaluation.run_songs import GENERATE, Request, SongEvaluation, evaluate_songs
from msw2.evaluation.song_measures import ALIKE, DISTANCES
from msw2.evaluation.songs_report import write_songs_report
from msw2.inference.sampling import Sampler
from msw2.inference.songs import Composer, NoComposerError
from msw2.music.tracks import TRACK_NAMES
from msw2.training.device import set_up_device


def define_flags() -> None:
    """Defines the command's flags."""
    options.define_trained()
    options.define_store()
    options.define_drawing()
    flags.DEFINE_enum("split", "test", SPLITS, "Split of the held-out songs.")
    flags.DEFINE_integer("bars", 64, "Bars of a song, whole phrases in each half.", 8, 256)
    flags.DEFINE_integer("songs", 24, "Songs to make, and to continue, with each seed.", lower_bound=1)
    flags.DEFINE_integer("phrases", 80, "Held-out phrases to hide each track and bars in.", lower_bound=4)
    flags.DEFINE_integer("pairs", 20, "Pairs of held-out phrases to interpolate between.", lower_bound=1)
    flags.DEFINE_integer("draws", 3, "How often each is drawn, each with seeds of its own.", lower_bound=1)
    flags.DEFINE_integer("held_out", 128, "Most held-out songs of --bars bars.", lower_bound=2)
    flags.DEFINE_integer(
        "training_phrases", 20_000, "Most training phrases that copying may copy; 0: all.", lower_bound=0
    )
    flags.DEFINE_integer("resamples", 1000, "Bootstrap resamples.", lower_bound=1)


def main() -> None:
    """Writes `<run>/eval/songs.md` and `songs.csv`, and prints the main figures."""
    set_up_device(flags.FLAGS.threads)
    values, run, start = flags.FLAGS, options.open_run(), time.monotonic()
    store = options.open_fitting_store(run, measuring=True)
    asked = {each.name for each in dataclasses.fields(Request)}
    request = Request(**{name: values[name].value for name in asked})
    with options.writing(run.path / "eval"):
        sandwich, prior = run.load_sandwich()
        composer, sampler = Composer(sandwich, run.config, prior), Sampler(sandwich, run.config, prior)
        machine = Machine.here()
        where = f"{machine.described()}; load average {machine.load:.1f} at the start"
        restore = functools.partial(sampler.restore, progress=False)
        evaluation = evaluate_songs(composer, restore, run.config, store, request)
        seconds = time.monotonic() - start
        paths = write_songs_report(
            run.path / "eval", evaluation, preset=run.preset or "none", machine=where, seconds=seconds
        )
    print(*_lines(evaluation), sep="\n")
    print(f"seed {request.seed}, temperature {request.temperature:g}; {seconds:.0f} s")
    print(" and ".join(map(str, paths)))


def _lines(evaluation: SongEvaluation) -> list[str]:
    """Returns the figures that a glance should see."""
    found = evaluation.estimates
    alike = {
        name: ", ".join(f"{found[row, ALIKE, 'correct', str(bars)].mean:.2f}" for bars in DISTANCES)
        for name, row in (("made", GENERATE), ("held out", f"{GENERATE}, real"))
    }
    lines = [
        f"bars alike at {', '.join(map(str, DISTANCES))} bars: {name} {each}" for name, each in alike.items()
    ]
    for verb, columns in ((ACCOMPANY, TRACK_NAMES), (INFILL, (ALL,))):
        keys = [Key(verb, F1, "correct", column) for column in columns]
        scores = ", ".join(f"{key.track} {100 * found[key].mean:.1f}" for key in keys if key in found)
        lines.append(f"{verb}, F1 % of notes: {scores}")
    return [*lines, *(f"{name}: {each:.2f} s" for name, each in evaluation.seconds.items())]


if __name__ == "__main__":
    launch(define_flags, main, NoComposerError, *options.USER_ERRORS)

"""What `request` asks of a server for a song: the flags of the verbs, and the song that comes of each."""

import re

import numpy as np
from absl import flags

from msw2.cli.launch import OptionError
from msw2.music.grid import Grid
from msw2.music.midi import MAX_BARS
from msw2.music.pianoroll import cut_phrases, join_phrases
from msw2.music.tracks import TRACK_NAMES, track_index
from msw2.serving.client import ServedComposer, restore

# verb -> how the name of the song that it makes ends, and the flags that say how
VERBS = {
    "compose": ("", ("bars", "seed", "temperature", "tempo")),
    "restore": ("-restored", ()),
    "continue": ("-continued", ("bars", "seed", "temperature")),
    "infill": ("-infilled", ("bars", "seed", "temperature")),
    "accompany": ("-accompanied", ("tracks", "seed", "temperature")),
    "interpolate": ("-path", ("to", "points", "seed")),
    "vary": ("-varied", ("amount", "seed")),
}
_RANGE = re.compile(r"([0-9]{1,4})(?:-([0-9]{1,4}))?")


def define_verbs() -> None:
    """Defines `--verb` and the flags that say how."""
    flags.DEFINE_enum(
        "verb",
        None,
        list(VERBS),
        "What to ask for; restore, where there is a MIDI file. All but restore need a model that learnt songs.",
    )
    flags.DEFINE_string(
        "bars", None, "Bars to write: how many for compose (64) and continue (16); for infill such as 5-8."
    )
    flags.DEFINE_list("tracks", [], f"Tracks to write for accompany: some of {', '.join(TRACK_NAMES)}.")
    flags.DEFINE_float(
        "amount", 0.3, "For vary: the share of the bars of each track that is written anew.", 0.0, 1.0
    )
    flags.DEFINE_string("to", None, "For interpolate: the MIDI file whose first phrase the path ends with.")
    flags.DEFINE_integer(
        "points", 7, "For interpolate: phrases of the path, its two ends among them.", 2, 256
    )


def composed(grid: Grid) -> np.ndarray:
    """Returns a song from nothing, bool [step, pitch, track]."""
    bars = _count(64)
    return _completed(
        np.zeros((bars, *grid.phrase_shape[1:], len(TRACK_NAMES)), bool), _given(bars, False), grid
    )


def made_of(verb: str, song: np.ndarray, other: np.ndarray | None, grid: Grid) -> np.ndarray:
    """Returns what a verb makes of a song, bool [step, pitch, track].

    Args:
        verb: of VERBS; not `compose`.
        song: bool [step, pitch, track], whole bars.
        other: for `interpolate`, as `song`.
        grid: of the songs.

    Raises:
        OptionError: if the flags do not fit the song.
        RequestError: if the server cannot be reached or answers otherwise.
    """
    bars = song.reshape(-1, *grid.phrase_shape[1:], len(TRACK_NAMES))
    return _MAKERS[verb](bars, other, grid)


def _restored(bars, _, grid: Grid) -> np.ndarray:
    values, song = flags.FLAGS, _steps(bars)
    phrases = restore(values.url, grid, cut_phrases(song, grid), timeout=values.timeout)
    return join_phrases(phrases)[: len(song)]  # the last phrase was padded


def _continued(bars, _, grid: Grid) -> np.ndarray:
    more = _count(16)
    if len(bars) + more > MAX_BARS:
        raise OptionError(f"--bars={more} after {len(bars)} bars are too many: {MAX_BARS} in all")
    silence = np.zeros((more, *bars.shape[1:]), bool)
    given = np.concatenate([_given(len(bars), True), _given(more, False)])
    return _completed(np.concatenate([bars, silence]), given, grid)


def _infilled(bars, _, grid: Grid) -> np.ndarray:
    text = flags.FLAGS.bars or ""
    found = _RANGE.fullmatch(text)
    first, last = (int(found[1]), int(found[2] or found[1])) if found else (0, 0)
    if not 1 <= first <= last <= len(bars):
        raise OptionError(f"--bars={text} is no range of the song's bars 1 to {len(bars)}, such as 5-8")
    given = _given(len(bars), True)
    given[first - 1 : last] = False
    return _completed(bars, given, grid)


def _accompanied(bars, _, grid: Grid) -> np.ndarray:
    names = flags.FLAGS.tracks
    if not names:
        raise OptionError(f"--tracks is missing: the tracks to write, of {', '.join(TRACK_NAMES)}")
    given = _given(len(bars), True)
    try:
        given[:, [track_index(name) for name in names]] = False
    except ValueError as error:
        raise OptionError(f"--tracks={','.join(names)}: {error}") from error
    return _completed(bars, given, grid)


def _path(bars, other, grid: Grid) -> np.ndarray:
    ends = [bars, other.reshape(-1, *bars.shape[1:])]
    for end in ends:
        if len(end) < grid.bars:
            raise OptionError(
                f"a song of {len(end)} bars has no phrase: at least {grid.bars} bars are needed"
            )
    first, second = (end[: grid.bars] for end in ends)
    return join_phrases(_composer(grid).between(first, second, flags.FLAGS.points, seed=flags.FLAGS.seed))


def _varied(bars, _, grid: Grid) -> np.ndarray:
    return _steps(_composer(grid).vary(bars, flags.FLAGS.amount, seed=flags.FLAGS.seed))


_MAKERS = {
    "restore": _restored,
    "continue": _continued,
    "infill": _infilled,
    "accompany": _accompanied,
    "interpolate": _path,
    "vary": _varied,
}


def _completed(bars: np.ndarray, given: np.ndarray, grid: Grid) -> np.ndarray:
    values = flags.FLAGS
    return _steps(_composer(grid).complete(bars, given, seed=values.seed, temperature=values.temperature))


def _composer(grid: Grid) -> ServedComposer:
    return ServedComposer(flags.FLAGS.url, grid, timeout=flags.FLAGS.timeout)


def _given(bars: int, value: bool) -> np.ndarray:
    return np.full((bars, len(TRACK_NAMES)), value)


def _steps(bars: np.ndarray) -> np.ndarray:
    """Returns bars [bar, step, pitch, track] as a song [step, pitch, track]."""
    return bars.reshape(-1, *bars.shape[2:])


def _count(default: int) -> int:
    """Returns the number of bars that `--bars` asks for."""
    text = str(default) if flags.FLAGS.bars is None else flags.FLAGS.bars
    if not re.fullmatch(r"[0-9]{1,4}", text) or not 1 <= int(text) <= MAX_BARS:
        raise OptionError(f"--bars={text} is no number of bars: 1 to {MAX_BARS}")
    return int(text)

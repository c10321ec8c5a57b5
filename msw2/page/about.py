"""What a song file is: a small JSON file beside the .mid, for the page and for people."""

import dataclasses
import json
import os
import pathlib
from collections.abc import Mapping

from msw2.system.files import replacing
from msw2.system.records import RecordError, read_object

FORMAT = 1
MAX_BYTES = 64 * 2**10  # of a file; a page of text is 3 kB
LONGEST = 200  # characters of one text
MOST = 1000  # seeds, or figures
LARGEST = 2**63  # no whole number reaches it


class AboutError(ValueError):
    """Facts about a song that are not usable. The message is one sentence."""


@dataclasses.dataclass(frozen=True)
class About:
    """Facts about a song file.

    Attributes:
        made: what was done: `restored`, `generated`, and so on. The page's label of this version.
        other: label of the version that it stands beside: `original`, `given`, and so on. Empty: there is none.
        other_file: name of that version's .mid, in the same folder. Empty: there is none.
        seeds: one for each phrase that was drawn, in order, each at least 0.
        preset: of the run that made it. Empty: not known.
        figures: name -> number or text, in the order to show them.

    Raises:
        AboutError: for a value of another type, a text that is too long, or a file of another folder.
    """

    made: str
    other: str = ""
    other_file: str = ""
    seeds: tuple[int, ...] = ()
    preset: str = ""
    figures: Mapping[str, float | str] = dataclasses.field(default_factory=dict)

    def __post_init__(self):
        for name in ("made", "other", "other_file", "preset"):
            _check_text(name, getattr(self, name))
        if not self.made:
            raise AboutError("made is empty: it is to say what was done, such as restored")
        if bool(self.other) != bool(self.other_file):
            raise AboutError("other and other_file go together: a label and the name of a file")
        inside = (
            pathlib.PureWindowsPath(self.other_file).name == self.other_file
        )  # / and \\ both lead elsewhere
        if not inside or self.other_file == "..":
            raise AboutError(f"other_file {self.other_file!r} is not the name of a file in the same folder")
        _check_seeds(self.seeds)
        _check_figures(self.figures)
        object.__setattr__(self, "seeds", tuple(self.seeds))


def about_path(song: str | os.PathLike) -> pathlib.Path:
    """Returns where the facts about a song file lie: `song.json` for `song.mid`."""
    return pathlib.Path(song).with_suffix(".json")


def write_about(path: str | os.PathLike, about: About) -> None:
    """Writes facts as JSON, whole or not at all. The same facts give the same bytes.

    Args:
        path: of the JSON file, see `about_path`.
        about: the facts.
    """
    facts = {"msw2": FORMAT} | dataclasses.asdict(about) | {"figures": dict(about.figures)}
    with replacing(path) as temporary:
        temporary.write_text(json.dumps(facts, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def read_about(path: str | os.PathLike) -> About:
    """Reads what `write_about` wrote.

    Raises:
        AboutError: if the file cannot be read, is of another kind, or holds a value of another type.
    """
    try:
        facts = read_object(path, "facts about a song", {"msw2": FORMAT}, max_bytes=MAX_BYTES)
    except RecordError as error:
        raise AboutError(str(error)) from error
    names = {field.name for field in dataclasses.fields(About)}
    if unknown := sorted(facts.keys() - names - {"msw2"}):
        raise AboutError(f"{unknown[0]!r} is not one of {', '.join(sorted(names))}")
    if "made" not in facts:
        raise AboutError("made is missing: it is to say what was done, such as restored")
    return About(**{name: value for name, value in facts.items() if name in names})


def _check_text(name: str, value: object) -> None:
    if not isinstance(value, str):
        raise AboutError(f"{name} {value!r:.100} is not text")
    if len(value) > LONGEST:
        raise AboutError(f"{name} has {len(value)} characters, at most {LONGEST}")
    if not value.isprintable():  # which half a surrogate pair is not either, and no file can hold that
        raise AboutError(f"{name} {value!r} has a control character")


def _check_seeds(seeds: object) -> None:
    if not isinstance(seeds, (list, tuple)) or len(seeds) > MOST:
        raise AboutError(f"seeds {seeds!r:.100} is not a list of at most {MOST} numbers")
    for seed in seeds:
        if isinstance(seed, bool) or not isinstance(seed, int) or not 0 <= seed < LARGEST:
            raise AboutError(f"seed {seed!r:.100} is not a whole number of at least 0")


def _check_figures(figures: object) -> None:
    if not isinstance(figures, Mapping) or len(figures) > MOST:
        raise AboutError(f"figures {figures!r:.100} is not a mapping of at most {MOST} names to values")
    for name, value in figures.items():
        _check_text("the name of a figure", name)
        if isinstance(value, bool) or not isinstance(value, (int, float, str)):
            raise AboutError(f"figure {name!r} is {value!r:.100}, which is no number and no text")
        if isinstance(value, str):
            _check_text(f"figure {name!r}", value)
        elif not -LARGEST < value < LARGEST:  # NaN compares as false
            raise AboutError(f"figure {name!r} is {value!r:.100}, which is not finite")

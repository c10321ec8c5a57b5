"""The files of a listening test. The key says which system each clip is of, and stays with the experimenter."""

import dataclasses
import json
import os

from msw2.system.files import replacing
from msw2.system.records import RecordError, read_object

KIND, FORMAT = "msw2 listening key", 1
ANSWERS_KIND, ANSWERS_FORMAT = "msw2 listening answers", 1  # the file that a listener saves
MAX_BYTES = 4 * 2**20  # answers of a test of a hundred clips have 40 kB


class ListeningError(ValueError):
    """A listening test, key or answers that cannot be used; the message is one sentence for the user."""


@dataclasses.dataclass(frozen=True)
class KeyEntry:
    """A clip of the test.

    Attributes:
        clip: its id on the page.
        system: what made it.
        source: where its music is from, in words.
    """

    clip: str
    system: str
    source: str


@dataclasses.dataclass(frozen=True)
class Key:
    """The key of one test.

    Attributes:
        test: digest of the page's content; answers to another test have another.
        seed: of the test.
        clips: of all systems, in the order of the systems.
    """

    test: str
    seed: int
    clips: tuple[KeyEntry, ...]

    @property
    def systems(self) -> tuple[str, ...]:
        """Names of the systems, in their order."""
        return tuple(dict.fromkeys(entry.system for entry in self.clips))

    def write(self, path: str | os.PathLike) -> None:
        """Writes the key as JSON, whole or not at all."""
        content = {"kind": KIND, "format": FORMAT, **dataclasses.asdict(self)}
        with replacing(path) as temporary:
            temporary.write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n", "utf-8")

    @classmethod
    def read(cls, path: str | os.PathLike) -> "Key":
        """Reads what `write` wrote.

        Raises:
            ListeningError: if the file is missing, or not a whole key.
        """
        content = read_json(path, "key", KIND, FORMAT)
        entries = content.get("clips")
        names = {field.name for field in dataclasses.fields(KeyEntry)}
        if not isinstance(entries, list) or not entries:
            raise ListeningError(f"{path}: the key has no clips")
        for place, entry in enumerate(entries):
            fits = isinstance(entry, dict) and entry.keys() == names
            if not fits or not all(isinstance(value, str) and value for value in entry.values()):
                raise ListeningError(
                    f"{path}: clip {place} of the key is not the texts {', '.join(sorted(names))}"
                )
        clips = tuple(KeyEntry(**entry) for entry in entries)
        if len({entry.clip for entry in clips}) < len(clips):
            raise ListeningError(f"{path}: the key has a clip twice")
        test, seed = content.get("test"), content.get("seed")
        if not isinstance(test, str) or type(seed) is not int:
            raise ListeningError(f"{path}: the key has no digest of its test, or no seed")
        return cls(test, seed, clips)


def read_json(path: str | os.PathLike, what: str, kind: str, version: int) -> dict:
    """Returns the object that a JSON file of the listening test holds.

    Args:
        path: of the file.
        what: `key` or `answers`, for the message.
        kind: its field `kind`.
        version: its field `format`.

    Raises:
        ListeningError: if it cannot be read, is larger than 4 MB, or is not a JSON object of this kind and format.
    """
    try:
        return read_object(
            path, f"the {what} of a listening test", {"kind": kind, "format": version}, max_bytes=MAX_BYTES
        )
    except RecordError as error:
        raise ListeningError(f"{path}: {error}") from error

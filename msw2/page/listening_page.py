"""The listening test: one HTML file for the listeners, and the key that stays with the experimenter."""

import base64
import hashlib
import os
from collections.abc import Mapping, Sequence

import numpy as np

from msw2.music.grid import Grid
from msw2.page.document import asset, write_document
from msw2.page.listening_key import ANSWERS_FORMAT, ANSWERS_KIND, Key, KeyEntry, ListeningError
from msw2.page.listening_sound import Clip, sounds
from msw2.page.questions import QUESTIONS, SCORES
from msw2.sound.audio_file import ogg_bytes
from msw2.sound.synth import RATE

SCRIPTS = ("listening_order.js", "listening_player.js", "listening_session.js", "listening.js")
TITLE = "Listening test"
PRACTICE = "practice"  # id of the clip that does not count


def build_listening_test(
    page: str | os.PathLike,
    key: str | os.PathLike,
    systems: Mapping[str, Sequence[Clip]],
    grid: Grid,
    *,
    seed: int,
    practice: Clip | None = None,
    soundfont: str | os.PathLike | None = None,
) -> Key:
    """Writes the page and its key, each whole or not at all. The same input gives the same bytes.

    Nothing in the page names a system. A clip's id is a hash of the seed and its sound. The clips stand in the order
    of their ids. So neither id nor place tells where a clip is from. The page makes each listener's order from the
    seed and the listener's name (`shuffle.listening_order`).

    Args:
        page: the HTML file to write.
        key: the JSON file to write; it must not go to the listeners.
        systems: clips by the name of their system, at least one system, each with at least one clip.
        grid: of the clips.
        seed: of the order.
        practice: a clip to begin with, which does not count; None: the test begins at once.
        soundfont: a SoundFont 2 file; None: as `sound.synth.synthesise`.

    Returns:
        The key.

    Raises:
        ListeningError: for no systems, a system without clips, or a silent clip.
        SoundError: as `sound.synth.synthesise`.
    """
    if not systems:
        raise ListeningError("a listening test needs at least one system")
    for system, clips in systems.items():
        if not clips:
            raise ListeningError(f"system {system!r} has no clips")
    named = [(system, clip) for system, clips in systems.items() for clip in clips]
    asked = [clip for _, clip in named] + ([practice] if practice else [])
    made = [_audio(sound) for sound in sounds(asked, grid, soundfont=soundfont)]
    audio = dict(zip(_ids([ogg for ogg, _ in made[: len(named)]], seed), made, strict=False))
    data = {
        "kind": ANSWERS_KIND,
        "format": ANSWERS_FORMAT,
        "seed": seed,
        "scores": SCORES,
        "questions": [{"name": question.name, "text": question.text} for question in QUESTIONS],
        "clips": [_embedded(clip, *audio[clip]) for clip in sorted(audio)],
        "practice": _embedded(PRACTICE, *made[-1]) if practice else None,
    }
    test = _digest(data)
    entries = (KeyEntry(clip, system, each.source) for clip, (system, each) in zip(audio, named, strict=True))
    written = Key(test, seed, tuple(entries))
    written.write(key)
    write_document(
        page,
        "listening.html",
        title=TITLE,
        style=asset("listening.css"),
        scripts=SCRIPTS,
        data={"test": test, **data},
    )
    return written


def _audio(sound: np.ndarray) -> tuple[bytes, float]:
    """Returns a sound as Ogg Vorbis, and its seconds."""
    return ogg_bytes(sound), round(len(sound) / RATE, 3)


def _ids(contents: Sequence[bytes], seed: int) -> list[str]:
    """Returns an id for each content, 16 hexadecimal digits; equal contents have different ids."""
    found: list[str] = []
    for content in contents:
        copies = 0
        while (clip := hashlib.sha256(f"{seed} {copies} ".encode() + content).hexdigest()[:16]) in found:
            copies += 1
        found.append(clip)
    return found


def _embedded(clip: str, ogg: bytes, seconds: float) -> dict:
    return {"id": clip, "seconds": seconds, "audio": base64.b64encode(ogg).decode("ascii")}


def _digest(data: dict) -> str:
    """Returns the digest of a test's content: 16 hexadecimal digits."""
    parts = [data["seed"], data["scores"], data["questions"], [clip["id"] for clip in data["clips"]]]
    return hashlib.sha256(repr(parts).encode()).hexdigest()[:16]

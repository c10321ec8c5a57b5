"""The five tracks of LPD-5, in the order of the last axis of every pianoroll (as released)."""

import dataclasses


@dataclasses.dataclass(frozen=True)
class Track:
    """One of the five instrument families.

    Attributes:
        name: lower-case name, used in flags, file names and TFRecord features.
        program: General MIDI program of the written track, 0..127 (LPD's choice).
        colour: in pictures on a light ground, #rrggbb; the five are told apart in greyscale, too.
        colour_on_dark: the same on a dark ground.
        is_drum: whether the track goes to MIDI channel 10.
    """

    name: str
    program: int
    colour: str
    colour_on_dark: str
    is_drum: bool = False


TRACKS = (
    Track("drums", 0, "#3d405b", "#b4b8d8", is_drum=True),
    Track("piano", 0, "#2a78b5", "#6fb2ea"),
    Track("guitar", 24, "#dc7429", "#f2a263"),
    Track("bass", 32, "#2f9e64", "#5bcb92"),
    Track("strings", 48, "#9b4dca", "#c993f0"),
)
TRACK_NAMES = tuple(track.name for track in TRACKS)
DRUMS = TRACK_NAMES.index("drums")


def track_index(name: str) -> int:
    """Returns the position of a track on the track axis, 0..4.

    Raises:
        ValueError: if `name` is not one of the five names.
    """
    if name not in TRACK_NAMES:
        raise ValueError(f"track {name!r} is not one of {', '.join(TRACK_NAMES)}")
    return TRACK_NAMES.index(name)


def family_of(program: int, is_drum: bool) -> int | None:
    """Returns the track that LPD-5 puts an instrument in, or None where LPD drops the instrument.

    LPD's rule: drums by `is_drum`; piano 0-7; guitar 24-31; bass 32-39; strings every other program
    below 96, and 104-111; programs 96-103 and 112-127 (sound effects) are dropped.

    Args:
        program: General MIDI program, 0..127.
        is_drum: whether the notes are on channel 10.
    """
    if is_drum:
        return DRUMS
    if program <= 7:
        return TRACK_NAMES.index("piano")
    if 24 <= program <= 31:
        return TRACK_NAMES.index("guitar")
    if 32 <= program <= 39:
        return TRACK_NAMES.index("bass")
    if program < 96 or 104 <= program <= 111:
        return TRACK_NAMES.index("strings")
    return None

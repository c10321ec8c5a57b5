"""What the commands that write songs share: the flags of their sound. Imports no TensorFlow: `request` needs none."""

from absl import flags

from msw2.cli.launch import OptionError
from msw2.sound.rendering import Rendering
from msw2.sound.soundfont import DEFAULT, read_soundfont
from msw2.system.progress import say

FEW_SONGS = (
    8  # the most that are rendered without being asked: a song of two minutes takes about 5 s and 27 MB
)


def define_soundfont() -> None:
    """Defines `--soundfont`."""
    flags.DEFINE_string("soundfont", None, f"SoundFont 2 file (.sf2) to play with, instead of {DEFAULT}.")


def define_sound() -> None:
    """Defines `--audio`, `--soundfont`, `--stems` and `--flat`."""
    flags.DEFINE_boolean(
        "audio", None, f"Write .wav and .ogg beside each .mid; without it, for at most {FEW_SONGS} songs."
    )
    define_soundfont()
    flags.DEFINE_boolean("stems", False, "Write a .wav for each track too.")
    flags.DEFINE_boolean("flat", False, "Play all notes equally loud, in .mid and sound.")


def checked_soundfont() -> str | None:
    """Returns what `--soundfont` names. It is read here, before the work that comes first.

    Raises:
        SoundError: if it is no soundfont.
    """
    path = flags.FLAGS.soundfont
    if path is not None:
        read_soundfont(path)
    return path


def check_sound() -> None:
    """Checks the flags of the sound, before the work.

    Raises:
        OptionError: for `--noaudio` together with a flag that needs sound.
        SoundError: if `--soundfont` is no soundfont.
    """
    if flags.FLAGS.audio is False and (needs := _needs()):
        raise OptionError(f"--noaudio and --{needs} do not go together: --{needs} is about the sound")
    checked_soundfont()


def asked_sound(songs: int) -> Rendering:
    """Returns what the flags ask for, which `check_sound` has checked.

    Args:
        songs: that the command makes; an original beside a song does not count.
    """
    values = flags.FLAGS
    audio = values.audio
    if audio is None:
        audio = bool(_needs()) or songs <= FEW_SONGS
        if not audio:
            say(f"no sound, since there are more than {FEW_SONGS} songs: --audio writes it")
    return Rendering(audio=audio, soundfont=values.soundfont, separate=values.stems, flat=values.flat)


def _needs() -> str:
    """Returns the name of a flag that was given and needs sound; empty without one."""
    return "soundfont" if flags.FLAGS.soundfont is not None else "stems" if flags.FLAGS.stems else ""

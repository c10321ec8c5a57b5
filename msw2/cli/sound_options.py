"""What the commands that write songs share: the flags of their sound. Imports no TensorFlow: `request` needs none."""

from absl import flags

from msw2.cli.launch import OptionError
from msw2.sound.rendering import Rendering
from msw2.sound.soundfont import read_soundfont
from msw2.system.progress import say

FEW_SONGS = (
    8  # the most that are rendered without being asked: a song of two minutes takes about 5 s and 27 MB
)


def define_sound() -> None:
    """Defines `--audio`, `--soundfont`, `--stems` and `--flat`."""
    flags.DEFINE_boolean(
        "audio", None, f"Write .wav and .ogg beside each .mid; without it, for at most {FEW_SONGS} songs."
    )
    flags.DEFINE_string("soundfont", None, "SoundFont 2 file (.sf2) to play with, instead of TimGM6mb.")
    flags.DEFINE_boolean("stems", False, "Write a .wav for each track too.")
    flags.DEFINE_boolean("flat", False, "Play all notes equally loud, in .mid and sound.")


def asked_sound(songs: int) -> Rendering:
    """Returns what the flags ask for.

    Args:
        songs: .mid files that the command writes.

    Raises:
        OptionError: for `--noaudio` together with a flag that needs sound.
        SoundError: if `--soundfont` is no soundfont.
    """
    values = flags.FLAGS
    needs = "soundfont" if values.soundfont is not None else "stems" if values.stems else ""
    if values.audio is False and needs:
        raise OptionError(f"--noaudio and --{needs} do not go together: --{needs} is about the sound")
    audio = values.audio
    if audio is None:
        audio = bool(needs) or songs <= FEW_SONGS
        if not audio:
            say(f"no sound, since there are more than {FEW_SONGS} songs: --audio writes it")
    if values.soundfont is not None:
        read_soundfont(values.soundfont)  # before the work that comes first
    return Rendering(audio=audio, soundfont=values.soundfont, separate=values.stems, flat=values.flat)

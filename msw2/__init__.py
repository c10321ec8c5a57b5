"""msw2: MIDI-Sandwich2 (Liang, Wu, Cao 2019), reproduced in Keras 3 on TensorFlow.

    band = msw2.load()                    # the packaged weights; or a finished run, or a .keras file
    restored = band.restore(multitrack)   # a pypianoroll.Multitrack, or a pretty_midi.PrettyMIDI
    songs = band.generate(songs=2)        # a list of pypianoroll.Multitrack
    played = band.accompany(multitrack, ["bass", "drums"])  # or continue_, infill, interpolate, vary
    band.write("song.ogg", songs[0])      # or .wav, .mid, .npz
    band.draw("song.png", {"generated": songs[0]})

`msw2.restore(multitrack)` and `msw2.generate(songs=2)` do the same in one call. `__init__.pyi` has the types.
"""

import importlib

__version__ = "0.1.0"
__all__ = ["generate", "load", "restore"]

MODEL = "tuned"  # the packaged weights that the commands take by default


def load(path=MODEL):
    """Opens packaged weights (`tuned`, `demo`), a finished run's directory or a .keras file; returns a `Band`."""
    # TensorFlow takes seconds to import: whoever wants the metrics alone does not wait for it.
    importlib.import_module("msw2.system.chatter").hold_back()
    return importlib.import_module("msw2.inference.band").Band.load(path)


def restore(song, *, model=MODEL, progress=False):
    """Takes a song through the sandwich and back; see `inference.band.Band.restore`."""
    return load(model).restore(song, progress=progress)


def generate(*, model=MODEL, **how):
    """Makes songs from nothing; `how` is as for `inference.band.Band.generate`."""
    return load(model).generate(**how)

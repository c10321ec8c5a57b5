"""`make data`: turns songs into the store that everything else reads.

Without a source: Freedoom's songs, fetched once. Own music: --midi=FOLDER, --lpd=FOLDER or --npz=FILE.
"""

import pathlib

from absl import app, flags

from msw2.cli.options import launch
from msw2.data.build import Source, build_store
from msw2.data.freedoom import freedoom
from msw2.data.lpd import lpd_tree
from msw2.data.midi_folder import midi_folder
from msw2.data.phrases import phrase_file
from msw2.data.store import REPORT, SPLITS, StoreError
from msw2.data.windows import SELECTIONS

_MIDI = flags.DEFINE_string("midi", None, "Folder of MIDI files, however deep.")
_LPD = flags.DEFINE_string("lpd", None, "Folder of LPD-5 files (pypianoroll's .npz), however deep.")
_NPZ = flags.DEFINE_string("npz", None, "MuseGAN's phrase file (.npz with `nonzero` and `shape`).")
_STORE = flags.DEFINE_string("store", "data/store", "Folder of the store.")
_SELECTION = flags.DEFINE_enum(
    "selection", "any", list(SELECTIONS), "; ".join(f"{name}: {rule}" for name, rule in SELECTIONS.items())
)
_HOP = flags.DEFINE_integer("hop", 4, "Bars from one window to the next.", lower_bound=1)
_WINDOWS = flags.DEFINE_integer("windows_per_song", 0, "Most windows a song; 0: all.", lower_bound=0)
_SEED = flags.DEFINE_integer("seed", 0, "Seed of the draw of windows.", lower_bound=0)


def _source() -> Source:
    """Returns the one source that the flags name."""
    given = {flag.name: flag.value for flag in (_MIDI, _LPD, _NPZ) if flag.value}
    if len(given) > 1:
        raise StoreError(f"{' and '.join(f'--{name}' for name in given)} are given: give one source")
    if _MIDI.value:
        return midi_folder(_MIDI.value)
    if _LPD.value:
        return lpd_tree(_LPD.value)
    if _NPZ.value:
        return phrase_file(_NPZ.value)
    return freedoom(pathlib.Path(_STORE.value).parent / "freedoom")


def main(argv: list[str]) -> None:
    """Makes the store and prints what is in it."""
    if len(argv) > 1:
        raise app.UsageError(f"unknown arguments: {' '.join(argv[1:])}")
    manifest = build_store(
        _source(),
        _STORE.value,
        selection=_SELECTION.value,
        hop=_HOP.value,
        windows_per_song=_WINDOWS.value,
        seed=_SEED.value,
    )
    print(f"{_STORE.value}: {manifest['files']:,} files, source {manifest['request']['source']}")
    for split in SPLITS:
        counts = manifest["splits"][split]
        print(f"  {split:<12}{counts['songs']:>7,} songs {counts['phrases']:>9,} phrases")
    if manifest["left_out"]:
        print(f"left out (each in {pathlib.Path(_STORE.value) / REPORT}):")
    for reason, count in manifest["left_out"].items():
        print(f"  {count:>7,} {reason}")


if __name__ == "__main__":
    launch(main, StoreError, OSError)

"""`make data`: turns songs into the store that everything else reads.

Without a source: Freedoom's songs, fetched once. Own music: --midi=FOLDER, --lpd=FOLDER or --npz=FILE.
"""

import pathlib
from collections.abc import Mapping

from absl import flags

from msw2.cli.clusters import chosen_cluster, define_cluster
from msw2.cli.launch import OptionError, launch
from msw2.data.build import build_store
from msw2.data.freedoom import freedoom
from msw2.data.lpd import lpd_tree
from msw2.data.midi_folder import midi_folder
from msw2.data.phrase_file import phrase_file
from msw2.data.splits import read_list
from msw2.data.store import REPORT, SPLITS, StoreError
from msw2.data.store_writer import Source
from msw2.data.windows import SELECTIONS
from msw2.system.cluster import Cluster, ClusterError

FOLDERS = {"midi": midi_folder, "lpd": lpd_tree}


def define_flags() -> None:
    """Defines the command's flags."""
    flags.DEFINE_string("midi", None, "Folder of MIDI files, however deep.")
    flags.DEFINE_string("lpd", None, "Folder of LPD-5 files (pypianoroll's .npz), however deep.")
    flags.DEFINE_string("npz", None, "MuseGAN's phrase file (.npz with `nonzero` and `shape`).")
    flags.DEFINE_string("store", "data/store", "Folder of the store.")
    rules = "; ".join(f"{name}: {rule}" for name, rule in SELECTIONS.items())
    flags.DEFINE_enum("selection", "any", list(SELECTIONS), f"Windows taken. {rules}.")
    flags.DEFINE_integer("hop", 4, "Bars from one window to the next.", lower_bound=1)
    flags.DEFINE_integer("windows_per_song", 0, "Most windows a song; 0: all.", lower_bound=0)
    flags.DEFINE_string(
        "songs", None, "List of the songs to take, with their splits: a CSV of song and split."
    )
    flags.DEFINE_bool(
        "others",
        False,
        "With --songs: other songs, too, for training, unless they are versions of held-out ones.",
    )
    flags.DEFINE_integer("seed", 0, "Seed of the draw of windows.", lower_bound=0)
    define_cluster()


def main() -> None:
    """Makes the store, unless it is there, and prints what is in it."""
    values = flags.FLAGS
    listed = read_list(values.songs) if values.songs else None
    with chosen_cluster() as cluster:
        manifest = build_store(
            _source(listed, cluster),
            values.store,
            selection=values.selection,
            hop=values.hop,
            windows_per_song=values.windows_per_song,
            seed=values.seed,
            listed=listed,
            workers=cluster,
        )
    print(f"{values.store}: {manifest['files']:,} {manifest['unit']}, source {manifest['request']['source']}")
    for split in SPLITS:
        counts = manifest["splits"][split]
        print(f"  {split:<12}{counts['songs']:>7,} songs {counts['phrases']:>9,} phrases")
    if manifest["joined"]["songs"]:
        songs, tunes, largest = (manifest["joined"][each] for each in ("songs", "tunes", "largest"))
        print(f"  {songs:,} songs are versions of {tunes:,} tunes, at most {largest:,} of one tune")
    if manifest["left_out"]:
        print(f"left out (each file in {pathlib.Path(values.store) / REPORT}):")
    for reason, count in manifest["left_out"].items():
        print(f"  {count:>7,} {reason}")


def _source(listed: Mapping[str, str] | None, cluster: Cluster | None) -> Source:
    """Returns the one source that the flags name, Freedoom without one; of a folder, the listed songs."""
    given = [name for name in (*FOLDERS, "npz") if flags.FLAGS[name].value]
    if len(given) > 1:
        raise OptionError(f"{' and '.join(f'--{name}' for name in given)} are given: give one source")
    if flags.FLAGS.others and listed is None:
        raise OptionError("--others goes with --songs: without a list, all songs are taken")
    if listed is not None and given not in (["midi"], ["lpd"]):
        raise OptionError("--songs names files of a folder: give --midi or --lpd")
    if given == ["npz"]:
        return phrase_file(flags.FLAGS.npz)
    if given:
        folder, others = flags.FLAGS[given[0]].value, listed is None or flags.FLAGS.others
        return FOLDERS[given[0]](folder, listed or (), others=others, workers=cluster or 0)
    return freedoom(pathlib.Path(flags.FLAGS.store).parent / "freedoom")


if __name__ == "__main__":
    launch(define_flags, main, ClusterError, StoreError, OSError)

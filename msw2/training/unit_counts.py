"""Which units of a store a training reads, and how many an epoch has."""

from collections.abc import Sequence

from msw2.config import Config
from msw2.data import stored_units
from msw2.data.store import Store
from msw2.models.sandwich import part_seed
from msw2.music.tracks import TRACK_NAMES
from msw2.training.runs import Run, RunError

# Of a track: a loss that is measured after every epoch of 3,200 must not cost a third of it.
MAX_VALIDATION_UNITS = 1024


def read_units(run: Run, store: Store, split: str, tracks: Sequence[str]) -> stored_units.Units:
    """Returns what a BVAE of these tracks reads of a split, track after track."""
    config, parts = run.config, []
    for track in tracks:
        parts.append(
            stored_units.open_units(
                store,
                split,
                track,
                unit_bars=config.unit_bars,
                silent_share=config.silent_bars,
                limit=most_units(config, split),
                seed=part_seed(config, f"{track}_{split}"),
            )
        )
        if split == "train" and not len(parts[-1]):
            raise RunError(f"the store {store.path} has no bars of {track} to train on")
    return stored_units.Units.together(parts)


def most_units(config: Config, split: str) -> int:
    """Returns how many units of a track are read of a split, from the first on (0: all)."""
    if split == "train":
        return config.train_units
    return min(config.train_units or MAX_VALIDATION_UNITS, MAX_VALIDATION_UNITS)


def epoch_units(run: Run, store: Store, tracks: Sequence[str]) -> int:
    """Returns the units of an epoch: as many for every track, so that each gets the same number of steps.

    A track that is often silent, whose silent units are left out, passes over the others more often. The epoch of
    a BVAE that several tracks share is as long as theirs together.
    """
    config = run.config
    there = min(store.count("train") * config.units, config.train_units or 2**31)
    return len(tracks) * (-(-config.epoch_bars // config.unit_bars) or there)


def epoch_steps(run: Run, store: Store, tracks: Sequence[str] = TRACK_NAMES[:1]) -> int:
    """Returns the steps of an epoch of a BVAE or a refiner of some tracks, or of any one."""
    return -(-epoch_units(run, store, tracks) // run.config.batch_size)

"""The first paragraphs of a dossier: its runs, their songs and their machines."""

import collections
import itertools

from msw2.data.store import SPLITS, Store
from msw2.evaluation.experiments import Runs

Asked = tuple[tuple[str, int], ...]  # recipe and seed of each run


def header(
    runs: Runs, asked: Asked, store: Store, *, name: str, recipes: str, added: tuple[str, ...]
) -> list[str]:
    """Returns the paragraphs.

    Args:
        runs: evaluated experiments by recipe.
        asked: all runs of the set.
        store: that they were trained on.
        name: of the set.
        recipes: folder of the recipes.
        added: flags that the set adds to each recipe.
    """
    experiments = [*itertools.chain(*runs.values())]
    done = {(each.recipe, each.seed) for each in experiments}
    missing = [run for run in asked if run not in done]
    flags = f"; the set adds `{' '.join(added)}`" if added else ""
    parts = [
        f"`make reproduce RECIPE_SET={name}`: {len(done)} of {len(asked)} runs. "
        f"Each recipe is `{recipes}/<recipe>.flags`{flags}.",
        f"Store: {_songs(store)}.",
        *_machines(collections.Counter(each.machine for each in experiments)),
    ]
    return [*parts, f"Not run yet: {listed(missing)}."] if missing else parts


def listed(runs: Asked | list[tuple[str, int]]) -> str:
    """Returns runs as a list for a sentence."""
    return ", ".join(f"`{recipe}` seed {seed}" for recipe, seed in runs)


def _songs(store: Store) -> str:
    splits = store.summary()["splits"]
    return ", ".join(
        f"{splits[split]['songs']:,} songs ({store.count(split):,} phrases) {split}" for split in SPLITS
    )


def _machines(runs: collections.Counter) -> list[str]:
    """Returns a sentence for each machine, with the number of its runs where there are several machines."""
    sentences = []
    for machine, count in runs.items():
        title = "Machine" if len(runs) == 1 else f"Machine of {count} run{'s' * (count != 1)}"
        sentences.append(f"{title}: {machine or 'not known'}.")
    return sentences

"""Holding a run to the store that it is trained on."""

import hashlib
import json
import pathlib
from typing import Protocol

from msw2.config import Config
from msw2.data.store import Store
from msw2.training.fit import Resume
from msw2.training.runs import Run, RunError


class HasGrid(Protocol):
    """A trained model, finished or not."""

    path: pathlib.Path
    config: Config


def check_grid(run: HasGrid, store: Store) -> None:
    """Holds a store to the grid of a model.

    Raises:
        RunError: if the grids differ.
    """
    if store.grid != run.config.grid:
        raise RunError(f"the store {store.path} has {store.grid}, the run {run.path} {run.config.grid}")


def check_fit(run: Run, store: Store) -> None:
    """Binds a run to the store that it is first trained on, and holds it to that.

    Raises:
        RunError: if the grids differ, the run was trained on another store, or the store has no training phrases.
    """
    check_grid(run, store)
    if not store.count("train"):
        raise RunError(f"the store {store.path} has no training phrases")
    bound, here = run.bound(), digest(store)
    if bound is None:
        run.bind(str(store.path), here)
        bound = run.bound() or {}
    if bound.get("digest") != here:
        raise RunError(
            f"the run {run.path} was trained on the store {bound['store']} as it was then, "
            f"not on {store.path} as it is now: use another run"
        )


def resume_of(run: Run, store: Store, stage: str) -> Resume:
    """Returns what continues a stage after a kill, on the same store with the same config."""
    identity = f"{run.config} {digest(store)}"
    return Resume(run.checkpoint(stage), run.history(stage), identity, writes=run.writes)


def digest(store: Store) -> str:
    """Returns 16 hexadecimal digits. A store made anew of other songs has others."""
    return hashlib.sha256(json.dumps(store.manifest, sort_keys=True).encode()).hexdigest()[:16]

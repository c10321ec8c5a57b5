"""What two runs train alike is trained once: one takes it over from the other.

A part depends on the store and on all fields of the config but those of other stages. So runs that differ only in how
they refine share BVAEs and MFG-VAE, and runs that differ only in how they fuse share BVAEs and refiners. What is made
of other parts, as an MFG-VAE is of the BVAEs' latents, is only taken where these are the very same weights: the same
training twice, on other cores, does not end in the same latents.
"""

import dataclasses
import filecmp
from collections.abc import Iterator

from msw2.config import Config, fields_of
from msw2.config.finetune import FinetunePart
from msw2.config.fusion import FusionPart
from msw2.config.prior import PriorPart
from msw2.config.refine import RefinePart
from msw2.models.sandwich import FUSION_PARTS, stage1_parts
from msw2.music.tracks import TRACK_NAMES
from msw2.system.files import copy
from msw2.training.runs import Run
from msw2.training.stage1 import SHARED


@dataclasses.dataclass(frozen=True)
class _Group:
    """Parts that are trained together.

    Attributes:
        parts: their names.
        stage: name of their history.
        untouched: fields of the config that they do not depend on.
        origin: names of the parts that they are made of.
    """

    parts: tuple[str, ...]
    stage: str
    untouched: frozenset[str]
    origin: tuple[str, ...] = ()


def take_over(run: Run, other: Run) -> list[str]:
    """Copies what `other` has trained, and `run` would train alike and has not yet.

    Parts that are trained together are copied together, over what a killed run may have of them.

    Args:
        run: bound to its store (see `binding.check_fit`).
        other: a run that may be unfinished, or on another store.

    Returns:
        Names of the stages that were taken over, `prior` among them.
    """
    mine, theirs = run.bound(), other.bound()
    if mine is None or theirs is None or mine["digest"] != theirs["digest"]:
        return []
    if run.begun or other.begun:
        return []  # what they train depends on weights that their configs do not tell
    taken = []
    for group in _groups(run.config.shared):
        missing = not run.has(*group.parts)
        if missing and other.has(*group.parts) and _alike(run, other, group.untouched, group.origin):
            if other.history(group.stage).exists():  # parts without weights have none
                copy(other.history(group.stage), run.history(group.stage))
            for part in group.parts:
                copy(other.weights(part), run.weights(part))
            taken.append(group.stage)
    untouched = fields_of(RefinePart, FinetunePart)
    origin = (*_bvaes(), *FUSION_PARTS)
    if not run.prior.exists() and other.prior.exists() and _alike(run, other, untouched, origin):
        if other.history("prior").exists():  # what is fitted at once has none
            copy(other.history("prior"), run.history("prior"))
        copy(other.prior, run.prior)
        taken.append("prior")
    return list(dict.fromkeys(taken))  # a shared BVAE is one stage for five tracks


def shared_stages(config: Config, other: Config) -> list[str]:
    """Returns the commands that train something alike in runs of two configs, of one store and fresh weights.

    Returns:
        Some of `stage1`, `refine` and `stage2`. What is made of other parts is alike where these are, too.
    """
    found = []
    if _agree(config, other, fields_of(RefinePart, FusionPart, PriorPart, FinetunePart)):
        found.append("stage1")
        if _agree(config, other, fields_of(FusionPart, PriorPart, FinetunePart)):
            found.append("refine")
        if _agree(config, other, fields_of(RefinePart, PriorPart, FinetunePart)):
            found.append("stage2")
    return found


def _groups(shared: bool) -> Iterator[_Group]:
    for track in TRACK_NAMES:
        stage = SHARED if shared else f"{track}_bvae"
        yield _Group(stage1_parts(track), stage, fields_of(RefinePart, FusionPart, PriorPart, FinetunePart))
    for track in TRACK_NAMES:
        name = f"{track}_refiner"
        yield _Group((name,), name, fields_of(FusionPart, PriorPart, FinetunePart), stage1_parts(track))
    yield _Group(FUSION_PARTS, "mfg_vae", fields_of(RefinePart, PriorPart, FinetunePart), _bvaes())


def _bvaes() -> tuple[str, ...]:
    return tuple(part for track in TRACK_NAMES for part in stage1_parts(track))


def _alike(run: Run, other: Run, untouched: frozenset[str], origin: tuple[str, ...]) -> bool:
    """Returns whether two runs agree in all other fields, and have the same weights of the parts of origin."""
    return _agree(run.config, other.config, untouched) and all(
        run.has(part)
        and other.has(part)
        and filecmp.cmp(run.weights(part), other.weights(part), shallow=False)
        for part in origin
    )


def _agree(config: Config, other: Config, untouched: frozenset[str]) -> bool:
    """Returns whether two configs agree in all other fields."""
    mine, theirs = dataclasses.asdict(config), dataclasses.asdict(other)
    return all(mine[name] == theirs[name] for name in mine if name not in untouched)

"""A run directory, which explains itself: what was asked for, what is trained, how it went."""

import contextlib
import dataclasses
import json
import os
import pathlib
import shutil
from collections.abc import Iterator, Sequence
from typing import Any

import keras

from msw2.config import Config
from msw2.models.prior_file import AnyPrior, load_prior
from msw2.models.refine import set_threshold
from msw2.models.sandwich import PARTS, build_sandwich, stage1_parts
from msw2.models.weights import read_weights
from msw2.models.weights import write_weights as save_weights
from msw2.music.tracks import TRACK_NAMES
from msw2.system import files, locks
from msw2.system.files import copy, replacing
from msw2.system.locks import LockedError, alone
from msw2.system.records import RecordError, checked, read_json

START = "start"  # folder of the weights that a run's trainings begin with, where they are trained ones
BOUND = {"store": str, "digest": str}  # what data.json holds
PATIENCE = 60.0  # seconds to wait for another process that makes the run: it takes one at most
FINETUNED = "finetuned"  # folder of the weights after finetuning, within that of the weights


class RunError(Exception):
    """A run that is missing, or does not fit; the message is one sentence for the user."""


@dataclasses.dataclass(frozen=True)
class Run:
    """A run directory.

    Attributes:
        path: the directory.
        config: every field, resolved.
        preset: name of the preset that the config began with.
        begun: what the trainings begin with, as it was named; empty: with fresh weights.
        writes: whether this process writes files. In a job of several processes, the chief alone does.
    """

    path: pathlib.Path
    config: Config
    preset: str = ""
    begun: str = ""
    writes: bool = True

    @classmethod
    def open(cls, path: str | os.PathLike) -> "Run":
        """Opens a run that exists.

        Raises:
            RunError: if it does not exist, or its config.json is not one of this version.
        """
        path = pathlib.Path(path)
        try:
            return cls(path, *restored(read_json(path / "config.json", {})))
        except FileNotFoundError as error:
            raise RunError(f"no run at {path}: train one with `make stage1`") from error
        except RecordError as error:
            raise RunError(f"{path / 'config.json'} cannot be read: {error}") from error
        except (TypeError, ValueError) as error:
            raise RunError(f"{path / 'config.json'} does not fit this version: {error}") from error

    @classmethod
    def create(
        cls,
        path: str | os.PathLike,
        config: Config,
        flags: str = "",
        preset: str = "",
        start: tuple[str, keras.Model, AnyPrior] | None = None,
    ) -> "Run":
        """Opens the run, or makes a new one.

        Args:
            path: its directory.
            config: what it must be.
            flags: the flags it was asked for with, kept in flags.txt.
            preset: name of the preset that the config began with.
            start: a name, and the trained sandwich and its prior that the trainings of a new run begin with; None:
                they begin with fresh weights.

        Raises:
            RunError: if there is a run with another config.
        """
        path = pathlib.Path(path)
        with _alone(path, "run", wait=PATIENCE):
            return cls._create(path, config, flags, preset, start)

    @classmethod
    def _create(
        cls,
        path: pathlib.Path,
        config: Config,
        flags: str,
        preset: str,
        start: tuple[str, keras.Model, AnyPrior] | None,
    ) -> "Run":
        if (path / "config.json").exists():
            run = cls.open(path)
            run.require(config)
            return run
        with replacing(path / "flags.txt") as temporary:
            temporary.write_text(flags, "utf-8")
        shutil.rmtree(path / START, ignore_errors=True)  # of a call that was killed before the run was there
        begun, sandwich, prior = start or ("", None, None)
        run = cls(path, config, preset, begun)
        for name in PARTS if start else ():
            save_weights(sandwich.get_layer(name), run.start(name))
        if start:
            prior.save(run.start_prior)
        run._write()  # last: with it the run is there
        return run

    def changed(self, fields: dict[str, Any]) -> "Run":
        """Returns this run with other values of some fields, and writes them to its config.json."""
        run = dataclasses.replace(self, config=dataclasses.replace(self.config, **fields))
        if self.writes:
            run._write()
        return run

    def _write(self) -> None:
        with replacing(self.path / "config.json") as temporary:
            named = {"preset": self.preset} | ({"begun": self.begun} if self.begun else {})
            fields = named | dataclasses.asdict(self.config)
            temporary.write_text(json.dumps(fields, indent=2) + "\n", "utf-8")

    def require(self, config: Config) -> None:
        """Checks that this run is of the given config.

        Raises:
            RunError: naming the first fields that differ.
        """
        mine, asked = dataclasses.asdict(self.config), dataclasses.asdict(config)
        different = [f"{name} {mine[name]} (not {asked[name]})" for name in mine if mine[name] != asked[name]]
        if different:
            more = f" and {len(different) - 3} more" if len(different) > 3 else ""
            raise RunError(
                f"the run {self.path} was made with {', '.join(different[:3])}{more}: "
                "give the same flags, or another run"
            )

    def bound(self) -> dict[str, str] | None:
        """Returns the store that this run was first trained on: its path (`store`) and `digest`; None before that.

        Raises:
            RunError: if the file that says so is damaged.
        """
        try:
            return read_json(self.data, BOUND)
        except FileNotFoundError:
            return None
        except RecordError as error:
            raise RunError(f"{self.data} is damaged: {error}") from error

    def bind(self, store: str, digest: str) -> None:
        """Writes down the store that this run is trained on, unless another process has done so first."""
        with _alone(self.path, "run", wait=PATIENCE):
            if self.bound() is None:
                with replacing(self.data) as temporary:
                    temporary.write_text(
                        json.dumps({"store": store, "digest": digest}, indent=2) + "\n", "utf-8"
                    )

    def alone(self, work: str) -> contextlib.AbstractContextManager[None]:
        """Keeps other processes from some work on this run while a block runs, on every machine that shares its folder.

        Args:
            work: name of a stage, or of a folder of the run.

        Raises:
            RunError: if another process is at it. Processes that help the chief of their job are not.
        """
        return _alone(self.path, work) if self.writes else contextlib.nullcontext()

    def clear(self) -> None:
        """Removes locks and temporary files that killed processes left: where all is done, nobody comes by again."""
        for lock in self.path.glob(".*.lock"):
            locks.clear(lock)
        for folder in (".", START, "weights", f"weights/{FINETUNED}", "history", "checkpoints"):
            files.clear(self.path / folder)

    @property
    def data(self) -> pathlib.Path:
        """Where it is written down what `bound` returns."""
        return self.path / "data.json"

    def weights(self, part: str) -> pathlib.Path:
        """Returns where a part's weights are, or will be."""
        return self.path / "weights" / f"{part}.weights.h5"

    def start(self, part: str) -> pathlib.Path:
        """Returns where the weights are that a part's training begins with, if it begins with trained ones."""
        return self.path / START / f"{part}.weights.h5"

    @property
    def start_prior(self) -> pathlib.Path:
        """Where the prior is that came with those weights."""
        return self.path / START / "prior.npz"

    def finetuned(self, part: str) -> pathlib.Path:
        """Returns where a part's weights are after finetuning, or will be."""
        return self.path / "weights" / FINETUNED / f"{part}.weights.h5"

    @property
    def prior(self) -> pathlib.Path:
        """Where the prior is, or will be."""
        return self.path / "weights" / "prior.npz"

    @property
    def finetuned_prior(self) -> pathlib.Path:
        """The path of the prior after finetuning. It is written last, when all parts are there."""
        return self.path / "weights" / FINETUNED / "prior.npz"

    @property
    def thresholds(self) -> pathlib.Path:
        """Where the thresholds are, or will be: from which probability on a cell of a track sounds."""
        return self.path / "weights" / "thresholds.json"

    @property
    def finetuned_thresholds(self) -> pathlib.Path:
        """Where the thresholds are after finetuning, or will be."""
        return self.path / "weights" / FINETUNED / "thresholds.json"

    def history(self, stage: str) -> pathlib.Path:
        """Returns where a stage's history is: one row an epoch."""
        return self.path / "history" / f"{stage}.csv"

    def figure(self, stage: str) -> pathlib.Path:
        """Returns where the picture of a stage's loss is."""
        return self.path / "history" / f"{stage}.png"

    def checkpoint(self, stage: str) -> pathlib.Path:
        """Returns where a stage that is under way keeps its state."""
        return self.path / "checkpoints" / f"{stage}.npz"

    def has(self, *parts: str) -> bool:
        """Returns whether all these parts are trained."""
        return all(self.weights(part).exists() for part in parts)

    def has_bvaes(self, tracks: Sequence[str]) -> bool:
        """Returns whether the BVAEs of these tracks are trained."""
        return all(self.has(*stage1_parts(track)) for track in tracks)

    def save_weights(self, model: keras.Model, part: str) -> None:
        """Writes a part's weights, whole or not at all."""
        save_weights(model, self.weights(part))

    def copy_bvae(self, tracks: Sequence[str]) -> None:
        """Writes the weights of the first track's BVAE as those of the others as well, each whole or not at all."""
        for track in tracks[1:]:
            for trained, part in zip(stage1_parts(tracks[0]), stage1_parts(track), strict=True):
                copy(self.weights(trained), self.weights(part))

    def load_weights(self, sandwich: keras.Model, *names: str) -> None:
        """Loads trained parts.

        Raises:
            RunError: naming what is not trained yet and the command that trains it, or what is damaged.
        """
        missing = [name for name in names if not self.has(name)]
        if missing:
            raise RunError(
                f"the run {self.path} has no trained {', '.join(missing)}: {_advice(missing[0])} first"
            )
        for name in names:
            load_weights(sandwich.get_layer(name), self.weights(name))

    def begin(self, sandwich: keras.Model, *names: str) -> bool:
        """Gives parts the weights that their training begins with; returns False if it begins with fresh ones.

        Raises:
            RunError: if the weights are damaged or missing.
        """
        for name in names if self.begun else ():
            load_weights(sandwich.get_layer(name), self.start(name))
        return bool(self.begun)

    def load_sandwich(self) -> tuple[keras.Model, AnyPrior]:
        """Returns the whole trained model, as `load_model` does, and its prior: finetuned, if the run is.

        Raises:
            RunError: if a stage is missing, or its file is damaged.
        """
        finetuned = self.finetuned_prior.exists()
        sandwich = self.load_model(finetuned=finetuned)
        return sandwich, self._load_prior(self.finetuned_prior if finetuned else self.prior)

    def load_model(self, *, finetuned: bool = False, thresholds: bool = True) -> keras.Model:
        """Returns the whole trained model, without a prior.

        The model computes in float32, with operations that every TensorFlow has: what it makes is what an export of
        it makes.

        Args:
            finetuned: whether it has the weights after finetuning, and the thresholds.
            thresholds: whether the refiners have the run's thresholds. Otherwise a cell sounds from 0.5 on.

        Raises:
            RunError: if a stage is missing, or its file is damaged.
        """
        sandwich = build_sandwich(dataclasses.replace(self.config, precision="float32"), portable=True)
        if finetuned:
            for name in PARTS:
                load_weights(sandwich.get_layer(name), self.finetuned(name))
        else:
            self.load_weights(sandwich, *PARTS)
        for track, threshold in self._load_thresholds(finetuned).items() if thresholds else ():
            set_threshold(sandwich.get_layer(f"{track}_refiner"), threshold)
        return sandwich

    def prior_before(self) -> AnyPrior | None:
        """Returns the prior of the weights that the trainings began with; None if they were fresh.

        Raises:
            RunError: if it is damaged or missing.
        """
        return self._load_prior(self.start_prior) if self.begun else None

    def stage_prior(self) -> AnyPrior:
        """Returns the prior that stage 2 made.

        Raises:
            RunError: if it is damaged or missing.
        """
        return self._load_prior(self.prior)

    def _load_thresholds(self, finetuned: bool) -> dict[str, float]:
        """Returns the threshold of each track; none where it is 0.5."""
        if self.config.refine_threshold == "half":
            return {}
        path, command = (self.finetuned_thresholds, "finetune") if finetuned else (self.thresholds, "stage2")
        try:
            found = read_json(path, dict.fromkeys(TRACK_NAMES, float))
            if not all(0 < threshold < 1 for threshold in found.values()):
                raise RecordError("a threshold is not between 0 and 1")
        except FileNotFoundError as error:
            raise RunError(f"the run {self.path} has no thresholds: run `make {command}` first") from error
        except RecordError as error:
            raise RunError(f"{path} is damaged: delete it and run `make {command}` ({error})") from error
        return {track: found[track] for track in TRACK_NAMES}

    def _load_prior(self, path: pathlib.Path) -> AnyPrior:
        try:
            return fitting(load_prior(path), self.config)
        except FileNotFoundError as error:
            raise RunError(f"the run {self.path} has no prior: run `make stage2` first") from error
        except (OSError, ValueError) as error:
            raise RunError(f"{path} is damaged: delete it and run `make stage2` ({error})") from error


@contextlib.contextmanager
def _alone(path: pathlib.Path, work: str, *, wait: float = 0.0) -> Iterator[None]:
    """Holds a lock of a run; see `Run.alone`."""
    with contextlib.ExitStack() as stack:
        try:
            stack.enter_context(alone(path / f".{work}.lock", wait=wait))
        except LockedError as error:
            raise RunError(f"{error} is at work on {work} of the run {path}: wait for it to end") from error
        yield


def restored(fields: dict[str, Any]) -> tuple[Config, str, str]:
    """Returns the config that a run's config.json holds, and its `preset` and `begun`; see `Run`.

    Raises:
        TypeError, ValueError: as for `Config.restored`.
    """
    names = checked({"preset": "", "begun": ""} | fields, {"preset": str, "begun": str})
    kept = {name: value for name, value in fields.items() if name not in ("preset", "begun")}
    return Config.restored(kept), names["preset"], names["begun"]


def fitting(prior: AnyPrior, config: Config) -> AnyPrior:
    """Returns a prior that draws what a model of the config reads.

    Raises:
        ValueError: if it draws anything else.
    """
    if (prior.units, prior.latent) != (config.units, config.fusion_latent):
        raise ValueError(
            f"it draws {prior.units} x {prior.latent} numbers, the model reads {config.units} x "
            f"{config.fusion_latent}"
        )
    return prior


def load_weights(model: keras.Model, path: pathlib.Path) -> None:
    """Loads a model's weights.

    Raises:
        RunError: if they are damaged or missing.
    """
    try:
        read_weights(model, path)
    except RecordError as error:
        raise RunError(f"{path} is {error}") from error


def _advice(part: str) -> str:
    """Returns the command that trains a part."""
    track, kind = part.split("_")
    if track == "mfg":
        return "run `make stage2`"
    return f"run `make {'refine' if kind == 'refiner' else 'stage1'} TRACK={track}`"

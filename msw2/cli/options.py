"""What the commands on a run share: their flags, and what the flags name."""

import contextlib
import dataclasses
import pathlib
from collections.abc import Iterator, Sequence
from typing import Any

from absl import flags
from absl.flags import FlagValues

from msw2.cli.launch import OptionError
from msw2.cli.recipes import recipe_lines
from msw2.config import CHOICES, PAPER, PRESETS, Config, adapting, fields_of, preset
from msw2.config.finetune import FinetunePart
from msw2.data.store import Store, StoreError
from msw2.inference.places import PACKAGED, is_run
from msw2.inference.trained import Trained, open_trained
from msw2.music.midi import SongError
from msw2.music.tracks import TRACK_NAMES
from msw2.page.folder import FolderError
from msw2.sound.soundfont import SoundError
from msw2.system.locks import LockedError, alone
from msw2.training.device import resolved_precision
from msw2.training.jobs import STRATEGIES
from msw2.training.runs import Run, RunError
from msw2.training.sharing import take_over
from msw2.training.store_check import check_fit, check_grid

USER_ERRORS = (FolderError, RunError, SongError, SoundError, StoreError)


def define_trained() -> None:
    """Defines what every command on a trained model has: `--run`, `--threads`."""
    flags.DEFINE_string(
        "run",
        PACKAGED[0],
        f"Packaged weights ({' or '.join(PACKAGED)}), a run's directory, or a .keras file. What is made with "
        "weights or a file goes to msw2-<name>, else to the run.",
    )
    define_threads()


def define_threads() -> None:
    """Defines `--threads`."""
    flags.DEFINE_integer("threads", 0, "CPU threads; 0: as many as there are cores.", lower_bound=0)


def define_store() -> None:
    """Defines `--store`."""
    flags.DEFINE_string("store", "data/store", "Folder of the store, made by `make data`.")


def define_config(**where: Any) -> None:
    """Defines `--preset` and one optional override for each field of Config.

    Args:
        **where: `flag_values`, absl's collection of flags to define them in, if it is not the command's own.
    """
    text = "Values of all fields; tuned where there is no run yet."
    flags.DEFINE_enum("preset", None, list(PRESETS), text, **where)
    for field in dataclasses.fields(Config):
        text = field.metadata["text"]
        if field.name in CHOICES:
            flags.DEFINE_enum(field.name, None, CHOICES[field.name], text, **where)
        elif field.type is bool:
            flags.DEFINE_boolean(field.name, None, text, **where)
        elif field.type is int:
            flags.DEFINE_integer(field.name, None, text, **where)
        else:
            flags.DEFINE_float(field.name, None, text, **where)


def define_drawing() -> None:
    """Defines `--seed` and `--temperature`, for what draws from the prior."""
    define_seed("phrase, or of the first song of a prior that learns songs")
    define_temperature()


def define_seed(what: str = "song") -> None:
    """Defines `--seed`; `what` is counted."""
    flags.DEFINE_integer("seed", 0, f"Seed of the first {what}; the others count on from it.", lower_bound=0)


def define_temperature() -> None:
    """Defines `--temperature`."""
    flags.DEFINE_float(
        "temperature", 1.0, "Spread of the prior; 1: as learnt, 0: only its centres.", lower_bound=0.0
    )


def define_training() -> None:
    """Defines what every training command has: the run, the store, overrides of the config, runs to share with."""
    flags.DEFINE_string("run", "runs/tuned", "Directory of the run.")
    define_threads()
    define_store()
    flags.DEFINE_string(
        "recipe", None, "Recipe that the package carries; --preset and the fields override it."
    )
    flags.DEFINE_string(
        "from",
        None,
        f"What a new run begins with: packaged weights ({' or '.join(PACKAGED)}), a run's directory, or a .keras "
        "file. Its config holds, with lower learning rates and few epochs.",
    )
    flags.DEFINE_enum(
        "strategy",
        "none",
        STRATEGIES,
        "Devices that train together: none: one; mirrored: all GPUs of this machine; multiworker: those of all "
        "processes that TF_CONFIG names. batch_size stays that of all together.",
    )
    define_config()
    flags.DEFINE_list(
        "take_over", [], "Runs of which those parts are taken over that this run would train alike."
    )


def define_track() -> None:
    """Defines `--track`."""
    flags.DEFINE_string("track", "", f"One of {', '.join(TRACK_NAMES)}; without it, all five.")


def chosen_tracks() -> tuple[str, ...]:
    """Returns the tracks that `--track` asks for.

    Raises:
        OptionError: if it is not a track.
    """
    track = flags.FLAGS.track
    if not track:
        return TRACK_NAMES
    if track not in TRACK_NAMES:
        raise OptionError(f"track {track!r} is not one of {', '.join(TRACK_NAMES)}")
    return (track,)


def training_run(*, finetuning: bool = False, writes: bool = True) -> Run:
    """Returns the run that `--run` names, made from `--preset` and the overrides if it does not exist yet.

    Args:
        finetuning: whether the flags may change the finetuning of a run that is not finetuned yet.
        writes: whether this process writes the run's files; without it, there is a run.

    Raises:
        OptionError: for a value out of its range.
        RunError: if there is one that was made otherwise.
    """
    values = flags.FLAGS
    if not is_run(values.run):
        raise OptionError(
            f"--run={values.run} is a name of trained weights: give a directory for the new run"
        )
    name, overrides = _asked()
    begun = values["from"].value or ""
    if begun and name:
        raise OptionError(f"--from={begun} brings a config of its own: leave out the recipe and the preset")
    if (pathlib.Path(values.run) / "config.json").exists():
        run = dataclasses.replace(Run.open(values.run), writes=writes)
        if begun and begun != run.begun:
            raise OptionError(
                f"the run {run.path} began with {run.begun or 'fresh weights'}, not with {begun}: use another run"
            )
        if name not in (None, run.preset):
            raise OptionError(
                f"the run {run.path} was made with preset {run.preset}, not {name}: use another run"
            )
        asked = _resolved(_override(run.config, overrides))
        if finetuning and not run.finetuned_prior.exists():
            run = run.changed({name: getattr(asked, name) for name in fields_of(FinetunePart)})
        run.require(asked)
        return run
    start = None
    if begun:
        trained = open_trained(begun)
        name, base = trained.preset, adapting(trained.config)
        start = (begun, *trained.load_sandwich())
    else:
        name = name or "tuned"
        base = preset(name)
    config = _resolved(_override(base, overrides))
    return Run.create(values.run, config, values.flags_into_string(), name, start)


def bound_run(store: Store, *, finetuning: bool = False, writes: bool = True) -> Run:
    """Returns `training_run`, bound to its store, with what other runs have trained for it.

    Args:
        store: that is trained on.
        finetuning: as for `training_run`.
        writes: as for `training_run`; without it, nothing is taken over and nothing said.

    Raises:
        OptionError, RunError: as `training_run`; and RunError if run and store do not fit, or a run is not there.
    """
    others = [Run.open(path) for path in flags.FLAGS.take_over]  # first: what is refused makes no run
    run = training_run(finetuning=finetuning, writes=writes)
    check_fit(run, store)
    if not writes:
        return run
    run.clear()
    print(introduction(run))
    for other in others:
        if taken := take_over(run, other):
            print(f"taken over from {other.path}: {', '.join(taken)}")
    return run


def config_of(recipe: str, given: Sequence[str]) -> Config:
    """Returns the config that a training with a recipe, and with flags after it, is of.

    Args:
        recipe: its name.
        given: flags, those of other things than the config among them.

    Raises:
        OptionError: for a value out of its range.
    """
    values = FlagValues()
    define_config(flag_values=values)
    values([recipe, *recipe_lines(recipe), *given], known_only=True)
    name, fields = _fields(values)
    return _override(preset(name or "tuned"), fields)


def _asked() -> tuple[str | None, dict[str, Any]]:
    """Returns the preset and the fields that the flags ask for, and before them those of the recipe."""
    sources = [flags.FLAGS]
    if flags.FLAGS.recipe:
        # absl's own, because tests give this module other flags
        recipe = FlagValues()
        define_config(flag_values=recipe)
        recipe([flags.FLAGS.recipe, *recipe_lines(flags.FLAGS.recipe)])
        sources.insert(0, recipe)
    name, fields = None, {}
    for source in sources:
        own_name, own_fields = _fields(source)
        name, fields = own_name or name, fields | own_fields
    return name, fields


def _fields(source: FlagValues) -> tuple[str | None, dict[str, Any]]:
    """Returns the preset and the fields that some flags give."""
    given = {field.name: source[field.name].value for field in dataclasses.fields(Config)}
    return source["preset"].value, {field: value for field, value in given.items() if value is not None}


def _override(config: Config, overrides: dict) -> Config:
    try:
        return dataclasses.replace(config, **overrides)
    except ValueError as error:
        raise OptionError(str(error)) from error


def _resolved(config: Config) -> Config:
    """Returns the config with the precision that `auto` stands for here."""
    return dataclasses.replace(config, precision=resolved_precision(config.precision))


def introduction(run: Run) -> str:
    """Returns a line that says which recipe a run is of, and how far that is from the paper."""
    mine, papers = dataclasses.asdict(run.config), dataclasses.asdict(PAPER)
    own = {"seed", "precision"}  # of a run and its machine, not of a recipe
    different = [name for name in mine if mine[name] != papers[name] and name not in own]
    if different:
        far = f"{len(different)} of {len(mine)} fields differ from the paper's; msw2/config/presets.py has the reasons"
    else:
        far = "the paper's, field for field"
    return f"{run.path}: preset {run.preset or 'unknown'}, {far}; {run.config.precision}"


@contextlib.contextmanager
def writing(folder: pathlib.Path) -> Iterator[None]:
    """Keeps other processes from writing to a folder while the block runs: files of two would stand side by side.

    Raises:
        OptionError: if another process is writing there.
    """
    with contextlib.ExitStack() as stack:
        try:
            stack.enter_context(alone(folder.with_name(f".{folder.name}.lock")))
        except LockedError as error:
            raise OptionError(f"{error} is writing to {folder}: wait for it to end") from error
        yield


def open_run() -> Trained:
    """Returns what `--run` names, which must exist."""
    return open_trained(flags.FLAGS.run)


def open_store(*, measuring: bool = False) -> Store:
    """Returns the store that `--store` names."""
    return Store.open(flags.FLAGS.store, measuring=measuring)


def open_fitting_store(run: Trained, *, measuring: bool = False) -> Store:
    """Returns the store that `--store` names.

    Raises:
        RunError: if its grid is not the run's.
    """
    store = open_store(measuring=measuring)
    check_grid(run, store)
    return store

"""`make listening-test`: a page for listeners, who rate music without knowing what made it, as in Table II.

Real songs and restored songs are different songs, so that nobody hears a song beside its restoration, or knows it
again. Generated clips have the tempos of the restored ones, and each system draws with seeds of its own.
"""

import pathlib

from absl import flags

from msw2.cli import options, sound_options
from msw2.cli.launch import OptionError, launch
from msw2.data.store import Store
from msw2.inference.listening import SPLIT, Excerpt, excerpts, folder_clips, generated
from msw2.inference.sampling import Sampler, SilenceError
from msw2.inference.trained import Trained, open_trained
from msw2.page.listening_key import ListeningError
from msw2.page.listening_page import build_listening_test
from msw2.page.listening_sound import Clip
from msw2.sound.soundfont import SoundError
from msw2.system.progress import say
from msw2.training.device import set_up_device
from msw2.training.store_check import check_grid

RESTORE, GENERATE, UNREFINED = "restore", "generate", "generate without refine"
NO_FUSION, REAL = "no fusion", "real songs"
OWN = (RESTORE, GENERATE, UNREFINED, NO_FUSION, REAL)
APART = 1_000_000  # between the seeds of two systems
PAGE, KEY = "listening-test.html", "listening-key.json"


def define_flags() -> None:
    """Defines the command's flags."""
    options.define_trained()
    options.define_store()
    flags.DEFINE_string(
        "no_fusion_run", None, "A run of a recipe without fusion; without it, that system is left out."
    )
    flags.DEFINE_multi_string(
        "system", [], "NAME:FOLDER, another system's MIDI files, such as MuseGAN:folder; can be repeated."
    )
    flags.DEFINE_integer("clips", 2, "Clips a system.", lower_bound=1, upper_bound=20)
    flags.DEFINE_integer("phrases", 2, "Phrases a clip, of four bars each.", lower_bound=1, upper_bound=16)
    flags.DEFINE_integer("seed", 0, "Seed of songs, generated phrases and orders.", lower_bound=0)
    flags.DEFINE_string("out", None, "Folder for the page and its key; `listening` in the run's without it.")
    sound_options.define_soundfont()


def main() -> None:
    """Writes `listening-test.html`, for the listeners, and `listening-key.json`, for the experimenter."""
    values = flags.FLAGS
    others, soundfont = _others(values.system), sound_options.checked_soundfont()
    set_up_device(values.threads)
    run = options.open_run()
    store = options.open_fitting_store(run, measuring=True)
    unfused = _no_fusion_run(store)
    chosen = _excerpts(store)
    systems = _own(run, unfused, chosen)
    for name, folder in others.items():
        systems[name], left_out = folder_clips(
            folder, store.grid, values.clips, values.phrases, seed=values.seed
        )
        for sentence in left_out:
            print(f"left out: {sentence}")
    practice = chosen[-1].clip() if len(chosen) > 2 * values.clips else None
    folder = pathlib.Path(values.out) if values.out else run.path / "listening"
    with options.writing(folder):
        build_listening_test(
            folder / PAGE,
            folder / KEY,
            systems,
            store.grid,
            seed=values.seed,
            practice=practice,
            soundfont=soundfont,
        )
    _report(folder, systems, practice)


def _others(given: list[str]) -> dict[str, str]:
    """Returns the folder of each system that `--system` names."""
    found: dict[str, str] = {}
    for text in given:
        name, colon, folder = text.partition(":")
        name = name.strip()
        if not (name and colon and folder):
            raise OptionError(f"--system={text!r} is not NAME:FOLDER")
        if name in found or name in OWN:
            raise OptionError(f"--system={text!r}: there is a system {name!r} already")
        found[name] = folder
    return found


def _no_fusion_run(store: Store) -> Trained | None:
    """Returns the run that `--no_fusion_run` names."""
    path = flags.FLAGS.no_fusion_run
    if path is None:
        return None
    run = open_trained(path)
    check_grid(run, store)
    if run.config.fusion != "none":
        raise OptionError(f"--no_fusion_run={path}: its fusion is {run.config.fusion!r}, not 'none'")
    return run


def _excerpts(store: Store) -> list[Excerpt]:
    """Returns excerpts of different songs: those to restore, the real ones and, if one is left, one to practise."""
    values = flags.FLAGS
    needed = 2 * values.clips
    found = excerpts(store, needed + 1, values.phrases, seed=values.seed)
    if len(found) < needed:
        raise OptionError(
            f"the split {SPLIT} of {store.path} has {len(found)} songs with {values.phrases} phrases in a row, and "
            f"{needed} are needed, half to restore and half as they are: give fewer --clips or --phrases"
        )
    return found


def _own(run: Trained, unfused: Trained | None, chosen: list[Excerpt]) -> dict[str, list[Clip]]:
    """Returns the clips of the run's systems."""
    values = flags.FLAGS
    restored, real = chosen[: values.clips], chosen[values.clips : 2 * values.clips]
    tempos = [excerpt.tempo for excerpt in restored]
    say(f"{run.path}: restoring and generating")
    sampler = Sampler.of(run)
    systems = {
        RESTORE: [excerpt.restored(sampler) for excerpt in restored],
        GENERATE: generated(sampler, tempos, values.phrases, seed=values.seed),
        UNREFINED: generated(sampler, tempos, values.phrases, seed=values.seed + APART, refined=False),
    }
    if unfused is not None:
        say(f"{unfused.path}: generating")
        systems[NO_FUSION] = generated(
            Sampler.of(unfused), tempos, values.phrases, seed=values.seed + 2 * APART
        )
    return systems | {REAL: [excerpt.clip() for excerpt in real]}


def _report(folder: pathlib.Path, systems: dict[str, list[Clip]], practice: Clip | None) -> None:
    """Prints what was written, and what was left out."""
    if NO_FUSION not in systems:
        print(f"left out: {NO_FUSION}, as there is no --no_fusion_run")
    if practice is None:
        print("left out: a clip to practise, as no song is left for it")
    clips = sum(map(len, systems.values()))
    page, key = folder / PAGE, folder / KEY
    print(f"{clips} clips of {len(systems)} systems, {page.stat().st_size / 1e6:.1f} MB: {page}")
    print(f"the key, not for the listeners: {key}")
    print(f"with their answers: python -m msw2.cli.listeners --key={key} answers-*.json")


if __name__ == "__main__":
    launch(define_flags, main, ListeningError, SilenceError, SoundError, OSError, *options.USER_ERRORS)

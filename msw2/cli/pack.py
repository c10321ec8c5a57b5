"""Packs a finished run into the package: its weights in half precision, and a card that says what they are.

For those who publish the package, in the repository. What was there stays until the figures of the new weights are
known.
"""

import pathlib

from absl import flags

from msw2.benchmarks.machine import Machine
from msw2.cli import options
from msw2.cli.launch import launch
from msw2.data.store import SPLITS, Store
from msw2.evaluation import glance
from msw2.evaluation.card import Card, markdown
from msw2.evaluation.half import cost_of_half
from msw2.evaluation.run_evaluation import Request, evaluate_run
from msw2.inference.band import Band
from msw2.inference.places import PACKAGED, SUFFIX, WEIGHTS
from msw2.inference.sampling import Sampler
from msw2.inference.trained import open_trained
from msw2.system.files import replacing
from msw2.system.progress import say
from msw2.training.device import set_up_device
from msw2.training.runs import Run
from msw2.training.store_check import check_fit

PHRASES = 1000  # held-out and generated phrases that the figures are of
SONGS = {
    "tuned": "The songs of the Lakh MIDI Dataset that the list `experiments/lists/lakh.csv` names, split by tune, all "
    "with drums, bass and at least one of piano, guitar and strings: pop, rock, country, hip hop, soul, classical and "
    "game music. `experiments/lists/README.md` says how to make the same store.",
    "demo": "The 75 songs of Freedoom, a free game.",
}
LICENCES = {
    "tuned": "The weights are MIT-licensed, as the code is. The songs are not part of them. They are sequences by "
    "their users, mostly of copyrighted music: the same situation as the Lakh MIDI Dataset's (Raffel 2016). The prior "
    "stores no phrase of a song. Music that is generated may still resemble a song: see the near copies above.",
    "demo": "The weights are MIT-licensed, as the code is. The songs are their contributors' of the Freedoom project, "
    "BSD-3-Clause: copyright 2001-2018 Contributors to the Freedoom project, all rights reserved; `data/README.md` has "
    "the whole licence. The prior stores no phrase of a song.",
}


def define_flags() -> None:
    """Defines the command's flags."""
    flags.DEFINE_string("run", None, "Directory of the finished run.", required=True)
    options.define_threads()
    options.define_store()
    flags.DEFINE_enum("name", None, PACKAGED, "Name of the weights.", required=True)
    flags.DEFINE_multi_string(
        "command", [], "A command that trained the run, for the card; repeated for more."
    )
    flags.DEFINE_string("commit", None, "Commits that trained the run, for the card.", required=True)


def main() -> None:
    """Writes `msw2/weights/<name>.keras` and `<name>.md`."""
    set_up_device(flags.FLAGS.threads)
    values, run, store = flags.FLAGS, Run.open(flags.FLAGS.run), options.open_store(measuring=True)
    check_fit(run, store)
    file = WEIGHTS / f"{values.name}{SUFFIX}"
    with replacing(WEIGHTS / f"{values.name}.md") as card, replacing(file) as weights:
        band = Band.load(run.path)
        band.save(weights, half=True)
        say("restoring with whole and with half precision")
        half = Sampler.of(open_trained(weights))
        phrases = store.load("test", PHRASES, evenly=True)
        cost = cost_of_half(Sampler(band.model, band.config, band.prior), half, phrases)
        request = Request("test", PHRASES, PHRASES, PHRASES, 50_000, 1000, 0, 1.0)
        evaluation = evaluate_run(half, run.config, store, request)
        card.write_text(markdown(_card(run, band, store, weights), evaluation, cost), "utf-8")
    print(*glance.lines(evaluation.estimates, "test"), sep="\n")
    print(f"{file}: {file.stat().st_size / 2**20:.1f} MB")


def _card(run: Run, band: Band, store: Store, file: pathlib.Path) -> Card:
    """Returns what the card says besides its figures. Of paths it has the last names only."""
    values, splits = flags.FLAGS, store.summary()["splits"]
    packed = f"--run=runs/{run.path.name} --store=data/{store.path.name} --name={values.name}"
    return Card(
        name=values.name,
        preset=run.preset,
        size=file.stat().st_size,
        songs=SONGS[values.name],
        split="test",
        counts={split: (splits[split]["songs"], splits[split]["phrases"]) for split in SPLITS},
        prior=_prior(band),
        commit=values.commit,
        commands=(*values.command, f"python -m msw2.cli.pack {packed} ..."),
        machine=Machine.here().described(),
        licence=LICENCES[values.name],
    )


def _prior(band: Band) -> str:
    """Returns a sentence on what generation draws from."""
    if band.config.prior == "notes":
        weights = sum(weight.size for weight in band.prior.weights.values())
        return (
            f"Music is written note by note by a network of {weights:,} weights, which has learnt whole songs and "
            "stores no phrase."
        )
    _, drawn, directions = band.prior.neighbours.shape
    if band.config.prior == "mixture":
        return (
            f"Music is drawn from {drawn:,} Gaussians of {directions} directions each, which store no phrase."
        )
    if band.config.prior == "parzen":
        return f"Music is drawn from Gaussians around the latent vectors of {drawn:,} training phrases."
    return "Music is drawn from one Gaussian."


if __name__ == "__main__":
    launch(define_flags, main, *options.USER_ERRORS)

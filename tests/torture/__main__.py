"""`make torture`: campaigns against all that goes wrong. The same seed makes the same accidents.

It prints a line of counts for each campaign, and a line for each failure. The exit status is 1 if there is any.
"""

import argparse
import pathlib
import shutil
import sys
import tempfile

import msw2.cli  # noqa: F401 - TensorFlow, imported after it, starts without chatter

CAMPAIGNS = ("midi", "lpd", "phrases", "flips", "disk", "kills")


def main() -> None:
    """Runs the campaigns that are asked for."""
    asked = arguments()
    import flips  # noqa: PLC0415 - the processes that read files come here too
    import full_disk  # noqa: PLC0415
    import kills  # noqa: PLC0415
    import readers  # noqa: PLC0415

    from msw2.training.runs import Run  # noqa: PLC0415

    folder, failures = pathlib.Path(tempfile.mkdtemp(prefix="msw2-torture-")), 0

    def show(tally):
        nonlocal failures
        failures += len(tally.failures)
        print(*tally.lines(), sep="\n", flush=True)

    try:
        for kind, count in (("midi", asked.midi), ("lpd", asked.files), ("phrases", asked.files)):
            if kind in asked.only:
                show(readers.campaign(kind, folder, count, asked.seed))
        if "kills" in asked.only:
            show(kills.campaign(folder / "kills", kills=asked.kills, seed=asked.seed))
        if {"flips", "disk"} & set(asked.only):
            work = folder / "kills" / "whole"
            if not work.exists():  # a finished run is needed, killed or not
                kills.finish(work, asked.seed)
            run = Run.open(work / "run")
            if "flips" in asked.only:
                sandwich, _ = run.load_sandwich()
                scratch = folder / "flips"
                show(
                    flips.campaign(
                        run.path, work / "store", sandwich, scratch, count=asked.flips, seed=asked.seed
                    )
                )
            if "disk" in asked.only and full_disk.is_possible():
                show(full_disk.campaign(run, work / "songs"))
            elif "disk" in asked.only:
                print("full disks: not tried, since this user may not mount a file system in memory")
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    sys.exit(1 if failures else 0)


def arguments() -> argparse.Namespace:
    """Returns what the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seed", type=int, default=0, help="of all accidents")
    parser.add_argument(
        "--only", nargs="+", choices=CAMPAIGNS, default=CAMPAIGNS, help="some of the campaigns"
    )
    parser.add_argument("--midi", type=int, default=10_000, help="MIDI files")
    parser.add_argument("--files", type=int, default=1000, help="LPD files, and as many phrase files")
    parser.add_argument("--flips", type=int, default=300, help="damaged files of a run and its store")
    parser.add_argument("--kills", type=int, default=200, help="killed commands")
    return parser.parse_args()


if __name__ == "__main__":
    main()

"""Table II from the answers of a listening test: `python -m msw2.cli.listeners --key=KEY answers-*.json`."""

import pathlib

from absl import flags

from msw2.cli.launch import OptionError, launch
from msw2.evaluation.listener_report import markdown, write_report
from msw2.evaluation.listeners import read_answers
from msw2.page.listening_key import Key, ListeningError


def define_flags() -> None:
    """Defines the command's flags."""
    flags.DEFINE_string("key", None, "Key of the test: `listening-key.json`, made with the page.")
    flags.DEFINE_list("answers", [], "Files that the listeners saved; also given without --answers.")
    flags.DEFINE_string("out", None, "Folder for the tables; `results` beside the key without it.")


def main() -> None:
    """Prints the report, and writes `table2.md`, `table2.csv`, `pairs.csv` and `agreement.csv`."""
    values = flags.FLAGS
    if not values.key:
        raise OptionError("--key is missing: it names the listening-key.json that was made with the page")
    ratings = read_answers(values.answers, Key.read(values.key))
    folder = pathlib.Path(values.out) if values.out else pathlib.Path(values.key).parent / "results"
    paths = write_report(folder, ratings)
    print(markdown(ratings))
    print(*paths, sep="\n")


if __name__ == "__main__":
    launch(define_flags, main, ListeningError, OSError, positional="answers")

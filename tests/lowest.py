"""Prints the lowest version of each package that setup.cfg allows, as `pip --constraint` reads it."""

import configparser
import pathlib
import re

SETUP = pathlib.Path(__file__).parent.parent / "setup.cfg"


def pins(setup: str) -> list[str]:
    """Returns `name==version` of what is required at run time and for the tests.

    Raises:
        ValueError: for a requirement without a lower bound, or with more than that.
    """
    parser = configparser.ConfigParser()
    parser.read_string(setup)
    lines = parser["options"]["install_requires"] + parser["options.extras_require"]["test"]
    found = []
    for line in filter(None, map(str.strip, lines.splitlines())):
        if not (bound := re.fullmatch(r"([\w.-]+)>=([\w.]+)", line)):
            raise ValueError(f"setup.cfg: {line!r} is not a name and a lower bound: name>=version")
        found.append("==".join(bound.groups()))
    return found


if __name__ == "__main__":
    print(*pins(SETUP.read_text("utf-8")), sep="\n")

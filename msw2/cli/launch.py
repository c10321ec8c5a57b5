"""How every command starts. Imports neither TensorFlow nor Keras: the worker processes of `make data` come here."""

import math
import sys
from collections.abc import Callable

from absl import app, flags, logging

from msw2.cli import interrupts, machine_errors

LARGEST_WHOLE, LARGEST = 2**31 - 1, 1e38  # of a flag: what counts and computes has 32 bits


class OptionError(Exception):
    """Flags that do not go together; the message is one sentence for the user."""


def launch(
    define_flags: Callable[[], None],
    main: Callable[[], None],
    *errors: type[Exception],
    positional: str | None = None,
    stopped: str = interrupts.GOES_ON,
) -> None:
    """Runs a command. Errors that are the user's to mend become one sentence and exit status 1; Ctrl-C is status 130.

    Args:
        define_flags: defines the command's flags; not done at import, so that commands can be imported together.
        main: the command.
        *errors: exceptions whose message is written for the user. Errors of the machine need not be named.
        positional: name of the flag that takes what is given without `--`: one word, or any number for a list flag.
        stopped: what to say on Ctrl-C.
    """
    watched = interrupts.Interrupts()

    def guarded(argv: list[str]) -> None:
        logging.set_verbosity(logging.WARNING)  # TensorFlow prints pages about each model it saves
        try:
            take_positional(argv[1:], positional, flags.FLAGS)
            check_numbers(flags.FLAGS)
            main()
        except BaseException as error:
            if watched.happened or isinstance(error, KeyboardInterrupt):
                watched.end(stopped)
            if isinstance(error, (OptionError, *errors)) and not isinstance(error, OSError):
                sys.exit(f"error: {error}")
            if told := machine_errors.sentence(error):
                sys.exit(f"error: {told}")
            raise

    watched.watch()
    define_flags()
    for module, defined in flags.FLAGS.flags_by_module_dict().items():
        for flag in defined if module.startswith("msw2.") else ():
            flags.FLAGS.register_key_flag_for_module(sys.argv[0], flag)  # --help lists those of options, too
    app.run(guarded)


def check_numbers(values: flags.FlagValues) -> None:
    """Refuses numbers that no computation can hold, of the flags that msw2 defines.

    Args:
        values: the command's flags.

    Raises:
        OptionError: naming the first such flag, its value and what is allowed.
    """
    for module, defined in values.flags_by_module_dict().items():
        for flag in defined if module.startswith("msw2.") or module == sys.argv[0] else ():
            value, highest = flag.value, getattr(flag.parser, "upper_bound", None)
            if isinstance(value, float) and not (math.isfinite(value) and abs(value) <= LARGEST):
                raise OptionError(f"--{flag.name}={value:g} is not a finite number of at most {LARGEST:g}")
            if type(value) is int and highest is None and abs(value) > LARGEST_WHOLE:
                raise OptionError(f"--{flag.name}={str(value)[:40]} is above {LARGEST_WHOLE}")


def take_positional(words: list[str], name: str | None, values: flags.FlagValues) -> None:
    """Gives what stands without `--` on the command line to a flag.

    Args:
        words: what was given.
        name: of the flag; None: the command takes no words.
        values: the command's flags.

    Raises:
        OptionError: if there are more words than the command takes, or the flag is given, too.
    """
    if not words:
        return
    if name is None:
        raise OptionError(f"unexpected {words[0]!r}: options begin with --")
    flag = values[name]
    if flag.present:
        raise OptionError(f"unexpected {words[0]!r}: --{name} is given, too")
    if isinstance(flag.default, list):
        flag.value = words
    elif len(words) == 1:
        flag.value = words[0]
    else:
        raise OptionError(f"unexpected {words[1]!r}: the command takes one {name}")

"""How every command starts. Imports neither TensorFlow nor Keras: the worker processes of `make data` come here."""

import sys
from collections.abc import Callable

from absl import app, flags, logging


class OptionError(Exception):
    """Flags that do not go together; the message is one sentence for the user."""


def launch(
    define_flags: Callable[[], None],
    main: Callable[[], None],
    *errors: type[Exception],
    positional: str | None = None,
) -> None:
    """Runs a command. Errors that are the user's to mend become one sentence and exit status 1.

    Args:
        define_flags: defines the command's flags; not done at import, so that commands can be imported together.
        main: the command.
        *errors: exceptions whose message is written for the user.
        positional: name of the flag that takes what is given without `--`: one word, or any number for a list flag.
    """

    def guarded(argv: list[str]) -> None:
        logging.set_verbosity(logging.WARNING)  # TensorFlow prints pages about each model it saves
        try:
            take_positional(argv[1:], positional, flags.FLAGS)
            main()
        except (OptionError, *errors) as error:
            sys.exit(f"error: {error}")
        except KeyboardInterrupt:
            sys.exit("stopped; the same command goes on from here")

    define_flags()
    for module, defined in flags.FLAGS.flags_by_module_dict().items():
        for flag in defined if module.startswith("msw2.") else ():
            flags.FLAGS.register_key_flag_for_module(sys.argv[0], flag)  # --help lists those of options, too
    app.run(guarded)


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

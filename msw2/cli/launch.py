"""How every command starts. Imports neither TensorFlow nor Keras: the worker processes of `make data` come here."""

import sys
from collections.abc import Callable

from absl import app, flags, logging


class OptionError(Exception):
    """Flags that do not go together; the message is one sentence for the user."""


def launch(define_flags: Callable[[], None], main: Callable[[], None], *errors: type[Exception]) -> None:
    """Runs a command. Errors that are the user's to mend become one sentence and exit status 1.

    Args:
        define_flags: defines the command's flags; not done at import, so that commands can be imported together.
        main: the command.
        *errors: exceptions whose message is written for the user.
    """

    def guarded(argv: list[str]) -> None:
        logging.set_verbosity(logging.WARNING)  # TensorFlow prints pages about each model it saves
        try:
            if len(argv) > 1:
                raise OptionError(f"unexpected {argv[1]!r}: options begin with --")
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

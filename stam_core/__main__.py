"""`python -m stam_core`: the command line, its exit codes and its one line of complaint."""

from __future__ import annotations

import contextlib
import logging
import os
import sys
import warnings
from collections.abc import Sequence

from stam_core.cli.output import complain
from stam_core.cli.parser import parse_arguments
from stam_core.errors import StamError

MENDABLE = 2
INTERRUPTED = 130  # 128 + SIGINT, as shells count
PIPE_CLOSED = 141  # 128 + SIGPIPE


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command line.

    Args:
        arguments: the words after `python -m stam_core`; None: those of this process.

    Returns:
        0; 2 after one line on stderr where the user can mend it; 130 after Ctrl-C; 141 where
        whoever read the output has gone.
    """
    words = sys.argv[1:] if arguments is None else list(arguments)
    try:
        return _run(words)
    except StamError as error:
        complain(error)
        return MENDABLE
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:
        _stop_writing()
        return PIPE_CLOSED


def _run(words: Sequence[str]) -> int:
    with warnings.catch_warnings():
        if "--verbose" in words:
            logging.basicConfig(level=logging.INFO, stream=sys.stderr)
        else:
            # Libraries' remarks are for their users, who are not this program's.
            warnings.simplefilter("ignore")
            if not logging.getLogger().handlers:
                logging.getLogger().addHandler(logging.NullHandler())
        try:
            options = parse_arguments(words)
        except SystemExit as stop:  # argparse leaves this way after printing help
            return int(stop.code or 0)
        # Loads torch, which takes seconds: only once the line is understood.
        from stam_core.cli.clips import run_command

        code = run_command(options)
        sys.stdout.flush()
        return code


def _stop_writing() -> None:
    """Point stdout at nothing, so that Python's own last flush does not fail again."""
    with contextlib.suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


if __name__ == "__main__":
    sys.exit(main())

"""What `hafta ctl` says on the terminal."""

from __future__ import annotations

import sys

from hafta import exits
from hafta.descriptors import silence
from hafta.errors import HaftaError


def say(text: str) -> None:
    """Print on stdout. A reader that has gone (head, less) has what it wanted, which is not an error.

    Raises HaftaError where it cannot be written.
    """
    try:
        sys.stdout.write(f"{text}\n")
        sys.stdout.flush()
    except BrokenPipeError:
        silence(1)
    except OSError as error:
        silence(1)
        problem, hint = f"cannot write the answer: {error.strerror}", "free some space, or write it to another place"
        raise HaftaError(problem, hint, status=exits.FAILED) from error


def complain(text: str) -> None:
    """Say something on stderr. Where that cannot be written to, the exit status has to do."""
    try:
        print(text, file=sys.stderr, flush=True)
    except OSError:
        silence(2)

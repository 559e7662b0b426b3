"""What `hafta ctl` says on the terminal."""

from __future__ import annotations

import sys

from hafta.descriptors import silence


def say(text: str) -> None:
    """Print on stdout. A reader that has gone (head, less) has what it wanted, which is not an error."""
    try:
        sys.stdout.write(f"{text}\n")
        sys.stdout.flush()
    except BrokenPipeError:
        silence(1)


def complain(text: str) -> None:
    """Say something on stderr. Where that cannot be written to, the exit status has to do."""
    try:
        print(text, file=sys.stderr, flush=True)
    except OSError:
        silence(2)

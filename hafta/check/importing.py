"""Importing a module to look at its sequence, in another process: whatever it does there, the answer is one line.

A module may print, end the process, or hang while it is imported. So a child imports it, with its output on stderr,
and says in one line of JSON what the rules found. It runs as the caller, in the current directory.
"""

from __future__ import annotations

import json
import os
import sys
import traceback

from hafta.check.rule import Spot
from hafta.errors import HaftaError, UsageError
from hafta.frozen import Frozen

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

PATIENCE = 30.0  # seconds for an import
SHOWN = 200  # characters of what an import raised


class Judged(Frozen):
    """A sequence as a child has seen it: its name, version and nodes, and what the rules found, by code."""

    name: str = ""
    version: str = ""
    nodes: tuple[str, ...] = ()
    spots: tuple[tuple[str, Spot], ...] = ()


def judge(place: str, watchdog: float, by: str) -> Judged:
    """Import MODULE:SEQUENCE in a child and return what was found. Raises UsageError: there is none of that name."""
    import subprocess

    words = [sys.executable, "-P", "-m", "hafta.check.importing", place, str(watchdog), by]
    try:
        done = subprocess.run(  # noqa: S603 - without a shell
            words, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, timeout=PATIENCE, check=False
        )
    except subprocess.TimeoutExpired:
        return _trouble(Spot(f"{place}: its import does not end within {PATIENCE:g} s"))
    try:
        said = json.loads(done.stdout)
    except ValueError:
        return _trouble(Spot(f"{place}: its import ended the process with status {done.returncode}"))
    if "wrong" in said:
        message, hint, status = said["wrong"]
        raise UsageError(message, hint, status=status)
    spots = tuple((code, Spot(*spot)) for code, spot in said["spots"])
    return Judged(said["name"], said["version"], tuple(said["nodes"]), spots)


def _trouble(spot: Spot) -> Judged:
    return Judged(spots=(("HC056", spot),))


def main() -> int:
    """Import, judge, and print."""
    place, watchdog, by = sys.argv[1:]
    output = os.dup(1)
    os.dup2(2, 1)
    sys.path.insert(0, os.getcwd())
    del sys.argv[1:]
    answer = json.dumps(_answer(place, float(watchdog), by))
    os.write(output, answer.encode())
    sys.stderr.flush()
    os._exit(0)  # threads that the module has started do not hold it


def _answer(place: str, watchdog: float, by: str) -> dict[str, Any]:
    from hafta.check.sequences import SEQUENCES, Called
    from hafta.service.__main__ import load

    sequence = None
    try:
        sequence, _ = load(place)
        called = Called(sequence, watchdog, by)
    except HaftaError as error:
        return {"wrong": [error.message, error.hint, error.status]}
    except BaseException as error:  # a module may raise anything, SystemExit too
        called = Called(None, trouble=_raised(place, error))
    spots = [[rule.code, list(spot.values())] for rule in SEQUENCES for spot in rule.find(called)]
    nodes = list(sequence.nodes) if sequence else []
    name, version = (sequence.name, sequence.version) if sequence else ("", "")
    return {"name": name, "version": version, "nodes": nodes, "spots": spots}


def _raised(place: str, error: BaseException) -> Spot:
    """Return what an import raised, and the last line of the module's own, or of what it imports, that led there."""
    try:
        said = str(error)
    except Exception:  # its __str__ is its own
        said = ""
    text = " ".join(f"{type(error).__name__}: {said}".split())[:SHOWN].rstrip(":")
    if isinstance(error, SyntaxError) and error.filename and error.lineno:
        return Spot(f"{place} cannot be imported: {text}", error.filename, error.lineno)
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if os.path.isfile(frame.filename)]
    own = [frame for frame in frames if os.path.basename(os.path.dirname(frame.filename)) not in {"service", "check"}
           and "importlib" not in frame.filename]  # fmt: skip
    if not own:
        return Spot(f"{place} cannot be imported: {text}")
    return Spot(f"{place} cannot be imported: {text}", own[-1].filename, own[-1].lineno or 0)


if __name__ == "__main__":
    sys.exit(main())

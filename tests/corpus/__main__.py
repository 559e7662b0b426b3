"""`make corpus`: how many of the service units that Debian ships the overlord runs as their authors meant.

Exit status: 0 if all goals are met, 1 if one is missed, 3 if the packages cannot be had. `--units` adds a line for each
unit that is not run as meant.
"""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parents[1])]

from fetch import Fetched, FetchError, fetch, package_names
from judge import judge
from report import details, goals, table
from tree import enable, merge, services

MISSED, NOT_FETCHED = 1, 3
LEAST = 200  # packages with services


def main() -> int:
    """Fetch, load, print; return the exit status."""
    own, others = package_names()
    try:
        fetched = fetch([*own, *others])
    except FetchError as error:
        print(f"corpus: error: {error}\ncorpus: {error.hint}", file=sys.stderr)
        return NOT_FETCHED
    with tempfile.TemporaryDirectory(prefix="hafta-corpus-") as directory:
        return _measure(fetched, own, Path(directory))


def _measure(fetched: Fetched, own: list[str], directory: Path) -> int:
    owners = merge(fetched.folders, directory)
    enable(directory, owners)
    units = services(directory, owners, own)
    packages = {unit.package for unit in units}
    print(f"Debian {fetched.release}: {len(units)} service units of {len(packages)} packages")
    if fetched.missing:
        print(f"not in this release: {', '.join(fetched.missing)}")
    verdicts = {unit: judge(unit.name, directory) for unit in units}
    if "--units" in sys.argv[1:]:
        print(*details(verdicts), sep="\n")
    print(*table(verdicts), sep="\n")
    print("\nGoals")
    reached = goals(verdicts)
    print(*reached, sep="\n")
    enough = len(packages) >= LEAST
    print(f"{'met   ' if enough else 'MISSED'}  packages with services: {len(packages)} (goal: {LEAST})")
    return 0 if enough and all(goal.is_met for goal in reached) else MISSED


def _become_root() -> None:
    """Read the units as root does, for whom users and groups count: in a user namespace if we are not."""
    if os.geteuid() and not os.environ.get("HAFTA_CORPUS_ROOT") and (unshare := shutil.which("unshare")):
        command = [unshare, "--user", "--map-root-user", sys.executable, *sys.argv]
        os.execve(unshare, command, {**os.environ, "HAFTA_CORPUS_ROOT": "1"})


if __name__ == "__main__":
    _become_root()
    try:
        sys.exit(main())
    except BrokenPipeError:  # its reader has seen enough
        os._exit(MISSED)

"""The files in /usr/bin.

Python starts isolated (-I): no PYTHON* variable, no module of the user or of the current directory gets in. The
services also skip the site module (-S): that is a quarter of Python's start, and start-up bounds recovery. They then
know only the standard library, and append the one directory in which the distribution keeps the rest.

Ctrl-C has its default before anything of ours is imported: a program that has no handlers yet ends without a traceback.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import programs

if TYPE_CHECKING:
    from pathlib import Path

COMMAND = """\
#!/usr/bin/python3 -I
import signal
import sys

signal.signal(signal.SIGINT, signal.SIG_DFL)

from {module} import {function}

sys.exit({function}())
"""

SERVICE = """\
#!/usr/bin/python3 -IS
import signal
import sys

signal.signal(signal.SIGINT, signal.SIG_DFL)
sys.path.append("{library}")

from {module} import {function}

sys.exit({function}())
"""


def library(family: str) -> str:
    """Return where a distribution keeps its Python modules."""
    if family == "debian":
        return "/usr/lib/python3/dist-packages"
    return f"/usr/lib/python3.{sys.version_info.minor}/site-packages"


def files(root: Path, family: str) -> dict[str, str]:
    """Return bin/NAME -> text."""
    made = {}
    for name, place in programs.entry_points(root).items():
        module, _, function = place.partition(":")
        shape = COMMAND if name == programs.COMMAND else SERVICE
        made[f"bin/{name}"] = shape.format(module=module, function=function, library=library(family))
    return made

"""What $RUNTIME_DIRECTORY and $STATE_DIRECTORY say: systemd puts a colon between two, and escapes none in a name."""

from __future__ import annotations

import os


def first(value: str) -> str:
    """Return the first directory of such a variable: all of it where that is one, as of hafta-client@HOST:PORT."""
    return value if os.path.isdir(value) else value.partition(":")[0]

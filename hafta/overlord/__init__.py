"""The embedded overlord: runs systemd's unit files where systemd is not PID 1.

Invariant: *no service outlives its overlord, and no unit has two main processes.* docs/overlord.md tells how.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


def main(argv: Sequence[str] | None = None, environ: Mapping[str, str] | None = None) -> int:
    """Run `hafta run` without click; return the exit status."""
    from hafta.overlord.program import main as run

    return run(argv, environ)

"""`hafta guard`: runs a program that knows nothing of sd_notify, and speaks for it as long as its probes pass.

Invariant: *the overlord hears READY and WATCHDOG only after a pass, and nothing of the program outlives a guard that
ends.* docs/guard.md says how, and what the second half does not cover.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


def main(argv: Sequence[str] | None = None, environ: Mapping[str, str] | None = None) -> int:
    """Run `hafta guard` without click; return the exit status, or die of the signal that the program died of."""
    from hafta.guard.program import main as run

    return run(argv, environ)

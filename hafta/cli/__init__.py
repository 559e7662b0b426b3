"""The `hafta` command: a group, and one file per command. Needs click; the daemons and `hafta.overlord` do not."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; return the exit status (hafta.exits)."""
    from hafta.cli.group import run_group

    return run_group(argv)

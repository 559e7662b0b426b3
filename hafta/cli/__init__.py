"""The `hafta` command: a group, and one file per command. Needs click; the daemons and `hafta.overlord` do not."""

from __future__ import annotations

import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

#: Set by the shells' completions, which click answers.
COMPLETE = "_HAFTA_COMPLETE"


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; return the exit status (hafta.exits).

    Two commands do without click: a guard, whose start is recovery, and ctl, which scripts call often.
    """
    argv = sys.argv[1:] if argv is None else argv
    if COMPLETE not in os.environ:
        if argv[:1] == ["guard"]:
            from hafta.guard import main as guard

            return guard(argv[1:])
        if argv[:1] == ["ctl"]:
            from hafta.control.program import main as ctl

            return ctl(argv[1:])
    from hafta.cli.group import run_group

    return run_group(argv)

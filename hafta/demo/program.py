"""From the settings to a demonstration and back to an exit status."""

from __future__ import annotations

import os
import sys

from hafta import settings
from hafta.demo.options import PROGRAM
from hafta.descriptors import fill_standard
from hafta.errors import HaftaError
from hafta.journal.complaint import complain

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


def main(argv: Sequence[str] | None = None, environ: Mapping[str, str] | None = None) -> int:
    """Run `hafta demo` with these arguments; an error is one line that says what and one that says what to do."""
    argv = sys.argv[1:] if argv is None else argv
    environ = dict(os.environ) if environ is None else environ
    debug = "--debug" in argv
    try:
        values, _ = settings.parse(PROGRAM, argv, environ)
        return _run(values, environ)
    except (HaftaError, OSError) as error:
        return complain(error, debug=debug)


def _run(values: settings.Values, environ: Mapping[str, str]) -> int:
    from hafta.demo.stage import Stage
    from hafta.overlord.program import use_utf8

    use_utf8()
    fill_standard()
    return Stage(values, environ).run()

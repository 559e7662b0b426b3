"""usage: python3 packaging/generate OUTPUT [FAMILY]

Write what a package ships and what the code itself can tell: launchers, man pages, shell completions, and the
configuration file of each service. FAMILY is debian (the default) or fedora: where launchers find the library.
"""

from __future__ import annotations

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(Path(__file__).resolve().parent)]

import completions  # noqa: E402  # the two lines above make them importable
import configuration  # noqa: E402
import launchers  # noqa: E402
import manpages  # noqa: E402


def main(argv: list[str]) -> int:
    """Write everything below OUTPUT and return the exit status."""
    if not 1 <= len(argv) <= 2:
        print(__doc__, file=sys.stderr)
        return 2
    output = Path(argv[0])
    family = argv[1] if len(argv) == 2 else "debian"
    files = {
        **launchers.files(ROOT, family),
        **manpages.files(ROOT),
        **completions.files(ROOT),
        **configuration.files(ROOT),
    }
    for name, text in sorted(files.items()):
        path = output / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        path.chmod(0o755 if name.startswith("bin/") else 0o644)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

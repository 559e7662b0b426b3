"""usage: /usr/bin/python3 docs/site OUTPUT

Build the documentation site into OUTPUT. A warning of Sphinx is an error: the site is then left as it was.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SITE = Path(__file__).resolve().parent
SHARED = re.compile(r"/javascript/([\w./-]+)")
sys.path[:0] = [str(ROOT), str(ROOT / "packaging/generate"), str(SITE)]

import manpages  # noqa: E402  # the line above makes them importable
import tree  # noqa: E402


def main(argv: list[str]) -> int:
    """Build, and return the exit status: 0, 1 for what is wrong with the pages, 2 for usage."""
    if len(argv) != 1 or argv[0].startswith("-"):
        print(__doc__, file=sys.stderr)
        return 2
    output = Path(argv[0]).absolute()
    with tempfile.TemporaryDirectory(prefix="hafta-site-") as work:
        source, built = Path(work, "source"), Path(work, "site")
        try:
            tree.write(ROOT, source)
        except (tree.TreeError, tree.library.SilentError, tree.tables.roff.RoffError, manpages.PageError) as error:
            print(f"docs/site: {error}", file=sys.stderr)
            return 1
        status = sphinx(source, built, Path(work, "doctrees"))
        if status == 0:
            gathered(built)
            (built / ".buildinfo").unlink(missing_ok=True)
            shutil.rmtree(output, ignore_errors=True)
            shutil.copytree(built, output)
    return status


def sphinx(source: Path, built: Path, doctrees: Path) -> int:
    """Run Sphinx in a process without our path, and with a configuration that knows the version."""
    environ = {**os.environ, "HAFTA_SITE_VERSION": manpages.release(ROOT)["VERSION"], "PYTHONDONTWRITEBYTECODE": "1"}
    command = [sys.executable, "-m", "sphinx", "-q", "-W", "--keep-going", "-b", "html", "-c", str(SITE)]
    where = ["-d", str(doctrees), str(source), str(built)]
    done = subprocess.run([*command, *where], env=environ, cwd=source, check=False)  # noqa: S603  our own words
    return 0 if done.returncode == 0 else 1


def gathered(built: Path) -> None:
    """Put into the site what Debian's theme expects of a web server: /javascript/ is /usr/share/javascript there."""
    for style in built.rglob("*.css"):
        text = style.read_text()
        for place in sorted(set(SHARED.findall(text))):
            shutil.copy(Path("/usr/share/javascript", place), style.parent)
            text = text.replace(f"/javascript/{place}", Path(place).name)
        style.write_text(text)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

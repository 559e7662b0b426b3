"""What a wheel brings besides the code: units, catalog, man pages and completions, below its prefix.

A package of a distribution puts them where that has them (packaging/install), and builds with HATCH_BUILD_NO_HOOKS=1.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

#: Where what stands in a directory goes, below the prefix.
PLACES = {
    "man": "share/man/man{section}",
    "completions/bash": "share/bash-completion/completions",
    "completions/fish": "share/fish/vendor_completions.d",
    "completions/zsh": "share/zsh/site-functions",
}
UNITS = {
    **dict.fromkeys((".service", ".target", ".timer"), "lib/systemd/system"),
    ".catalog": "lib/systemd/catalog",
}


class CustomBuildHook(BuildHookInterface):
    """Adds them to the wheel. An editable one has none: it runs from the checkout, which has its units."""

    generated: str = ""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Generate what the code itself can tell, and name it all."""
        if version == "editable":
            return
        root = Path(self.root)
        self.generated = tempfile.mkdtemp(prefix="hafta-wheel-")
        generate = [sys.executable, "-B", str(root / "packaging/generate"), self.generated]
        subprocess.run(generate, check=True)  # noqa: S603  our own program
        shared = build_data["shared_data"]
        for unit in sorted((root / "units").iterdir()):
            if unit.suffix in UNITS:
                shared[str(unit)] = f"{UNITS[unit.suffix]}/{unit.name}"
        for folder, place in PLACES.items():
            for path in sorted(Path(self.generated, folder).iterdir()):
                shared[str(path)] = f"{place.format(section=path.suffix[1:])}/{path.name}"

    def finalize(self, version: str, build_data: dict[str, Any], artifact_path: str) -> None:  # noqa: ARG002
        """Remove what was generated: the wheel has it."""
        if self.generated:
            shutil.rmtree(self.generated)

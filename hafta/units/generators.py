"""Generators (systemd.generator(7)): programs of packages that make units when a machine starts. They are not run here.

Some packages start their services only that way: PostgreSQL's clusters, init scripts. Who runs what is enabled is told
so, because else such a service would be missing in silence.
"""

from __future__ import annotations

import os

from hafta.units.names import listed

ROOTS = ("/etc/systemd", "/run/systemd", "/usr/local/lib/systemd", "/usr/lib/systemd", "/lib/systemd")


def generators(roots: tuple[str, ...] = ROOTS) -> list[str]:
    """Return the names of those that do not belong to systemd itself, and are not masked (a link to /dev/null)."""
    found: dict[str, str] = {}
    for root in roots:
        folder = os.path.join(root, "system-generators")
        for name in listed(folder):
            found.setdefault(name, os.path.join(folder, name))
    return sorted(name for name, path in found.items() if not name.startswith("systemd-") and _is_program(path))


def _is_program(path: str) -> bool:
    return os.path.isfile(path) and os.access(path, os.X_OK)


def not_run(found: list[str]) -> list[str]:
    """Say that these are not run."""
    if not found:
        return []
    hint = "name the units that they would make, such as postgresql@15-main.service"
    return [f"not run: {', '.join(found)} (systemd.generator(7)); {hint}"]

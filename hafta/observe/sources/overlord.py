"""What running embedded overlords know about their units, by their control sockets (docs/control.md)."""

from __future__ import annotations

import os

from hafta.control.places import sockets
from hafta.errors import HaftaError
from hafta.observe.sources.systemd import NAMES
from hafta.units.roots import CONTROL, roots

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from typing import Any


def ask(environ: Mapping[str, str]) -> tuple[list[dict[str, Any]], list[str]]:
    """Return the properties of the units of each overlord that answers, and what could not be seen, a line each."""
    found: list[dict[str, Any]] = []
    missing: list[str] = []
    paths = sockets(environ)
    if paths:  # late: it needs the module socket, and on most machines there is no overlord
        _ask(paths, found, missing)
    return found, [*missing, *_closed(environ)]


def _ask(paths: Iterable[str], found: list[dict[str, Any]], missing: list[str]) -> None:
    from hafta.control.asking import Asking

    for path in paths:
        try:
            with Asking(path) as asking:
                if asking.uid not in {0, os.geteuid()}:
                    continue
                answers = asking.each("List", {"properties": [*NAMES, "Names"]})
                units = [reply.get("properties", {}) for reply in answers]
        except ConnectionRefusedError:
            continue  # it has been killed; its keeper clears away
        except HaftaError as error:
            missing.append(f"overlord at {path}: {error.message}")
            continue
        except OSError as error:
            missing.append(f"overlord at {path}: {error.strerror}")
            continue
        found += units


def _closed(environ: Mapping[str, str]) -> list[str]:
    """Return a line for an overlord whose directory we may not look into."""
    if os.geteuid() == 0:
        return []
    others = {f"/run/{CONTROL}", f"/run/{CONTROL}/{CONTROL}"} - {roots(environ).control}
    return [
        f"overlord in {path}: only root and its own user may ask"
        for path in sorted(others)
        if os.path.isdir(path) and not os.access(path, os.R_OK | os.X_OK)
    ]

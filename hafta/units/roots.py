"""Where the directories of units stand: the system's for root, private ones for others."""

from __future__ import annotations

import os

from hafta.frozen import Frozen
from hafta.units.files import absolute

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

CONTROL = "hafta-overlord"
BOOTED = "/run/systemd/system"  # sd_booted(3)


class Roots(Frozen):
    """Where the directories of units stand: %t, %S, %C, %L, %E."""

    runtime: str
    state: str
    cache: str
    logs: str
    configuration: str

    @property
    def control(self) -> str:
        """The overlord's own directory."""
        return os.path.join(self.runtime, CONTROL)

    def with_state(self, path: str) -> Roots:
        """Return them with another directory for what outlives a run: state, caches and logs."""
        below = os.path.join(path, CONTROL)
        return self.replace(state=path, cache=os.path.join(below, "cache"), logs=os.path.join(below, "log"))


def roots(environ: Mapping[str, str], runtime: str = "", state: str = "") -> Roots:
    """Return the roots: the system's for root, private ones for others, unless they are given.

    Where systemd has booted the machine, it may run the same units: then root has other places, too.
    """
    if os.geteuid() == 0:
        found = Roots("/run", "/var/lib", "/var/cache", "/var/log", "/etc")
        if os.path.isdir(BOOTED) and os.getpid() != 1:  # many images have the directory without a systemd
            own = {"runtime": "/run", "state": "/var/lib", "cache": "/var/cache", "logs": "/var/log"}
            found = found.replace(**{kind: f"{root}/{CONTROL}" for kind, root in own.items()})
    else:
        home = _path(environ, "HOME") or "/"
        states = _path(environ, "XDG_STATE_HOME") or os.path.join(home, ".local/state")
        caches = _path(environ, "XDG_CACHE_HOME") or os.path.join(home, ".cache")
        settings = _path(environ, "XDG_CONFIG_HOME") or os.path.join(home, ".config")
        found = Roots(_private(environ), os.path.join(states, CONTROL), caches, os.path.join(states, "log"), settings)
    if runtime:
        found = found.replace(runtime=absolute(runtime))
    return found.with_state(absolute(state)) if state else found


def _path(environ: Mapping[str, str], name: str) -> str:
    """Return a path of the environment; empty for a relative one, which is to be ignored (XDG base directories)."""
    path = environ.get(name, "")
    return os.path.normpath(path) if path.startswith("/") else ""


def _private(environ: Mapping[str, str]) -> str:
    own = _path(environ, "XDG_RUNTIME_DIR")
    if own and os.path.isdir(own) and os.stat(own).st_uid == os.geteuid():
        return os.path.join(own, CONTROL)
    return f"/tmp/{CONTROL}-{os.geteuid()}"  # noqa: S108 - make_private() trusts only a directory of our own there

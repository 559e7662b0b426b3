"""Supervisors, each in a process or a machine, with any number of the same trivial daemon under it.

Each is set up as its manual says and with what it has for an immediate restart; nothing else is tuned. What has to be
installed is: Debian packages, or PyPI in a virtual environment. Who cannot be had is named, with the reason.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path

from overlord_tools import CannotBeHad, Tools, family, processes

PATIENCE = 120.0  # seconds for a start of 1,000 units
UNIT = """[Unit]
StartLimitIntervalSec=0
[Service]
Type={type}
ExecStart={daemon} {ready} {name}{more}
Restart=always
{restart}
"""


class Peer:
    """A supervisor with `count` daemons. With `crash`, these end as soon as they have begun."""

    name = ""
    restart = "RestartSec=0"

    def __init__(self, tools: Tools) -> None:
        self.tools = tools
        self.count = 0
        self.crash = False
        self.in_python = False  # which of the two daemons
        self.folder = Path()
        self.process: subprocess.Popen[bytes] | None = None

    def start(self, count: int, *, crash: bool = False) -> float:
        """Start it; return the time, on the monotonic clock, at which that was asked for."""
        self.count, self.crash = count, crash
        self.folder = Path(tempfile.mkdtemp(prefix="hafta-bench-"))
        self.folder.chmod(0o755)
        self.prepare()
        began = time.monotonic()
        self.launch()
        return began

    def stop(self) -> None:
        """End it with all its daemons."""
        if self.process is not None:
            self.process.terminate()
            try:
                self.process.wait(20)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        for pid in self.daemons():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, 9)
        shutil.rmtree(self.folder, ignore_errors=True)

    def names(self) -> list[str]:
        """Return the names of the daemons."""
        return [f"{self.label}-{number}" for number in range(self.count)]

    @property
    def label(self) -> str:
        """Its name as a word."""
        return "".join(letter if letter.isalnum() else "-" for letter in self.name)

    @property
    def ready(self) -> str:
        """The file in which daemons write, as they see it."""
        return f"{self.folder}/ready"

    def seen(self) -> list[str]:
        """Return the lines of that file."""
        try:
            return self.ready_file().read_text().splitlines()
        except FileNotFoundError:
            return []

    def ready_file(self) -> Path:
        """Return where we see it."""
        return Path(self.ready)

    def command(self, name: str) -> str:
        """Return the command line of a daemon."""
        return f"{self.daemon()} {self.ready} {name}{' crash' if self.crash else ''}"

    def daemon(self) -> str:
        """Return the program of the daemon, as its supervisor calls it."""
        folder = self.tools_seen()
        return f"/usr/bin/python3 -ESs {folder}/daemon.py" if self.in_python else f"{folder}/daemon"

    def tools_seen(self) -> str:
        """Return where the supervisor sees our programs."""
        return str(self.tools.folder)

    def daemons(self) -> dict[int, str]:
        """Return the running daemons: process and name."""
        wanted = set(self.names())
        return {pid: words[-1] for pid, words in processes() if self.ready in words and words[-1] in wanted}

    def unit(self, name: str, kind: str = "notify") -> str:
        """Return a unit file."""
        more = " crash" if self.crash else ""
        restart = "RestartSec=100ms" if self.crash else self.restart
        return UNIT.format(type=kind, daemon=self.daemon(), ready=self.ready, name=name, more=more, restart=restart)

    def spawn(self, *command: str, **environ: str) -> None:
        """Start the supervisor's process; it must not be talkative."""
        log = (self.folder / "log").open("wb")
        path = "/usr/sbin:/usr/bin:/sbin:/bin"
        self.process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=self.folder, env={"PATH": path, **environ}
        )

    def prepare(self) -> None:
        """Write its configuration."""

    def launch(self) -> None:
        """Start it."""
        raise NotImplementedError

    def supervisors(self) -> list[int]:
        """Return all of its processes but the daemons."""
        assert self.process is not None
        known = self.daemons()
        return [pid for pid in family(self.process.pid) if pid not in known]


class Overlord(Peer):
    """`hafta run`, of some tree."""

    def __init__(self, tools: Tools, name: str, tree: Path, restart: str = "RestartSec=0") -> None:
        super().__init__(tools)
        self.name, self.tree, self.restart = name, tree, restart

    def prepare(self) -> None:
        """Write a unit for each daemon, and the target."""
        units = self.folder / "units"
        units.mkdir()
        for name in self.names():
            (units / f"{name}.service").write_text(self.unit(name))
        wants = "\n".join(f"Wants={name}.service" for name in self.names())
        (units / "bench.target").write_text(f"[Unit]\n{wants}\n")

    def launch(self) -> None:
        """Run the target."""
        places = ("--runtime-dir", f"{self.folder}/run", "--state-dir", f"{self.folder}/state")
        python = ("/usr/bin/python3", "-P", "-m", "hafta.overlord")
        self.spawn(*python, *places, f"{self.folder}/units/bench.target", PYTHONPATH=str(self.tree), HOME="/root")


class Runit(Peer):
    """runsvdir and a runsv for each daemon."""

    name = "runit"
    program = "runsvdir"
    words: tuple[str, ...] = ("-P",)
    before = ""
    more: Mapping[str, str] = {}  # files beside each run script

    def prepare(self) -> None:
        """Write a run script for each daemon."""
        for name in self.names():
            place = self.folder / "sv" / name
            place.mkdir(parents=True)
            (place / "run").write_text(f"#!/bin/sh\n{self.before}exec {self.command(name)}\n")
            (place / "run").chmod(0o755)
            for file, text in self.more.items():
                (place / file).write_text(text)

    def launch(self) -> None:
        """Run it on the directory of all."""
        self.spawn(self.program, *self.words, f"{self.folder}/sv")


class S6(Runit):
    """s6-svscan and an s6-supervise for each daemon."""

    name = "s6"
    program = "s6-svscan"
    words = ("-c", "2000")
    before = "READY_FD=3 "
    more = {"notification-fd": "3\n"}  # noqa: RUF012 - nobody changes it


class Supervisord(Peer):
    """supervisord."""

    name = "supervisord"

    def prepare(self) -> None:
        """Write its one file."""
        text = f"[supervisord]\nnodaemon=true\npidfile={self.folder}/pid\nlogfile=/dev/null\nlogfile_maxbytes=0\n"
        for name in self.names():
            text += f"[program:{name}]\ncommand={self.command(name)}\nautorestart=true\n"
            text += "stdout_logfile=NONE\nstderr_logfile=NONE\n"
        (self.folder / "conf").write_text(text)

    def launch(self) -> None:
        """Run it in the foreground."""
        self.spawn("supervisord", "-c", f"{self.folder}/conf")


class Circus(Peer):
    """circusd."""

    name = "circus"

    def prepare(self) -> None:
        """Write its one file."""
        text = "[circus]\n" + "".join(
            f"{name} = ipc://{self.folder}/{name}\n" for name in ("endpoint", "pubsub_endpoint", "stats_endpoint")
        )
        for name in self.names():
            text += f"[watcher:{name}]\ncmd={self.command(name)}\n"
        (self.folder / "conf").write_text(text)

    def launch(self) -> None:
        """Run it in the foreground."""
        self.spawn(str(self.tools.pypi() / "bin/circusd"), f"{self.folder}/conf")


class Replacement(Peer):
    """The systemctl replacement, as `init`, with /etc/systemd/system and /run to itself."""

    name = "systemctl replacement"

    def prepare(self) -> None:
        """Write a unit for each daemon, and a script that hides the machine's own units."""
        (self.folder / "units").mkdir()
        for name in self.names():
            (self.folder / "units" / f"{name}.service").write_text(self.unit(name))
        program = next((self.tools.pypi() / "bin").glob("systemctl*"), None)
        if program is None:
            raise CannotBeHad("its package has no such program")
        hide = f"mount --bind {self.folder}/units /etc/systemd/system && mount -t tmpfs run /run"
        words = " ".join(f"{name}.service" for name in self.names())
        python = self.tools.pypi() / "bin/python"
        (self.folder / "start").write_text(
            f"mkdir -p /etc/systemd/system\n{hide}\nexec {python} {program} init {words}\n"
        )

    def launch(self) -> None:
        """Run it as PID 1 of a namespace."""
        words = ("--mount", "--pid", "--fork", "--kill-child", "--mount-proc")
        self.spawn("unshare", *words, "sh", f"{self.folder}/start")


class Systemd(Peer):
    """systemd of a booted machine; PID 1 alone is counted, not its journal."""

    def __init__(self, tools: Tools, name: str, restart: str) -> None:
        super().__init__(tools)
        self.name, self.restart = name, restart

    @property
    def ready(self) -> str:
        """The file in which daemons write, as they see it."""
        return "/run/bench-ready"

    def ready_file(self) -> Path:
        """Return where we see it."""
        return Path(f"/proc/{self.tools.machine()._pid}/root{self.ready}")

    def tools_seen(self) -> str:
        """Return where the supervisor sees our programs."""
        return "/srv"

    def prepare(self) -> None:
        """Write a unit for each daemon, and the target."""
        units = self.folder / "units"
        units.mkdir()
        for name in self.names():
            (units / f"{name}.service").write_text(self.unit(name))
        wants = "\n".join(f"Wants={name}.service" for name in self.names())
        (units / f"{self.label}.target").write_text(f"[Unit]\n{wants}\n")
        machine = self.tools.machine()
        machine.run("rm", "-f", self.ready)
        machine.push(units, "/run/systemd/system")
        machine.run("systemctl", "daemon-reload")

    def launch(self) -> None:
        """Start the target."""
        self.tools.machine().run("systemctl", "start", f"{self.label}.target", timeout=PATIENCE)

    def stop(self) -> None:
        """Stop the target and all in it."""
        machine = self.tools.machine()
        machine.run("systemctl", "stop", f"{self.label}.target", *self.names(), check=False)
        machine.sh(f"rm -f /run/systemd/system/{self.label}*; systemctl daemon-reload")
        shutil.rmtree(self.folder, ignore_errors=True)

    def supervisors(self) -> list[int]:
        """Return PID 1 of the machine."""
        return [self.tools.machine()._pid]

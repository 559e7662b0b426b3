"""A .socket: carries out what its machine decides (socket_table.py). It has no process but those of its commands."""

from __future__ import annotations

import errno
import os
import socket
from contextlib import suppress
from functools import partial

from hafta.frozen import Frozen
from hafta.journal.overlord_events import UnitFailed, UnitListening, UnitStopped
from hafta.overlord.commands import directive
from hafta.overlord.connection import Connection
from hafta.overlord.flushing import flush
from hafta.overlord.opening import OpeningError, link, open_address, set_options
from hafta.overlord.runner import Runner
from hafta.overlord.socket_table import COMMANDS, Phase, SocketAction, SocketEvent, SocketMachine
from hafta.overlord.tell import command_failed
from hafta.units.restart import Limit
from hafta.units.sockets import Socket
from hafta.units.unit import Account
from hafta.units.unitfile import UnitError
from hafta.units.users import find_credentials

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from hafta.journal.event import Event as JournalEvent
    from hafta.overlord.context import Context
    from hafta.overlord.table import Happening
    from hafta.units.restart import Outcome
    from hafta.units.sockets import Listen
    from hafta.units.unit import Unit

AT_ONCE = 16  # connections that are accepted before others have their turn
PAUSE = 1.0  # seconds, where there are no descriptors
QUIET = 10.0  # seconds between two complaints about connections
_LACKING = frozenset((errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM))


class Endpoint(Frozen):
    """An address that is open."""

    fd: int
    listen: Listen


class SocketRunner(Runner):
    """A socket that is run. `endpoints` are in the order of the unit's lines."""

    def __init__(self, unit: Unit, context: Context) -> None:
        super().__init__(unit, context)
        self.spec = unit.socket or Socket()
        self.service = next(iter(unit.needs.triggers), "")  # with Accept=no
        self.phases = SocketMachine([name for name in COMMANDS.values() if getattr(unit.commands, name)])
        self.machine = self.phases
        self.endpoints: list[Endpoint] = []
        self._starts = Limit(self.spec.limits.interval, self.spec.limits.burst)
        self._watched = False
        self._quiet_until = 0.0  # by the loop's clock
        self._doings: dict[SocketAction, Callable[[], None]] = {
            SocketAction.OPEN: self._open,
            SocketAction.WATCH: self._watch,
            SocketAction.UNWATCH: self.unwatch,
            SocketAction.FLUSH: self._flush,
            SocketAction.TRIGGER: lambda: context.handover.trigger(self.service),
            SocketAction.CLOSE: self._close,
            SocketAction.RUN: self._run,
            SocketAction.KILL: self._killer.kill_control,
            SocketAction.SAY_STOPPED: lambda: self._ended(UnitStopped(self.name)),
            SocketAction.SAY_FAILED: lambda: self._ended(UnitFailed(self.name, self.why)),
        }

    @property
    def fd_name(self) -> str:
        """What its descriptors are called in LISTEN_FDNAMES."""
        return self.spec.fd_name or self.name

    def handle(self, event: Happening) -> None:
        """Move on, and do what that asks for."""
        if event is SocketEvent.INCOMING and self.phases.phase is Phase.LISTENING and not self.admits():
            event = SocketEvent.FLOODED
        if event is SocketEvent.LATE:
            self._blame()
        actions = self.phases.take(event)
        phase = self.phases.phase
        for action in actions:
            self._doings[action]()
            if self.phases.phase is not phase:
                return  # it could not be opened, and has gone another way

    # Commands

    def _run(self) -> None:
        phase = COMMANDS[self.phases.phase]
        self._attempt(lambda: self._control.begin(phase, getattr(self.unit.commands, phase)), SocketEvent.BAD)
        self._set_late()

    def _set_late(self) -> None:
        self._loop.set_timer(("state", self.name), self.unit.timeout_start, lambda: self._post(SocketEvent.LATE))

    def control_exited(self, outcome: Outcome) -> None:
        """Take the end of a command: run the next one, or end the phase."""
        process = self._control.ended()
        process.read()
        self._launcher.drain()
        self._loop.clear_timer(("state", self.name))
        result = self.machine.judge_command(outcome, forgiven=process.command.ignore_failure)
        if self.phases.phase is Phase.CLEARING:  # we have killed it
            self.handle(SocketEvent.DONE)
        elif result != "success":
            self.trouble = process.trouble
            self._blame()
            self._context.report(command_failed(self, self._control.phase, process.pid, outcome))
            self.phases.fail(result)
            self.handle(SocketEvent.BAD)
        elif self._control.has_more:
            self._attempt(self._control.next, SocketEvent.BAD)
            self._set_late()
        else:
            self.handle(SocketEvent.DONE)

    def _blame(self) -> None:
        """Remember which directive has failed: the first one counts."""
        if self.phases.result == "success":
            self._control.failed = self._control.phase

    def _variables(self) -> dict[str, str]:
        """Return nothing: a socket has no main process, and no result that its commands could ask for."""
        return {}

    def _ended(self, event: JournalEvent) -> None:
        """Say that it rests; what its commands have left behind ends."""
        self._loop.clear_timer(("state", self.name))
        if self._control.phase:
            self._killer.kill()
        self._context.report(event)

    def admits(self) -> bool:
        """Count a start; False when there were more than TriggerLimitBurst=."""
        return self._starts.admits(self._loop.now())

    def look(self) -> None:
        """Do nothing: there is no process to look for."""

    @property
    def why(self) -> str:
        """Why it has failed, for people."""
        service, limits = self.service or "its template", self.spec.limits
        reasons = {
            "service-start-limit-hit": f"{service} was started too often (StartLimitBurst=)",
            "timeout": f"{self._directive} took longer than {self.unit.timeout_start:g} s (TimeoutSec=)",
            **dict.fromkeys(("exit-code", "signal", "core-dump"), f"{self._directive} failed"),
            "trigger-limit-hit": f"it started {service} more than {limits.burst} times in {limits.interval:g} s"
            " (TriggerLimitBurst=)",
        }
        return reasons.get(self.phases.result, self.trouble or self.phases.result)

    @property
    def _directive(self) -> str:
        return directive(self.unit, self._control.failed) if self._control.failed else "a command"

    # Open and closed

    def _open(self) -> None:
        self.trouble = ""
        try:
            self._open_all()
        except Exception as error:  # a start that fails for whatever reason is a failed unit, and nothing else
            self.trouble = str(error) if isinstance(error, OSError) else f"{type(error).__name__}: {error}"
            self.handle(SocketEvent.BROKEN)
            return
        self._context.report(UnitListening(self.name, ", ".join(each.listen.text for each in self.endpoints)))

    def _open_all(self) -> None:
        context, files = self._context, self.spec.files
        if context.handover.is_busy(self.service):
            raise OpeningError(f"{self.service} is already active; stop it first")
        owner = find_credentials(Account(files.user, files.group))
        if os.geteuid() != 0 and (files.user or files.group):
            self._note("only root can give a socket to another user: SocketUser= and SocketGroup= are ignored")
        skipped: OpeningError | None = None
        for listen in self.spec.listen:
            try:
                fd = open_address(listen, self.spec, owner, context.handover.paths)
            except OpeningError as error:
                if not (listen.family == socket.AF_INET6 and error.is_unsupported):
                    raise
                skipped = error
                self._note(f"{error}: skipped")
                continue
            self.endpoints.append(Endpoint(fd, listen))
            set_options(fd, listen, self.spec.options, self._note)
        if not self.endpoints and skipped:
            raise skipped
        self._link()

    def _link(self) -> None:
        target = next((each.listen.path for each in self.endpoints if each.listen.path), "")
        for path in self.spec.files.symlinks if target else ():
            try:
                link(target, path, self.spec.files, self._context.handover.paths)
            except OSError as error:
                self._note(f"cannot link {path} to {target}: {error.strerror}")

    def _close(self) -> None:
        for endpoint in self.endpoints:
            os.close(endpoint.fd)
            if self.spec.files.remove_on_stop and endpoint.listen.path:
                self._context.handover.paths.remove(endpoint.listen.path)
        if self.spec.files.remove_on_stop:
            for path in self.spec.files.symlinks:
                self._context.handover.paths.remove(path)
        self.endpoints.clear()

    # Waiting

    def _watch(self) -> None:
        if self._watched or not self.endpoints:  # it could not be opened
            return
        self._watched = True
        for endpoint in self.endpoints:
            self._loop.watch(endpoint.fd, partial(self._incoming, endpoint))

    def unwatch(self) -> None:
        """Wait for nobody."""
        if self._watched:
            self._watched = False
            for endpoint in self.endpoints:
                self._loop.forget(endpoint.fd)

    def _incoming(self, endpoint: Endpoint) -> None:
        if self.spec.accept:
            self._accept(endpoint)
        else:
            self._context.post(self, SocketEvent.INCOMING)

    # Connections (Accept=yes)

    def _accept(self, endpoint: Endpoint) -> None:
        for _ in range(AT_ONCE):
            made = socket.socket(fileno=endpoint.fd)
            try:
                accepted = made.accept()[0]
            except BlockingIOError:
                return
            except OSError as error:
                if error.errno not in _LACKING:
                    continue  # that connection has failed, not ours
                self._pause(error)
                return
            finally:
                made.detach()
            accepted.setblocking(True)
            if not self._connected(accepted, endpoint):
                accepted.close()

    def _connected(self, accepted: socket.socket, endpoint: Endpoint) -> bool:
        """Start a service for a connection; False if it is not taken."""
        handover = self._context.handover
        if handover.is_ending or self.phases.phase is not Phase.LISTENING:
            return False
        if not self.admits():
            self._context.post(self, SocketEvent.FLOODED)
            self.unwatch()
            return False
        connection = Connection(self.name, accepted)
        limits, source = self.spec.limits, connection.source
        if handover.count(self.name) >= limits.connections:
            self._complain(f"more than {limits.connections} connections (MaxConnections=)")
            return False
        if source and limits.per_source and handover.count(self.name, source) >= limits.per_source:
            self._complain(f"more than {limits.per_source} connections from {source} (MaxConnectionsPerSource=)")
            return False
        set_options(accepted.fileno(), endpoint.listen, self.spec.options, self._complain)
        try:
            handover.begin(connection, self.spec.template)
        except (OSError, UnitError) as error:
            self._complain(f"a connection cannot be served: {error}")
            return False
        return True

    def _complain(self, text: str) -> None:
        """Say what became of a connection, at most once in a while: clients must not fill the output."""
        if (now := self._loop.now()) >= self._quiet_until:
            self._quiet_until = now + QUIET
            self._note(f"{text}; the next such line comes in {QUIET:g} s at the earliest")

    def _pause(self, error: OSError) -> None:
        """Wait until there are descriptors, or memory, again: the connection stays in the queue."""
        self._complain(f"cannot accept a connection: {error.strerror}")
        self.unwatch()
        self._loop.set_timer(("accept", self.name), PAUSE, self._resume)

    def _resume(self) -> None:
        if self.phases.phase is Phase.LISTENING:
            self._watch()

    def _flush(self) -> None:
        """Drop what has come while the service ran (FlushPending=). What comes while we drop it may stay."""
        for endpoint in self.endpoints if self.spec.flush_pending else ():
            with suppress(OSError):
                flush(endpoint.fd, endpoint.listen)

    def _note(self, text: str) -> None:
        self._context.note(f"{self.name}: {text}")


def make_runner(unit: Unit, context: Context) -> Runner:
    """Return what runs a unit."""
    return SocketRunner(unit, context) if unit.socket else Runner(unit, context)

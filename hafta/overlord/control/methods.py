"""The methods of the interface: what each takes, what it answers. They ask the desk, and wait for nothing.

The description of the interface (interface.py) is what clients can read; a test holds the two together.
"""

from __future__ import annotations

import signal

from hafta.control import wire
from hafta.control.interface import DESCRIPTION, INFO
from hafta.overlord.control.jobs import Job
from hafta.overlord.control.properties import NAMES

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from typing import Any

    from hafta.overlord.control.clients import Client
    from hafta.overlord.control.desk import Desk

    Answer = Iterator[Mapping[str, Any]]
    Method = Callable[[wire.Request, Client], Answer]

NAME_MAX = 255  # characters of a unit's name
UNITS_MAX = 1000  # units that one request may name


class Methods:
    """Looks a method up and turns what it answers into messages."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._methods: dict[str, Method] = {
            f"{wire.SERVICE}.GetInfo": lambda _request, _client: iter((INFO,)),
            f"{wire.SERVICE}.GetInterfaceDescription": self._interface,
            f"{wire.INTERFACE}.Describe": lambda _request, _client: iter(({"properties": desk.describe()},)),
            f"{wire.INTERFACE}.List": self._list,
            f"{wire.INTERFACE}.Do": self._do,
            f"{wire.INTERFACE}.Kill": self._kill,
            f"{wire.INTERFACE}.ResetFailed": self._reset_failed,
            f"{wire.INTERFACE}.Reread": self._reread,
            f"{wire.INTERFACE}.Drill": self._drill,
        }

    def answer(self, client: Client, message: bytes) -> Iterator[bytes]:
        """Return the answer to a message. Raises ValueError for one that is not a request."""
        request = wire.request(message)
        answer = self._answer(request, client)
        if request.oneway:
            for _ in answer:
                pass
            return iter(())
        return answer

    def _answer(self, request: wire.Request, client: Client) -> Iterator[bytes]:
        try:
            method = self._methods.get(request.method, _unknown)
            yield from replies(method(request, client), more=request.more)
        except wire.Fault as fault:
            yield wire.error(fault)

    def _interface(self, request: wire.Request, _client: Client) -> Answer:
        if request.parameters.get("interface") != wire.INTERFACE:
            raise wire.Fault(wire.INVALID_PARAMETER, parameter="interface")
        yield {"description": DESCRIPTION}

    def _list(self, request: wire.Request, _client: Client) -> Answer:
        names = texts(request, "units") if "units" in request.parameters else self._desk.names()
        wanted = frozenset(texts(request, "properties")) if "properties" in request.parameters else NAMES
        look = self._desk.look()
        for name in names:
            yield {"properties": self._desk.properties(look, name, wanted)}

    def _do(self, request: wire.Request, client: Client) -> Answer:
        """Begin what a verb asks for; answer at once, or with `wait` when all that has begun is over."""
        verb, names = request.parameters.get("verb"), texts(request, "units")
        if not isinstance(verb, str) or not self._desk.verbs.knows(verb):
            raise wire.Fault(wire.INVALID_PARAMETER, parameter="verb")
        self._desk.note(f"{client.peer} asks: {verb} {' '.join(names)}")
        look = self._desk.look()
        done = [self._desk.verbs.do(verb, look, name) for name in names]
        jobs = [each for each in done if isinstance(each, Job)]
        if not request.parameters.get("wait") or not jobs or request.oneway:
            yield {"jobs": outcomes(done)}
            return
        client.wait()
        self._desk.jobs.wait(jobs, lambda: client.resume(iter([wire.reply({"jobs": outcomes(done)})])))

    def _kill(self, request: wire.Request, client: Client) -> Answer:
        signum, whom = request.parameters.get("signal", signal.SIGTERM), request.parameters.get("whom", "all")
        if not isinstance(signum, int) or signum not in signal.valid_signals():
            raise wire.Fault(wire.INVALID_PARAMETER, parameter="signal")
        if whom not in {"all", "main"}:
            raise wire.Fault(wire.INVALID_PARAMETER, parameter="whom")
        names = texts(request, "units")
        self._desk.note(f"{client.peer} asks: kill {' '.join(names)} with signal {int(signum)} ({whom})")
        look = self._desk.look()
        yield {"jobs": [_done(lambda name: self._desk.verbs.kill(look, name, signum, whom), name) for name in names]}

    def _reread(self, _request: wire.Request, client: Client) -> Answer:
        self._desk.note(f"{client.peer} asks: daemon-reload")
        client.wait()
        self._desk.reread(
            lambda changed, problems: client.resume(iter([wire.reply({"changed": changed, "problems": problems})]))
        )
        return iter(())

    def _drill(self, request: wire.Request, _client: Client) -> Answer:
        from hafta.journal.drill_events import LIMIT_MAX, DrillEnded, DrillStarted

        unit, drill, limit = (request.parameters.get(name) for name in ("unit", "drill", "limit_usec"))
        if not isinstance(drill, str) or not 0 < len(drill) <= NAME_MAX or not drill.isprintable():
            raise wire.Fault(wire.INVALID_PARAMETER, parameter="drill")
        if limit is not None and (not isinstance(limit, int) or not 0 < limit <= LIMIT_MAX):
            raise wire.Fault(wire.INVALID_PARAMETER, parameter="limit_usec")
        if unit not in self._desk.names():
            raise wire.Fault(
                wire.NO_SUCH_UNIT, unit=str(unit)[:NAME_MAX], message=f"no unit {unit!s:.{NAME_MAX}} runs here"
            )
        self._desk.report(DrillEnded(unit, drill) if limit is None else DrillStarted(unit, drill, limit))
        yield {}

    def _reset_failed(self, request: wire.Request, client: Client) -> Answer:
        names = texts(request, "units") if "units" in request.parameters else self._desk.names()
        self._desk.note(f"{client.peer} asks: reset-failed")
        look = self._desk.look()
        yield {"jobs": [_done(lambda name: self._desk.verbs.reset_failed(look, name), name) for name in names]}


def _unknown(request: wire.Request, _client: Client) -> Answer:
    raise wire.Fault(wire.METHOD_NOT_FOUND, method=request.method[:NAME_MAX])


def _done(act: Callable[[str], None], name: str) -> dict[str, Any]:
    """Do one thing; return what came of it."""
    try:
        act(name)
    except wire.Fault as fault:
        return {**fault.parameters, "error": fault.name}
    return {"unit": name, "result": "done"}


def outcomes(done: Sequence[Job | wire.Fault | None]) -> list[dict[str, Any]]:
    """Return what came of a verb for each unit. Nothing to do is done."""
    found = []
    for each in done:
        if isinstance(each, wire.Fault):
            found.append({**each.parameters, "error": each.name})
        else:
            found.append(each.describe() if each else {"result": "done"})
    return found


def replies(answer: Answer, *, more: bool) -> Iterator[bytes]:
    """Return the messages of an answer: all but the last say that another follows. Without `more` there is only one."""
    held = None
    for parameters in answer:
        if held is not None:
            if not more:
                raise wire.Fault(wire.INVALID_PARAMETER, parameter="more")
            yield wire.reply(held, continues=True)
        held = parameters
    if held is not None:
        yield wire.reply(held)


def texts(request: wire.Request, parameter: str) -> list[str]:
    """Return a parameter that is a list of names."""
    found = request.parameters.get(parameter)
    if (
        not isinstance(found, list)
        or len(found) > UNITS_MAX
        or not all(isinstance(each, str) and 0 < len(each) <= NAME_MAX and each.isprintable() for each in found)
    ):
        raise wire.Fault(wire.INVALID_PARAMETER, parameter=parameter)
    return found

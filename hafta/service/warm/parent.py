"""The warm parent: one thread, one select, and the table (table.py). It decides nothing about the work.

Invariants:

1. Two workers never live at a time: one begins only after the end of the one before was taken (brood.py asserts it).
2. No worker outlives the parent: the kernel kills them with it (worker.py).
3. The overlord's watchdog is fed only while no worker hangs.
4. Nothing is imported, and no descriptor made that a worker keeps, after the first fork.

The order of a turn: what the worker said, then its death (one that said READY and died was ready), then signals,
timers, and a look at the beat if one is due.
"""

from __future__ import annotations

import faulthandler
import signal
import time

from hafta import exits
from hafta.death import HANG, RULE, Death
from hafta.process.dying import die_of
from hafta.service.holdoff import Holdoff
from hafta.service.warm import relay
from hafta.service.warm.beat import RETIRE, Page
from hafta.service.warm.brood import AFTER, Brood, Process
from hafta.service.warm.reload import CHECK_LIMIT, SETTLE, Heir, begin_check, replace_myself
from hafta.service.warm.rules import EVERY, PATIENCE, Rule, first_broken, look
from hafta.service.warm.shelf import Shelf
from hafta.service.warm.table import Action, Event, State, move
from hafta.service.warm.tally import Tally
from hafta.service.warm.voice import Voice
from hafta.service.warm.watch import Watch
from hafta.service.warm.wires import Wires

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from hafta.service.options import Warm
    from hafta.service.service import Service

START = 10.0  # seconds until a worker must have said READY
_now = time.monotonic


class Parent:
    """The main process of a warm service. `service` is how it speaks to its overlord and to the journal."""

    def __init__(
        self, service: Service, options: Warm, environ: Mapping[str, str], heir: Heir | None = None,
        rules: Sequence[Rule] = (),
    ) -> None:  # fmt: skip
        self.service = service
        service.life.published.disown()  # that is the worker's: it has the calls
        self.options = options
        self.environ = environ
        self.rules = rules
        self.wires = Wires(None if heir is None else (heir.notify, heir.kick))
        self.shelf = Shelf(service, environ, None if heir is None else heir.shelf)
        self.page = Page(None if heir is None else heir.page)
        self.brood = Brood(service.name, self.wires, service.notifier.close)
        self.watch = Watch(self.page)
        self.tally = Tally(Holdoff(service.name, environ))
        self.voice = Voice(service, self.tally)
        self.state = State.EMPTY
        self.timers: dict[str, float] = {}  # "state": of the state; "standby": when the next one is to be made
        self._actions: dict[Action, Callable[[], object]] = {
            Action.RELEASE: self._release,
            Action.TERMINATE: self._terminate,
            Action.ABORT: self._abort,
            Action.KILL: lambda: self._signal(signal.SIGKILL),
            Action.SAY_READY: self._say_ready,
            Action.SAY_HELD: self.voice.held,
            Action.NOTE_LATE: self._note_late,
            Action.SET_START: lambda: self._arm(START),
            Action.SET_GRACE: lambda: self._arm(options.grace),
            Action.SET_HOLD: lambda: self._arm(self.tally.hold),
            Action.SET_STOP: lambda: self._arm(options.stop),
            Action.UNSET: lambda: self.timers.pop("state", None),
            Action.FORGET: self.tally.forget,
            Action.FINISH: self._finish,
        }
        if heir is not None:
            self._adopt(heir)

    def run(self) -> int:
        """Work until the service ends; return its exit status. In a worker, Born is raised."""
        self.wires.listen()
        self.service.complain()
        if self.state is State.EMPTY:
            self._handle(self.tally.begin(_now()))
        while self.state is not State.ENDED:
            self._turn()
        return self._end()

    # A turn.

    def _turn(self) -> None:
        ready = self.wires.wait(self.brood.pidfds, self._moment() - _now())
        if self.wires.notify.fileno() in ready:
            self._hear()
        self._bury_others(ready)
        self._bury(ready)
        for signum in self.wires.signals():
            self._on_signal(signum)
        if self.wires.kick in ready:
            self.wires.clear_kick()
            self.watch.kicked()
        self._fire(_now())
        self._look()
        self._feed()

    def _moment(self) -> float:
        """Return until when the parent may sleep."""
        service = self.service
        moments = [*self.timers.values(), self.shelf.due, service.reporter.due, service.notifier.due]
        if self.state is not State.ABORTING:
            moments.append(service.watchdog.next)
        return self.watch.sleep_until(min(moments))

    def _hear(self) -> None:
        worker = self.brood.worker
        for pid, datagram, fds in self.wires.datagrams():
            if worker is None or pid != worker.pid:
                continue
            said = relay.said(datagram)
            if self.shelf.hear(said, fds) and self.brood.drop_standby():  # it was forked before
                self.timers["standby"] = _now() + (self.options.standby or 0.0)
            if said.status is not None:
                self.tally.status = said.status
                self.voice.show(self._pid)
            if said.extend is not None:
                self._extend(said.extend)
            if said.ready:
                self._handle(Event.READY)
            if said.stopping and self.state is State.STOPPING:
                self.service.notifier.stopping(self.service.describe())

    def _extend(self, seconds: float) -> None:
        if self.state in {State.STARTING, State.STOPPING, State.RETIRING}:
            self.timers["state"] = max(self.timers.get("state", 0.0), _now() + seconds)
            if not self.tally.ready or self.state is State.STOPPING:
                self.service.notifier.extend_timeout(seconds)

    def _bury_others(self, ready: set[int]) -> None:
        standby, checker = self.brood.standby, self.brood.checker
        if standby is not None and standby.pidfd in ready:
            self.brood.standby = None
            standby.reap()
            self.timers["standby"] = _now() + AFTER
        if checker is not None and checker.pidfd in ready:
            self.brood.checker = None
            death = checker.reap()
            if death.signal or death.status:
                self._refuse(f"the check of the new program {death}")
            else:
                self._reload()

    def _bury(self, ready: set[int]) -> None:
        worker = self.brood.worker
        if worker is None or worker.pidfd not in ready:
            return
        death, now = self.brood.bury(), _now()
        self.watch.end()
        self.voice.failed(now)
        self.voice.down(now)
        why = self.tally.why
        if why is None:
            sequence, node = self.page.read_where()
            death = death.replace(sequence=sequence, node=node)
        else:
            death = why.replace(signal=death.signal, status=death.status)
        retiring = self.state is State.RETIRING or self.page.words[RETIRE] == 1.0
        self._handle(self.tally.died(death, now, retiring=retiring, ladder=self.options.ladder))

    def _on_signal(self, signum: int) -> None:
        if signum == signal.SIGCHLD:
            if self.brood.worker is not None:
                self.watch.changed(self.brood.worker.stops(), _now())
        elif signum == signal.SIGHUP and self.service.notifier.enabled:
            self._check()
        else:  # without an overlord, SIGHUP says that the terminal is gone
            self._handle(Event.STOP)

    def _fire(self, now: float) -> None:
        for name in [name for name, moment in self.timers.items() if moment <= now]:
            del self.timers[name]
            if name == "state":
                self._handle(Event.TIMER)
            elif name == "check":
                self.brood.drop_checker()
                self._refuse(f"the check of the new program did not end within {CHECK_LIMIT:g} s")
            elif name == "rules":
                self._look_at_rules(now)
            elif name in {"hand over", "retire"}:
                self._handle(Event.RETIRE)
            elif self.brood.standby is None and self.state is State.RUNNING:
                self.brood.wait_at_gate()

    def _look(self) -> None:
        worker = self.brood.worker
        if self.state is not State.RUNNING or worker is None or _now() < self.watch.again:
            return
        why = self.watch.look(worker.pid)
        if why is not None:
            self.tally.why = why
            self.voice.down(_now())
            self._handle(Event.LATE)

    def _look_at_rules(self, now: float) -> None:
        worker = self.brood.worker
        if self.state is not State.RUNNING or worker is None:
            return
        self.timers["rules"] = now + EVERY
        broken = first_broken(self.rules, look(worker.pid, now - self.tally.row.started, self.page.read_health()))
        if broken is None or self.page.words[RETIRE]:
            return
        from hafta.journal.warm_events import RuleBroken

        rule, reason = broken
        self.tally.why = Death(worker.pid, why=RULE, detail=reason)
        self.page.words[RETIRE] = 1.0
        self.service.report(RuleBroken(self.service.name, worker.pid, reason))
        self.timers["retire"] = now + (0.0 if rule.at_once else PATIENCE)

    def _feed(self) -> None:
        """Feed the watchdog of the overlord, and send what waits to be sent."""
        self.service.notifier.tick()
        self.service.reporter.tick()
        self.shelf.tick(_now())
        if self.state is not State.ABORTING:
            self.service.progress()

    # A reload (reload.py).

    def _check(self) -> None:
        self.service.notifier.reloading()
        if self.state is not State.RUNNING or self.brood.checker is not None:
            self._refuse("a reload is going on already" if self.brood.checker else f"now {self.state.value}")
            return
        try:
            self.brood.checker = Process(begin_check(self.environ))
        except OSError as error:
            self._refuse(f"the new program cannot be started: {error}")
            return
        self.timers["check"] = _now() + CHECK_LIMIT

    def _reload(self) -> None:
        """Go on as the new program. The worker of the old one works on until the new one is ready to begin."""
        self.timers.pop("check", None)
        worker, tally = self.brood.worker, self.tally
        if self.state is not State.RUNNING or worker is None:
            self._refuse(f"now {self.state.value}")
            return
        self.brood.drop_standby()
        self.service.reporter.close()
        fds = self.wires.notify.fileno(), self.wires.kick, self.page.fd
        try:
            heir = Heir(*fds, worker.pid, tally.replaced, tally.row.crashes, self.shelf.describe())
            replace_myself(heir, self.shelf.fds, self.environ)
        except OSError as error:
            self._refuse(f"the new program cannot be started: {error}")
            self.timers["standby"] = _now()

    def _refuse(self, reason: str) -> None:
        from hafta.journal.warm_events import ReloadRefused

        self.timers.pop("check", None)
        self.service.report(ReloadRefused(self.service.name, reason))
        if self.brood.checker is None:
            self.service.notifier.ready(self.service.describe())  # the reload is over

    def _adopt(self, heir: Heir) -> None:
        """Take over the worker of the parent before the exec, and have a worker of the new program take its place."""
        self.state = State.RUNNING
        self.service.life.is_up = True  # the service has started long ago
        self.brood.worker = Process(heir.worker)
        self.tally.take_over(heir.replaced, heir.crashes, _now())
        self.watch.begin(heir.worker)
        self.timers["hand over"] = _now() + SETTLE
        if self.options.standby is not None:
            self.timers["standby"] = _now()

    # What the table says.

    def _handle(self, event: Event) -> None:
        cell = move(self.state, event)
        self.state = cell.state or self.state
        for action in cell.actions:
            self._actions[action]()

    def _release(self) -> None:
        self.page.clear()
        for name in ("standby", "rules", "retire"):
            self.timers.pop(name, None)
        self.tally.status = ""
        self.brood.release(self.tally.last)
        self.tally.began(_now())
        self.voice.replaced(self._pid)

    def _terminate(self) -> None:
        if self.state is State.STOPPING:
            self.brood.drop_standby()
        self._signal(signal.SIGTERM, signal.SIGCONT)

    def _abort(self) -> None:
        self.watch.end()
        self._signal(signal.SIGABRT, signal.SIGCONT)
        if self.tally.why is not None:
            self.voice.hung(self.tally.why)

    def _signal(self, *signums: int) -> None:
        if self.brood.worker is not None:
            self.brood.worker.signal(*signums)

    def _note_late(self) -> None:
        self.voice.failed(_now())
        if self.brood.worker is not None:
            self.tally.why = Death(self.brood.worker.pid, why=HANG, detail=f"not ready within {START:g} s")

    def _say_ready(self) -> None:
        worker = self.brood.worker
        if worker is None:
            return
        self.watch.begin(worker.pid)
        self.voice.describe(worker.pid)
        if not self.tally.ready or self.tally.reloading:
            self.tally.ready, self.tally.reloading = True, False
            self.service.life.crashes = self.tally.row.crashes
            self.service.ready()
        self.service.notifier.status(self.service.describe())
        self.voice.up(_now())
        if self.options.standby is not None:
            self.timers["standby"] = _now() + self.options.standby
        if self.rules:
            self.timers["rules"] = _now() + EVERY

    def _finish(self) -> None:
        self.timers.clear()
        self.brood.drop_standby()
        self.brood.drop_checker()

    def _arm(self, seconds: float) -> None:
        self.timers["state"] = _now() + seconds

    @property
    def _pid(self) -> int:
        return self.brood.worker.pid if self.brood.worker is not None else 0

    def _end(self) -> int:
        """End as the last worker did."""
        service, last = self.service, self.tally.last
        if self.tally.ended_well():
            if last is None:
                service.stopped("asked to, before the next worker began")
            service.notifier.stopping("stopping")
            service.flush()
            return exits.OK
        assert last is not None
        if self.tally.given_up(self.options.ladder):
            from hafta.journal.warm_events import WarmGivenUp

            service.report(WarmGivenUp(service.name, self.tally.row.crashes + 1, str(last)))
        service.flush()
        if last.signal:
            faulthandler.disable()  # the worker has printed its stacks
            die_of(last.signal)
            return 128 + last.signal  # as process 1, which no signal kills
        return last.status

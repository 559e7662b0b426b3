"""The keeper: a second process that ends everything when the overlord is killed, and holds the locks until then.

Rules
1. The keeper is a fork of the overlord without exec, in its own session, deaf to every signal but SIGKILL. It
   waits at the end of a channel whose other end only the overlord has: its end means that the overlord is gone.
2. Then it kills every process that belongs to the overlord (process/table.py), removes its directories, and only then
   lets go of the locks, by ending. It knows them by the roll, which the overlord has written before (roll.py), and by
   the cgroup, where there is one: not only by what can still be seen when the first of them are dead.
3. Main processes do not wait for it: the kernel kills them with the overlord (child.py). The keeper is for what those
   have started.
4. An overlord that ends by itself removes its directories, sends the keeper away with one word, and lets go of the
   locks after that: a keeper that were still there could remove what the next overlord has made.
5. An overlord whose keeper dies makes a new one. If somebody kills both, the keeper before it has done its work or the
   overlord before it has a new one, main processes die with the overlord, and what these have started lives on until
   the next overlord in the same runtime directory ends it (heir.py).
6. While a process survives SIGKILL the keeper goes on, and the unit stays locked.
7. It is forked before the overlord reads its units, while there is little memory to share, and learns later what it is
   to clear away (`entrust`). So it is small, and forks the overlord's children for it (`fork`): that costs a part of
   what a fork of the overlord does, which has all units and their locks. These are children of the overlord, not of
   the keeper, from their first moment.
8. A keeper that does not answer is killed. It may have forked before, so `fork` looks for what it has left: a child
   that is on the roll is taken, for its program may have begun or soon begins; one that is not still has the keeper's
   name, and is killed. So do children of other units whose programs have not begun: they are known, and spared. If a
   child signs while it is killed, its name says whether its program had begun. So no program begins of which the
   overlord does not know, and none is killed because a keeper was slow.

Invariant: *when the locks are free, no process of that overlord is left.*
"""

from __future__ import annotations

import errno
import os
import select
import signal
from contextlib import suppress

from hafta.descriptors import fill_standard
from hafta.overlord.child import Launch, become
from hafta.overlord.estate import Estate
from hafta.overlord.roll import Berth
from hafta.overlord.sweep import touch
from hafta.process import prctl
from hafta.process.channel import Channel, deposit, pair, withdraw
from hafta.process.fork import deafen, quiet
from hafta.process.stat import bytes_of
from hafta.process.table import FOREVER, children, end_all

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

NAME = "hafta-keeper"
FRESH = 12 * 3600.0  # seconds: /tmp is swept of what nobody has used for ten days
PATIENCE = 1.0  # seconds for an answer, which takes less than a thousandth
_DISMISSED, _ENTRUSTED, _FORK = "dismissed", "entrusted", "fork"


class Keeper:
    """The overlord's side of it. `pid` is 0 when there is none."""

    def __init__(self) -> None:
        self._estate: Estate | None = None
        self._channel: Channel | None = None
        self.pid = 0

    def start(self) -> None:
        """Fork the keeper. Raises OSError if none can be made and told what to clear away; then there is none."""
        self._close()
        before = self.pid
        ours, theirs = pair()
        try:
            with quiet():
                self.pid = os.fork()
                if self.pid == 0:
                    _keep(Channel(theirs))  # pragma: no cover - a fork is traced from its next call on
        except BaseException:
            ours.close()
            raise
        finally:
            theirs.close()
        self._channel = Channel(ours, PATIENCE)
        try:
            if self._estate:
                self._hand_over_now(self._estate)
        except BaseException:
            os.kill(self.pid, signal.SIGKILL)
            os.waitpid(self.pid, 0)
            self._close()
            self.pid = before  # when that is reaped, the overlord tries again
            raise

    def renew(self) -> None:
        """Start the next one, unless entrust() has done so. Raises OSError as start()."""
        if not self.pid:
            self.start()

    def entrust(self, estate: Estate) -> None:
        """Have the keeper know what it is to clear away. Raises OSError if there can be none that does.

        Then the keeper, or the next one, has what it was entrusted with before.
        """
        before, self._estate = self._estate, estate
        try:
            if not self._hand_over(estate):
                self.start()
        except BaseException:
            self._estate = before
            raise

    def _hand_over_now(self, estate: Estate) -> None:
        if not self._hand_over(estate):
            raise OSError(errno.ECHILD, "it has died at once")

    def _hand_over(self, estate: Estate) -> bool:
        locks = deposit(estate.fds)
        try:
            return self._ask((_ENTRUSTED, *estate.pack()), [estate.roll.fd, locks]) is not None
        finally:
            os.close(locks)

    def fork(self, launch: Launch, berth: Berth, output: int, report: int) -> int:
        """Have the keeper fork a child of ours for a plain launch; return its number, 0 if there is none (rule 8)."""
        fds = [output, report, *([berth.cgroup] if berth.cgroup >= 0 else ())]
        try:
            found = self._ask((_FORK, berth.slot, berth.moves, *launch.pack()), fds)
        except OSError:
            return 0  # the keeper has not been asked
        return self._left_behind(berth) if found is None else int(found)

    def _ask(self, request: tuple[Any, ...], fds: Sequence[int]) -> Any:
        """Return the keeper's answer; None if it gives none: it is dead then.

        Raises OSError if it cannot be asked now, for our user may pass no more descriptors: it goes on then.
        """
        if self._channel is None:
            return None
        try:
            self._channel.send(request, fds)
            return self._channel.receive()[0]
        except (OSError, EOFError) as error:
            if isinstance(error, OSError) and error.errno == errno.ETOOMANYREFS:
                raise
        if self.pid:
            os.kill(self.pid, signal.SIGKILL)  # it is a zombie at least: nobody else reaps it
            os.waitid(os.P_PID, self.pid, os.WEXITED | os.WNOWAIT)
        self._close()  # not before it is dead: to a keeper that is only slow this would be the end of the overlord
        return None

    def _left_behind(self, berth: Berth) -> int:
        """Return the child that a dead keeper has forked for a berth, 0 if its program never begins (rule 8)."""
        roll, killed = berth.roll, []
        if pid := roll.signature(berth.slot):
            return pid
        for pid in children(os.getpid()):
            if pid != self.pid and not roll.knows(pid) and _is_fork(pid):
                os.kill(pid, signal.SIGKILL)
                os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
                killed.append(pid)
        pid = roll.signature(berth.slot)  # it may have signed meanwhile, and even be its program by now
        if pid in killed and _is_fork(pid):
            roll.blank(berth.slot)
            return 0
        return pid

    def lost(self) -> None:
        """Note that it has died and has been reaped."""
        self.pid = 0

    def dismiss(self) -> None:
        """Send it away and wait until it is gone."""
        if self.pid:
            if self._channel:
                with suppress(OSError):  # it has died just now
                    self._channel.send((_DISMISSED,))
            with suppress(ChildProcessError):
                os.waitpid(self.pid, 0)
        self.pid = 0
        self._close()

    def _close(self) -> None:
        if self._channel:
            self._channel.close()
            self._channel = None


def _is_fork(pid: int) -> bool:
    """Tell whether a process is a keeper, or a fork of one whose program has not begun; also of a dead one."""
    return (bytes_of(pid, "comm") or b"").strip() == NAME.encode()


def _keep(channel: Channel) -> None:
    """Be the keeper; never returns."""
    try:
        _prepare([channel.fileno()])
        overlord = os.getppid()
        trust: _Trust | None = None
        with suppress(EOFError, ConnectionError):  # also while it answers: the overlord is gone
            while True:
                _wait(channel, trust)
                (request, *given), fds = channel.receive()
                if request == _DISMISSED:
                    return
                if request == _FORK and trust:
                    channel.send(_fork_for(overlord, trust, given, fds))
                    for fd in fds:
                        os.close(fd)
                else:
                    if trust:
                        trust.close()
                    trust = _Trust(tuple(given), *fds)
                    channel.send(True)
        if trust:
            trust.clear()
    finally:
        os._exit(0)


class _Trust:
    """What the keeper is to clear away. It has the locks in a deposit: else each child would have to close them."""

    def __init__(self, packed: tuple[Any, ...], roll: int, locks: int) -> None:
        self.estate = Estate.unpack(packed, roll)
        self._packed = packed
        self._locks = locks

    def close(self) -> None:
        """Let go of it: another one takes its place."""
        os.close(self.estate.roll.fd)
        os.close(self._locks)

    def clear(self) -> None:
        """End and remove what the overlord has left (rule 2). The locks stay in the deposit until that is done."""
        if self.estate.cgroup:
            self.estate.cgroup.kill()
        end_all(self.estate.search(), FOREVER)
        self.estate.clear()
        Estate.unpack(self._packed, self.estate.roll.fd, withdraw(self._locks)).release()


def _prepare(kept: Sequence[int]) -> None:
    """Have nothing of the overlord's open, and no handlers, so that children need not do that.

    All signals stay blocked, as they were for the fork.
    """
    os.setsid()
    deafen(signal.SIG_DFL)
    prctl.set_name(NAME)
    os.chdir("/")
    _close_all_but(kept)
    fill_standard()


def _wait(channel: Channel, trust: _Trust | None) -> None:
    """Wait for a request, and have the files look used meanwhile."""
    ready = select.poll()
    ready.register(channel, select.POLLIN)
    while not ready.poll(FRESH * 1000):
        if trust:
            touch(trust.estate)


def _fork_for(overlord: int, trust: _Trust, given: list[Any], fds: list[int]) -> int:
    """Fork a child of the overlord's; return its number, 0 if the kernel does not do that."""
    slot, moves, *packed = given
    output, report, *cgroup = fds
    berth = Berth(trust.estate.roll, *(cgroup or (-1,)), moves=moves, slot=slot)
    launch = Launch.unpack(packed)
    pid = berth.fork_sibling()
    if pid == 0:
        become(launch, berth, overlord, output, report, has_handlers=False)
    return max(pid, 0)


def _close_all_but(kept: Sequence[int]) -> None:
    """Close the rest: the overlord's output would else never end for who reads it."""
    begin = 0
    for fd in sorted(kept):
        os.closerange(begin, fd)
        begin = fd + 1
    os.closerange(begin, max(map(int, os.listdir("/proc/self/fd"))) + 1)  # the limit may be a thousand million

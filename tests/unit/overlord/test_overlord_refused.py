"""A keeper that cannot be made, or cannot be told: what it has stays right, and none is left that knows nothing."""

from __future__ import annotations

import errno
import os
import signal

import pytest
from processes import run_python, wait_until

from hafta.overlord import keeper, locks
from hafta.overlord.estate import Estate
from hafta.overlord.keeper import Keeper
from hafta.overlord.roll import Roll
from hafta.process.table import children

#: Entrusts a keeper with one more lock when no more files may be open, lets go of that lock, and then needs another
#: keeper. Prints what was refused, and is killed.
REFUSED = """
import os, resource, signal, sys
from hafta.overlord import keeper as module, locks, roll as rolls
from hafta.overlord.estate import Estate

own, lock = f"{sys.argv[1]}/r/own", f"{sys.argv[1]}/r/lock"
os.makedirs(own)
os.makedirs(lock)
guard = module.Keeper()
guard.start()
first = locks.acquire(lock, "a")
estate = Estate("nobodys", f"{sys.argv[1]}/r", own, (), (), (first,), rolls.Roll(f"{sys.argv[1]}/r/id.roll"))
guard.entrust(estate)
more = locks.acquire(lock, "b")
soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
resource.setrlimit(resource.RLIMIT_NOFILE, (max(more.fds) + 1, hard))
try:
    guard.entrust(estate.replace(locks=(first, more)))
except OSError as error:
    print(error.strerror, flush=True)
resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
more.release()
os.kill(guard.pid, signal.SIGKILL)
os.waitpid(guard.pid, 0)
guard.lost()
guard.start()
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_a_keeper_that_follows_a_refused_request_holds_what_was_held_before(tmp_path):
    overlord = run_python(REFUSED, str(tmp_path), check=False)
    assert (overlord.stdout, overlord.returncode) == ("Too many open files\n", -signal.SIGKILL), overlord.stderr
    wait_until(lambda: os.listdir(tmp_path / "r") == ["lock"])
    wait_until(lambda: os.listdir(tmp_path / "r" / "lock") == [])


@pytest.fixture
def estate(tmp_path):
    (tmp_path / "own").mkdir()
    roll = Roll(str(tmp_path / "id.roll"))
    yield Estate("nobodys", str(tmp_path), str(tmp_path / "own"), (), (), (), roll)
    roll.release()


def refuse(*_):
    raise OSError(errno.EBADF, "refused")


@pytest.mark.parametrize("entrusted", [False, True])
def test_where_a_keeper_cannot_be_told_what_to_keep_there_is_none(estate, monkeypatch, entrusted):
    before, guard = children(os.getpid()), Keeper()
    guard.start()
    guard.entrust(estate)
    first = guard.pid
    os.kill(first, signal.SIGKILL)
    if not entrusted:
        os.waitpid(first, 0)
        guard.lost()
    answers = iter((keeper.deposit, refuse))
    monkeypatch.setattr(keeper, "deposit", lambda fds: next(answers)(fds) if entrusted else refuse())
    with pytest.raises(OSError, match="refused"):
        guard.entrust(estate.replace(names=("more",))) if entrusted else guard.start()
    assert set(children(os.getpid())) - set(before) == ({first} if entrusted else set())
    assert guard.pid == (first if entrusted else 0), "what is reaped, the overlord replaces"
    guard.dismiss()


def test_a_keeper_that_was_made_meanwhile_is_not_made_once_more(estate):
    guard = Keeper()
    guard.start()
    guard.entrust(estate)
    first = guard.pid
    guard.renew()
    assert guard.pid == first
    guard.dismiss()


def test_a_keeper_that_is_too_slow_does_not_take_its_end_for_that_of_the_overlord(estate, monkeypatch):
    kill, wait = os.kill, keeper.signal.sigtimedwait
    monkeypatch.setattr(keeper, "_fork_for", lambda *_: wait((), 1.5) or 1)
    guard = Keeper()
    guard.start()
    guard.entrust(estate)
    guard._channel._end.settimeout(0.5)
    monkeypatch.setattr(os, "kill", lambda *given: wait((), 3.0) or kill(*given))
    assert guard._ask(("fork",), ()) is None
    assert os.path.isdir(estate.own)
    guard.dismiss()


def test_a_lock_that_is_made_once_more_keeps_its_number(tmp_path):
    lock = locks.acquire(str(tmp_path), "a")
    (tmp_path / "a").unlink()
    assert locks.restore(lock) == lock
    assert locks.is_current(lock.fd, lock.path)
    assert not os.get_inheritable(lock.fd)
    lock.release()

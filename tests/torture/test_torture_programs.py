"""Whole durable sequences as programs, hurt at the system calls of their store and of their own work.

Whatever is hurt, the next process comes to the end with the invariant kept: all is done once, and nothing else.
"""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

import pytest
from conftest import LONG, need
from programs import LOOKS, Ingest, Program, Shop
from sequences import is_served
from straced import ERRORS, all_of, fail, kill

if TYPE_CHECKING:
    from straced import Call

pytestmark = need("strace")

#: name: how it is made, and where it has been killed before: then what is hurt is the resume
STORIES = {
    "shop": (lambda folder: Shop(folder, "process"), None),
    "shop at power": (lambda folder: Shop(folder, "power"), None),
    "shop, killed packing": (lambda folder: Shop(folder, "power"), r"rename\(.*shelf/bert/lamp"),
    "shop, killed when paid": (lambda folder: Shop(folder, "process"), r'write\(.*till>, "\\n"'),
    "ingest": (Ingest, None),
    "ingest, killed appending": (Ingest, r'write\(.*ledger.csv>, "a,2'),
}


SOME = list(STORIES) if LONG else ["shop at power", "shop, killed when paid", "ingest, killed appending"]


@pytest.fixture
def program(story, tmp_path):
    make, line = STORIES[story]
    program = make(str(tmp_path / "program"))
    if line is not None:
        program.is_killed_at(line)
    return program


@pytest.mark.parametrize("story", STORIES)
def test_a_kill_before_any_system_call_that_changes_something(program, tell):
    def judge(call: Call) -> None:
        hit = program.copy(f"{call.name}-{call.nth}")
        kill(hit.command(), hit.trace, call)
        hit.look()
        hit.come_to_the_end()
        hit.remove()

    calls = [call for call in program.calls() if call.name not in LOOKS]
    assert len(calls) > 20
    tell(all_of(judge, [(call,) for call in calls]), "SIGKILL before a system call")


def hurt_store(program: Program, call: Call, error: str, *, ever: bool) -> None:
    """It ends with a word of the error, or goes on; and the next process comes to the end."""
    hit = program.copy(f"{call.name}-{call.nth}-{error}")
    done = fail(hit.command(), hit.trace, call, error, ever=ever)
    assert done.returncode >= 0, f"{call} {error}: a signal"
    assert done.returncode == 0 or done.stderr, f"{call} {error}: {done.returncode}, and not a word"
    hit.look()
    hit.come_to_the_end()
    hit.remove()


@pytest.mark.parametrize("story", SOME)
@pytest.mark.parametrize("ever", [False, True], ids=["once", "for ever after"])
def test_an_error_from_any_system_call_of_the_store(program, ever, tell, long):
    """In the short mode each call meets EIO and one other error, in the long mode all."""
    calls = program.calls_of_store(ever=ever)
    errors = [error for error in ERRORS if not (ever and error == "EINTR")]
    start = random.randrange(len(errors))
    cases = [
        (program, call, error)
        for n, call in enumerate(calls)
        for error in (errors if long else {"EIO", errors[(start + n) % len(errors)]})
    ]
    tell(all_of(lambda *case: hurt_store(*case, ever=ever), cases), "an error from a system call of the store")


def test_a_shop_that_goes_on_without_its_store_serves_all(tmp_path, tell):
    """on_error="go on": the call comes to its end itself, whatever the store is refused from some call on."""
    program = Shop(str(tmp_path / "program"), "power")

    def judge(call: Call, error: str) -> None:
        hit = program.copy(f"{call.name}-{call.nth}-{error}")
        done = fail(hit.command("go on"), hit.trace, call, error, ever=True)
        assert done.returncode == 0, f"{call} {error}: {done.stderr}"
        is_served(hit.folder, result=True)
        hit.remove()

    calls = program.calls_of_store(ever=True)
    cases = [(call, ("EIO", "ENOSPC")[n % 2]) for n, call in enumerate(calls)]
    tell(all_of(judge, cases), "going on without a store")

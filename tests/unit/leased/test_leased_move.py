"""`hafta move`: the owner gives the record up, and the host that was named has it."""

import contextlib

import pytest
from leased_support import program, token_of
from processes import Child, JournalChild, wait_until

from hafta import exits
from hafta.cli import move as command
from hafta.cli.group import run_group
from hafta.stores.protocol import Holder, Move

#: Sets a checkpoint again and again.
BUSY = program(
    "run.say(f'works with {run.token}, attempt {run.attempt}')\n"
    "while True:\n    run.checkpoint(7)\n    run.sleep(0.02)",
    undo="run.say('undone')",
)
#: Records nothing after its first checkpoint.
QUIET = program("run.checkpoint(7)\nrun.say(f'works with {run.token}, ')\nwhile True: run.sleep(0.1)")


def service(place, host, text=BUSY, kind=Child, ttl=2):
    return kind(text, "--ttl", str(ttl), HAFTA_STORE=place.url(), HOST=host)


@contextlib.contextmanager
def standbys(place, *hosts):
    """Services that wait for the record, in this order."""
    with contextlib.ExitStack() as stack:
        found = []
        for host in hosts:
            found.append(stack.enter_context(service(place, host, kind=JournalChild)))
            found[-1].wait_told("STATUS=standby: feed is held")
        wait_until(lambda: set(hosts) <= set(place.store().peek("feed").waiting), "they are announced")
        yield found


@pytest.fixture
def move(place, capsys):
    def run(*words):
        status = run_group(["move", "feed", "--store", place.url(), *words])
        out, err = capsys.readouterr()
        return status, out, err

    return run


def test_the_host_that_is_named_has_it_and_nothing_is_counted(place, move):
    with service(place, "a") as first:
        token = token_of(first)
        with standbys(place, "b", "c") as (_, third):
            status, out, _ = move("--to", "c")
            assert (status, out.partition(", token")[0]) == (exits.OK, "feed: from a to c")
            assert f" after {token}; nobody had it for " in out
            assert first.process.wait(60) == exits.OK
            handed = third.wait_entry("handed-over")
            assert (handed["HAFTA_HOST"], int(handed["HAFTA_FORMER_TOKEN"])) == ("c", token)
            while "works" not in (text := third.wait_entry("said")["MESSAGE"]):
                pass
            assert text.endswith("attempt 0")
            assert place.store().peek("feed").move is None


def test_any_other_host_takes_it_but_not_the_one_that_it_leaves(place, move):
    with service(place, "a") as first:
        token_of(first)
        with standbys(place, "a", "b") as (again, other):
            assert move()[:1] == (exits.OK,)
            assert other.wait_entry("handed-over")["HAFTA_HOST"] == "b"
            again.wait_told("STATUS=standby: feed is held", 2)


def test_an_owner_that_records_nothing_keeps_it_and_the_request_is_taken_back(place, move):
    with service(place, "a", QUIET) as first:
        token_of(first)
        with standbys(place, "b"):
            status, _, err = move("--within", "1")
            assert status == exits.TIMED_OUT
            assert "feed has not left a within 1 s, and stays there" in err
            assert place.store().peek("feed").move is None


def test_it_is_refused_with_words_where_nobody_waits_or_runs_it(place, move):
    store = place.store()
    assert move()[0] == exits.NOT_FOUND
    store.claim("feed").close()
    assert "nobody runs feed now" in move()[2]
    with service(place, "a") as first:
        token_of(first)
        status, _, err = move()
        assert (status, "nobody waits for feed, so it stays on a" in err) == (exits.FAILED, True)
        assert move("--to", "a")[:2] == (exits.OK, "feed is on a already\n")
        with standbys(place, "b"):
            status, _, err = move("--to", "c")
            assert "nobody waits for feed on host c, so it stays on a" in err
            assert "it could go to b" in err
    assert run_group(["move", "feed"]) == exits.USAGE


def test_what_is_bound_to_its_host_is_not_moved(place, move):
    text = QUIET.replace("@feed.node", '@feed.node(requires="host")')
    with service(place, "a", text) as first:
        token_of(first)
        assert "feed cannot leave: node work needs what is on the disk of host a" in move()[2]


def test_only_the_owner_with_this_token_can_be_asked(place):
    store = place.store()
    with store.claim("s") as claim:
        assert not store.ask_to_move("s", "", claim.token + 1, Move("b", "a"))
        assert store.ask_to_move("s", "", claim.token, Move("b", "a"))
        assert store.peek("s").move == Move("b", "a")
    with store.claim("s"):
        assert store.peek("s").move is None


def test_after_a_discard_the_fence_holds_against_the_owner_before(place):
    """It was stopped for longer than its lease, and its record was discarded meanwhile."""
    from hafta.testing.stores import refused

    store = place.store()
    stale = store.claim("s")
    stale.enter(b"f")
    stale.write(b"first")
    stale._backend.give_up(stale._record.key, stale._record.taken)  # the store has ended it; the owner does not know
    assert store.discard("s")
    refused("lost", lambda: stale.write(b"late"))
    assert store.peek("s") is None

    again = store.claim("s")
    again._backend.give_up(again._record.key, again._record.taken)
    assert store.discard("s")
    with store.claim("s") as new:
        assert new.last is None
        refused("lost", lambda: again.write(b"late"))
        new.enter(b"f")
        new.write(b"ours")
    assert store.peek("s").saved.body == b"ours"


def test_the_name_of_a_host_is_printed_as_text(capsys):
    before, now = (Holder(1, "", 0.0, host, token) for host, token in (("a\x1b[31m", 1), ("b", 2)))
    assert command._tell("feed", before, now, 0.1, "") == exits.OK
    assert capsys.readouterr().out == "feed: from a\\x1b[31m to b, token 2 after 1; nobody had it for 0.10 s\n"

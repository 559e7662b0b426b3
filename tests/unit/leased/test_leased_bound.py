"""A node that needs what is on the disk of its host: no other host goes on, and the old one does."""

import json
import signal

import pytest
from leased_support import program, token_of
from processes import Child, JournalChild

import hafta
from hafta import exits
from hafta.cli.group import run_group
from hafta.errors import StoreError
from hafta.stores import holder

WORKING = program(
    "run.checkpoint(7)\nrun.say(f'works with {run.token}, attempt {run.attempt}')\nwhile True: run.sleep(0.1)",
    undo="run.say('undone')",
).replace("@feed.node", '@feed.node(requires="host")')


def service(place, host, kind=JournalChild):
    return kind(WORKING, "--ttl", "2", HAFTA_STORE=place.url(), HOST=host)


def interrupted_on_a(place, signum=signal.SIGKILL):
    """Run it on host a until it is killed there; return its token."""
    with service(place, "a", Child) as first:
        token = token_of(first)
        first.stop(signum)
    store = place.store()
    while store.peek("feed").held:
        store.wait("feed", "", 0.2)
    return token


@pytest.mark.parametrize("signum", [signal.SIGKILL, signal.SIGTERM])
def test_another_host_refuses_says_so_once_and_is_standby_when_the_old_one_is_back(place, signum):
    token = interrupted_on_a(place, signum)
    with service(place, "b") as second:
        refused = second.wait_entry("take-over-refused")
        fields = [refused[f"HAFTA_{name}"] for name in ("HOST", "NODE", "BOUND_TO")]
        assert fields == ["b", "work", "a"]
        second.wait_told("STATUS=standby: feed waits for host a: node work needs what is on its disk")
        assert "READY=1" in second.told
        with service(place, "a", Child) as first:
            assert first.wait_line("undone") == "undone"
            assert token_of(first) > token, "it goes on where it was"
            second.wait_told("STATUS=standby: feed is held by")
            events = {entry.get("HAFTA_EVENT") for entry in [*second.unseen, *second.entries()]}
            assert {"take-over-refused", "taken-over", "resumed"}.isdisjoint(events)


def test_a_record_that_was_discarded_binds_nobody(place, capsys):
    interrupted_on_a(place)
    with service(place, "b") as second:
        second.wait_entry("take-over-refused")
        run_group(["checkpoints", "show", "--json", "feed", "--store", place.url()])
        shown = json.loads(capsys.readouterr().out)
        assert (shown["host"], shown["bound"], shown["held"]) == ("a", "work", False)
        run_group(["checkpoints", "show", "feed", "--store", place.url()])
        assert "node work needs what is on the disk of host a" in capsys.readouterr().out
        assert run_group(["checkpoints", "discard", "--yes", "feed", "--store", place.url()]) == exits.OK
        while "works with" not in (text := second.wait_entry("said")["MESSAGE"]):
            pass
        assert text.endswith("attempt 0")


class Died(BaseException):
    """In place of the death of a process: nothing of the program sees it, and the record stays."""


def sequences(*, local="visited", crash=True):
    """An outer sequence of two nodes, the second of which calls an inner one of two; `local` requires its host."""
    outer, inner, done = hafta.Sequence("outer"), hafta.Sequence("inner"), []

    def node(sequence, name, function):
        sequence.node(name=name, durable=True, requires="host" if name == local else None)(function)

    def last(run):
        done.append("last")
        if crash:
            raise Died
        return hafta.EXIT

    node(outer, "visited", lambda _run: "calls")
    node(outer, "calls", lambda run: (run.call(inner), hafta.EXIT)[1])
    node(inner, "first", lambda _run: "last")
    node(inner, "last", last)
    return outer, done


def call(place, monkeypatch, host, **how):
    for module in (
        "hafta.durable.bound",
        "hafta.durable.callrecord",
        "hafta.durable.resume",
        "hafta.stores.leased.names",
    ):
        monkeypatch.setattr(f"{module}.host", lambda: host)
    outer, done = sequences(**how)
    try:
        outer.call({}, checkpoints=hafta.Checkpoints(place.store()))
    except (Died, StoreError) as error:
        return error, done
    return None, done


@pytest.mark.parametrize("local", ["visited", "calls", "first", "last"])
def test_a_call_on_another_host_is_refused_and_the_record_stays(place, monkeypatch, local):
    assert isinstance(call(place, monkeypatch, "a", local=local)[0], Died)
    for _ in range(2):
        error, done = call(place, monkeypatch, "b", local=local, crash=False)
        assert (error.kind, error.final, done) == ("elsewhere", True, [])
        assert f"node {local} needs what is on the disk of host a, and this is host b" in error.message
        assert "start it on a" in error.hint
    assert call(place, monkeypatch, "a", local=local, crash=False) == (None, ["last"])


def test_without_such_a_node_or_after_its_end_any_host_goes_on(place, monkeypatch):
    assert isinstance(call(place, monkeypatch, "a", local="")[0], Died)
    assert call(place, monkeypatch, "b", local="", crash=False) == (None, ["last"])
    assert call(place, monkeypatch, "a", local="last", crash=False) == (None, ["last"])
    assert call(place, monkeypatch, "b", local="last", crash=False) == (None, ["last"])


def test_the_host_is_the_name_of_the_machine():
    import os

    assert holder.host() == os.uname().nodename

"""Who took what over from whom, and how: in the claim, the cause, the journal, the record."""

import json
import signal

import pytest
from leased_support import program, token_of
from processes import Child, JournalChild, wait_until

from hafta import exits
from hafta.cli.group import run_group
from hafta.stores.leased import names

#: Says why it was interrupted; a policy that knows of lost hosts decides.
WORKING = program(
    "run.checkpoint(7)\nrun.say(f'works with {run.token}, attempt {run.attempt}')\nwhile True: run.sleep(0.1)",
    undo="run.say(f'undo {checkpoint} {run.reason}')",
    judge="run.say(f'lost {HostLost(\"a\")(event.reason)}') or hafta.default_policy(run, event)",
)

REFUSAL = """
CREATE OR REPLACE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN RAISE EXCEPTION 'not now' USING ERRCODE = '42501'; END $$;
CREATE TRIGGER refusal BEFORE INSERT OR UPDATE ON hafta_waiting EXECUTE FUNCTION refuse()
"""


def service(place, host, kind=JournalChild, ttl=2):
    return kind(WORKING, "--ttl", str(ttl), HAFTA_STORE=place.url(), HOST=host)


def said(child, words):
    """Wait until it has said something with these words; return that."""
    while words not in (text := child.wait_entry("said")["MESSAGE"]):
        pass
    return text


def shown(place, capsys, *words):
    assert run_group(["checkpoints", *words, "--store", place.url()]) == exits.OK
    return capsys.readouterr().out


def test_a_host_that_is_lost_is_the_cause_with_its_name_its_token_and_the_time_that_nobody_had_it(place, capsys):
    with service(place, "a", Child) as first:
        token = token_of(first)
        with service(place, "b") as second:
            second.wait_told("STATUS=standby")
            first.stop(signal.SIGKILL)
            taken, pid = second.wait_entry("taken-over"), first.process.pid
            assert (taken["HAFTA_HOST"], int(taken["HAFTA_FORMER_TOKEN"])) == ("b", token)
            assert int(taken["HAFTA_TOKEN"]) > token
            assert f"pid {pid}" in taken["HAFTA_HOLDER"]
            assert " on a, since" in taken["HAFTA_HOLDER"]
            free = int(taken["HAFTA_FREE_USEC"]) / 1e6
            assert free >= 0
            assert taken["MESSAGE"].startswith("Host b has sequence feed now, with token ")
            assert "whose lease had ended; nobody had it for " in taken["MESSAGE"]
            lost = f"was lost: host a, token {token}, was not heard of until its lease ended; nobody had the record"
            assert lost in second.wait_entry("resumed")["HAFTA_CAUSE"]
            assert said(second, "lost ") == "lost True"
            assert lost in second.wait_entry("rolled-back")["HAFTA_REASON"]
            assert "attempt 1" in said(second, "works")
            cause = json.loads(shown(place, capsys, "show", "--json", "feed"))["cause"]
            assert (cause["why"], cause["host"], cause["token"]) == ("host-lost", "a", token)
            assert " host-lost" in shown(place, capsys)
            assert lost in shown(place, capsys, "show", "feed")


def test_a_clean_hand_over_is_no_failure_and_no_cause(place, capsys):
    with service(place, "a", Child, ttl=60) as first:
        token = token_of(first)
        with service(place, "b", ttl=60) as second:
            second.wait_told("STATUS=standby")
            assert first.stop()[0] == exits.OK
            handed = second.wait_entry("handed-over")
            assert (handed["HAFTA_HOST"], int(handed["HAFTA_FORMER_TOKEN"])) == ("b", token)
            assert "who gave it up; nobody had it for " in handed["MESSAGE"]
            assert "HAFTA_CAUSE" not in second.wait_entry("resumed")
            assert "attempt 0" in said(second, "works")
            assert json.loads(shown(place, capsys, "show", "--json", "feed"))["cause"] is None


def test_a_service_that_starts_again_on_its_host_takes_nothing_over(place):
    for _ in range(2):
        with service(place, "a") as child:
            events = set()
            while "said" not in events:
                events |= {entry.get("HAFTA_EVENT") for entry in child.entries()}
            assert {"handed-over", "taken-over", "standing-by"}.isdisjoint(events)
            child.stop()


def test_a_host_that_nobody_watched_is_lost_too(place):
    """Both hosts were down: how long nobody had the record is known where the store has a clock of its own."""
    with service(place, "a", Child) as first:
        token = token_of(first)
        first.stop(signal.SIGKILL)
    store = place.store()
    while store.peek("feed").held:
        store.wait("feed", "", 0.2)
    with service(place, "b") as second:
        taken = second.wait_entry("taken-over")
        assert int(taken["HAFTA_FORMER_TOKEN"]) == token
        assert ("HAFTA_FREE_USEC" in taken) == (place.kind == "postgres")
        assert "token" in second.wait_entry("resumed")["HAFTA_CAUSE"]


def test_a_claim_knows_who_had_the_record_before_and_whether_that_one_gave_it_up(place):
    store = place.store(ttl=1.0)
    with store.claim("s") as first:
        assert first.former is None
    with store.claim("s") as second:
        assert (second.former.gave_up, second.former.holder.token) == (True, first.token)
    lost = store.claim("s")
    lost._keeper.end()
    while store.peek("s").held:
        store.wait("s", "", 0.2)
    with store.claim("s") as third:
        assert (third.former.gave_up, third.former.holder.token) == (False, lost.token)
        assert third.former.holder.pid == lost.former.holder.pid
        if place.kind == "postgres":
            assert third.former.free >= 0
    store.discard("s")
    with store.claim("s") as fourth:
        assert fourth.former is None


def test_a_claim_whose_first_try_was_carried_out_still_knows_it(place):
    store, key = place.store(), names.key("s", "")
    store.claim("s").close()
    first = store._backend.take(key, "same", 5.0)
    again = store._backend.take(key, "same", 5.0)
    assert again.former == first.former
    assert again.former.gave_up
    store._backend.give_up(key, again)


@pytest.mark.parametrize(
    "text", ["", "[]", "{}", '{"holder": 1}', '{"holder": "{}", "gave_up": true}', '{"holder": null, "token": "x"}']
)
def test_a_note_that_cannot_be_understood_is_nobody(text):
    assert names.former(text) is None


@pytest.mark.parametrize("place", ["postgres"], indirect=True)
def test_a_standby_that_the_store_does_not_note_waits_on_and_says_so_once(place):
    """PostgreSQL refuses for a moment: the row says who waits, for people; the service does not need it."""
    ask = place.store()._backend._writing.ask
    with service(place, "a", Child) as first:
        token_of(first)
        with service(place, "b") as second:
            second.wait_told("STATUS=standby: feed is held")
            ask(REFUSAL)
            trouble = second.wait_entry("store-trouble")["MESSAGE"]
            assert "not now" in trouble
            assert "this host waits without being shown, and tries again" in trouble
            ask("DROP TRIGGER refusal ON hafta_waiting; DELETE FROM hafta_waiting")
            wait_until(lambda: place.store().peek("feed").waiting == ("b",), "it is announced again")
            assert "store-trouble" not in {entry.get("HAFTA_EVENT") for entry in second.entries()}
            first.stop()
            assert second.wait_entry("handed-over")["HAFTA_HOST"] == "b"

"""A database that a version before has made, and still uses."""

import pytest
from leased_support import Place

from hafta.stores.leased.names import key

#: What that version has made.
BEFORE = """
CREATE SEQUENCE IF NOT EXISTS hafta_tokens;
CREATE TABLE hafta_records (
    name text COLLATE "C" PRIMARY KEY, token bigint NOT NULL, number bigint NOT NULL, frame bytea NOT NULL,
    body bytea NOT NULL, written timestamptz NOT NULL, holder text NOT NULL, until timestamptz NOT NULL
);
"""
#: Its record of sequence s.
RECORD = """
INSERT INTO hafta_records (name, token, number, frame, body, written, holder, until)
VALUES ($1, nextval('hafta_tokens'), 3, '', 'old', now(), $2, $3::timestamptz)"""
HOLDER = b'{"host": "a", "pid": 1, "unit": "", "since": 0}'


@pytest.fixture
def before(servers):
    """Put a record of the version before there, with this end of its lease; return the store."""
    place = Place("postgres", servers("postgres"))
    store = place.store()
    ask = store._backend._writing.ask
    ask(BEFORE)

    def put(until):
        ask(RECORD, key("s", "").name.encode(), HOLDER, until)
        return store

    yield put
    place.relay.end()


@pytest.mark.parametrize(("until", "gave_up", "knows"), [(b"-infinity", True, False), (b"yesterday", False, True)])
def test_its_record_is_taken_as_it_was_left(before, until, gave_up, knows):
    store = before(until)
    with store.claim("s") as claim:
        assert claim.last.body == b"old"
        assert (claim.former.holder.host, claim.former.gave_up) == ("a", gave_up)
        assert (claim.former.free is not None) == knows
        claim.write(b"new")
    assert store.peek("s").saved.body == b"new"


def test_its_record_is_seen_while_it_still_has_it(before):
    store = before(b"tomorrow")
    seen = store.peek("s")
    assert (seen.held, seen.holder.host, seen.saved.body) == (True, "a", b"old")

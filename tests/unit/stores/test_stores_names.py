"""File names and the directory that records live in."""

import os
import pwd

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hafta.errors import StoreError
from hafta.stores.file import names
from hafta.testing.stores import refused

TEXT = st.text(st.characters(), min_size=1, max_size=7) | st.binary(min_size=1, max_size=7).map(os.fsdecode)


@given(TEXT, TEXT | st.just(""))
def test_every_name_becomes_a_plain_file_name_and_comes_back(sequence, instance):
    name = names.file_name(sequence, instance)
    assert not set(name) - set("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-%@")
    assert names.parse(name) == (sequence, instance)


def test_names_read_well_where_they_can():
    assert names.file_name("reader") == "hafta-reader.checkpoint"
    assert names.file_name("order.v2", "7") == "hafta-order.v2@7.checkpoint"
    assert names.file_name("a/b", "../x") == "hafta-a%2Fb@..%2Fx.checkpoint"


@pytest.mark.parametrize(
    "name", ["", "hafta-.checkpoint", "hafta-a", "a.checkpoint", "hafta-a%2f.checkpoint", "hafta-%.checkpoint",
             "hafta-a@.checkpoint", "hafta-%zz.checkpoint", "hafta-a b.checkpoint"],
)  # fmt: skip
def test_a_foreign_file_is_not_taken_for_one_of_ours(name):
    assert names.parse(name) is None


def test_a_name_too_long_says_how_long_it_may_be_and_without_one_there_is_no_record():
    error = refused("name", lambda: names.file_name("x" * 300))
    assert f"the name '{'x' * 40}'... needs 317 bytes of at most 200" in error.message
    assert "needs three bytes" in error.hint
    with pytest.raises(StoreError, match="a sequence without a name has no record"):
        names.file_name("")


def test_temporary_names_are_told_from_others():
    name = names.file_name("a")
    temporary = names.temporary_name(name, 12, 345)
    assert names.parse(temporary) is None
    assert names.is_temporary(temporary, name)
    for other in (name, f".{name}.new", f".{name}.1-2", f".{name}.x-2.new", f".{names.file_name('b')}.1-2.new"):
        assert not names.is_temporary(other, name)


BOTH = {"STATE_DIRECTORY": "/var/lib/a:/var/lib/b", "RUNTIME_DIRECTORY": "/run/a"}


@pytest.mark.parametrize(
    ("environ", "place"),
    [
        (BOTH, "/var/lib/a"),
        ({"RUNTIME_DIRECTORY": "/run/a", "HOME": "/h"}, "/run/a"),
        ({"XDG_STATE_HOME": "/s", "HOME": "/h"}, "/s/hafta"),
        ({"XDG_STATE_HOME": "relative", "HOME": "/h"}, "/h/.local/state/hafta"),
        ({}, pwd.getpwuid(os.geteuid()).pw_dir.rstrip("/") + "/.local/state/hafta"),
    ],
)
def test_systemd_says_where_records_live_or_else_the_xdg_state_directory(environ, place):
    assert names.directory(environ) == place


def test_nowhere_to_keep_records_is_a_clear_error(monkeypatch):
    monkeypatch.setattr(os, "geteuid", lambda: 4_000_000_000)
    with pytest.raises(StoreError, match="there is no directory to keep checkpoints in") as caught:
        names.directory({})
    assert "STATE_DIRECTORY" in caught.value.hint

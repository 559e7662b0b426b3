"""What an entry looks like on the wire, held against a parser written from the protocol's description."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from journal_support import Happened, parse_entry

from hafta.journal.entry import entry, printable, sentence
from hafta.journal.wire import VALUE_MAX, encode


def test_a_plain_value_stands_behind_an_equals_sign():
    assert encode({"MESSAGE": "all = well", "PRIORITY": "6"}) == b"MESSAGE=all = well\nPRIORITY=6\n"


def test_a_value_with_a_newline_has_its_length_in_front():
    assert encode({"MESSAGE": "ab\ncd"}) == b"MESSAGE\n\5\0\0\0\0\0\0\0ab\ncd\n"


def test_the_length_counts_bytes_and_not_characters():
    assert encode({"MESSAGE": "é\n"}) == b"MESSAGE\n\3\0\0\0\0\0\0\0\xc3\xa9\n\n"


def test_a_value_cannot_add_a_field():
    assert parse_entry(encode({"A": "x\nB=y"})) == {"A": "x\nB=y"}


def test_control_characters_are_shown_so_that_journalctl_shows_the_line():
    assert parse_entry(encode({"A": "\x1b[31m\0\x7f\x85\ttab"})) == {"A": "\\x1b[31m\\x00\\x7f\\x85\ttab"}


def test_what_is_no_unicode_is_shown():
    assert parse_entry(encode({"A": b"caf\xe9".decode(errors="surrogateescape")})) == {"A": "caf\\xe9"}


def test_a_long_value_is_cut_and_says_so():
    assert parse_entry(encode({"A": "x" * VALUE_MAX})) == {"A": "x" * VALUE_MAX}
    assert parse_entry(encode({"A": "x" * (VALUE_MAX + 7)})) == {"A": "x" * VALUE_MAX + "... (7 characters cut)"}


@settings(deadline=None)
@given(st.dictionaries(st.from_regex(r"[A-Z][A-Z0-9_]{0,63}", fullmatch=True), st.text()))
def test_whatever_is_encoded_is_read_back(fields):
    assert parse_entry(encode(fields)) == {name: printable(value) for name, value in fields.items()}


def test_an_entry_has_the_fields_of_every_entry_and_those_of_its_event():
    assert entry(Happened("x", 3), 17, 1, "client") == {
        "MESSAGE": "It happened: x",
        "MESSAGE_ID": "f" * 32,
        "PRIORITY": "4",
        "SYSLOG_IDENTIFIER": "client",
        "HAFTA_EVENT": "happened",
        "HAFTA_NUMBER": "17",
        "HAFTA_TEXT": "x",
        "HAFTA_ATTEMPT": "3",
    }


def test_an_entry_that_stands_for_more_than_one_says_so():
    fields = entry(Happened("x"), 1, 12, "client")
    assert fields["HAFTA_REPEATED"] == "12"
    assert fields["MESSAGE"] == "It happened: x (the last of 12 alike)"


@pytest.mark.parametrize("text", ["", "plain", "naïve ✓", "two\nlines", "a\ttab"])
def test_printable_text_stays_as_it_is(text):
    assert printable(text) == text


def test_the_sentence_shows_control_characters():
    assert sentence(Happened("\x1b]0;title\x07"), 1) == "It happened: \\x1b]0;title\\x07"

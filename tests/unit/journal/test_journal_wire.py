"""What an entry looks like on the wire, held against a parser written from the protocol's description."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from journal_support import Happened, parse_entry

from hafta.journal.entry import entry, printable, sentence
from hafta.journal.wire import VALUE_MAX, encode


@pytest.mark.parametrize(
    ("fields", "data"),
    [
        ({"MESSAGE": "all = well", "PRIORITY": "6"}, b"MESSAGE=all = well\nPRIORITY=6\n"),
        ({"MESSAGE": "ab\ncd"}, b"MESSAGE\n\5\0\0\0\0\0\0\0ab\ncd\n"),
        ({"MESSAGE": "é\n"}, b"MESSAGE\n\3\0\0\0\0\0\0\0\xc3\xa9\n\n"),
    ],
)
def test_a_value_stands_behind_an_equals_sign_and_one_with_a_newline_behind_its_length_in_bytes(fields, data):
    assert encode(fields) == data


@pytest.mark.parametrize(
    ("value", "read"),
    [
        ("x\nB=y", "x\nB=y"),  # it cannot add a field
        ("\x1b[31m\0\x7f\x85\ttab", "\\x1b[31m\\x00\\x7f\\x85\ttab"),  # or else journalctl does not show the line
        (b"caf\xe9".decode(errors="surrogateescape"), "caf\\xe9"),
        ("x" * VALUE_MAX, "x" * VALUE_MAX),
        ("x" * (VALUE_MAX + 7), "x" * VALUE_MAX + "... (7 characters cut)"),
    ],
    ids=["forged", "control characters", "no unicode", "long", "too long"],
)
def test_a_value_is_one_value_that_can_be_shown(value, read):
    assert parse_entry(encode({"A": value})) == {"A": read}


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
    assert (fields["HAFTA_REPEATED"], fields["MESSAGE"]) == ("12", "It happened: x (the last of 12 alike)")


def test_printable_text_stays_as_it_is_and_control_characters_are_shown():
    for text in ("", "plain", "naïve ✓", "two\nlines", "a\ttab"):
        assert printable(text) == text
    assert sentence(Happened("\x1b]0;title\x07"), 1) == "It happened: \\x1b]0;title\\x07"

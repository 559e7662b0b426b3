"""Unit files as systemd.syntax(7) has them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hafta import exits
from hafta.units.unitfile import Entry, UnitError, in_force, parse


def pairs(text):
    return [(entry.section, entry.name, entry.value, entry.line) for entry in parse(text, "f")]


def test_sections_keys_comments_and_repeats_keep_their_order_and_lines():
    text = "\ufeff# c\n; c\n\n[Unit]\nA = 1\nA=2\n[X-Y]\nno matter\n  [Service]\nB= a = b \n"
    assert pairs(text) == [("Unit", "A", "1", 5), ("Unit", "A", "2", 6), ("Service", "B", "a = b", 10)]


def test_a_continued_line_is_joined_by_a_space_and_comments_in_it_are_skipped():
    text = "[S]\nA=one \\\n  # a comment\n  two\\\n\nB=x\\\\\nC=y\\\\\\\nz\nD=end\\"
    assert pairs(text) == [
        ("S", "A", "one  two", 2),
        ("S", "B", "x\\\\", 6),
        ("S", "C", "y\\\\ z", 7),
        ("S", "D", "end", 9),
    ]


def test_windows_line_ends_do_no_harm():
    assert pairs("[S]\r\nA=1 \\\r\n2\r\n") == [("S", "A", "1  2", 2)]
    assert pairs("[S]\n\rA=1\\\n\r2\n\r") == [("S", "A", "1 2", 2)]
    assert pairs("[S]\rA=1\rB=2") == [("S", "A", "1", 2), ("S", "B", "2", 3)]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[S\n", "f:1: [S: expected a section like [Service]"),
        ("[S]\nhello\n", "f:2: hello: expected Name=value"),
        ("[S]\n=x\n", "f:2: =x: expected Name=value"),
        ("A=1\n", "f:1: A=1: stands outside of any section"),
        ("[S]\nA=\udcff\n", "f:2: A=\udcff: expected UTF-8"),
    ],
)
def test_what_is_no_assignment_is_an_error_that_names_the_line(text, message):
    with pytest.raises(UnitError) as caught:
        parse(text, "f")
    assert caught.value.message == message
    assert caught.value.hint
    assert caught.value.status == exits.USAGE


def test_a_wrong_value_names_file_line_directive_value_and_what_to_do():
    error = Entry("S", "A", "x", "f", 3).wrong("a number")
    assert (error.message, error.hint) == ("f:3: A=x: expected a number", "correct A= in f")


def test_an_empty_assignment_drops_what_came_before():
    entries = parse("[S]\nA=1\nA=2\nA=\nA=3\nA=4\n", "f")
    assert [entry.value for entry in in_force(entries)] == ["3", "4"]
    assert in_force(parse("[S]\nA=1\nA=\n", "f")) == []


@given(st.text(max_size=200))
def test_any_text_is_parsed_or_refused_with_its_line(text):
    try:
        entries = parse(text, "f")
    except UnitError as error:
        entries = []
        where = error.message.split(":")[:2]
    else:
        where = ["f", "1"]
    assert where[0] == "f"
    assert where[1].isdigit()
    assert all(entry.name and entry.line >= 1 for entry in entries)

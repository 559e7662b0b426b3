"""Unit files as systemd.syntax(7) has them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hafta import exits
from hafta.systemd.unitfile import Entry, UnitError, boolean, in_force, parse, split_words, time_span


def pairs(text):
    return [(entry.section, entry.name, entry.value, entry.line) for entry in parse(text, "f")]


def test_sections_keys_comments_and_repeats_keep_their_order_and_lines():
    text = "\ufeff# c\n; c\n\n[Unit]\nA = 1\nA=2\n  [X-Y]\nB= a = b \n"
    assert pairs(text) == [("Unit", "A", "1", 5), ("Unit", "A", "2", 6), ("X-Y", "B", "a = b", 8)]


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


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[S\n", "f:1: [S: expected a section like [Service]"),
        ("[S]\nhello\n", "f:2: hello: expected Name=value"),
        ("[S]\n=x\n", "f:2: =x: expected Name=value"),
        ("A=1\n", "f:1: A=1: stands outside of any section"),
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
    assert (error.message, error.hint) == ("f:3: A=x: expected a number", "mend A= in f")


def test_an_empty_assignment_drops_what_came_before():
    entries = parse("[S]\nA=1\nA=2\nA=\nA=3\nA=4\n", "f")
    assert [entry.value for entry in in_force(entries)] == ["3", "4"]
    assert in_force(parse("[S]\nA=1\nA=\n", "f")) == []


def test_booleans_are_systemds_words():
    assert all(boolean(text) for text in ("1", "yes", "Y", "true", "T", "on"))
    assert not any(boolean(text) for text in ("0", "no", "N", "false", "F", "off"))
    with pytest.raises(ValueError, match="yes or no"):
        boolean("maybe")


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("5", 5.0),
        ("1min 30s", 90.0),
        ("1min30s", 90.0),
        ("500ms", 0.5),
        ("2.5", 2.5),
        (" 1 h ", 3600.0),
        ("1M", 2629800.0),
        ("1m", 60.0),
        ("20us", 2e-5),
        ("3µs", 3e-6),
        ("1w 1d", 691200.0),
        ("infinity", float("inf")),
        ("0", 0.0),
    ],
)
def test_time_spans_are_read_as_systemd_does(text, seconds):
    assert time_span(text) == pytest.approx(seconds)


@pytest.mark.parametrize("text", ["", "x", "5 x", "s", "1..5", ".", "-1", "5s x", "infinity 1", "5m 3"])
def test_what_is_no_time_span_says_what_was_expected(text):
    if text == "5m 3":
        assert time_span(text) == 303.0, "a number without a unit is in seconds"
        return
    with pytest.raises(ValueError, match="a time span such as 5, 500ms"):
        time_span(text)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", []),
        ("  a  b\t", ["a", "b"]),
        ("\"a b\" 'c d'", ["a b", "c d"]),
        ("a\"b c\"d ''", ["ab cd", ""]),
        ("\"it's\" 'a\"b'", ["it's", 'a"b']),
        (r"\x41\102\u00e9\U0001F600\s\t\"", ['AB\u00e9\U0001f600 \t"']),
        (r"\xc3\xa9 '\x41'", ["\u00e9", "A"]),
        (r"a\ b".replace("\\ ", "\\s"), ["a b"]),
    ],
)
def test_words_lose_their_quotes_and_escapes(text, words):
    assert split_words(text) == words


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("'a", "a closing '"),
        ('"a', 'a closing "'),
        ("a\\", "something behind the last backslash"),
        (r"\q", r"a C escape, not \\q"),
        (r"\x0", r"a C escape, not \\x"),
        (r"\x00", r"a C escape, not \\x"),
        (r"\777", r"a C escape, not \\7"),
        (r"\ud800", r"a C escape, not \\u"),
        (r"\UFFFFFFFF", r"a C escape, not \\U"),
        (r"\x-1", r"a C escape, not \\x"),
    ],
)
def test_words_that_cannot_be_read_say_what_was_expected(text, message):
    with pytest.raises(ValueError, match=message):
        split_words(text)


def test_relaxed_words_keep_unknown_escapes():
    assert split_words(r"\; \q \x0", relaxed=True) == ["\\;", "\\q", "\\x0"]


@given(st.lists(st.text(st.characters(exclude_categories=("Cs",), exclude_characters="\0"))))
def test_quoted_words_come_back_whatever_they_hold(words):
    quoted = ['"' + "".join(f"\\U{ord(char):08x}" for char in word) + '"' for word in words]
    assert split_words(" ".join(quoted)) == words


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

"""Text becomes words, numbers and time spans as in systemd; test_units_oracle.py holds many more lines against it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hafta.units import words
from hafta.units.amounts import boolean, seconds, size, whole_number
from hafta.units.words import split


def test_booleans_are_systemds_words():
    assert all(boolean(text) for text in ("1", "yes", "Y", "true", "T", "on"))
    assert not any(boolean(text) for text in ("0", "no", "N", "false", "F", "off"))
    with pytest.raises(ValueError, match="yes or no"):
        boolean("maybe")


@pytest.mark.parametrize(
    ("text", "expected"),
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
def test_time_spans_are_read_as_systemd_does(text, expected):
    assert seconds(text) == pytest.approx(expected)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "x",
        "5 x",
        "s",
        "1..5",
        ".",
        "-1",
        "5s x",
        "infinity 1",
        "5m 3",
        "1e3",
        "5.",
        "5S",
        "infinity5",
        "600000y",
        "+.5",
        "1.+5",
        "9" * 400,
    ],
)
def test_what_is_no_time_span_says_what_was_expected(text):
    if text == "5m 3":
        assert seconds(text) == 303.0, "a number without a unit is in seconds"
        return
    with pytest.raises(ValueError, match="a time span such as 5, 500ms"):
        seconds(text)


@pytest.mark.parametrize(
    ("text", "expected"),
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
def test_words_lose_their_quotes_and_escapes(text, expected):
    assert split(text, words.STRICT) == expected


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("'a", "a closing '"),
        ('"a', 'a closing "'),
        ("a\\", "something after the last backslash"),
        (r"\q", r"a C escape, not \\q"),
        (r"\x0", r"a C escape, not \\x"),
        (r"\x00", r"a C escape, not \\x"),
        (r"\777", r"a C escape, not \\7"),
        (r"\Ud8000000", r"a C escape, not \\U"),
        (r"\UFFFFFFFF", r"a C escape, not \\U"),
        (r"\x-1", r"a C escape, not \\x"),
    ],
)
def test_words_that_cannot_be_read_say_what_was_expected(text, message):
    with pytest.raises(ValueError, match=message):
        split(text, words.STRICT)


MODES = {
    # place: what stays of it, or what was expected
    words.COMMAND: ["a\\q", "\t", "b c", "'d'"],
    words.STRICT: "a C escape, not \\q",
    words.VARIABLES: ["aq", "t", "b c", "'d'"],
    words.VALUE: ["aq", "t", "b c", "'d'"],
    words.STATUSES: ["aq", "t", '"b', 'c"', "'d'"],
    words.UNITS: ["a\\q", "\\t", '"b', 'c"', "\\'d\\'"],
}


@pytest.mark.parametrize(("mode", "expected"), MODES.items(), ids=map(str, range(len(MODES))))
def test_each_place_has_its_own_way(mode, expected):
    text = r"""a\q \t "b c" \'d\'"""
    if isinstance(expected, list):
        assert split(text, mode) == expected
    else:
        with pytest.raises(ValueError, match=expected.replace("\\", r"\\")):
            split(text, mode)


def test_the_end_of_a_value_closes_its_quote():
    assert split("it's fine", words.VALUE) == ["its fine"]
    assert split("a\\", words.VALUE) == ["a"]


def test_a_lone_backslash_at_the_end_of_a_command_stays():
    assert split("a\\", words.COMMAND) == ["a\\"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("0", 0),
        ("010", 8),
        ("0x1F", 31),
        ("0b11", 3),
        ("-0", 0),
        ("+0x5", 5),
        ("0o17", 15),
        (" +5", 5),
        ("4294967295", 4294967295),
    ],
)
def test_whole_numbers_are_read_as_in_c(text, expected):
    assert whole_number(text, 1 << 32) == expected


@pytest.mark.parametrize("text", ["", "-1", "08", "0x", "+0b1", "5 ", "4294967296", "9" * 5000, "\u0665"])
def test_what_is_no_whole_number_says_what_was_expected(text):
    with pytest.raises(ValueError, match="a whole number"):
        whole_number(text, 1 << 32)


@pytest.mark.parametrize(
    ("text", "expected"),
    [("5", 5), ("1K", 1024), ("1.5K", 1536), ("1 K", 1024), ("1K 5", 1029), ("1M5K3B", 1053699), ("10.M", 10 << 20)],
)
def test_sizes_are_read_as_in_systemd(text, expected):
    assert size(text) == expected


@pytest.mark.parametrize("text", ["", "1k", "1KB", "1K5M", "5 5", "-1", "16E", "0x10", "1K "])
def test_what_is_no_size_says_what_was_expected(text):
    with pytest.raises(ValueError, match="a size such as"):
        size(text)


@pytest.mark.parametrize("mode", MODES, ids=map(str, range(len(MODES))))
def test_forty_thousand_words_are_no_work(mode):
    assert len(split("ab 'c' " * 20_000, mode)) == 40_000


@given(st.lists(st.text(st.characters(exclude_categories=("Cs", "Cn"), exclude_characters="\0"))))
def test_quoted_words_come_back_whatever_they_hold(texts):
    quoted = ['"' + "".join(f"\\U{ord(char):08x}" for char in word) + '"' for word in texts]
    assert split(" ".join(quoted), words.STRICT) == texts

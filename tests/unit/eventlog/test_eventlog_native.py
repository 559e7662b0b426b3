"""The journal's native protocol is read as journald reads it, whatever comes."""

import random

import pytest

from hafta.eventlog.format import decode, encode
from hafta.eventlog.native import ENTRIES, FIELDS, parse
from hafta.journal.wire import encode as datagram

STAMP = {"__REALTIME_TIMESTAMP": "1", "__MONOTONIC_TIMESTAMP": "2", "_BOOT_ID": "b"}


@pytest.mark.parametrize("value", ["", "x", "a=b", "two\nlines", "\n", "ü\n" * 500, "=" * 70_000])
def test_what_a_service_sends_is_read_as_it_was(value):
    fields = {
        "MESSAGE": value if len(value) < 32_768 else value[:32_768],
        "HAFTA_EVENT": "rolled-back",
        "PRIORITY": "4",
    }
    assert parse(datagram(fields)) == [fields]


def test_what_is_for_the_receiver_to_say_is_left_out_and_so_is_what_is_no_name():
    data = b"_PID=1\n_TRANSPORT=driver\n__CURSOR=x\nlower=1\n9X=1\n=x\nA" + b"B" * 64 + b"=1\nA\xff=1\nOK=1\n"
    assert parse(data) == [{"OK": "1"}]


def test_a_field_that_comes_twice_has_both_values_and_bytes_that_are_not_text_are_numbers():
    (entry,) = parse(b"A=1\nA=2\nA=3\nB\n\x02\x00\x00\x00\x00\x00\x00\x00\xff\x00\n")
    assert entry == {"A": ["1", "2", "3"], "B": [255, 0]}
    assert decode(encode({**STAMP, **entry}))["A"] == "1"


def test_several_entries_in_a_datagram_are_several_and_their_number_and_that_of_fields_is_bounded():
    assert parse(b"A=1\n\nA=2\n") == [{"A": "1"}, {"A": "2"}]
    assert len(parse(b"A=1\n\n" * 1000)) == ENTRIES
    (entry,) = parse(b"".join(b"F%d=1\n" % number for number in range(3000)))
    assert len(entry) == FIELDS


@pytest.mark.parametrize("size", [0, 3, 4, 5, 1 << 40, (1 << 64) - 1])
def test_a_length_that_is_not_true_ends_the_reading_and_nothing_else(size):
    found = parse(b"A=1\nB\n" + size.to_bytes(8, "little") + b"text\n")
    assert found[0]["A"] == "1"


@pytest.mark.parametrize("seed", range(200))
def test_whatever_comes_is_read_without_an_error_and_can_be_written(seed):
    chance = random.Random(seed)
    data = bytearray(datagram({"MESSAGE": "a\nb", "HAFTA_REASON": "x" * chance.randrange(200), "PRIORITY": "3"}))
    for _ in range(chance.randrange(1, 30)):
        data[chance.randrange(len(data))] = chance.choice((0, 10, 61, 95, 255, chance.randrange(256)))
    for entry in parse(bytes(data[: chance.randrange(len(data) + 1)])):
        assert decode(encode({**STAMP, **entry})) is not None
        assert not any(name.startswith("_") for name in entry)

"""The stream: right bytes, right odds, the same for the same seed however it is cut."""

import sys
from fractions import Fraction
from math import sqrt

import pytest
from hypothesis import given
from hypothesis import strategies as some
from server_streams import whole_records

from hafta.server.source import BAD, GOOD, NEVER, ROOM, Source, gap


def all_of(source: Source, limit: int = sys.maxsize) -> bytes:
    return b"".join(iter(lambda: source.take(limit)[0], b""))


def test_the_records_are_the_tutorials_and_bad_data_reads_as_two_bad_records():
    assert GOOD == b"ABCDEFGHIJKLMNOPQRSTUVWXYZ"
    assert BAD == b"This is bad data and has to be at least 25 chars!!!!"
    assert (len(GOOD), len(BAD), b"A" in {BAD[:1], BAD[26:27]}) == (26, 52, False)


@given(some.integers(0, 2**20 - 1), some.integers(2, 40))
def test_a_gap_is_the_exact_inverse_of_the_geometric_distribution(draw: int, rate: int):
    left = 1 - Fraction(draw, 2**20)
    odds = 1 - Fraction(1, rate)
    found = gap(draw / 2**20, rate)
    assert odds ** (found + 1) <= left <= odds**found


@given(some.floats(0, 1, exclude_max=True), some.integers(0, 10**18 - 1))
def test_a_gap_is_never_negative_and_never_too_large(draw: float, rate: int):
    assert 0 <= gap(draw, rate) <= NEVER


@pytest.mark.parametrize("rate", [2, 25, 1000])
def test_one_record_in_rate_is_bad_but_none_for_rate_0(rate: int):
    records, bad = whole_records(all_of(Source(rate, seed=7, count=200_000)))
    assert records == 200_000
    deviation = sqrt(records * (1 / rate) * (1 - 1 / rate))
    assert abs(bad - records / rate) < 5 * deviation
    assert [whole_records(all_of(Source(rate, count=1000))) for rate in (0, 1)] == [(1000, 0), (1000, 1000)]
    assert (len(Source(0).take()[0]), ROOM) == (4082, 4096), "without bad data a batch is as large as the pipe allows"


@given(some.integers(0, 30), some.integers(0, 2**63), some.integers(1, 900), some.lists(some.integers(1, 200)))
def test_the_stream_is_the_same_however_it_is_cut(rate: int, seed: int, count: int, limits: list[int]):
    one, other = Source(rate, seed, count), Source(rate, seed, count)
    cut = b"".join(one.take(limit)[0] for limit in limits) + all_of(one, 3)
    assert cut == all_of(other)
    assert whole_records(cut)[0] == count


@given(some.integers(0, 30), some.integers(1, 500), some.integers(1, 300))
def test_a_batch_is_of_whole_records_fits_one_write_and_is_counted(rate: int, count: int, limit: int):
    source = Source(rate, count=count)
    total = 0
    for data, records, bad in iter(lambda: source.take(limit), (b"", 0, 0)):
        assert len(data) <= ROOM
        assert (records, bad) == whole_records(data)
        assert records <= limit
        total += records
    assert total == count


@given(some.integers(2, 30), some.integers())
def test_a_batch_ends_early_only_where_the_next_record_does_not_fit(rate: int, seed: int):
    source = Source(rate, abs(seed))
    for _ in range(20):
        assert len(source.take()[0]) > ROOM - len(BAD) - len(GOOD)


def test_without_a_seed_two_streams_differ_and_a_seed_gives_the_same_in_every_version():
    assert all_of(Source(2, count=500)) != all_of(Source(2, count=500))
    source = Source(25, seed=1)
    bad = [number for number in range(200) if source.take(1)[2]]
    assert bad == [3, 50, 86, 94, 111, 126, 152, 191, 194, 195]

"""RetryAfter waits as long as the other side asks, however that is written, and never for ever."""

import datetime as dt
import subprocess
import sys
import time
from decimal import Decimal
from email.utils import formatdate, parsedate_to_datetime
from fractions import Fraction

import pytest
from policy_events import decide, event, node, retry

from hafta import ROLL_BACK_CURRENT, Result, proceed
from hafta.policies import RetryAfter
from hafta.policies.moments import delay_in, seconds_of

NOW = 784111777.0  # Sun, 06 Nov 1994 08:49:37 GMT, the example of RFC 9110
NAN, INF = float("nan"), float("inf")


class Busy(Exception):
    def __init__(self, retry_after=None):
        super().__init__("busy")
        self.retry_after = retry_after


class Broken(Exception):
    @property
    def retry_after(self):
        raise KeyError("Retry-After")


def at(seconds):
    return dt.datetime.fromtimestamp(NOW + seconds, dt.UTC)


DELAYS = [
    (7, 7), (0.5, 0.5), (Decimal("1.5"), 1.5), (Fraction(1, 2), 0.5), (dt.timedelta(minutes=2), 120), (at(90), 90),
    (at(-90), 0), ("7", 7), (" 120 ", 120), ("0", 0), ("1.5", 1.5), (b"7", 7), ("Sun, 06 Nov 1994 08:50:37 GMT", 60),
    ("Sunday, 06-Nov-94 08:50:37 GMT", 60), ("Sun Nov  6 08:50:37 1994", 60),
    ("Sun, 06 Nov 1994 08:49:60 GMT", 23), ("Wed Nov 16 08:49:37 1994", 3600),
    ("Sun, 06 Nov 1994 08:49:36 GMT", 0), ("Fri, 31 Dec 9999 23:59:59 GMT", 3600), (10**6, 3600), (10**400, 3600),
    (INF, 3600), (Decimal("1e999"), 3600), ("9" * 5000, 3600), (dt.timedelta.max, 3600),
]  # fmt: skip
NOT_DELAYS = [
    None, "", "soon", "-5", "inf", "nan", "1e3", "1_000", "7 s", "\u0667", "7,5", -5, NAN, -INF, -(10**400), True, [],
    {}, object(), int, Decimal("NaN"), Decimal("sNaN"), Decimal(-1), dt.timedelta(seconds=-1), b"\xff", 1j,
    "Sun, 06 Nov 1994 08:49:37", "Sun, 06 Nov 1994 08:49:37 CET", "Xxx, 06 Nov 1994 08:50:37 GMT",
    "Sun, 06 Nox 1994 08:50:37 GMT", "Sun, 06 Nov 94 08:50:37 GMT", "Sunday, 06-Nov-1994 08:50:37 GMT",
    "Sun, 99 Nov 1994 08:50:37 GMT", "Sun, 06 Nov 1994 25:50:37 GMT", "Sun, 06 Nov 1994 08:50 GMT",
    "Sun, xx Nov 1994 08:50:37 GMT", "Sun, 00 Nov 1994 08:50:37 GMT", "Sun, 32 Nov 1994 08:50:37 GMT",
    "Sun, 07 Nov 1994 24:00:00 GMT", "Sun, 06 Nov 1994 08:60:00 GMT", "Sun, 06 Nov 1994 08:50:61 GMT",
    "Someday, 06-Nov-94 08:50:37 GMT", "Sunday, 06-Nov-94-1 08:50:37 GMT",
]  # fmt: skip


@pytest.mark.parametrize(("asked", "delay"), DELAYS)
def test_a_delay_is_understood_however_it_is_written(asked, delay):
    assert retry(RetryAfter(clock=lambda: NOW), reason=Busy(asked)) == proceed(node).after(delay)
    assert RetryAfter(lambda reason: asked, clock=lambda: NOW).delay("busy") == delay


@pytest.mark.parametrize("asked", NOT_DELAYS)
def test_what_is_not_a_delay_is_ignored(asked):
    assert retry(RetryAfter(clock=lambda: NOW), reason=Busy(asked)) == proceed(node)


@pytest.mark.parametrize("reason", [None, 7, "7", ValueError(), Broken()], ids=repr)
def test_a_reason_that_asks_for_nothing_is_not_waited_for(reason):
    assert retry(RetryAfter(), reason=reason) == proceed(node)


ERROR = RuntimeError()
ERROR.__cause__ = Busy(7)


@pytest.mark.parametrize(
    "reason",
    [
        ExceptionGroup("tasks", [Busy(3), ValueError(), Busy("7"), Busy("soon")]),
        Result("inner", ok=False, node="n", reason=Busy(7)),
        ERROR,
    ],
    ids=["of a group", "of an inner sequence", "of a cause"],
)
def test_the_longest_delay_in_a_reason_counts(reason):
    assert retry(RetryAfter(), reason=reason).delay == 7


def test_a_function_may_read_the_delay_from_the_reason():
    policy = RetryAfter(lambda reason: reason["wait"], cap=10)
    assert [retry(policy, reason={"wait": wait}).delay for wait in (4, 40, None, "4", "soon")] == [4, 10, 0, 4, 0]


def test_what_does_not_try_again_is_not_delayed_by_its_reason():
    assert decide(RetryAfter(), event(reason=Busy(7))) is ROLL_BACK_CURRENT


def test_a_date_is_read_as_pythons_own_reader_of_mail_does():
    for day in range(0, 200_000, 37):
        moment = day * 86400 + day % 86400
        text = formatdate(moment, usegmt=True)
        assert seconds_of(text, time.time) == moment == parsedate_to_datetime(text).timestamp()
        assert seconds_of(time.asctime(time.gmtime(moment)), time.time) == moment


@pytest.mark.parametrize(
    ("this_year", "written", "meant"),
    [
        (2026, "26", 2026), (2026, "76", 2076), (2026, "77", 1977), (1999, "00", 2000), (1999, "49", 2049),
        (1999, "50", 1950), (2080, "10", 2110),
    ],
)  # fmt: skip
def test_a_year_of_two_digits_is_at_most_fifty_years_ahead(this_year, written, meant):
    now, expected = (seconds_of(f"Sun, 01 Jul {year} 00:00:00 GMT", time.time) for year in (this_year, meant))
    assert seconds_of(f"Sunday, 01-Jul-{written} 00:00:00 GMT", lambda: now) == expected


def test_without_a_clock_of_its_own_it_reads_the_wall_clock():
    delay = delay_in(formatdate(time.time() + 600, usegmt=True), time.time)
    assert 590 < retry(RetryAfter(), reason=Busy(formatdate(time.time() + 600, usegmt=True))).delay <= delay + 1


def test_reading_a_date_imports_nothing_heavy():
    program = (
        "import sys; from hafta.policies.moments import delay_in; before = set(sys.modules);"
        "assert delay_in('Fri, 31 Dec 9999 23:59:59 GMT', lambda: 0.0); print(*set(sys.modules) - before)"
    )
    assert subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True).stdout == "\n"

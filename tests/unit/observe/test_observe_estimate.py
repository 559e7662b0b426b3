"""Figures against numbers that are known."""

import itertools
import math
import random

import pytest

from hafta.observe.estimate import Figure, Lasted, between_failures, mean, poisson, quantile, ratio
from hafta.observe.intervals import Class, Span, clip, overlay, parts, sums

SECOND = 1_000_000
HOUR = 3600 * SECOND


@pytest.mark.parametrize(
    ("count", "low", "high"),
    [
        (0, 0, 2.996),
        (1, 0.0253, 5.572),
        (3, 0.6187, 8.767),
        (10, 4.795, 18.39),
        (100, 81.36, 121.6),
        (1001, 940.0, 1065),
    ],
)
def test_the_poisson_interval_is_that_of_the_tables(count, low, high):
    assert poisson(count) == pytest.approx((low, high), rel=1e-3)


def test_the_approximation_for_many_meets_the_exact_interval_where_it_begins(monkeypatch):
    exact = poisson(1000)
    monkeypatch.setattr("hafta.observe.estimate.MANY", 999)
    assert poisson(1000) == pytest.approx(exact, rel=1e-5)


def test_the_mean_time_between_failures_has_its_interval_and_none_without_a_failure():
    some = between_failures(100 * HOUR, 10)
    assert some.value == 36_000
    assert (some.low, some.high, some.n) == (
        pytest.approx(360_000 / 18.39, rel=1e-3),
        pytest.approx(360_000 / 4.795, rel=1e-3),
        10,
    )
    none = between_failures(30 * HOUR, 0)
    assert (none.value, none.n, none.reason) == (None, 0, "no failure")
    assert none.low == pytest.approx(30 * 3600 / 3.0, rel=2e-3)


@pytest.mark.parametrize(
    ("given", "figure"),
    [
        ((3, 1, 0), Figure(0.75, 0.75, 0.75)),
        ((3, 1, 4), Figure(0.75, 0.375, 0.875)),
        ((0, 0, 4), Figure(None, 0.0, 1.0, None, "nothing of it is known")),
        ((0, 0, 0), Figure(None, None, None, None, "nothing of it is known")),
    ],
)
def test_a_ratio_has_a_range_if_something_is_unknown(given, figure):
    assert ratio(*given) == figure


def test_a_mean_of_none_is_none():
    assert (mean(3 * SECOND, 2).value, mean(0, 0).value) == (1.5, None)


def lasted(*pairs):
    return [Lasted(0, round(seconds * SECOND), ended) for seconds, ended in pairs]


@pytest.mark.parametrize(
    ("seen", "share", "value", "reason"),
    [
        (lasted(), 0.5, None, "there was none"),
        (lasted((7, True)), 0.5, 7, "the longest: too few for this share"),
        (lasted((1, True), (2, True), (3, True), (4, True)), 0.5, 2, ""),
        (lasted((1, True), (2, False), (3, True), (4, True)), 0.5, 3, ""),  # 3/4, then 3/8
        (lasted((1, True), (2, True), (9, False), (9, False), (9, False)), 0.5, 9, "the longest: the others go on"),
        (
            [*lasted((1, True), (3, True)), Lasted(2 * SECOND, 4 * SECOND, ended=True)],
            0.5,
            1,
            "",
        ),  # 1 of 2: the third came later
        (lasted((0, True), (0, True)), 0.5, 0, ""),
        (lasted(*((second, True) for second in range(1, 11))), 0.9, 9, ""),
        (lasted(*((second, True) for second in range(1, 10))), 0.9, 9, "the longest: too few for this share"),
    ],
)
def test_quantiles_take_what_is_censored_and_what_came_late_into_account(seen, share, value, reason):
    found = quantile(seen, share)
    assert found.reason == reason or (reason == "" and found.value == value)
    assert found.value == (value if value is None else pytest.approx(value))


def test_ratios_over_a_window_are_hardly_biased_and_the_interval_holds_the_truth():
    """2,000 windows of six times the mean time between failures, with a seed."""
    chance, held, ups, failures = random.Random(1), 0, 0, 0
    for _ in range(2_000):
        left, up, count = 6.0, 0.0, 0
        while left > 0:
            run = chance.expovariate(1)
            up, count = up + min(run, left), count + (run < left)
            left -= run + 0.1
        low, high = poisson(count)
        held += low <= up <= high
        ups, failures = ups + up, failures + count
    assert ups / failures == pytest.approx(1, abs=0.03)
    assert held / 2_000 > 0.94


def spans(*whats):
    """Return spans of a second each."""
    return [Span(place * SECOND, (place + 1) * SECOND, what) for place, what in enumerate(whats)]


def test_spans_are_clipped_summed_and_overlaid_to_the_microsecond():
    three = spans(Class.UP, Class.DOWN, Class.STOPPED)
    inside = list(clip(three, 400_000, 2_000_001))
    assert sums(inside)[Class.UP] == 600_000
    assert sums(inside)[Class.STOPPED] == 1
    assert sum(sums(inside).values()) == 2_000_001 - 400_000
    over = overlay(three, [(500_000, 2_500_000)], Class.MACHINE, "sleep")
    assert [(span.begin, span.what) for span in over] == [
        (0, Class.UP), (500_000, Class.MACHINE), (1_000_000, Class.MACHINE), (2_000_000, Class.STOPPED),
    ]  # fmt: skip
    assert parts([Span(0, 5, Class.HELD, "wait"), Span(5, 7, Class.DOWN, "start"), Span(7, 8, Class.UP, "x")]) == {
        "wait": 5, "start": 2,
    }  # fmt: skip


@pytest.mark.parametrize("classes", [*itertools.product((Class.UP, Class.STOPPED), repeat=3)])
def test_laying_over_changes_no_sum(classes):
    before = spans(*classes)
    for begin, end in itertools.combinations(range(0, 3_000_001, 750_000), 2):
        after = overlay(before, [(begin, end)], Class.MACHINE, "sleep")
        assert sum(sums(after).values()) == 3 * SECOND
        covered = sum(max(0, min(span.end, end) - max(span.begin, begin)) for span in before if span.what is Class.UP)
        assert sums(after)[Class.MACHINE] == covered


def test_no_figure_is_infinite():
    figures = [between_failures(0, 0), between_failures(0, 5), ratio(0, 5, 0), mean(0, 1)]
    assert all(math.isfinite(x) for one in figures for x in (one.value, one.low, one.high) if x is not None)

"""Figures from counts and durations, with what they cannot tell: exact Poisson intervals, Kaplan-Meier, ratios."""

from __future__ import annotations

import math
from bisect import bisect_left

from hafta.frozen import Frozen

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

TAIL = 0.025  # of each side of a 95 % interval
MANY = 1_000  # failures from which on the approximation is exact to more digits than anybody reads


class Figure(Frozen):
    """A figure with its range, and what it rests on. `value` is None if there is none: `reason` says why."""

    value: float | None
    low: float | None = None
    high: float | None = None
    n: int | None = None
    reason: str = ""


def ratio(good: int, bad: int, unknown: int) -> Figure:
    """Return good / (good + bad), and between what it lies if all that is unknown was bad or good."""
    known = good + bad
    everything = known + unknown
    if not known:
        return Figure(None, 0.0 if unknown else None, 1.0 if unknown else None, None, "nothing of it is known")
    if not unknown:
        return Figure(good / known, good / known, good / known)
    return Figure(good / known, good / everything, (good + unknown) / everything)


def poisson(count: int) -> tuple[float, float]:
    """Return the exact 95 % interval of the mean, when this many were counted; of none, the one-sided one."""
    if count == 0:
        return 0.0, -math.log(0.05)
    if count > MANY:
        return _hilferty(count, -1), _hilferty(count + 1, 1)
    low = _solve(lambda mean: 1 - _at_most(count - 1, mean) - TAIL, count)
    high = _solve(lambda mean: TAIL - _at_most(count, mean), count)
    return low, high


def between_failures(up: int, failures: int) -> Figure:
    """Return the mean time between failures, of `up` microseconds of up time, in seconds, with its 95 % interval."""
    seconds = up / 1e6
    low, high = poisson(failures)
    if not failures:
        return Figure(None, seconds / high, None, 0, "no failure")
    return Figure(seconds / failures, seconds / high, seconds / low, failures)


def mean(total: int, count: int) -> Figure:
    """Return a mean of durations in seconds, given their sum in microseconds."""
    return Figure(total / count / 1e6, n=count) if count else Figure(None, n=0, reason="none was completed")


class Lasted(Frozen):
    """How long something lasted, as far as it was seen: from the age `since` to the age `until`, in microseconds."""

    since: int
    until: int
    ended: bool


def quantile(seen: Sequence[Lasted], share: float) -> Figure:
    """Return the duration, in seconds, within which this share has ended: by Kaplan and Meier, with late entry.

    With less than 1 / (1 - share) completed ones it is the longest that was seen, and `reason` says so.
    """
    ended = sorted({one.until for one in seen if one.ended})
    count = sum(one.ended for one in seen)
    if not seen:
        return Figure(None, n=0, reason="there was none")
    longest = max(one.until for one in seen) / 1e6
    if count + 1e-9 < 1 / (1 - share):
        return Figure(longest, n=count, reason="the longest: too few for this share")
    left = 1.0
    begins = sorted(one.since or -1 for one in seen)  # what was over at once was at risk, too
    ends = sorted(one.until for one in seen)
    deaths: dict[int, int] = {}
    for one in seen:
        if one.ended:
            deaths[one.until] = deaths.get(one.until, 0) + 1
    for at in ended:
        at_risk = bisect_left(begins, at) - bisect_left(ends, at)
        left *= 1 - deaths[at] / at_risk if at_risk else 1
        if left <= 1 - share + 1e-12:
            return Figure(at / 1e6, n=count)
    return Figure(longest, n=count, reason="the longest: the others go on")


def _at_most(count: int, mean: float) -> float:
    """Return the chance that a Poisson variable is at most this."""
    if mean <= 0:
        return 1.0
    log = math.log(mean)
    return min(1.0, math.fsum(math.exp(k * log - mean - math.lgamma(k + 1)) for k in range(count + 1)))


def _solve(function: Callable[[float], float], count: int) -> float:
    """Return where a rising function is 0, between 0 and what no interval exceeds."""
    low, high = 0.0, count + 10 + 10 * math.sqrt(count)
    for _ in range(60):
        middle = (low + high) / 2
        if function(middle) < 0:
            low = middle
        else:
            high = middle
    return (low + high) / 2


def _hilferty(shape: int, side: int) -> float:
    """Return a quantile of the gamma distribution, as Wilson and Hilferty approximate it."""
    ninth = 1 / (9 * shape)
    return shape * (1 - ninth + side * 1.959964 * math.sqrt(ninth)) ** 3

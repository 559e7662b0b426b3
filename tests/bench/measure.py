"""Measuring on a noisy machine: rounds of ours and of the floor in turn, and the median of the ratios of each round."""

from __future__ import annotations

import gc
import statistics
from collections.abc import Callable, Iterable
from typing import NamedTuple


class Line(NamedTuple):
    """One line of the report."""

    what: str
    ours: float
    floor: float
    ratio: float
    unit: str
    against: str
    goal: str = ""

    def __str__(self) -> str:
        figures = f"{self.ours:>10.4g} {self.unit:<4} against {self.floor:>10.4g} {self.unit:<4}"
        goal = f"  (goal: {self.goal})" if self.goal else ""
        return f"{self.what:<52} {figures} {self.ratio:>7.2f}x  {self.against}{goal}"


def compare(
    what: str,
    ours: Callable[[], float],
    floor: Callable[[], float],
    *,
    unit: str,
    against: str,
    goal: str = "",
    rounds: int = 15,
) -> Line:
    """Call both in turn; each returns its own figure (the less the better), measured inside."""
    ours(), floor()  # warm
    pairs = []
    for _ in range(rounds):
        gc.collect()
        pairs.append((ours(), floor()))
    mine, theirs = (statistics.median(column) for column in zip(*pairs, strict=True))
    ratio = statistics.median(a / b for a, b in pairs)
    return Line(what, mine, theirs, ratio, unit, against, goal)


def report(title: str, lines: Iterable[Line | str]) -> None:
    """Print a block of the report, a line at a time as it is measured."""
    print(f"\n{title}", flush=True)
    for line in lines:
        print(f"  {line}", flush=True)

"""Measuring on a noisy machine: rounds of ours and of the floor in turn, and the median of the ratios of each round."""

from __future__ import annotations

import gc
import os
import statistics
import time
from collections.abc import Callable, Iterable
from typing import NamedTuple

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


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
    what: str, ours: Callable[[], float], floor: Callable[[], float], *, unit: str, against: str, goal: str = "",
    rounds: int = 15,
) -> Line:  # fmt: skip
    """Call both in turn; each returns its own figure (the less the better), measured inside."""
    ours(), floor()  # warm
    pairs = []
    for _ in range(rounds):
        gc.collect()
        pairs.append((ours(), floor()))
    mine, theirs = (statistics.median(column) for column in zip(*pairs, strict=True))
    return Line(what, mine, theirs, statistics.median(a / b for a, b in pairs), unit, against, goal)


def cpu(work: Callable[[], object], units: int) -> float:
    """Return the nanoseconds of CPU that one unit took."""
    before = time.process_time_ns()
    work()
    return (time.process_time_ns() - before) / units


def wall(work: Callable[[], object], units: int) -> float:
    """Return the nanoseconds that one unit took."""
    before = time.monotonic_ns()
    work()
    return (time.monotonic_ns() - before) / units


def environment() -> dict[str, str]:
    """Return the environment of a program that is measured."""
    return {"PATH": os.environ.get("PATH", ""), "PYTHONPATH": ROOT, "HOME": os.environ.get("HOME", "")}


def report(title: str, lines: Iterable[Line | str]) -> None:
    """Print a block of the report, a line at a time as it is measured."""
    print(f"\n{title}", flush=True)
    for line in lines:
        print(f"  {line}", flush=True)

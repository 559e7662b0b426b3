"""Expectations of drills: a TOML file, read strictly, and held against what came of them."""

from __future__ import annotations

import tomllib

from hafta.causes import cause_of
from hafta.drill.drills import DRILLS
from hafta.drill.outcome import FIGURES
from hafta.errors import UsageError
from hafta.observe.sources.systemd import span
from hafta.observe.times import lasting

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from typing import Any

    from hafta.drill.outcome import Outcome

    #: For each drill, and `all`: what is expected. Spans are in microseconds.
    Expected = Mapping[str, Mapping[str, Any]]

ALL = "all"
MOST = 1 << 20  # bytes of a file
SPANS = {"noticed": "noticed", "ready-again": "ready", "first-good": "first_good"}
COUNTS = ("lost", "restarts")
TEXTS = ("resumed",)
KEYS = (*SPANS, *COUNTS, *TEXTS)
assert set(SPANS.values()) == set(FIGURES)


def read(path: str) -> Expected:
    """Return what a file expects. Raises UsageError with the place of what is wrong."""
    try:
        with open(path, "rb") as file:
            text = file.read(MOST).decode()
        found = tomllib.loads(text)
    except OSError as error:
        raise UsageError(f"{path}: {cause_of(error).words}", "name a TOML file with --expect") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UsageError(
            f"{path}: {error}", 'write TOML: a table such as [kill], and lines such as noticed = "50ms"'
        ) from error
    return {drill: _table(f"{path}: [{drill}]", drill, table) for drill, table in found.items()}


def _table(where: str, drill: str, table: Any) -> dict[str, Any]:
    if not isinstance(table, dict) or drill not in {ALL, *DRILLS}:
        raise UsageError(f"{where}: there is no drill {drill!r}", f"tables are [all], [{'], ['.join(DRILLS)}]")
    return {key: _value(where, key, value) for key, value in table.items()}


def _value(where: str, key: str, value: Any) -> Any:
    if key in SPANS:
        usec = span(value) if isinstance(value, str) else None
        if usec is None:
            raise UsageError(f"{where} {key} = {value!r} is not a span of time", f'write {key} = "500ms", or "2s"')
        return usec
    if key in COUNTS:
        if not isinstance(value, int) or isinstance(value, bool) or value < 0:
            raise UsageError(f"{where} {key} = {value!r} is not a number", f"write {key} = 0, or how many are allowed")
        return value
    if key in TEXTS:
        if not isinstance(value, str) or not value:
            raise UsageError(f"{where} {key} = {value!r} is not the name of a node", f'write {key} = "NODE"')
        return value
    raise UsageError(f"{where} {key}: unknown", f"there are {', '.join(KEYS)}")


def missed(expected: Expected, outcome: Outcome) -> tuple[str, ...]:
    """Return which expectations a drill has missed, each in a few words. One that was left out misses none."""
    wanted = {**expected.get(ALL, {}), **expected.get(outcome.drill, {})}
    return () if outcome.is_skipped else tuple(_missed(wanted, outcome))


def _missed(wanted: Mapping[str, Any], outcome: Outcome) -> Iterator[str]:
    for key, bound in wanted.items():
        if key in SPANS:
            worst = outcome.longest(SPANS[key])
            if worst is None or outcome.count(SPANS[key]) < len(outcome.rounds):
                yield f"{key}: it did not happen in each round"
            elif worst > bound:
                yield f"{key}: {lasting(worst / 1e6)}, expected at most {lasting(bound / 1e6)}"
        elif key in COUNTS:
            if (count := getattr(outcome, key)) > bound:
                yield f"{key}: {count}, expected at most {bound}"
        else:
            nodes = [one.resumed.node if one.resumed else "nowhere" for one in outcome.rounds]
            if wrong := [node for node in nodes if node != bound]:
                yield f"{key}: {wrong[0]}, expected {bound}"

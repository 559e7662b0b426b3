"""What the tests of the event log share: a place, a log in it, and what can be read of it."""

import os
from contextlib import contextmanager

from hafta.eventlog import series
from hafta.eventlog.format import EVENTS
from hafta.eventlog.lines import Row, entries
from hafta.eventlog.log import Log
from hafta.eventlog.place import claim
from hafta.journal.overlord_events import OverlordStarted


class Killed(BaseException):
    """SIGKILL, as far as files know it: what was to come does not."""


def begin(state, notes=None):
    """Begin a log below a directory that stands for %S."""
    return Log(claim(str(state)), (notes if notes is not None else []).append)


def say(log, number):
    """Have the overlord report one event that can be told from others."""
    log.report(OverlordStarted(number), {})


def read(folder, row=EVENTS):
    """Return the entries of a row, without heads; None is damage."""
    source = Row(str(folder), row)
    found = [one for one in entries(source) if one is None or "HAFTA_EVENT_LOG" not in one]
    if source.is_torn:
        found.append(None)
    return found


def numbers(found):
    """Return what was said, damage as None, lost events as a negative count."""
    return [
        None if one is None else -int(one["HAFTA_COUNT"]) if "HAFTA_COUNT" in one else int(one["HAFTA_UNITS"])
        for one in found
    ]


def folder(state):
    return os.path.join(state, "hafta-overlord/events/0")


@contextmanager
def writing(monkeypatch, write):
    """Have another write(2) in the files of the log; it gets the real one, the descriptor, the data."""
    real = os.write
    with monkeypatch.context() as patch:
        patch.setattr(series.os, "write", lambda fd, data: write(real, fd, data))
        yield

"""Fixtures of the daemons: one booted machine for all, and a container for each test."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE), str(HERE.parent / "system")]

from booted.collecting import mark, no_leftovers, skip_without_machines  # noqa: F401  a fixture is found by its name
from hosts import Overlord, Systemd
from table import DAEMONS


def pytest_itemcollected(item):
    mark(item, HERE)


def pytest_collection_modifyitems(config, items):
    skip_without_machines(config, items, HERE)


@pytest.fixture(scope="session")
def booted_machine():
    """The machine with systemd, for all tests of a worker."""
    with Systemd() as machine:
        yield machine


@pytest.fixture(params=["systemd", "overlord"])
def host(request):
    """A host on which nothing runs yet."""
    if request.param == "systemd":
        machine = request.getfixturevalue("booted_machine")
        yield machine
        machine.clear()
        return
    overlord = Overlord()
    yield overlord
    overlord.remove()


@pytest.fixture(params=DAEMONS, ids=lambda daemon: daemon.name)
def daemon(request):
    """Each daemon."""
    return request.param


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    """Attach what the host said to a test that failed."""
    outcome = yield
    report = outcome.get_result()
    if report.failed and (host := getattr(item, "funcargs", {}).get("host")):
        report.sections.append((f"end of the log of {host.name}", host.tail()))

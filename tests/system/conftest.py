"""Fixtures of the booted machines: one machine for each module and release, its journal on each failure."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from booted import SUITES, Machine
from booted.collecting import mark, no_leftovers, skip_without_machines  # noqa: F401  a fixture is found by its name
from booted.packages import build_packages
from services import COLD, IS_WARM, start, stop

HERE = Path(__file__).parent


def pytest_itemcollected(item):
    mark(item, HERE)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config, log):
    """With `pytest -n N tests/system`, tests that share a machine run in one worker, in their order."""
    from xdist.scheduler import LoadScopeScheduling

    class ByMachine(LoadScopeScheduling):
        def _split_scope(self, nodeid):
            path, _, name = nodeid.partition("::")
            return path + next((suite for suite in SUITES if suite in name), "")

    return ByMachine(config, log)


def pytest_collection_modifyitems(config, items):
    skip_without_machines(config, items, HERE)


@pytest.fixture(scope="module", params=SUITES.values(), ids=SUITES)
def machine(request):
    """A booted machine of the module, for each release."""
    with Machine(request.param) as machine:
        yield machine


@pytest.fixture(scope="session")
def packages(tmp_path_factory):
    """The directory with the packages under test: that of $HAFTA_PACKAGES, else built once for all workers."""
    if given := os.environ.get("HAFTA_PACKAGES"):
        return Path(given)
    base = tmp_path_factory.getbasetemp()
    run = os.environ.get("PYTEST_XDIST_TESTRUNUID")
    return build_packages(base.parent / f"packages-{run}" if run else base / "packages")


@pytest.fixture(scope="module")
def installed(machine, packages):
    """The machine of the module with the .deb packages installed and nothing started."""
    machine.install(packages)
    for place in () if IS_WARM else ("/usr/local/lib/systemd/system/hafta-", "/run/systemd/system/ingest"):
        machine.write(f"{place}.service.d/cold.conf", COLD)
    return machine


@pytest.fixture
def running(installed):
    """Both services run and read; afterwards both are stopped and as shipped again."""
    start(installed)
    yield installed
    installed.sh("rm -f /etc/hang /etc/ignore-abort")
    stop(installed)


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    """Attach the journal's tail of each machine to a test that failed."""
    outcome = yield
    report = outcome.get_result()
    if report.failed:
        for value in getattr(item, "funcargs", {}).values():
            if isinstance(value, Machine):
                report.sections.append((f"journal of {value.name}", value.tail()))

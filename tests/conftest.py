"""For all tests: in CI a skipped test is a failed run, and Hypothesis tries more."""

from __future__ import annotations

import os
import signal

import pytest
from hypothesis import settings

CI = bool(os.environ.get("CI"))

# Who runs the tests under nohup, or in the background, hands its deafness down to every program that is tested here.
signal.signal(signal.SIGHUP, signal.SIG_DFL)
signal.signal(signal.SIGINT, signal.default_int_handler)

settings.register_profile("here", max_examples=100, deadline=None)
# Hypothesis' own profile for CI, which this one would inherit from, derandomizes: a fixed seed.
settings.register_profile("ci", max_examples=1000, deadline=None, print_blob=True, derandomize=False)
settings.load_profile("ci" if CI else "here")


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    """Fail the run if anything was skipped in CI."""
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if not CI or exitstatus != pytest.ExitCode.OK or reporter is None:
        return
    if skipped := reporter.stats.get("skipped"):
        reporter.write_line(f"{len(skipped)} skipped: in CI nothing may be", red=True)
        session.exitstatus = pytest.ExitCode.TESTS_FAILED

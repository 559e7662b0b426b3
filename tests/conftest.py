"""For all tests: in CI a skipped test is a failed run; with HAFTA_EXAMPLES=many Hypothesis tries more."""

from __future__ import annotations

import os
import signal

import pytest
from hypothesis import settings

CI = bool(os.environ.get("CI"))

# Who runs the tests under nohup, or in the background, hands its deafness down to every program that is tested here.
signal.signal(signal.SIGHUP, signal.SIG_DFL)
signal.signal(signal.SIGQUIT, signal.SIG_DFL)
signal.signal(signal.SIGINT, signal.default_int_handler)

# Hypothesis' own profile for CI, which this one would inherit from, derandomizes: a fixed seed. Many are tried without
# the tracer of coverage (`make unit`), under which each takes twice or three times as long and covers no more.
EXAMPLES = 1000 if os.environ.get("HAFTA_EXAMPLES") == "many" else 100
settings.register_profile("hafta", max_examples=EXAMPLES, deadline=None, print_blob=True, derandomize=False)
settings.load_profile("hafta")


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    """Fail the run if anything was skipped in CI."""
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if not CI or exitstatus != pytest.ExitCode.OK or reporter is None:
        return
    if skipped := reporter.stats.get("skipped"):
        reporter.write_line(f"{len(skipped)} skipped: in CI nothing may be", red=True)
        session.exitstatus = pytest.ExitCode.TESTS_FAILED

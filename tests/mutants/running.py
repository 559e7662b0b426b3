"""Runs tests in a forked process, so that each mutant meets a fresh hafta while pytest is loaded but once."""

import json
import mmap
import os
import resource
import shutil
import signal
import struct
import sys
import tempfile
import time
from contextlib import suppress
from pathlib import Path

import finder
import pytest

CLOCK = struct.Struct("ddd")  # of what runs: when it began, on two clocks, and what it may take
KILLED, SURVIVED, TIMEOUT = "killed", "survived", "timeout"
EXAMPLES = 20  # of Hypothesis, the same each time
COLLECTING = 15.0  # seconds of processor time for finding the tests, which may call what hangs
WAITING = 60.0  # seconds that it may take in all, besides: a machine may have other work
MEMORY = 4 << 30  # bytes of address space


class Chosen:
    """A pytest plugin: runs the chosen tests in the order of the time that they take, and says which one runs."""

    def __init__(self, times, clock, patience):
        self.times = times
        self.patience = patience
        self.clock = clock

    def pytest_collection_modifyitems(self, items):
        tame(items)
        items[:] = sorted((one for one in items if one.nodeid in self.times), key=lambda one: self.times[one.nodeid])

    def pytest_runtest_logstart(self, nodeid):
        self.clock[:] = CLOCK.pack(time.monotonic(), _worked(os.getpid()), self.patience + 3 * self.times[nodeid])


class Baseline:
    """A pytest plugin: notes what each test takes, whether it passes or starts processes, and which lines it runs."""

    def __init__(self, coverage):
        self.coverage = coverage
        self.times, self.failed, self.starting, self.running = {}, [], set(), ""
        sys.addaudithook(self._hear)

    def _hear(self, event, _):
        if event in {"subprocess.Popen", "os.fork", "os.posix_spawn"}:
            self.starting.add(self.running)

    def pytest_collection_modifyitems(self, items):
        tame(items)

    def pytest_runtest_logstart(self, nodeid):
        self.running = nodeid
        self.coverage.switch_context(nodeid)

    def pytest_runtest_logreport(self, report):
        self.times[report.nodeid] = self.times.get(report.nodeid, 0.0) + report.duration
        if not report.passed and report.nodeid not in self.failed:
            self.failed.append(report.nodeid)


def tame(items):
    """Have Hypothesis try few examples, the same ones each time."""
    from hypothesis import settings

    for function in {item.function for item in items if hasattr(item.function, "_hypothesis_internal_use_settings")}:
        given = function._hypothesis_internal_use_settings
        few = settings(given, max_examples=min(EXAMPLES, given.max_examples), derandomize=True, database=None)
        function._hypothesis_internal_use_settings = few


def measure(root, tests, result):
    """Run all tests once with the modules as they are, and write what Baseline notes as JSON."""

    def run():
        from coverage import Coverage

        coverage = Coverage(data_file=None, include=[f"{root}/hafta/*"], config_file=False)
        plugin = Baseline(coverage)
        coverage.start()
        pytest.main(_arguments(tests), plugins=[plugin])
        coverage.stop()
        data = coverage.get_data()
        number = {test: at for at, test in enumerate(plugin.times)}
        lines = {
            file: {
                line: [number[test] for test in tests if test] for line, tests in data.contexts_by_lineno(file).items()
            }
            for file in data.measured_files()
        }
        told = {"times": plugin.times, "failed": plugin.failed, "starting": sorted(plugin.starting), "lines": lines}
        Path(result).write_text(json.dumps(told))
        return 0

    assert _forked(root, unchanged(root), run, _clock(float("inf"))) == 0, "the tests could not be run"


def unchanged(root):
    """Return what names no mutant, but a module as it is: it must survive."""
    return f"hafta.errors|{root}/hafta/errors.py|"


def judge(root, which, times, patience=5.0):
    """Run these tests, with the seconds that each takes, against the mutant; stop at the first that fails.

    `patience`: seconds of processor time that a test may take, besides 3 times what it took.
    """
    clock = _clock(COLLECTING + patience)
    files = sorted({test.partition("::")[0] for test in times})
    status = _forked(
        root, which, lambda: pytest.main([*_arguments(files), "-x"], plugins=[Chosen(times, clock, patience)]), clock
    )
    return TIMEOUT if status is None else SURVIVED if status == 0 else KILLED


def _clock(limit):
    """Return what parent and child share: until the first test begins, collecting them may work this long."""
    clock = mmap.mmap(-1, CLOCK.size)
    clock[:] = CLOCK.pack(time.monotonic(), 0.0, limit)
    return clock


def _arguments(tests):
    return [*tests, "-q", "--no-header", "-p", "no:cacheprovider", "-p", "no:xdist", "-o", "addopts="]


def _forked(root, which, run, clock):
    """Return the exit status of `run` in a child in which that mutant is imported; None if it took too long."""
    place = tempfile.mkdtemp(prefix="mutant-")
    child = os.fork()
    if child == 0:
        try:
            _prepare(root, which, place)
            status = int(run())
        except BaseException as error:
            print(repr(error), file=sys.stderr)
            status = 1
        os._exit(status)
    try:
        return _wait(child, clock)
    finally:
        shutil.rmtree(place, ignore_errors=True)


def _prepare(root, which, place):
    os.setpgid(0, 0)
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    here = Path(__file__).parent
    os.environ.update({finder.VARIABLE: which, "PYTHONPATH": f"{here / 'site'}:{root}", "TMPDIR": place})
    os.environ.pop("CI", None)
    tempfile.tempdir = None
    os.chdir(root)
    log = os.open(os.path.join(place, "log"), os.O_RDWR | os.O_CREAT)
    for descriptor in (1, 2):
        os.dup2(log, descriptor)
    sys.path.insert(0, str(root))
    finder.install()


def _wait(child, clock):
    while True:
        ended, status = os.waitpid(child, os.WNOHANG)
        if ended or _is_late(child, *CLOCK.unpack(clock)):
            break
        time.sleep(0.05)
    with suppress(ProcessLookupError):
        os.killpg(child, signal.SIGKILL)  # and what it has started
    if ended:
        return os.waitstatus_to_exitcode(status)
    os.waitpid(child, 0)
    return None


def _is_late(child, began, worked, limit):
    """Whether the test that runs, or the collection of tests, takes too long."""
    return _worked(child) > worked + limit or time.monotonic() > began + limit + WAITING


def _worked(process):
    """Return the seconds of processor time that a process and its ended children have had."""
    fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    return sum(map(int, fields[11:15])) / os.sysconf("SC_CLK_TCK")

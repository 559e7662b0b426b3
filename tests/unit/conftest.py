"""What several rooms of the tests share: tests/processes.py, signals, and the classic data server in C."""

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from hafta.testing import FakeRuntime

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent))


@pytest.fixture
def signals():
    """Give the tests their signals back from a service that ran in this process."""
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.fixture(params=["blocking", "asyncio"])
def call(request):
    """Call a sequence in one of the drivers, with a runtime; return its result."""

    def call(sequence, runtime=None, data=None):
        runtime = runtime or FakeRuntime()
        if request.param == "blocking":
            return sequence.call(data, runtime=runtime)
        return runtime.run_async(sequence.call_async(data, runtime=runtime))

    return call


@pytest.fixture
def pipe():
    """Both ends of a pipe."""
    ends = os.pipe()
    yield ends
    for fd in ends:
        os.close(fd)


@pytest.fixture
def build_classic_server(tmp_path: Path) -> Callable[..., str]:
    """Build the server for this pipe and return the program's path; `pause` is microseconds between two records."""
    compiler = shutil.which("cc") or shutil.which("gcc")
    if compiler is None:
        pytest.skip("no C compiler here")

    def build(pipe: str, *, pause: int = 1000, rate: int = 25, seed: int | None = None) -> str:
        program = str(tmp_path / "classic-server")
        options = [f'-DPIPENAME="{pipe}"', f"-DPAUSE={pause}", f"-DRATE={rate}"]
        options += [] if seed is None else [f"-DSEED={seed}"]
        command = [compiler, *["-O2", "-Wall", "-Wextra", "-Werror", "-o"], program, *options]
        command.append(f"{HERE}/client_c/classic_server.c")
        subprocess.run(command, check=True)
        return program

    return build

"""The classic data server in C, built for a pipe of the test's own."""

import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

SOURCE = Path(__file__).with_name("classic_server.c")


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
        command = [compiler, "-O2", "-Wall", "-Wextra", "-Werror", *options, "-o", program, str(SOURCE)]
        subprocess.run(command, check=True)
        return program

    return build

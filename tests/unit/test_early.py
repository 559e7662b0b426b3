"""Ctrl-C that comes before a program has its handlers ends it as any other: without a traceback."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

#: What Python imports before anything of the program: Ctrl-C comes when a certain module is about to be imported.
HOOK = """
import os, signal, sys

class Finder:
    def find_spec(self, name, path=None, target=None):
        if name == {module!r}:
            os.kill(os.getpid(), signal.SIGINT)

sys.meta_path.insert(0, Finder())
"""
FIRST = {
    "hafta.server": "hafta.server.program",
    "hafta.client": "hafta.fifo",
    "hafta.overlord": "hafta.overlord.program",
    "hafta.cli": "hafta.cli.group",
}


@pytest.mark.parametrize("program", FIRST)
def test_a_program_is_ended_without_a_traceback_while_it_still_imports(program: str, tmp_path: Path):
    (tmp_path / "sitecustomize.py").write_text(HOOK.format(module=FIRST[program]))
    environ = {**os.environ, "PYTHONPATH": f"{tmp_path}:{ROOT}"}
    ended = subprocess.run(
        [sys.executable, "-m", program], env=environ, capture_output=True, text=True, timeout=60, check=False
    )
    assert (ended.returncode, ended.stdout, ended.stderr) == (-signal.SIGINT, "", "")

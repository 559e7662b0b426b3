"""The page about durable checkpoints shows what happens: its program is killed and resumed, its other examples run."""

import os
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[3]
PAGE = (ROOT / "docs" / "durable.md").read_text()
PROGRAM, *EXAMPLES = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
COMMANDS = {"python3": [sys.executable], "hafta": [sys.executable, "-m", "hafta.cli"]}


def shown():
    """Yield each command of the page, and the lines that it prints."""
    [session] = re.findall(r"```console\n(.*?)```", PAGE, re.DOTALL)
    for part in session.split("$ ")[1:]:
        command, *lines = part.splitlines()
        yield command.split(), [line for line in lines if line != "Killed"]  # which the shell says


def without_age(lines):
    return [re.sub(r" \d+s ", " AGE ", line) for line in lines]


def test_the_program_is_killed_and_resumed_as_the_page_shows(tmp_path):
    (tmp_path / "order.py").write_text(PROGRAM)
    environ = os.environ | {"PYTHONPATH": str(ROOT)}
    statuses = []
    for (name, *words), lines in shown():
        done = subprocess.run(
            [*COMMANDS[name], *words], cwd=tmp_path, env=environ, capture_output=True, text=True, check=False
        )
        assert without_age(done.stdout.splitlines()) == without_age(lines)
        statuses.append(done.returncode)
    assert statuses == [-9, 0, 0]


def test_the_other_examples_work():
    names = {"__name__": __name__}
    for block in EXAMPLES:
        exec(compile(block, "durable.md", "exec"), names)
    assert len(EXAMPLES) == 3

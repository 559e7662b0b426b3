"""The examples run as their READMEs say: the commands of a transcript, and a unit below the embedded overlord."""

import os
import re
import signal
import subprocess
import sys
from contextlib import contextmanager, suppress
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "overlord"))
from processes import PATIENCE

from hafta.observe.sources import records

ROOT = Path(__file__).parents[3]
EXAMPLES = ROOT / "examples"


def blocks(name, kind):
    """Return the blocks of this kind in the README of an example."""
    return re.findall(rf"```{kind}\n(.*?)```", (EXAMPLES / name / "README.md").read_text(), re.DOTALL)


def even(text):
    """Return a text without what is another at each run: numbers, times, who runs it, and how columns are padded."""
    text = re.sub(r"[0-9a-f]{8}-[0-9a-f-]{27}", "ID", text)
    text = re.sub(r"\d+([.,:]\d+)*", "N", text)
    return "\n".join(re.sub(r" {2,}", "  ", line).rstrip() for line in text.splitlines())


class Shell:
    """A shell in which transcripts are run: `python3` and `hafta` are those of the tests."""

    def __init__(self, place):
        programs = place / "programs"
        programs.mkdir()
        (programs / "python3").write_text(f'#!/bin/sh\nexec {sys.executable} "$@"\n')
        (programs / "hafta").write_text(f'#!/bin/sh\nexec {sys.executable} -m hafta.cli "$@"\n')
        for program in programs.iterdir():
            program.chmod(0o755)
        self.place = place / "here"
        self.environ = {
            **{name: value for name, value in os.environ.items() if not name.startswith(("HAFTA_", "COVERAGE_"))},
            "PATH": f"{programs}:{os.environ['PATH']}", "PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1", "LC_ALL": "C",
        }  # fmt: skip

    def run(self, commands):
        """Run commands one after the other in one shell; return what each has printed, stderr too."""
        marked = "".join(f"{command}\necho; echo ::\n" for command in commands)
        marked += "exec > /dev/null 2>&1\nkill $(jobs -p)\nwait\n"
        shell = subprocess.Popen(
            ["/bin/bash"], cwd=self.place, env=self.environ, start_new_session=True, text=True,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        )  # fmt: skip
        try:
            out, _ = shell.communicate(marked, PATIENCE)
        finally:
            kill_group(shell)
        *parts, last = out.split("\n::\n")
        assert last == "", out
        return parts

    @contextmanager
    def another_terminal(self, command):
        """Run a command in another shell meanwhile."""
        shell = subprocess.Popen(
            ["/bin/bash", "-c", command], cwd=self.place, env=self.environ, start_new_session=True,
            stdin=subprocess.PIPE,
        )  # fmt: skip
        try:
            yield shell
        finally:
            kill_group(shell)
            shell.stdin.close()


def kill_group(shell):
    """End a shell, with all that it has started."""
    with suppress(ProcessLookupError):
        os.killpg(shell.pid, signal.SIGKILL)
    shell.wait()


def transcript(text):
    """Yield each command of a transcript, and what it prints."""
    for part in ("\n" + text).split("\n$ ")[1:]:
        command, _, printed = part.partition("\n")
        yield command, printed


def hold_transcript(shell, name, instead=()):
    """Hold that the commands of an example's README print what stands there, apart from numbers; return the outputs."""
    [text] = blocks(name, "console")
    for old, new in instead:
        text = text.replace(old, new)
    commands, shown = zip(*transcript(text), strict=True)
    printed = shell.run(commands)
    assert [even(part) for part in printed] == [even(part) for part in shown]
    return printed


def unit_here(name, unit, instead=()):
    """Return the text of an example's unit that runs here: this Python, and the program of this checkout."""
    text = (EXAMPLES / name / unit).read_text()
    text = text.replace(f"/usr/bin/python3 -I /opt/{unit.partition('.')[0]}/", f"{sys.executable} {EXAMPLES}/{name}/")
    for old, new in instead:
        assert old in text, old
        text = text.replace(old, new)
    return text


def start(place, name, unit, instead=()):
    """Start the unit of an example below an overlord."""
    place.unit(unit, unit_here(name, unit, instead))
    return place.start("--set", f"PYTHONPATH={ROOT}", unit)


def kill(overlord, unit):
    """Kill the main process of a unit, and wait until there is the next one."""
    starts = len(overlord.pids(unit))
    os.kill(overlord.main(unit, starts), signal.SIGKILL)
    overlord.main(unit, starts + 1)


def kept(place, name):
    """Return what a service has on record that outlives its calls."""
    [entry] = records.find([f"{place.state}/{name}"])
    return entry.kept

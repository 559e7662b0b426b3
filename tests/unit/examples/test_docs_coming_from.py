"""The programs of docs/coming-from.md do what the page says, and its names are names."""

import re
import shlex
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from processes import Child, state_of, wait_until

import hafta.policies

ROOT = Path(__file__).parents[3]
PAGE = (ROOT / "docs" / "coming-from.md").read_text()
SECTIONS = dict(re.findall(r"^## \d+\. ([^\n]+)\n(.*?)(?=^## |\Z)", PAGE, re.DOTALL | re.MULTILINE))
BLOCKS = {name: re.findall(r"```python\n(.*?)```", text, re.DOTALL) for name, text in SECTIONS.items()}
PROGRAMS = {name: found[0] for name, found in BLOCKS.items() if found}
NAMES = {
    "FakeRuntime",
    "SequenceFailed",
    "FileStore",
    "PostgresStore",
    "EtcdStore",
    "Checkpoints",
    "Sequence",
    "Memory",
}


@pytest.mark.parametrize("name", PROGRAMS)
def test_each_program_runs_and_ends_well(name, tmp_path):
    (tmp_path / "program.py").write_text(PROGRAMS[name])
    once = ["--once"] if "hafta.service" in PROGRAMS[name] else []
    with Child([str(tmp_path / "program.py"), *once], PYTHONPATH=str(ROOT)) as child:
        status, out, err = child.finish()
    assert status == 0, err
    assert ("copied" in out) == bool(once)


def test_each_section_has_a_table_of_names_and_the_same_program_in_both():
    assert len(SECTIONS) == 8
    for name, text in SECTIONS.items():
        assert text.count("\n| ") > 6, name
        assert re.search(r"```(python|ini|console)\n(#|;) " + name.split()[0], text, re.IGNORECASE), name


def test_the_policies_that_it_names_are_ours():
    ours = NAMES | set(hafta.policies.__all__)
    for table in re.findall(r"^\|.*\|$", PAGE, re.MULTILINE):
        right = re.split(r"(?<!\\)\|", table)[2]
        for name in re.findall(r"`([A-Z][a-z]+[A-Za-z]*)\(", right):
            assert name in ours, name


def test_the_unit_that_takes_the_place_of_a_program_of_supervisord_comes_back(tmp_path):
    [unit] = re.findall(r"```ini\n(.*?)```", SECTIONS["supervisord"], re.DOTALL)
    (tmp_path / "shop.service").write_text(unit)
    with TemporaryDirectory(prefix="ho") as short, open(f"{short}/said", "w+") as said:
        command = ["-m", "hafta.overlord", "--runtime-dir", f"{short}/run", "--state-dir", f"{short}/state"]
        with Child([*command, str(tmp_path / "shop.service")], out=said, err=said, PYTHONPATH=str(ROOT)) as child:
            starts = re.compile(r"shop.service is .*as process (\d+)")
            started = wait_until(lambda: starts.findall(Path(said.name).read_text()))
            assert state_of(int(started[0])) != "Z"
            subprocess.run(["/bin/kill", "-9", started[0]], check=True)
            wait_until(lambda: len(set(starts.findall(Path(said.name).read_text()))) > 1)
            assert child.stop()[0] == 0


def test_the_unit_that_takes_the_place_of_a_check_of_monit_is_printed():
    [line] = re.findall(r"^\$ hafta (unit .*)$", SECTIONS["monit"], re.MULTILINE)
    command = [sys.executable, "-m", "hafta.cli", *shlex.split(line)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT)
    assert done.returncode == 0, done.stderr
    assert "WatchdogSec=" in done.stdout
    assert "--probe=http://127.0.0.1:8080/health" in done.stdout

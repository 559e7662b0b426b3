"""Each example has a README with a transcript, a program, a unit in the project's sandbox, and tests that pass."""

import os
import re
import shutil
import subprocess
import sys

import pytest
from example_support import EXAMPLES, ROOT, blocks
from processes import PATIENCE

from hafta.check.look import look
from hafta.cli.group import run_group
from hafta.units.sandbox import SANDBOX, Needs, sandbox

#: What each unit opens of the sandbox.
NEEDS = {
    "aio": Needs(network=True),
    "guarded": Needs(network=True),
    "ingest": Needs(),
    "poller": Needs(network=True),
    "queue": Needs(),
    "serial": Needs(devices=("char-ttyUSB",)),
}
#: Said by DynamicUser= already.
IMPLIED = {"AmbientCapabilities"}


def unit(name):
    [path] = (EXAMPLES / name).glob("*.service")
    return path


@pytest.fixture
def installed(tmp_path):
    """Put a unit where its command is, as if the package hafta was installed."""

    def put(name):
        (tmp_path / unit(name).name).write_text(unit(name).read_text().replace("/usr/bin/hafta ", "/usr/bin/env "))
        return str(tmp_path / unit(name).name)

    return put


def shut_in(text):
    """Return the lines of a unit that shut it in, in their order."""
    names = {name for name, _ in SANDBOX} | {"DeviceAllow", "ReadWritePaths"}
    pairs = [tuple(line.split("=", 1)) for line in text.splitlines() if re.match(r"\w+=", line)]
    return [pair for pair in pairs if pair[0] in names]


@pytest.mark.parametrize("name", NEEDS)
def test_it_has_all_its_parts(name):
    place = EXAMPLES / name
    assert {path.name for path in place.iterdir()} >= {"README.md", f"test_{unit(name).stem}.py"}
    [transcript] = blocks(name, "console")
    assert transcript.startswith("$ ")
    text = (place / "README.md").read_text()
    assert re.findall(r"^## (.*)$", text, re.MULTILINE)[:3] == ["By hand", "As a service", "Its test"]
    assert "python3 -m pytest" in text


@pytest.mark.parametrize("name", sorted(NEEDS.keys() - {"ingest"}))  # that one has a second ledger, for several hosts
def test_its_program_can_be_read_in_one_go(name):
    [program] = [path for path in (unit(name).with_suffix(".py"), unit(name).with_suffix(".c")) if path.exists()]
    assert len(program.read_text().splitlines()) <= 140
    assert f"/opt/{program.stem}/{program.name.removesuffix('.c')}" in unit(name).read_text()


@pytest.mark.parametrize("name", NEEDS)
def test_its_unit_stands_in_the_one_sandbox_of_the_project(name):
    opened = sandbox(NEEDS[name])
    assert shut_in(unit(name).read_text()) in ([*opened], [pair for pair in opened if pair[0] not in IMPLIED])


@pytest.mark.parametrize("name", sorted(NEEDS.keys() - {"guarded", "ingest"}))
def test_the_options_of_hafta_unit_that_its_readme_names_open_the_same(name, capsys):
    [options] = re.findall(r"The sandbox is that of `hafta unit([^`]*)`", (EXAMPLES / name / "README.md").read_text())
    assert run_group(["unit", *options.split(), "--notify", "--", "/bin/true"]) == 0
    printed = capsys.readouterr().out
    text = unit(name).read_text()
    assert [pair for pair in shut_in(printed) if pair[0] not in IMPLIED] == shut_in(text)
    assert re.findall("^SupplementaryGroups=.*", printed, re.MULTILINE) == re.findall(
        "^SupplementaryGroups=.*", text, re.MULTILINE
    )


@pytest.mark.parametrize("name", NEEDS)
def test_hafta_check_says_nothing_but_that_a_link_stays_in_run(name, installed):
    answer = look([installed(name)], {})
    assert {one.code for one in answer.findings} <= {"HC028"}


@pytest.mark.parametrize("name", NEEDS)
def test_systemd_understands_its_unit(name, installed):
    tool = shutil.which("systemd-analyze")
    if tool is None:  # a machine of developers
        assert not os.environ.get("CI")
        return
    done = subprocess.run([tool, "verify", installed(name)], capture_output=True, text=True, check=False)
    assert [line for line in done.stderr.splitlines() if unit(name).name in line] == []


@pytest.mark.parametrize("name", NEEDS)
def test_its_own_tests_pass_as_its_readme_says(name):
    environ = {key: value for key, value in os.environ.items() if not key.startswith(("COVERAGE_", "PYTEST_"))}
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"]
    done = subprocess.run(
        command, cwd=EXAMPLES / name, env={**environ, "PYTHONPATH": str(ROOT)},
        capture_output=True, text=True, check=False, timeout=3 * PATIENCE,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout
    assert re.search(r"\d passed", done.stdout)

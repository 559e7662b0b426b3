"""The annotated example passes mypy --strict and pyright, and each mistake planted in a copy of it is found by both."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "examples" / "typed" / "gauge.py"

#: What stands in the example, and what is planted there. The first line of it is to be reported.
PLANTED = {
    "an attribute that the userdata does not have": (
        "    run.data.fd = os.open(run.data.path, os.O_RDONLY)\n",
        "    run.data.df = os.open(run.data.path, os.O_RDONLY)\n",
    ),
    "an integer as the outcome": ("    return read_gauge\n", "    return 0\n"),
    "a rollback function without its checkpoint": (
        """@read_gauge.rollback
def close_gauge(run: hafta.Run[Gauge], checkpoint: int) -> hafta.Outcome | None:
    if checkpoint == CP.CLEAR:
        run.sleep(0.01)
""",
        "@read_gauge.rollback\ndef close_gauge(run: hafta.Run[Gauge]) -> hafta.Outcome | None:\n",
    ),
    "a policy function of other userdata": (
        "@read_gauge.policy\ndef give_up_on_nonsense(run: hafta.Run[Gauge],",
        "@read_gauge.policy\ndef give_up_on_nonsense(run: hafta.Run[float],",
    ),
    "the wrong data for a sequence that is called": (
        "    run.call(report, run.data.values[-1])\n",
        "    run.call(report, run.data.path)\n",
    ),
    "a wrong argument of a retried function": (
        '    print(f"{size_of(sys.argv[1])} bytes")\n',
        '    print(f"{size_of(1.5)} bytes")\n',
    ),
    "an attribute that the object of a class does not have": (
        "        return self.ring if max(self.values) > self.limit else hafta.EXIT\n",
        "        return self.ring if max(self.value) > self.limit else hafta.EXIT\n",
    ),
    "a rollback method without its checkpoint": (
        "    @ring.rollback\n    def ring_again(self, run: hafta.Run, checkpoint: int)",
        "    @ring.rollback\n    def ring_again(self, run: hafta.Run)",
    ),
    "an await that is missing in a method": ("        await run.sleep(0.02)\n", "        run.sleep(0.02)\n"),
    "a name that hafta does not have": ("        return hafta.FAIL_SEQUENCE\n", "        return hafta.FAIL_SEQENCE\n"),
    "an await that is missing": ("    await run.sleep(0.01)\n", "    run.sleep(0.01)\n"),
}


def mypy(file):
    """Return the lines that mypy reports."""
    command = [sys.executable, "-m", "mypy", "--no-error-summary", str(file)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode in {0, 1}, done.stdout + done.stderr
    # Only the name: what mypy has in its cache is reported under the path that the same file had then.
    return [int(line) for line in re.findall(rf"{re.escape(file.name)}:(\d+): error: ", done.stdout)]


def pyright(file):
    """Return the lines that pyright reports."""
    command = [sys.executable, "-m", "pyright", "--outputjson", str(file)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode in {0, 1}, done.stdout + done.stderr
    found = json.loads(done.stdout)["generalDiagnostics"]
    return [one["range"]["start"]["line"] + 1 for one in found if one["severity"] == "error"]


@pytest.mark.parametrize("check", [mypy, pyright])
def test_the_annotated_example_passes(check):
    assert check(EXAMPLE) == []


@pytest.fixture(scope="module")
def planted(tmp_path_factory):
    """Return a copy of the example with all of the mistakes, and the line of each."""
    text = EXAMPLE.read_text()
    for right, wrong in PLANTED.values():
        assert text.count(right) == 1, right
        text = text.replace(right, wrong)
    file = tmp_path_factory.mktemp("planted") / "gauge.py"
    file.write_text(text)
    return file, {text[: text.index(wrong)].count("\n") + 1: what for what, (_, wrong) in PLANTED.items()}


@pytest.mark.parametrize("check", [mypy, pyright])
def test_each_planted_mistake_is_reported_and_nothing_else_is(check, planted):
    file, lines = planted
    assert {lines.get(line, f"line {line}") for line in check(file)} == set(PLANTED)

"""`hafta check` has nothing to say of any program that is shown, and all of them can be imported."""

import json
import re
from pathlib import Path

import pytest

from hafta.cli.group import run_group

EXAMPLES = Path(__file__).parents[3] / "examples"
PROGRAMS = sorted(path for path in EXAMPLES.rglob("*.py") if not path.name.startswith("test_"))
DECLARED = re.compile(r"^(\w+) = hafta\.Sequence\b|^class (\w+)\(hafta\.Steps\b", re.MULTILINE)
SEQUENCES = [
    (path, "".join(names)) for path in PROGRAMS for names in DECLARED.findall(path.read_text())
]  # a name is in one of the two groups


def findings(capfd, *names):
    run_group(["check", "--json", *names])
    answer = json.loads(capfd.readouterr().out)
    assert [one["name"] for one in answer["checked"]] == [*names]
    return [f"{one['code']} {one['text']}" for one in answer["findings"]]


def test_there_are_sequences_to_look_at():
    assert {"client", "disk", "ingest", "gauge", "report", "Alarm"} <= {name for _, name in SEQUENCES}


@pytest.mark.parametrize(("path", "name"), SEQUENCES, ids=[f"{path.stem}-{name}" for path, name in SEQUENCES])
def test_a_sequence_that_is_shown_passes(path, name, monkeypatch, capfd):
    monkeypatch.chdir(path.parent)
    assert findings(capfd, f"{path.stem}:{name}") == []


def test_a_program_that_starts_when_it_is_imported_would_be_found(tmp_path, monkeypatch, capfd):
    (tmp_path / "eager.py").write_text("import hafta\nfeed = hafta.Sequence('feed')\nraise SystemExit(3)\n")
    monkeypatch.chdir(tmp_path)
    [one] = findings(capfd, "eager:feed")
    assert one.startswith("HC056 ")

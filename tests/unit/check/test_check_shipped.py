"""What this project ships and writes passes its own rules, `--strict`, with what systemd itself says."""

import re
from pathlib import Path

import pytest
from check_support import CLEAN

from hafta.check.look import look
from hafta.check.rule import NOTE
from hafta.cli import unit_wanted
from hafta.cli.group import run_group

ROOT = Path(__file__).parents[3]
UNITS = sorted(path for folder in ("units", "examples") for path in (ROOT / folder).rglob("*.*")
               if path.suffix in {".service", ".socket", ".target"})  # fmt: skip
#: What `hafta unit` is asked for.
ASKED = {
    "a program": ("--name", "feed", "--", "/bin/true"),
    "with a probe": ("--name", "feed", "--probe", "tcp:127.0.0.1:1", "--network", "--", "/bin/true"),
    "slow probes": ("--name", "feed", "--interval", "7", "--failures", "5", "--timeout", "3", "--", "/bin/true"),
    "notify": ("--name", "feed", "--notify", "--", "/bin/true"),
    "notify and a watchdog": ("--name", "feed", "--notify", "--watchdog", "20", "--", "/bin/true"),
    "another user": ("--name", "feed", "--run-as", "daemon", "--group", "tty", "--", "/bin/true"),
    "everything open": (
        "--name", "feed", "--network", "--jit", "--proc", "--write", "/srv", "--device", "/dev/null", "--capability",
        "CAP_NET_BIND_SERVICE", "--", "/bin/true",
    ),
    "a sequence": ("--name", "feed", "--run-as", "daemon", "a_feed:feed", "--", "--pause", "1"),
    "a durable sequence": ("--name", "feed", "--run-as", "daemon", "a_feed:feed", "--", "--durable"),
}  # fmt: skip
SEQUENCE = "import hafta\nfeed = hafta.Sequence('feed')\n"


@pytest.fixture
def installed(tmp_path):
    """Put a unit somewhere, with programs where its commands look for them."""

    def put(name, text):
        def program(match):
            path = tmp_path / match[1].lstrip("/")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.touch(mode=0o755)
            return f"ExecStart={path}"

        file = tmp_path / name
        file.write_text(re.sub(r"ExecStart=(/usr/bin/hafta[\w-]*)", program, text))
        return str(file)

    return put


def findings(*files):
    """Return what --strict would fail for, as text."""
    answer = look(files, {})
    assert len(answer.checked) == len(files)
    return [f"{one.file}:{one.line} {one.code} {one.text}" for one in answer.findings if one.severity != NOTE]


def test_there_are_units_to_look_at():
    assert {"hafta-server.service", "hafta-client@.service", "hafta.target", "ingest.service"} <= {
        path.name for path in UNITS
    }


@pytest.mark.parametrize("path", UNITS, ids=lambda path: path.name)
def test_a_unit_that_is_shipped_or_shown_passes(path, installed):
    for other in UNITS:
        installed(other.name, other.read_text())
    assert findings(installed(path.name, path.read_text())) == []


@pytest.mark.parametrize("kind", ASKED)
def test_what_hafta_unit_prints_passes(kind, installed, capsys, tmp_path, monkeypatch):
    (tmp_path / "a_feed.py").write_text(SEQUENCE)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(unit_wanted, "_hafta", lambda: ("/usr/bin/hafta",))  # as packages install it
    monkeypatch.setattr(unit_wanted, "_python", lambda: "/usr/bin/python3")
    assert run_group(["unit", *ASKED[kind]]) == 0
    text = capsys.readouterr().out
    assert findings(installed("feed.service", text)) == []


def test_what_a_mistake_in_one_of_them_would_be_is_found(installed):
    [one] = findings(installed("feed.service", CLEAN.replace("Restart=always", "Restart=on-failure")))
    assert "HC011" in one

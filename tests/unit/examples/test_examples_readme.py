"""The README's commands for each kind of reader do what the paragraph says."""

import os
import re
import sys
from pathlib import Path

import pytest
from example_support import ROOT, Shell

sys.path.insert(0, str(Path(__file__).parents[1] / "leased"))
from leased_support import LACKING
from servers import Etcd

SECTION = re.search(r"^## Where to begin\n(.*?)^## ", (ROOT / "README.md").read_text(), re.DOTALL | re.MULTILINE)[1]
COMMANDS = {
    reader: re.findall(r"^    (.*)$", text, re.MULTILINE)
    for reader, text in re.findall(r"^\*\*I (.*?)\*\*(.*?)(?=^\*\*I |\Z)", SECTION, re.DOTALL | re.MULTILINE)
}


OWN = re.search(r"^## A service of your own\n(.*?)^## ", (ROOT / "README.md").read_text(), re.DOTALL | re.MULTILINE)[1]


@pytest.fixture
def shell(tmp_path):
    """A shell in the checkout; what stands for /run and /var/lib is elsewhere."""
    shell = Shell(tmp_path)
    shell.place = ROOT
    shell.environ |= {"HAFTA_RUNTIME_DIR": str(tmp_path / "run"), "HAFTA_STATE_DIR": str(tmp_path / "state")}
    return shell


def test_each_kind_of_reader_has_a_paragraph_a_link_and_commands():
    assert [*COMMANDS] == ["have a flaky job", "run daemons", "have containers", "have three hosts"]
    assert all(COMMANDS.values())
    assert all("](" in text for text in SECTION.split("\n**I ")[1:])


def test_a_job(shell):
    [out] = shell.run(COMMANDS["have a flaky job"])
    assert re.search(r"blocks are free\nSequence was: disk succeeded$", out)


def test_daemons(shell):
    here = lambda text: text.replace("unit --name", "unit --run-as daemon --name")  # `hafta` is in /tmp here
    unit, check = shell.run([here(command) for command in COMMANDS["run daemons"]])
    assert re.search(r"^ExecStart=.* guard --probe=http://127.0.0.1:8080/health -- /opt/shop/shop$", unit, re.MULTILINE)
    assert "1 unit: 0 errors, 0 warnings" in check


def test_containers(shell, tmp_path):
    [command] = COMMANDS["have containers"]
    assert command.startswith("hafta run ")
    command, said = command.replace(" --for 5", ""), tmp_path / "said"
    until = (
        f"until grep -qs 'hafta-client.service is ready' {said}; do sleep 0.1; done; kill $!; wait $!; echo status $?"
    )
    assert shell.run([f"{command} > {said} 2>&1 & {until}"]) == ["status 0\n"]


@pytest.mark.skipif(bool(LACKING) and not os.environ.get("CI"), reason=f"needs {', '.join(LACKING)}")
def test_hosts(shell, tmp_path):
    server = Etcd(tmp_path)
    try:
        home = tmp_path / "ingest"
        (home / "incoming").mkdir(parents=True)
        home.chmod(0o700)
        (home / "incoming" / "monday").write_text("t1,08:00,21.5\n")
        address = server.address.replace("http", "etcd")
        here = lambda text: text.replace("/srv/ingest", f"{home} --once").replace(
            "etcd://a:2379,b:2379,c:2379", address
        )
        ingested, records = shell.run([here(command) for command in COMMANDS["have three hosts"]])
    finally:
        server.end()
    assert "monday: 1 rows" in ingested
    assert re.search(r"^ingest .*\(ended\)", records, re.MULTILINE)


def test_a_service_of_ones_own(shell, tmp_path):
    shell.place = tmp_path / "own"
    shell.place.mkdir()
    (shell.place / "disk.py").write_text(re.search(r"^```python\n(.*?)^```", OWN, re.DOTALL | re.MULTILINE)[1])
    here = lambda text: text.replace("hafta unit", "hafta unit --run-as daemon")  # `hafta` is in /tmp here
    once, check, diagram, unit = shell.run(
        [here(command) for command in re.findall(r"^    (hafta .*|python3 .*)$", OWN, re.MULTILINE)]
    )
    assert re.search(r"blocks are free\nSequence was: disk succeeded$", once)
    assert "1 sequence: 0 errors, 0 warnings" in check
    assert "look" in diagram
    assert re.search(r"^ExecStart=.* -m hafta.service disk:disk$", unit, re.MULTILINE)

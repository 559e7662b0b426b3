"""examples/ha: ingest on several hosts, with its files in a shared directory and its ledger in PostgreSQL."""

import os
import shutil
import signal
import sys
from pathlib import Path

import pytest
from processes import Child, wait_until

sys.path.insert(0, str(Path(__file__).parents[1] / "leased"))
from leased_support import LACKING, ON_HOST
from servers import Postgres

from hafta.stores import PostgresStore

ROOT = Path(__file__).parents[3]
HA, INGEST = ROOT / "examples" / "ha", ROOT / "examples" / "ingest"
FILES = 12
ROWS = "".join(f"t{row},08:00,{row}.5\n" for row in range(200))

needs_postgres = pytest.mark.skipif(bool(LACKING) and not os.environ.get("CI"), reason=f"needs {', '.join(LACKING)}")


@pytest.fixture
def server(tmp_path):
    made = Postgres(tmp_path)
    yield made
    made.end()


@pytest.fixture
def home(tmp_path):
    folder = tmp_path / "shared"
    (folder / "incoming").mkdir(parents=True)
    folder.chmod(0o700)
    return folder


def service(server, home, host):
    """Run ingest on a host, as the drop-in has it."""
    text = ON_HOST + f"import runpy\nrunpy.run_path({str(INGEST / 'ingest.py')!r}, run_name='__main__')"
    where = {"HAFTA_STATE": str(home), "HAFTA_STORE": server.address, "HAFTA_LEDGER": server.address}
    return Child(text, "--ttl", "2", "--pause", "0.02", HOST=host, **where)


def query(server, text):
    import psycopg

    with psycopg.connect(server.address, autocommit=True) as connection:
        return connection.execute(text).fetchall()


@needs_postgres
def test_each_file_is_in_the_ledger_once_though_the_host_that_works_is_killed_again_and_again(server, home):
    done = home / "done"
    with service(server, home, "a") as first:
        first.wait_told("READY=1")
        running, killed = {"a": first}, 0
        children = [first]
        try:
            for number in range(FILES):
                (home / "incoming" / f".{number}").write_text(ROWS)
                (home / "incoming" / f".{number}").rename(home / "incoming" / f"f{number}")
                if number % 4 == 3:
                    name = next(iter(running))
                    other = "b" if name == "a" else "a"
                    children.append(service(server, home, other))
                    children[-1].wait_told("READY=1")  # as standby, or between two calls of the one that worked
                    running.pop(name).stop(signal.SIGKILL)
                    running[other], killed = children[-1], killed + 1
                    children[-1].wait_told("STATUS=waiting for files")  # it has taken over
            wait_until(lambda: len(list(done.iterdir())) == FILES, "all files are done")
        finally:
            for child in children[1:]:
                child.__exit__()
    found = query(server, "SELECT file, count(*), count(DISTINCT line) FROM ledger GROUP BY file")
    assert sorted(found) == sorted((f"f{number}", 200, 200) for number in range(FILES))
    assert killed == 3


@needs_postgres
def test_the_ledger_refuses_a_host_from_which_another_one_has_taken_over(server):
    import runpy
    from types import SimpleNamespace

    import hafta

    ledger = runpy.run_path(str(INGEST / "ingest.py"), run_name="ingest")["DatabaseLedger"](server.address)
    ledger.append(SimpleNamespace(token=7), "a", [b"t,1,2.0\n"])
    ledger.append(SimpleNamespace(token=9), "b", [b"t,1,2.0\n"])
    for change in (lambda run: ledger.append(run, "c", [b"t,1,2.0\n"]), lambda run: ledger.cut_off(run, "a")):
        with pytest.raises(hafta.ServiceError, match="the ledger has seen a newer owner"):
            change(SimpleNamespace(token=7))
    assert query(server, "SELECT file, reading FROM ledger ORDER BY file") == [("a", "t,1,2.0"), ("b", "t,1,2.0")]
    ledger.connection.close()
    ledger.cut_off(SimpleNamespace(token=9), "b")
    assert query(server, "SELECT file FROM ledger") == [("a",)]
    ledger.connection.close()
    assert PostgresStore(server.address).snapshots() == []


@pytest.mark.parametrize("name", ["ingest.service.d/60-ha.conf", "hafta-client.service.d/60-ha.conf", "60-hafta.conf"])
def test_each_drop_in_is_one_that_systemd_understands(name, tmp_path):
    text = (HA / name).read_text()
    assert "[Service]\n" in text
    tool = shutil.which("systemd-analyze")
    if tool is None:
        return
    import subprocess

    unit = tmp_path / "x.service"
    unit.write_text(
        "[Service]\nExecStart=/bin/true\n" + text.replace("User=ingest", "User=root").replace("Group=ingest", "")
    )
    done = subprocess.run([tool, "verify", str(unit)], capture_output=True, text=True, check=False)
    assert not [line for line in done.stderr.splitlines() if "x.service" in line]


def test_the_watchdog_of_the_drop_in_is_short_enough_for_the_lease():
    from hafta.service.runner import TTL
    from hafta.stores.leased.lease import least_ttl

    text = (HA / "ingest.service.d/60-ha.conf").read_text()
    assert "\nWatchdogSec=5\n" in text
    assert TTL.default > least_ttl(5)

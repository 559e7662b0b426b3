"""examples/ingest, installed by hand as its README says, and killed again and again."""

import re
from pathlib import Path

import pytest
from services import checkpoints, seeded, worker

EXAMPLE = Path(__file__).parents[2] / "examples" / "ingest"
UNIT = "ingest.service"
HOME = "/var/lib/ingest"
KILLS = 30
#: At most 40 starts in 10 s are let through by the unit; this stays below half of that.
LEAST_PAUSE = 0.5


def blocks() -> list[str]:
    """Return the scripts of the README's section on the service, in their order: install, put in, look, remove."""
    section = (EXAMPLE / "README.md").read_text().partition("\n## As a service\n")[2].partition("\n## ")[0]
    return re.findall(r"```sh\n(.*?)```", section, re.DOTALL)


INSTALL, PUT, LOOK, REMOVE = blocks()


@pytest.fixture(scope="module")
def ingest(installed):
    """The machine with the example installed as the README says."""
    installed.push(EXAMPLE, "/root/ingest")
    installed.sh(f"cd /root/ingest\n{INSTALL}")
    return installed


def rows(name: str, number: int) -> list[str]:
    return [f"{name},{index},{index}.5" for index in range(number)]


def put(machine, name: str, number: int = 50) -> list[str]:
    """Put a file in as the README does: hidden, then renamed. Return its rows."""
    lines = rows(name, number)
    machine.write(f"{HOME}/incoming/.{name}", "".join(f"{line}\n" for line in lines))
    machine.run("mv", f"{HOME}/incoming/.{name}", f"{HOME}/incoming/{name}")
    return lines


def names(machine, folder: str) -> list[str]:
    return machine.run("ls", f"{HOME}/{folder}").stdout.split()


def wait_until_done(machine, *wanted: str) -> None:
    machine.wait_until(f"{len(wanted)} files are done", lambda: set(wanted) <= set(names(machine, "done")), 300)


def ledger(machine) -> list[str]:
    return machine.run("cat", f"{HOME}/ledger.csv").stdout.splitlines()


def test_it_runs_in_its_sandbox(ingest):
    ingest.wait_until("it runs", lambda: ingest.get(UNIT, "SubState") == "running")
    pid = ingest.get(UNIT, "MainPID")
    assert ingest.sh(f"readlink /proc/{pid}/ns/mnt") != ingest.sh("readlink /proc/1/ns/mnt")
    status = ingest.sh(f"cat /proc/{pid}/status")
    assert "CapEff:\t0000000000000000" in status
    assert "Uid:\t0\t" not in status
    told = ingest.run("systemd-analyze", "security", "--no-pager", UNIT).stdout
    assert float(re.search(rf"Overall exposure level for {UNIT}: ([\d.]+)", told)[1]) <= 0.5


def test_a_file_that_is_put_in_comes_out_done(ingest):
    ingest.wait_until("its folders are there", lambda: "incoming" in ingest.sh(f"ls {HOME} 2>/dev/null || :").split())
    ingest.sh(PUT)
    wait_until_done(ingest, "wednesday")
    assert ledger(ingest) == ["t1,08:00,21.5"]


def test_killed_and_looked_at_as_the_readme_says(ingest):
    """The commands of the README, and what they show: where it stands, and the entry that says it resumed."""
    kill, look, read = LOOK.splitlines()
    ingest.wait_until("it waits for the next file", lambda: stands_in(ingest, "take", files=1))
    ingest.sh(kill)
    entry = ingest.wait_for_entry(f"_SYSTEMD_UNIT={UNIT}", "HAFTA_EVENT=resumed")
    assert entry["HAFTA_NODE"] == "take"
    table = ingest.sh(look).splitlines()
    assert table[0].split() == ["SEQUENCE", "NODE", "CP", "FAILS", "AGE", "HOLDER", "CAUSE", "STATE"]
    assert any(line.startswith("ingest ") and "name='wednesday'" in line for line in table)
    shown = ingest.sh(read)
    assert "Sequence ingest resumes: a process died in node take" in shown
    assert "Subject: Sequence ingest resumes in node take" in shown


def test_root_sees_the_record_of_the_dynamic_user_live(ingest):
    ingest.wait_until("it runs", lambda: ingest.get(UNIT, "SubState") == "running")
    ingest.wait_until("it holds its record", lambda: seen(ingest)["held"])
    record = seen(ingest)
    assert record["status"] == "running"
    assert record["holder"]["unit"] == UNIT
    assert record["holder"]["pid"] == worker(ingest, UNIT)
    assert record["sequences"][0]["node"] == "take"
    done = ingest.run("hafta", "checkpoints", "discard", "ingest", "--yes", check=False)
    assert done.returncode == 25
    assert f"({UNIT})" in done.stderr


def seen(machine) -> dict:
    """Return its record; before its first, one that nobody holds."""
    return checkpoints(machine).get("ingest", {"held": False})


def stands_in(machine, node: str, files: int) -> bool:
    record = seen(machine)
    return record["held"] and record["sequences"][0]["node"] == node and record["kept"]["files"] == files


def test_a_stop_counts_no_failure(ingest):
    before, old = seen(ingest), worker(ingest, UNIT)
    ingest.run("systemctl", "restart", UNIT)
    after = ingest.wait_until("another holds its record", lambda: held_by_other_than(ingest, old))
    assert after["sequences"][0]["attempt"] == before["sequences"][0]["attempt"]


def held_by_other_than(machine, pid: int) -> dict | None:
    record = seen(machine)
    return record if record["held"] and record["holder"]["pid"] != pid else None


def test_killed_at_random_moments_it_loses_nothing_and_doubles_nothing(ingest):
    chance = seeded()
    wanted = {"wednesday": ["t1,08:00,21.5"]}
    cursor = ingest.cursor()
    for number in range(KILLS):
        for part in "ab":
            wanted[f"file-{number:03}{part}"] = put(ingest, f"file-{number:03}{part}")
        ingest.sh(f"sleep {LEAST_PAUSE + chance.random() * 0.7:.3f}")  # the load: a moment that nobody chose
        ingest.sh("rm -f /run/ingest/ingest.starts")  # or else most kills would meet one that holds itself back
        ingest.run("systemctl", "kill", "--signal=KILL", UNIT)
    wait_until_done(ingest, *wanted)
    assert sorted(ledger(ingest)) == sorted(row for lines in wanted.values() for row in lines)
    assert [names(ingest, folder) for folder in ("incoming", "work", "bad")] == [[], [], []]
    assert ingest.journal(f"_SYSTEMD_UNIT={UNIT}", "HAFTA_EVENT=resumed", since=cursor)
    ingest.wait_until("all is counted", lambda: seen(ingest)["kept"]["files"] == len(wanted))
    assert seen(ingest)["kept"]["rows"] == len(ledger(ingest))


def test_a_stopped_ones_record_can_be_discarded_and_it_begins_anew(ingest):
    ingest.wait_until("it holds its record", lambda: seen(ingest)["held"])  # before, a stop has nothing to tell it
    ingest.run("systemctl", "stop", UNIT)
    assert seen(ingest)["status"] == "stopped"
    ingest.run("hafta", "checkpoints", "discard", "ingest", "--yes")
    assert ingest.run("hafta", "checkpoints", "show", "ingest", check=False).returncode == 4
    ingest.run("systemctl", "start", UNIT)
    ingest.wait_until("it holds its record", lambda: seen(ingest)["held"])
    assert seen(ingest)["kept"]["files"] == 0


def test_nothing_of_it_is_left_when_it_is_removed_as_the_readme_says(ingest):
    ingest.sh(f"cd /root/ingest\n{REMOVE}")
    left = ingest.sh(
        "find / -xdev -name '*ingest*' ! -path '/root/*' ! -path '/proc/*' ! -path '/var/log/*' 2>/dev/null || :"
    )
    assert left.split() == []

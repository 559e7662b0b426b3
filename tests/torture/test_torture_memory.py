"""A warm worker that meets the memory limit of its unit, under a real systemd with cgroup v2.

It is replaced, the unit does not notice, and the journal, the next worker and its policy know why it died.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
from conftest import as_root, need
from virtual import virtual

sys.path.append(str(Path(__file__).parents[1] / "system"))

from booted import SUITES, why_not
from booted.rootfs import root_file_system

pytestmark = [need("linux.uml", "gcc"), as_root("a whole machine on an overlay")]

#: The first worker takes memory until the kernel kills it, and the policy fails the sequence because of that. The next
#: sequence waits.
PROGRAM = """
import os, sys
import hafta, hafta.service
from hafta.policies import Attempts, On, OutOfMemory

STATE = os.environ["STATE_DIRECTORY"]
feed = hafta.Sequence("feed")

@feed.node(policy=On(OutOfMemory(), hafta.FAIL_SEQUENCE) | Attempts(9))
def work(run):
    run.checkpoint(1)
    if not os.path.exists(STATE + "/taken"):
        os.close(os.open(STATE + "/taken", os.O_CREAT))
        held = []
        while True:
            held.append(b"x" * (1 << 20))
            run.progress()
    with open(STATE + "/waits", "w") as file:
        file.write(str(os.getpid()))
    run.sleep(6000)
    return hafta.EXIT

sys.exit(hafta.service.run(feed, warm=True, checkpoints=hafta.service.state_checkpoints()))
"""
UNIT = """[Service]
ExecStart=/usr/bin/python3 /usr/local/lib/feed.py
Type=notify
Restart=always
RestartSec=0
StateDirectory=feed
RuntimeDirectory=feed
RuntimeDirectoryPreserve=restart
TimeoutStartSec=600
Environment=HAFTA_DEADLINE=120
KillMode=mixed
OOMPolicy=continue
MemoryMax=64M
MemorySwapMax=0
"""
LOOK = """
tries=0
while [ ! -e /var/lib/feed/waits ] && [ $tries -lt 300 ]; do sleep 1; tries=$((tries + 1)); done
echo "waits=$(cat /var/lib/feed/waits)"
systemctl show feed.service --property=ActiveState,NRestarts,Result,MainPID
sed 's/ /=/' /sys/fs/cgroup/system.slice/feed.service/memory.events
journalctl --sync
journalctl --unit feed.service --output json --quiet | sed 's/^/entry=/'
"""


@pytest.mark.parametrize("suite", SUITES)
def test_a_worker_over_the_memory_limit_of_its_unit_is_replaced_and_the_unit_stays(suite, tmp_path, tell):
    if reason := why_not():
        pytest.skip(reason)
    with virtual(tmp_path / "machine", root_file_system(SUITES[suite])) as machine:
        machine.install()
        machine.write("/usr/local/lib/feed.py", PROGRAM)
        machine.unit("feed.service", UNIT)
        said = [line.partition("=")[::2] for line in machine.run(LOOK).splitlines()]
    show = dict(said)
    assert (show["ActiveState"], show["NRestarts"], show["Result"], show["oom_kill"]) == ("active", "0", "success", "1")
    entries = [json.loads(text) for name, text in said if name == "entry"]
    started, replaced, resumed, failed = (
        next(entry for entry in entries if entry.get("HAFTA_EVENT") == event)
        for event in ("service-started", "worker-replaced", "resumed", "sequence-failed")
    )
    assert show["MainPID"] == started["_PID"] == replaced["_PID"]
    assert replaced["HAFTA_REASON"] == "was killed by the kernel in work: over the memory limit of its unit"
    assert resumed["HAFTA_CAUSE"] == replaced["HAFTA_REASON"]
    assert replaced["HAFTA_REASON"] in failed["HAFTA_REASON"]
    assert resumed["_PID"] == failed["_PID"] == replaced["HAFTA_BY"] != replaced["HAFTA_WORKER"]
    tell(1, f"worker killed for memory under systemd {SUITES[suite].systemd}, its unit did not notice")

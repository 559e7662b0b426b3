"""Whether a SIGKILL was the kernel's, for memory: by what the control group counts."""

import signal

import pytest

from hafta.death import MEMORY, OOM, Death
from hafta.service.warm import brood, memory


@pytest.fixture
def group(tmp_path, monkeypatch):
    """A control group of either version, whose counts a test sets: how many were killed, how often it was full."""
    monkeypatch.setattr(memory, "ROOT", str(tmp_path))
    monkeypatch.setattr(memory, "GROUPS", str(tmp_path / "groups"))

    def count(version, killed, limited):
        folder = tmp_path / ("memory/a/b" if version == 1 else "a/b")
        folder.mkdir(parents=True, exist_ok=True)
        lines = "11:memory:/a/b\n0::/a\n" if version == 1 else "0::/a/b\n"
        (tmp_path / "groups").write_text(f"12:cpu:/x\n{lines}")
        if version == 1:
            (folder / "memory.oom_control").write_text(f"oom_kill_disable 0\nunder_oom 0\noom_kill {killed}\n")
            (folder / "memory.failcnt").write_text(f"{limited}\n")
        else:
            (folder / "memory.events").write_text(f"low 0\nmax 9\noom {limited}\noom_kill {killed}\n")

    return count


@pytest.mark.parametrize("version", [1, 2])
@pytest.mark.parametrize(
    ("before", "after", "why"),
    [
        ((0, 0), (0, 0), ""),
        ((0, 0), (1, 0), OOM),
        ((3, 5), (4, 5), OOM),
        ((3, 5), (4, 6), MEMORY),
        ((3, 5), (3, 9), ""),
    ],
)
def test_what_has_been_counted_since_says_it(group, version, before, after, why):
    group(version, *before)
    then = memory.kills()
    group(version, *after)
    assert memory.since(then) == why


@pytest.mark.parametrize("text", ["", "x", "0::/nowhere\n", "3:memory:/nowhere\n", "0::\n"])
def test_where_nothing_can_be_read_nothing_was_killed(group, text, tmp_path):
    (tmp_path / "groups").write_text(text)
    assert memory.kills() == memory.Kills(0, 0)
    assert memory.since(memory.kills()) == ""


class Dead:
    """A process that has died of a signal."""

    def __init__(self, signum):
        self.signum = signum

    def reap(self):
        return Death(7, signal=self.signum)


class Wires:
    def close_in_child(self):
        """Have nothing to close."""


@pytest.mark.parametrize(("signum", "why"), [(signal.SIGKILL, MEMORY), (signal.SIGSEGV, "")])
def test_only_a_kill_can_be_the_kernel_s(group, signum, why):
    group(2, 0, 0)
    workers = brood.Brood("s", Wires())
    workers.worker = Dead(signum)
    group(2, 1, 1)
    assert workers.bury() == Death(7, signal=signum, why=why)
    assert workers.worker is None

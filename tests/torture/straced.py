"""Running a program under strace: to count its system calls, and to hurt one of them."""

from __future__ import annotations

import re
import subprocess
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

HANGS = 30.0  # seconds: a run takes a tenth of one
ERRORS = ("EIO", "ENOSPC", "EDQUOT", "EACCES", "EROFS", "EMFILE", "ENOMEM", "EINTR")


class Call(NamedTuple):
    """One system call of a run: the `nth` of that name, and how strace tells it, with the paths of descriptors."""

    name: str
    nth: int
    line: str


def calls_of(command: list[str], trace: str) -> list[Call]:
    """Return every system call of a run without faults."""
    subprocess.run(["strace", "-f", "-y", "-o", trace, *command], check=True, capture_output=True, timeout=HANGS)
    counts: Counter[str] = Counter()
    calls = []
    with open(trace, encoding="utf-8", errors="replace") as file:
        for name, rest in re.findall(r"^\d+ +(\w+)(\(.*)$", file.read(), re.MULTILINE):
            counts[name] += 1
            calls.append(Call(name, counts[name], name + rest))
    return calls


def kill(command: list[str], trace: str, call: Call) -> None:
    """Run it until it is killed before this system call."""
    done = _injected(command, trace, call, "signal=SIGKILL", [])
    assert done.returncode == -9, f"{call}: not killed: {done.stderr}"


def fail(command: list[str], trace: str, call: Call, error: str, *, ever: bool) -> subprocess.CompletedProcess:
    """Run it with an error from this system call, or from this and every later one of its name."""
    # With a filter in the kernel it is faster; but strace 6.1 then forgets to send signals.
    done = _injected(command, trace, call, f"error={error}", ["--seccomp-bpf"], "+" if ever else "")
    with open(trace, encoding="utf-8", errors="replace") as file:
        assert "(INJECTED)" in file.read(), f"{call} {error}: it was not injected"
    assert "Traceback" not in done.stderr, f"{call} {error}: {done.stderr}"
    return done


def _injected(
    command: list[str], trace: str, call: Call, what: str, how: list[str], again: str = ""
) -> subprocess.CompletedProcess:
    inject = ["-e", f"trace={call.name}", "-e", f"inject={call.name}:{what}:when={call.nth}{again}"]
    strace = ["strace", "-f", *how, "-o", trace, *inject, *command]
    return subprocess.run(strace, capture_output=True, text=True, timeout=HANGS, check=False)


def all_of(judge: Callable[..., None], cases: Iterable[tuple]) -> int:
    """Judge all cases, some at a time; return how many they were."""
    with ThreadPoolExecutor(max_workers=2) as pool:
        return sum(1 for _ in pool.map(lambda case: judge(*case), cases))

"""Records per second through a named pipe: our pair, a pair in C, a plain Python pair with one system call a record.

Each pair is a writer and a reader in processes of their own; every reader compares every record with the alphabet. A
run takes from the start of the writer to the end of the reader; the same run with one record is taken off, so that
starting a process does not count. Rounds are interleaved, and medians are compared. No bad data, unless a line says
so: what a client does about bad data is not the pipe's throughput.
"""

from __future__ import annotations

import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from typing import NamedTuple

HERE = os.path.dirname(os.path.abspath(__file__))
ROUNDS = 5
PATIENCE = 120.0  # seconds
HEAD_START = 1.0  # seconds for a reader that cannot be seen at its opening of the pipe


class Pair(NamedTuple):
    """Two command lines, with PIPE, COUNT, RATE and STATE to be put in, and how many records make a long run."""

    name: str
    writer: list[str]
    reader: list[str]
    records: int
    rate: int = 0
    reader_counts: bool = True  # prints how many records were good and how many were not


def run(rounds: int = ROUNDS) -> list[str]:
    """Measure, and return the lines of the result."""
    with tempfile.TemporaryDirectory() as place:
        compiler = shutil.which("gcc")
        pairs = python_pairs() + (c_pairs(compiler, place) if compiler else [])
        rates = measure(pairs, rounds, place)
    plain = rates["plain Python"]
    lines = ["Throughput, records per second (median of rounds, from least to most; ratio to plain Python)"]
    for name, found in sorted(rates.items(), key=lambda item: -statistics.median(item[1])):
        middle = statistics.median(found)
        spread = f"{min(found):>13,.0f} to {max(found):>11,.0f}"
        lines.append(f"  {name:<34} {middle:>11,.0f}  {spread}  {middle / statistics.median(plain):6.1f}x")
    if not compiler:
        lines.append("  the pair in C was not measured: gcc is not installed")
    return lines


def python_pairs() -> list[Pair]:
    """Return our pair, and the plain one."""
    plain = [sys.executable, f"{HERE}/throughput_plain.py"]
    client = [sys.executable, "-m", "hafta.client", "--pipe", "PIPE", "--once", "--reads", "COUNT"]
    return [
        Pair("hafta-server | hafta-client", server(), client, 8_000_000, reader_counts=False),
        Pair("the same, with checkpoints", server(), [*client, "--state", "STATE"], 8_000_000, reader_counts=False),
        Pair("plain Python", [*plain, "write", "PIPE", "COUNT", "RATE"], [*plain, "read", "PIPE"], 200_000),
    ]


def server() -> list[str]:
    """Return the command line of hafta-server as fast as possible."""
    options = ["--pipe", "PIPE", "--count", "COUNT", "--bad-rate", "RATE", "--interval", "0"]
    return [sys.executable, "-m", "hafta.server", *options]


def c_pairs(compiler: str, place: str) -> list[Pair]:
    """Build the programs in C; return the pairs with them: each end of ours can be seen apart, too."""
    built = {}
    for name in ("writer", "reader"):
        built[name] = f"{place}/{name}"
        subprocess.run([compiler, "-O2", "-o", built[name], f"{HERE}/throughput_{name}.c"], check=True)
    writer, reader = [built["writer"], "PIPE", "COUNT", "RATE"], [built["reader"], "PIPE"]
    return [
        Pair("C | C", writer, reader, 8_000_000),
        Pair("hafta-server | C", server(), reader, 8_000_000),
        Pair("hafta-server | C, 1 in 25 bad", server(), reader, 8_000_000, rate=25),
        Pair("C | C, 1 in 25 bad", writer, reader, 8_000_000, rate=25),
    ]


def measure(pairs: list[Pair], rounds: int, place: str) -> dict[str, list[float]]:
    """Run each pair once a round; return the records per second of each."""
    rates: dict[str, list[float]] = {pair.name: [] for pair in pairs}
    for _ in range(rounds):
        for pair in pairs:
            start = seconds(pair, 1, place)
            rates[pair.name].append((pair.records - 1) / (seconds(pair, pair.records, place) - start))
    return rates


def seconds(pair: Pair, count: int, place: str) -> float:
    """Return how long so many records take from the start of the writer to the end of the reader."""
    pipe = f"{place}/pipe"
    if not os.path.exists(pipe):
        os.mkfifo(pipe, 0o600)
    words = {"PIPE": pipe, "COUNT": str(count), "RATE": str(pair.rate), "STATE": place}
    reader_words, writer_words = ([words.get(word, word) for word in end] for end in (pair.reader, pair.writer))
    with subprocess.Popen(reader_words, stdout=subprocess.PIPE, text=True) as reader:
        try:
            wait_until_opening(reader.pid, pipe)
            begin = time.perf_counter()
            with subprocess.Popen(writer_words, stdout=subprocess.DEVNULL) as writer:
                output, _ = reader.communicate(timeout=PATIENCE)
                took = time.perf_counter() - begin
            check(pair, count, (writer.returncode, reader.returncode), output)
        finally:
            reader.kill()
    return took


def wait_until_opening(pid: int, pipe: str) -> None:
    """Wait until the reader has opened the pipe, or is in the system call that opens it and waits for a writer."""
    end = time.monotonic() + HEAD_START
    while time.monotonic() < end:
        with open(f"/proc/{pid}/wchan", encoding="ascii") as wchan:
            if "wait_for_partner" in wchan.read() or opened(pid, pipe):
                return
        time.sleep(0.002)


def opened(pid: int, pipe: str) -> bool:
    """Tell whether a process has the pipe open."""
    for fd in os.listdir(f"/proc/{pid}/fd"):
        try:
            if os.readlink(f"/proc/{pid}/fd/{fd}") == pipe:
                return True
        except FileNotFoundError:
            continue  # closed meanwhile
    return False


def check(pair: Pair, count: int, statuses: tuple[int, int], output: str) -> None:
    """Hold a run against what it was to do: a fast reader that lost records measures nothing."""
    if statuses != (0, 0):
        raise RuntimeError(f"{pair.name}: exit statuses {statuses}")
    if pair.reader_counts:
        right, wrong = (int(word) for word in output.split())
        if right + wrong // 2 != count or (count > 1 and bool(wrong) != bool(pair.rate)):
            raise RuntimeError(f"{pair.name}: {right} good and {wrong} bad records read of {count}")


if __name__ == "__main__":
    print("\n".join(run()))

"""docs/hosts.md: "Three hosts from nothing in ten commands", on three machines, each command as it stands there."""

import re
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import pytest
from booted.network import HOSTS, Host, Network

ROOT = Path(__file__).parents[2]
SECTION = (ROOT / "docs" / "hosts.md").read_text().partition("\n## Three hosts from nothing")[2].partition("\n## ")[0]
NAMES = "abc"
PLACE = "/root/hafta"
PATIENCE = 120.0  # seconds for what a look is to show: a lease, an election, and a busy machine
LOOKS = ("hafta checkpoints", "journalctl")  # these only look, so they are asked again


def steps():
    """Yield (whose, command, what it prints), or ("", a sentence, ""), in their order."""
    for part in re.split(r"^(```console\n.*?^```)$", SECTION, flags=re.MULTILINE | re.DOTALL):
        if not part.startswith("```"):
            yield from (("", sentence, "") for sentence in re.findall(r"cut the power of \w", part))
            continue
        body = part.removeprefix("```console\n").removesuffix("```")
        for one in re.split(r"^(?=\w+# )", body, flags=re.MULTILINE)[1:]:
            whose, _, rest = one.partition("# ")
            end = re.search(r"<<END\n.*?^END\n", rest, re.MULTILINE | re.DOTALL)
            at = end.end() if end else rest.index("\n") + 1
            yield whose, rest[:at], rest[at:]


def pattern(output):
    """Return what the output must match: numbers and blanks are those of the moment, and three dots are anything."""
    words = [re.sub(r"\d+(\\\.\d+)?", r"[\\d.]+", re.escape(word)) for word in output.split()]
    text = r"\s+".join("m?s" if word in {"s", "ms"} else word for word in words)
    return re.compile(text.replace("…", ".*") + r"\s*")


@pytest.fixture(scope="module")
def hosts(packages):
    """Three machines with the directory that the page names."""
    with Network(*NAMES) as network, ExitStack() as stack, ThreadPoolExecutor() as pool:
        made = {name: Host(HOSTS, network, name) for name in NAMES}
        for host in made.values():
            stack.callback(host.remove)
        list(pool.map(Host.boot, made.values()))
        for host in made.values():
            for package in sorted(packages.glob("*.deb")):
                host.push(package, f"{PLACE}/{package.name}")
            host.push(ROOT / "examples", f"{PLACE}/examples")
        yield made


def run(hosts, whose, command):
    """Run a command as the page says; return what it printed."""
    work = f"cd {PLACE}\n{command}"
    if whose == "all":
        with ThreadPoolExecutor() as pool:
            return "".join(pool.map(lambda host: host.sh(work), hosts.values()))
    return "".join(hosts[name].sh(work) for name in (NAMES if whose == "each" else whose))


def test_each_command_does_what_the_page_says(hosts):
    assert len([whose for whose, *_ in steps() if whose]) == 10, "as the heading says"
    assert [what for whose, what, _ in steps() if not whose] == ["cut the power of b"]
    for whose, command, output in steps():
        if not whose:
            hosts["b"].die()
            continue
        end = time.monotonic() + (PATIENCE if command.startswith(LOOKS) else 0.0)
        while not pattern(output).fullmatch(told := run(hosts, whose, command)) and output:
            assert time.monotonic() < end, f"{whose}# {command}{told}\nnot:\n{output}"
            time.sleep(0.5)

"""Three machines on which the commands of docs/hosts.md run, and those commands."""

from __future__ import annotations

import re
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from booted.network import HOSTS, Host, Network

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[2]
SECTION = (ROOT / "docs" / "hosts.md").read_text().partition("\n## Three hosts from nothing")[2].partition("\n## ")[0]
NAMES = "abc"
PLACE = "/root/hafta"


@contextmanager
def three_hosts(packages: Path, *options: str) -> Iterator[dict[str, Host]]:
    """Boot them, with the directory that the page names."""
    with Network(*NAMES) as network, ExitStack() as stack, ThreadPoolExecutor() as pool:
        made = {name: Host(HOSTS, network, name, *options) for name in NAMES}
        for host in made.values():
            stack.callback(host.remove)
        list(pool.map(Host.boot, made.values()))
        for host in made.values():
            for package in sorted(packages.glob("*.deb")):
                host.push(package, f"{PLACE}/{package.name}")
            host.push(ROOT / "examples", f"{PLACE}/examples")
        yield made


def steps() -> Iterator[tuple[str, str, str]]:
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


def run(hosts: dict[str, Host], whose: str, command: str) -> str:
    """Run a command as the page says; return what it printed."""
    work = f"cd {PLACE}\n{command}"
    if whose == "all":
        with ThreadPoolExecutor() as pool:
            return "".join(pool.map(lambda host: host.sh(work), hosts.values()))
    return "".join(hosts[name].sh(work) for name in (NAMES if whose == "each" else whose))

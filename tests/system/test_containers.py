"""docs/containers.md: its image is built, and each of its commands is run and prints what stands there.

The image cannot come from a registry: `podman build --from` puts the root file system of the tests in its place.
"""

import os
import re
import shutil
import subprocess
import time
from pathlib import Path

import pytest
from booted import SUITES, root_file_system
from booted.runtime import environment, podman, runtime

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "docs" / "containers.md").read_text()
BLOCKS = re.findall(r"^```(\S+)\n(.*?)^```$", TEXT, re.MULTILINE | re.DOTALL)
BASE = f"localhost/hafta-test-base-{os.getpid()}"
PATIENCE = 90.0  # seconds for what a service needs to come up
#: These only look, so they are asked until they see what the page shows: a service starts while a person types.
LOOKS = ("podman exec", "podman logs", "podman inspect")
CHANGES = ("reload", "kill", "stop", "start", "restart")
NAMES = re.findall(r"--name (\S+)", TEXT)


def commands():
    """Return (command, what it prints), in their order."""
    found = []
    for kind, body in BLOCKS:
        for part in re.split(r"^\$ ", body, flags=re.MULTILINE)[1:] if kind == "console" else ():
            command, _, output = part.partition("\n")
            found.append((command, output))
    return found


def pattern(output):
    """Return what the output must match: a line of three dots stands for any lines."""
    lines = [r"(?:.*\n)*?" if line == "..." else re.escape(line) + r" *\n" for line in output.splitlines()]
    return re.compile("".join(lines))


@pytest.fixture(scope="module")
def shell(tmp_path_factory, packages):
    """Run commands of the page in its directory, with a podman in front of the real one that works here."""
    home = tmp_path_factory.mktemp("shop")
    shutil.copytree(packages, home / "packages", ignore=shutil.ignore_patterns("*.rpm"))
    for kind, body in BLOCKS:
        if kind != "console":
            path = home / kind
            path.parent.mkdir(exist_ok=True)
            path.write_text(body)
    here = home / "bin"
    here.mkdir()
    wrapper = here / "podman"
    wrapper.write_text(
        f"#!/bin/sh\nverb=$1; shift\n"
        f"case $verb in\n"
        f'build) set -- --isolation chroot --from {BASE} "$@" ;;\n'
        f'run) set -- --network none "$@" ;;\n'
        f'esac\nexec {shutil.which("podman")} --runtime {runtime()} "$verb" "$@"\n'
    )
    wrapper.chmod(0o755)
    tree = root_file_system(SUITES["bookworm"])
    with subprocess.Popen(["tar", "--directory", tree, "--create", "."], stdout=subprocess.PIPE) as tar:
        words = ["podman", "--runtime", runtime(), "import", "--quiet", "-", BASE]
        subprocess.run(words, stdin=tar.stdout, env=environment(), check=True, capture_output=True, timeout=500)

    def run(command):
        environ = {**environment(), "PATH": f"{here}:{os.environ['PATH']}"}
        words = {"cwd": home, "env": environ, "text": True, "timeout": 500}
        return subprocess.run(command.split(), check=False, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, **words)

    yield run
    podman("rm", "--force", "--time", "0", "--ignore", *NAMES, check=False)
    podman("rmi", "--force", "localhost/shop", BASE, check=False)


def is_as_shown(command, output, done):
    """Tell whether a command did what the page shows; two are there to fail."""
    good = done.returncode == 0 or "--name failing" in command or "--name missing" in command
    return good and pattern(output).fullmatch(done.stdout)


def test_each_command_prints_what_the_page_shows(shell):
    assert len(commands()) > 25
    for command, output in commands():
        looks = command.startswith(LOOKS) and not set(command.split()) & set(CHANGES)
        end = time.monotonic() + (PATIENCE if looks else 0.0)
        while not is_as_shown(command, output, done := shell(command)):
            assert time.monotonic() < end, f"$ {command}\n{done.stdout}(status {done.returncode}), not:\n{output}"
            time.sleep(0.2)

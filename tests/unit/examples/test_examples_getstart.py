"""The tutorial's two programs, run for real: they print what their README says."""

import ast
import re
import signal
from pathlib import Path

import pytest
from processes import Child

ROOT = Path(__file__).parents[3]
GETSTART = ROOT / "examples" / "getstart"
README = (GETSTART / "README.md").read_text()


def shown(kind: str) -> list[list[str]]:
    """Return the blocks of the README, with the reads that `...` stands for."""
    blocks = re.findall(rf"```{kind}\n(.*?)```", README, re.DOTALL)
    return [expanded(block.splitlines()) for block in blocks]


def expanded(lines: list[str]) -> list[str]:
    result: list[str] = []
    for place, line in enumerate(lines):
        if line == "...":
            first, last = (int(lines[near].split()[0]) for near in (place - 1, place + 1))
            result += [f"{number} successful read(s)" for number in range(first + 1, last)]
        else:
            result.append(line)
    return result


def program(name: str, pipe: Path, **environ: str) -> Child:
    environ = {"PIPE": str(pipe), "PAUSE": "0.002", "PYTHONUNBUFFERED": "1", "PYTHONPATH": str(ROOT), **environ}
    return Child([str(GETSTART / name)], **environ)


def test_bad_data_is_rolled_back_and_tried_again(tmp_path: Path):
    """Only the first byte counts here; hafta-client compares all of them."""
    with program("server.py", tmp_path / "pipe", SEED="76") as server:
        wait_for(tmp_path / "pipe", server)
        with program("client.py", tmp_path / "pipe") as client:
            status, out, err = client.finish()
    assert (status, out.splitlines()) == (0, shown("console")[0])
    assert err.splitlines() == shown("text")[0]
    assert "policy_data = T" in out.splitlines()


def wait_for(path: Path, server: Child) -> None:
    while not path.exists():
        assert server.process.poll() is None


def test_a_server_that_was_stopped_is_waited_for(tmp_path: Path):
    with program("server.py", tmp_path / "pipe", PAUSE="600", SEED="6") as first:
        wait_for(tmp_path / "pipe", first)
        with program("client.py", tmp_path / "pipe") as client:
            printed = [client.wait_line("1 successful read(s)")]
            first.stop(signal.SIGKILL)
            printed.append(client.wait_line())  # before there is another, or it would not notice
            with program("server.py", tmp_path / "pipe", SEED="6"):
                status, out, _ = client.finish()
    assert (status, printed + out.splitlines()) == (0, shown("console")[1])


@pytest.mark.parametrize("file", sorted((ROOT / "examples").rglob("*.py")), ids=lambda file: file.name)
def test_examples_use_only_public_names(file: Path):
    """What `import hafta` gives, and the documented packages hafta.service, hafta.policies and hafta.testing."""
    import hafta

    public = {"hafta", "hafta.service", "hafta.policies", "hafta.settings", "hafta.stores", "hafta.testing"}
    tree = ast.parse(file.read_text())
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            assert {name.name for name in node.names if name.name.startswith("hafta")} <= public
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("hafta"):
            assert node.module in public
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "hafta":
            assert node.attr in {*hafta.__all__, "service"}


def test_the_client_is_about_as_short_as_the_tutorials():
    assert len((GETSTART / "client.py").read_text().splitlines()) <= 80

"""The packages under test: built from the checkout as it stands, once for a whole test run."""

from __future__ import annotations

import subprocess
from pathlib import Path

from booted.runtime import lock

ROOT = Path(__file__).parents[3]


def build_packages(output: Path) -> Path:
    """Build all packages into a directory, unless another worker has. Raises RuntimeError with the log."""
    building = output.with_name(f"{output.name}.building")
    with lock(Path(f"{output}.lock")):
        if not output.exists():
            for script in ("build-deb", "build-rpm"):
                _run([str(ROOT / "packaging" / script), "--worktree", "--nodoc", str(building)])
            building.rename(output)
    return output


def build_next(kind: str, output: Path) -> Path:
    """Build the .deb or .rpm packages of the same tree with a higher version, for upgrades."""
    tree = output / "tree"
    _run([str(ROOT / "packaging/export"), "--worktree", str(tree)])
    _raise_version(tree / "packaging/debian/changelog", "(0.1.0)", "(0.1.0+next)")
    _raise_version(tree / "packaging/rpm/hafta.spec", "Release:        1", "Release:        1+next")
    _run(["git", "init", "--quiet", str(tree)])
    _run([str(tree / "packaging" / f"build-{kind}"), "--worktree", "--nodoc", str(output)])
    return output


def _raise_version(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))


def _run(command: list[str]) -> None:
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(f"{command[0]}: status {done.returncode}\n{done.stderr[-6000:]}")
